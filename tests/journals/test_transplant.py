"""A journal recorded in one store and written into another gives the same state."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import pytest

from comity.mesh import Mesh, running_registry
from comity.registry import RegistryService
from comity.sdk.identity import Identity
from comity.sdk.ports import Entry, Journal, Now
from comity.transports import open_journal
from comity.transports.brokers import Broker


async def entries(journal: Journal) -> AsyncGenerator[Entry]:
    end = await journal.end()
    async for entry in journal.follow(0):
        yield entry
        if entry.position >= end:
            return


async def replayed(journal: Journal) -> str:
    """The hash of the state that the journal makes."""
    service = RegistryService(
        namespace="default", identity=Identity.generate(), entropy=b"r" * 16, incarnation=journal.incarnation
    )
    async with aclosing(entries(journal)) as found:
        async for entry in found:
            service.entry(entry.position, entry.data, Now(0.0, 0.0))
    return service.state_hash()


async def record(journal: str) -> None:
    """Agents come, change, are watched and leave."""
    url = f"memory://transplant-{uuid.uuid4().hex}"
    async with running_registry(url, journal), Mesh.connect(url, agent="a") as one:
        async with Mesh.connect(url, agent="b") as two:
            for mesh in (one, two):
                await mesh.registry.register(capabilities=["x", "y@1"], metadata={"k": [1, True, "é"]})
            watch = one.registry.watch(capability="x")
            await anext(watch)
            for zone in "abc":
                await two.registry.update(zone=zone)
            await two.registry.deregister()
            await watch.aclose()  # type: ignore[attr-defined]
        await one.registry.register(capabilities=[], lease_ms=1000)


@pytest.mark.broker
@pytest.mark.parametrize(
    "target", ["memory", "jetstream", pytest.param("kafka", marks=pytest.mark.xdist_group("kafka"))]
)
async def test_a_transplanted_journal_gives_the_same_state(
    request: pytest.FixtureRequest, tmp_path: Path, target: str
) -> None:
    source = f"sqlite:{tmp_path / 'registry.db'}"
    await record(source)
    place = "memory:"
    if target != "memory":
        server: Broker = request.getfixturevalue(
            {"jetstream": "nats_server", "kafka": "kafka_server"}[target]
        )
        place = f"{target}:{server.url}/{uuid.uuid4().hex}"
    async with open_journal(source) as one, open_journal(place) as other:
        async with aclosing(entries(one)) as found:
            async for entry in found:
                await other.append(entry.data)
        assert await one.end() == await other.end() > 8
        assert await replayed(one) == await replayed(other)
