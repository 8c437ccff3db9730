"""kill -9 at random moments under load: nothing acknowledged is lost, nothing is done twice, revisions only rise."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from comity.registry._core.record import decode
from comity.sdk.ports import Send
from comity.transports.brokers import Broker

from .agents import Agent, Answer, agent_on
from .processes import eventually, serving

pytestmark = [pytest.mark.broker, pytest.mark.slow]

KILLS = 12
WRITERS = 4
CYCLE = 12  # writes between two Registers of a writer
SUCCESS = {"Register": "Registered", "Update": "Updated", "Renew": "Renewed"}


class Writer:
    """Registers, updates and renews without end, each write once the one before is answered."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        self.epoch = 0
        self.last: dict[str, Any] = {}
        self.written: list[tuple[str, Send, Answer]] = []

    async def write(self, stop: asyncio.Event) -> None:
        number = 0
        while not stop.is_set():
            name, data = self._next(number)
            send = self.agent.make(name, agent=self.agent.id, **data)
            answer = await self.agent.send(send)
            assert answer.name == SUCCESS[name], answer
            self.written.append((name, send, answer))
            self.epoch = answer.data.get("epoch", self.epoch)
            self.last = data.get("metadata", self.last)
            number += 1

    def _next(self, number: int) -> tuple[str, dict[str, Any]]:
        mark = {"n": number}
        if number % CYCLE == 0:
            return "Register", {"capabilities": ["x"], "lease_ms": 600_000, "metadata": mark}
        if number % CYCLE % 3 == 0:
            return "Renew", {"epoch": self.epoch}
        return "Update", {"epoch": self.epoch, "metadata": mark}

    async def check(self) -> None:
        """What was answered is what is there; REG-REG-002, REG-REV-002: epochs and revisions rise."""
        found = await self.agent.ask("Lookup", agent=self.agent.id, consistency="linearizable")
        assert (found.data["entry"]["epoch"], found.data["entry"]["metadata"]) == (self.epoch, self.last)
        revisions = [answer.data["revision"] for _, _, answer in self.written]
        assert revisions == sorted(set(revisions))
        epochs = [answer.data["epoch"] for name, _, answer in self.written if name == "Register"]
        assert epochs == sorted(set(epochs))

    async def repeat(self) -> None:
        """CORE-DLV-001, REG-DUR-002: each of the last 64 writes, sent again, gets the very event it got before."""
        for _, send, answer in self.written[-60:]:
            again = await self.agent.send(send)
            assert (again.name, again.data, again.id) == (answer.name, answer.data, answer.id)


def applied_once(journal: Path, writers: list[Writer]) -> None:
    """The journal has each answered write, and its outcome was decided where the answer says."""
    with closing(sqlite3.connect(journal)) as file:
        rows = file.execute("SELECT position, data FROM entries ORDER BY position").fetchall()
    first: dict[tuple[str, int], int] = {}
    for position, data in rows:
        command = decode(data).command
        if command is not None:
            first.setdefault((command.source, command.sequence), position)
    for writer in writers:
        for _, send, answer in writer.written:
            position = first[writer.agent.id, int(send.frame.attributes["sequence"])]
            assert answer.data["revision"] == 2**40 + position


async def test_nothing_is_lost_and_nothing_done_twice(
    nats_server: Broker, tmp_path: Path, space: str
) -> None:
    """REG-DUR-001, CORE-DLV-001 with real processes."""
    dice = random.Random()  # the moment is random on purpose: no seed repeats a scheduler
    journal, stop = tmp_path / "registry.db", asyncio.Event()
    async with (
        asyncio.timeout(120),
        serving(nats_server.url, journal, space) as service,
        agent_on(nats_server.url, space) as a,
        agent_on(nats_server.url, space) as b,
        agent_on(nats_server.url, space) as c,
        agent_on(nats_server.url, space) as d,
    ):
        writers = [Writer(agent) for agent in (a, b, c, d)]

        def answered() -> int:
            return sum(len(writer.written) for writer in writers)

        async with asyncio.TaskGroup() as group:
            for writer in writers:
                group.create_task(writer.write(stop))
            for _ in range(KILLS):
                enough = answered() + dice.randrange(1, 200)
                await eventually(lambda enough=enough: answered() >= enough, "the writers stand still")  # type: ignore[misc]
                await service.kill()
                await service.start()
            stop.set()
        for writer in writers:
            await writer.check()
            await writer.repeat()
        applied_once(journal, writers)
