"""Watchers that stop reading or vanish: the others hear everything, and what nobody reads ends with its lease."""

from __future__ import annotations

import asyncio
import sys
import uuid
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from comity.mesh import Mesh
from comity.sdk.errors import LocalProtocolError
from comity.transports.brokers import Broker

from .agents import Agent, agent_on
from .processes import eventually, serving

WATCH = """
import asyncio, sys
from comity.mesh import Mesh
async def main():
    async with Mesh.connect(sys.argv[1], agent="doomed", namespace=sys.argv[2]) as mesh:
        async for change in mesh.registry.watch(lease_ms=2000):
            if change.kind == "synced":
                print(mesh.agent, flush=True)
asyncio.run(main())
"""


@pytest.mark.parametrize("number", ["SIGKILL", "SIGSTOP"])
@pytest.mark.broker
@pytest.mark.slow
async def test_a_watcher_that_vanishes_or_freezes_harms_nobody(
    nats_server: Broker, tmp_path: Path, space: str, number: str
) -> None:
    """REG-WCH-009: its watch ends with its lease, and nothing more is sent for it."""
    url = nats_server.url
    async with (
        asyncio.timeout(60),
        serving(url, tmp_path / "registry.db", space) as service,
        agent_on(url, space) as watcher,
        agent_on(url, space) as writer,
        agent_on(url, space) as spy,
    ):
        doomed = await asyncio.create_subprocess_exec(sys.executable, "-c", WATCH, url, space, stdout=PIPE)
        try:
            assert doomed.stdout is not None
            victim = (await doomed.stdout.readline()).decode().strip()
            heard: list[str] = []
            address = f"{space}.registry.v1.changes.{victim}"
            await spy.transport.subscribe(address, lambda one: heard.append(one.frame.attributes["id"]))
            assert (await watcher.ask("Watch", watch="w", lease_ms=600_000)).name == "Watching"
            epoch = (await writer.register()).data["epoch"]
            await eventually(lambda: len(heard) == 1, "the victim is told nothing")
            doomed.send_signal({"SIGKILL": 9, "SIGSTOP": 19}[number])
            updates = await _until_told_no_more(writer, epoch, spy, heard)
            told = len(heard)
            for step in range(20):
                await writer.ask("Update", agent=writer.id, epoch=epoch, metadata={"n": step})
            wanted = 1 + 1 + updates + 20  # synced, Register, Updates
            await eventually(lambda: len(watcher.changes) == wanted, "the watcher misses changes")
            assert len(heard) == told
        finally:
            if doomed.returncode is None:
                doomed.kill()
            await doomed.communicate()
        indices = [change["index"] for change in watcher.changes]
        assert indices == list(range(1, len(indices) + 1))
        assert (await service.stop()).code == 0


async def _until_told_no_more(writer: Agent, epoch: int, spy: Agent, heard: list[str]) -> int:
    """Update until the victim is not told of it; how many Updates that took."""
    for number in range(1, 10_000):
        told = len(heard)
        await writer.ask("Update", agent=writer.id, epoch=epoch, metadata={"n": -number})
        await writer.ask("Lookup", agent=writer.id, consistency="linearizable")
        await spy.transport.flush()  # what was sent before the answer has arrived with it
        if len(heard) == told:
            return number
    raise AssertionError("the watch outlives its lease")


async def test_a_watch_that_nobody_reads_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("comity.mesh._registry._MAX_WAITING", 20)
    url = f"memory://w{uuid.uuid4().hex}?serve=registry"
    async with (
        asyncio.timeout(30),
        Mesh.connect(url, agent="slow") as slow,
        Mesh.connect(url, agent="quick") as quick,
    ):
        await quick.registry.register(capabilities=["x"])
        unread = slow.registry.watch()
        assert [(await anext(unread)).kind for _ in range(2)] == ["put", "synced"]
        for number in range(60):
            await quick.registry.update(metadata={"n": number})
        with pytest.raises(LocalProtocolError, match="read faster"):
            await anext(unread)
        again = slow.registry.watch()
        assert (await anext(again)).kind == "put"
