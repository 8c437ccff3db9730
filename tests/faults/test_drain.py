"""SIGTERM: what was taken in is answered, and the service ends with 0 and without a word."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from comity.transports.brokers import Broker

from .agents import Answer, agent_on
from .processes import serving

pytestmark = pytest.mark.broker


def entries_in(journal: Path) -> int:
    """How many entries a journal file holds."""
    with closing(sqlite3.connect(journal)) as file:
        return int(file.execute("SELECT count(*) FROM entries").fetchone()[0])


async def test_what_was_taken_in_is_answered(nats_server: Broker, tmp_path: Path, space: str) -> None:
    journal = tmp_path / "registry.db"
    async with (
        serving(nats_server.url, journal, space) as service,
        agent_on(nats_server.url, space) as agent,
    ):
        epoch = (await agent.register()).data["epoch"]
        renewals = [agent.make("Renew", agent=agent.id, epoch=epoch) for _ in range(50)]
        service.pause()
        asked = [
            asyncio.create_task(agent.send(renewal, within=5, every=60), name="asked") for renewal in renewals
        ]
        await asyncio.sleep(0)
        await agent.transport.flush()
        service.go_on()
        assert await service.stop() == (0, "", "")
        await agent.transport.flush()
        answered = [one.result() for one in asked if one.done()]
        for one in asked:
            one.cancel()
        assert all(isinstance(answer, Answer) and answer.name == "Renewed" for answer in answered)
        assert len(answered) == entries_in(journal) - 1


async def test_a_broker_that_came_back_is_no_failure_of_the_end(
    own_server: Broker, tmp_path: Path, space: str
) -> None:
    """What the break cost was repeated long ago; nobody is to be alarmed by it on the way out."""
    async with (
        serving(own_server.url, tmp_path / "registry.db", space) as service,
        agent_on(own_server.url, space) as agent,
    ):
        await agent.register()
        await asyncio.to_thread(own_server.kill)
        await asyncio.to_thread(own_server.restart)
        assert (await agent.ask("Lookup", agent=agent.id, consistency="linearizable")).name == "Found"
        ended = await service.stop()
        assert (ended.code, ended.out) == (0, "")
        assert "Traceback" not in ended.err
