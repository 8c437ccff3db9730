"""nats-server killed with -9 and started again under load: everybody comes back, and nothing is told twice or missed."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from comity.mesh import Mesh
from comity.sdk.errors import TimedOut
from comity.transports.brokers import Broker

from .processes import eventually, serving
from .watching import watched_on

pytestmark = [pytest.mark.broker, pytest.mark.slow]

KILLS = 4


async def test_requests_are_repeated_and_watches_go_on(
    own_server: Broker, tmp_path: Path, space: str
) -> None:
    """REG-AGT-001, REG-AGT-006: what was under way succeeds or times out; a watch sees every change once, in order."""
    url = own_server.url
    async with (
        asyncio.timeout(100),
        serving(url, tmp_path / "registry.db", space) as service,
        watched_on(url, space) as pair,
    ):
        writing = asyncio.create_task(pair.write())

        async def go_on() -> None:
            enough = len(pair.answered) + 50
            await eventually(lambda: len(pair.answered) >= enough, "writing stands still", 30)

        for _ in range(KILLS):
            await go_on()
            await asyncio.to_thread(own_server.kill)
            await asyncio.to_thread(own_server.restart)
        await go_on()
        pair.stop()
        await writing
        await pair.check()
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
            async with asyncio.timeout(15):
                with pytest.raises(TimedOut, match=r"within 0\.7 s"):
                    await mesh.registry.count()
            assert time.monotonic() - began > 0.6, "given up too soon"
        ended = await service.stop()
        assert ended.code == 0
        assert "Traceback" not in ended.err
