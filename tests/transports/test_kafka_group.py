"""Members of a group on `kafka://` that come, go and fail at bad moments."""

from __future__ import annotations

import pytest

from comity.sdk.ports import Guarantee
from comity.transports._kafka_group import Member
from comity.transports.brokers import Broker
from tests.transports.connections import opened
from tests.transports.harness import Acking, frame

pytestmark = [pytest.mark.broker, pytest.mark.xdist_group("kafka")]

SURE = Guarantee.AT_LEAST_ONCE


async def test_a_new_group_has_what_comes_while_a_member_is_given_its_partitions(
    kafka_server: Broker, space: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Members that start together are given theirs at once: one has begun, and is sent to, before the other has asked."""
    address, member = f"{space}.test.v1.things.k", Acking()
    assigned = Member.on_partitions_assigned
    async with opened(kafka_server.url, partitions=1) as transport:
        await transport.publish(address, frame(b"before"), guarantee=SURE)

        async def after_another(self: Member, places: list[object]) -> None:
            await transport.publish(address, frame(b"meanwhile"), guarantee=SURE)
            await assigned(self, places)

        monkeypatch.setattr(Member, "on_partitions_assigned", after_another)
        await transport.subscribe(address, member, group="g")
        await transport.publish(address, frame(b"after"), guarantee=SURE)
        await member.expect(2)
    assert member.datas == [b"meanwhile", b"after"]
