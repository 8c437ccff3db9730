"""Two services on one journal and namespace, meant or by mistake: they are replicas and stay one registry."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from comity.sdk.ports import Send
from comity.transports.brokers import Broker

from .agents import Agent, Answer, agent_on
from .processes import eventually, serving

pytestmark = [pytest.mark.broker, pytest.mark.slow]

AT_ONCE = 32
SNAPSHOT_EVERY = 10_000  # entries, as a session does by default


def number_in(journal: Path, question: str) -> int:
    """The one number that a question to the journal file is answered with, 0 where there is none."""
    with closing(sqlite3.connect(journal)) as file:
        row = file.execute(question).fetchone()
    return row[0] or 0 if row else 0


def snapshot_in(journal: Path) -> int:
    return number_in(journal, "SELECT position FROM snapshot")


def end_of(journal: Path) -> int:
    return number_in(journal, "SELECT max(position) FROM entries")


@contextmanager
def between_transactions(journal: Path) -> Generator[None]:
    """A block during which nobody else writes to the journal."""
    with closing(sqlite3.connect(journal, timeout=20, isolation_level=None)) as file:
        file.execute("BEGIN IMMEDIATE")
        yield
        file.execute("ROLLBACK")


async def renew(agent: Agent, epoch: int, stop: asyncio.Event) -> list[tuple[Send, Answer]]:
    """Renew without end, 32 at a time; the last requests and their answers."""
    asked: list[tuple[Send, Answer]] = []

    async def one_after_the_other() -> None:
        while not stop.is_set():
            send = agent.make("Renew", agent=agent.id, epoch=epoch)
            asked.append((send, await agent.send(send)))
            del asked[:-64]

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(one_after_the_other())
    return sorted(asked, key=lambda pair: pair[0].frame.attributes["sequence"])[-AT_ONCE:]


async def test_two_services_on_one_journal_are_one_registry(
    nats_server: Broker, tmp_path: Path, space: str
) -> None:
    """One of them falls behind while the other keeps a snapshot; neither gives up, and every answer is the same."""
    journal, stop = tmp_path / "registry.db", asyncio.Event()
    url = nats_server.url
    async with (
        asyncio.timeout(90),
        serving(url, journal, space) as first,
        serving(url, journal, space) as second,
        agent_on(url, space) as agent,
        asyncio.TaskGroup() as group,
    ):
        epoch = (await agent.register()).data["epoch"]
        writing = group.create_task(renew(agent, epoch, stop))
        await eventually(lambda: end_of(journal) > SNAPSHOT_EVERY - 200, "the writers stand still", 40)
        with between_transactions(
            journal
        ):  # one that stands still in the middle of its own holds up all others
            second.pause()
        await eventually(lambda: snapshot_in(journal) > 0, "no snapshot was kept", 40)
        second.go_on()
        kept = snapshot_in(journal)
        await eventually(lambda: snapshot_in(journal) > kept + SNAPSHOT_EVERY // 2, "no further snapshot", 40)
        stop.set()
        asked = await writing
        assert {answer.name for _, answer in asked} == {"Renewed"}
        for send, answer in asked * 2:  # the group gives them to either service
            again = await agent.send(send)
            assert (again.name, again.data, again.id) == (answer.name, answer.data, answer.id)
        assert await first.stop() == (0, "", "")
        found = await agent.ask("Lookup", agent=agent.id, consistency="linearizable")
        assert found.data["entry"]["epoch"] == epoch
        assert await second.stop() == (0, "", "")
