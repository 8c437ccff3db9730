"""kill -9 of services and of broker nodes under load: what three replicas on three nodes promised, they keep."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from comity.mesh import serve
from comity.transports.brokers import Broker

from ..conftest import broker_or_policy
from .cluster import cluster_on, survives
from .order import told_out_of_order

pytestmark = [pytest.mark.broker, pytest.mark.slow]


async def test_three_replicas_on_three_nodes(tmp_path: Path, space: str) -> None:
    """Shorter than `make soak`, which does the same on Kafka; with a schedule that is always the same."""
    with broker_or_policy("nats", nodes=3) as broker:
        await survives(broker, space, tmp_path, seed=1, services=2, nodes=1)


async def test_services_that_share_nothing_are_found_out(
    nats_server: Broker, tmp_path: Path, space: str
) -> None:
    """The judge that finds nothing wrong above finds three registries where one is due."""
    async with cluster_on(nats_server, "memory:", space, tmp_path, seed=1) as cluster:
        await cluster.survive([], random.Random(1))
        with pytest.raises(AssertionError):
            await cluster.pair.check()
    assert told_out_of_order(cluster.loads)
    rows = {row for load in cluster.loads for found in load.judged().violations for row in found.rows}
    assert rows & {"REG-REV-001", "REG-REV-002", "REG-REV-003", "REG-REV-004"}


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
