"""Hostile octets at a live service: it goes on answering others within a second, and its memory stays bounded."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest
from nats.aio.client import Client

from comity.transports.brokers import Broker

from .agents import agent_on
from .attacks import WAVES
from .processes import serving

pytestmark = [pytest.mark.broker, pytest.mark.slow]

PATIENCE = 5.0
GROWTH = 150 << 20


@pytest.mark.parametrize("wave", sorted(WAVES))
async def test_others_are_served_meanwhile(
    nats_server: Broker, tmp_path: Path, space: str, wave: str
) -> None:
    async with (
        asyncio.timeout(60),
        serving(nats_server.url, tmp_path / "registry.db", space) as service,
        agent_on(nats_server.url, space) as honest,
        agent_on(nats_server.url, space) as hostile,
    ):
        epoch = (await honest.register()).data["epoch"]
        before = service.memory
        messages = list(WAVES[wave](hostile, random.Random(1)))
        raw = Client()
        await raw.connect(nats_server.url)
        try:
            subject = f"{space}.registry.v1.requests.{hostile.id}"
            for headers, payload in messages:
                await raw.publish(subject, payload, headers=headers)
            await raw.flush(30)
            for _ in range(5):
                async with asyncio.timeout(PATIENCE):
                    found = await honest.ask("Lookup", agent=honest.id, consistency="linearizable")
                    assert found.name == "Found"
                    changed = await honest.ask("Update", agent=honest.id, epoch=epoch, zone="here")
                    assert changed.name == "Updated"
        finally:
            await raw.close()
        assert service.memory - before < GROWTH
        assert (await service.stop()).code == 0
