"""nats-server killed with -9 and started again under load: everybody comes back, and nothing is told twice or missed."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from comity.mesh import Mesh
from comity.sdk.errors import Refused, TimedOut
from comity.transports.brokers import Broker

from .processes import eventually, serving

pytestmark = [pytest.mark.broker, pytest.mark.slow]

KILLS = 4


async def test_requests_are_repeated_and_watches_go_on(
    own_server: Broker, tmp_path: Path, space: str
) -> None:
    """REG-AGT-001, REG-AGT-006: what was under way succeeds or times out; a watch sees every change once, in order."""
    url, stop = own_server.url, asyncio.Event()
    seen: list[int] = []
    answered: list[int] = []
    refusals: list[str] = []

    async def watch(mesh: Mesh) -> None:
        async for change in mesh.registry.watch(capability="x", lease_ms=1500):
            if change.kind == "put" and change.entry is not None:
                seen.append(change.revision)

    async def write(mesh: Mesh) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            try:
                answered.append(await mesh.registry.update(metadata={"n": number}))
            except TimedOut:
                continue
            except Refused as refusal:
                refusals.append(refusal.code)

    async with (
        asyncio.timeout(100),
        serving(url, tmp_path / "registry.db", space) as service,
        Mesh.connect(url, agent="watcher", namespace=space) as watcher,
        Mesh.connect(url, agent="writer", namespace=space) as writer,
    ):
        lease = await writer.registry.register(capabilities=["x"], lease_ms=600_000)
        watching = asyncio.create_task(watch(watcher))
        writing = asyncio.create_task(write(writer))
        for _ in range(KILLS):
            enough = len(answered) + 50
            await eventually(lambda enough=enough: len(answered) >= enough, "writing stands still", 30)  # type: ignore[misc]
            await asyncio.to_thread(own_server.kill)
            await asyncio.to_thread(own_server.restart)
        enough = len(answered) + 50
        await eventually(lambda: len(answered) >= enough, "writing stands still", 30)
        stop.set()
        await writing
        assert refusals == []
        last = (await watcher.registry.lookup(writer.agent, consistency="linearizable")).revision
        await eventually(lambda: bool(seen) and seen[-1] == last, "the watch stands still", 30)
        assert seen == sorted(set(seen))
        missed = set(answered) - set(seen)
        assert {revision for revision in missed if revision > seen[0]} == set()
        assert seen[0] >= lease.revision
        watching.cancel()
        await asyncio.wait({watching})
        assert (await service.stop()).code == 0


async def test_a_broker_that_stays_away_is_a_timeout(own_server: Broker, tmp_path: Path, space: str) -> None:
    """Requests time out as told; the service waits for the broker and ends when it is told to."""
    async with (
        asyncio.timeout(60),
        serving(own_server.url, tmp_path / "registry.db", space) as service,
        Mesh.connect(own_server.url, agent="a", namespace=space, request_timeout_ms=700) as mesh,
    ):
        await mesh.registry.register(capabilities=["x"])
        await asyncio.to_thread(own_server.kill)
        for _ in range(3):
            began = time.monotonic()
            with pytest.raises(TimedOut):
                await mesh.registry.count()
            assert 0.6 < time.monotonic() - began < 2
        ended = await service.stop()
        assert ended.code == 0
        assert "Traceback" not in ended.err
