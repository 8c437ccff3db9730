"""A full disk under the journal of a running service.

A service that cannot write can promise nothing, so it ends: with one message, exit 3, and nothing acknowledged lost.
Whoever supervises it starts it again, and it goes on once there is room.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from comity.transports.brokers import Broker

from .agents import Silence, agent_on
from .processes import serving

pytestmark = pytest.mark.broker


async def test_a_full_disk_ends_the_service_and_loses_nothing(
    nats_server: Broker, tmp_path: Path, space: str
) -> None:
    """REG-DUR-001: the write that found no room is not answered; all that were answered are there afterwards."""
    journal = tmp_path / "registry.db"
    async with (
        serving(nats_server.url, journal, space) as service,
        agent_on(nats_server.url, space) as agent,
    ):
        epoch = (await agent.register()).data["epoch"]
        service.limit_files(400_000)
        answered, number = 0, 0
        try:
            for number in range(200):
                await agent.ask(
                    "Update", agent=agent.id, epoch=epoch, metadata={"n": number, "k": "v" * 4000}, within=1
                )
                answered = number
        except Silence:
            pass
        assert 0 < answered < number
        ended = await service.ended()
        assert (ended.code, ended.out) == (3, "")
        assert ended.err.startswith(f"comity: {journal}: ")
        assert ended.err.count("\n") == 1
        await service.start()
        found = await agent.ask("Lookup", agent=agent.id, consistency="linearizable")
        assert found.data["entry"]["metadata"]["n"] in (answered, number)
        assert (
            await agent.ask("Update", agent=agent.id, epoch=epoch, metadata={"n": 1000})
        ).name == "Updated"
