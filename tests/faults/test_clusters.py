"""kill -9 of services and of broker nodes under load: what three replicas on three nodes promised, they keep."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from comity.mesh import serve
from comity.transports.brokers import Broker

from ..conftest import broker_or_policy
from .cluster import survives

pytestmark = [pytest.mark.broker, pytest.mark.slow]


async def test_three_replicas_on_three_nodes_of_nats(tmp_path: Path, space: str) -> None:
    with broker_or_policy("nats", nodes=3) as broker:
        scheme, _, hosts = broker.url.partition("://")
        journal = f"jetstream:{scheme}://{hosts}/{space}?replicas=3&timeout=1"
        await survives(broker, journal, space, tmp_path, seed=1, services=2, nodes=1)


async def test_a_service_that_is_stopped_as_it_becomes_ready_ends(nats_server: Broker, space: str) -> None:
    journal = f"jetstream:{nats_server.url}/{space}"
    for _ in range(5):
        ready = asyncio.Event()
        serving = asyncio.create_task(
            serve(nats_server.url, journal, namespace=space, ready=lambda _, ready=ready: ready.set())  # type: ignore[misc]
        )
        async with asyncio.timeout(20):
            await ready.wait()
        serving.cancel()
        done, _ = await asyncio.wait({serving}, timeout=20)
        assert done, "it waits for ever"
