"""Readers without a group on `kafka://` that lag, each of which is read for in turn."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from comity.sdk.ports import Guarantee
from comity.transports import _kafka_live
from comity.transports._kafka_client import Clients
from comity.transports.brokers import Broker
from tests.transports.connections import opened
from tests.transports.harness import Inbox, frame, until
from tests.transports.kafka_operator import forget

pytestmark = [pytest.mark.broker, pytest.mark.xdist_group("kafka")]

SURE = Guarantee.AT_LEAST_ONCE


async def test_one_that_can_read_nothing_more_does_not_keep_the_others_from_catching_up(
    kafka_server: Broker, space: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_kafka_live, "_TURN", 0.1)
    gone, there = f"{space}.test.v1.gone", f"{space}.test.v1.there"
    async with opened(kafka_server.url, buffer=4, partitions=1) as transport:
        inboxes = {gone: Inbox(), there: Inbox()}
        readings = {topic: await transport.subscribe(f"{topic}.k", inbox) for topic, inbox in inboxes.items()}
        for topic, reading in readings.items():
            reading.pause()
            for number in range(20):
                await transport.publish(f"{topic}.k", frame(b"%d" % number), guarantee=SURE)
        await forget(kafka_server, gone)
        readings[gone].resume()
        await until(lambda: len(inboxes[gone]) >= 4)
        readings[there].resume()
        await until(lambda: len(inboxes[there]) == 20)
        await readings[gone].close()


async def test_many_readers_of_a_topic_are_settled_with_one_question(
    kafka_server: Broker, space: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closing has one timeout for all of them."""
    topic, inbox, asked = f"{space}.test.v1.things", Inbox(), list[str]()
    ends = Clients.ends

    async def counted(clients: Clients, topic: str, among: Collection[int] = ()) -> dict[int, int]:
        asked.append(topic)
        return await ends(clients, topic, among)

    async with opened(kafka_server.url) as transport:
        for number in range(20):
            await transport.subscribe(f"{topic}.k{number}", inbox)
            await transport.publish(f"{topic}.k{number}", frame())
        monkeypatch.setattr(Clients, "ends", counted)
    assert len(inbox) == 20
    assert asked == [topic]
