"""Members of a group on `kafka://` that come, go and fail at bad moments."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer  # pyright: ignore[reportMissingTypeStubs]
from aiokafka.errors import GroupCoordinatorNotAvailableError  # pyright: ignore[reportMissingTypeStubs]

from comity.sdk.errors import TransportError
from comity.sdk.ports import Guarantee
from comity.transports import _kafka_group, connect
from comity.transports._kafka_group import Member
from comity.transports.brokers import Broker
from tests.transports.connections import opened
from tests.transports.harness import Acking, Inbox, frame, until_only
from tests.transports.kafka_operator import operator

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

        async def after_another(self: Member, places: Any) -> None:
            await transport.publish(address, frame(b"meanwhile"), guarantee=SURE)
            await assigned(self, places)

        monkeypatch.setattr(Member, "on_partitions_assigned", after_another)
        await transport.subscribe(address, member, group="g")
        await transport.publish(address, frame(b"after"), guarantee=SURE)
        await member.expect(2)
    assert member.datas == [b"meanwhile", b"after"]


async def test_a_close_that_is_cancelled_leaves_no_member(kafka_server: Broker, space: str) -> None:
    """Its heart would beat on, and what is in its partitions be for nobody."""
    address = f"{space}.test.v1.things.k"
    for turns in range(2, 8, 2):
        tasks, transport = asyncio.all_tasks(), connect(kafka_server.url)
        await transport.open()
        await transport.subscribe(address, Acking(), group=f"g{turns}")
        closing = asyncio.create_task(transport.close())
        for _ in range(turns):
            await asyncio.sleep(0)
        closing.cancel()
        with suppress(asyncio.CancelledError):
            await closing
        await until_only(tasks)


async def test_who_subscribes_while_the_connection_is_closed_leaves_no_member(
    kafka_server: Broker, space: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks, transport = asyncio.all_tasks(), connect(kafka_server.url)
    await transport.open()
    assigned = Member.on_partitions_assigned

    async def and_closed(self: Member, places: Any) -> None:
        await assigned(self, places)
        await transport.close()

    monkeypatch.setattr(Member, "on_partitions_assigned", and_closed)
    with pytest.raises(TransportError, match="was closed before the subscription was in force"):
        await transport.subscribe(f"{space}.test.v1.things.k", Acking(), group="g")
    await until_only(tasks)


async def test_a_commit_that_failed_is_made_again(
    kafka_server: Broker, space: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where nothing is acknowledged any more: else a member that fails later has all of it repeated."""
    address, inbox = f"{space}.test.v1.things.k", Inbox()
    consumers: Any = AIOKafkaConsumer
    commit = consumers.commit
    refused: list[object] = []

    async def refusing(consumer: Any, offsets: Any) -> None:
        if not refused:
            refused.append(offsets)
            raise GroupCoordinatorNotAvailableError
        await commit(consumer, offsets)

    async def committed() -> list[int]:
        return [place.offset for place in (await admin.list_consumer_group_offsets(f"{address}/g")).values()]

    monkeypatch.setattr(_kafka_group, "_AGAIN", 0.01)
    async with opened(kafka_server.url, partitions=1) as transport, operator(kafka_server) as admin:
        await transport.subscribe(address, inbox, group="g")
        await transport.publish(address, frame(), guarantee=SURE)
        (delivery,) = await inbox.expect(1)
        monkeypatch.setattr(consumers, "commit", refusing)
        delivery.ack()
        async with asyncio.timeout(10):
            while await committed() != [1]:  # noqa: ASYNC110 - it sets no event
                await asyncio.sleep(0)
    assert refused
