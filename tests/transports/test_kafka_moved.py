"""What readers of `kafka://` do when a partition no longer has the offset at which they are."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka import TopicPartition  # pyright: ignore[reportMissingTypeStubs]
from aiokafka.admin import RecordsToDelete  # pyright: ignore[reportMissingTypeStubs]

from comity.sdk.ports import Guarantee
from comity.transports import _kafka_client
from comity.transports.brokers import Broker
from comity.transports.kafka import KafkaTransport
from tests.transports.connections import opened, opener
from tests.transports.harness import Acking, Inbox, frame, until
from tests.transports.kafka_operator import forget, make, operator

pytestmark = [pytest.mark.broker, pytest.mark.xdist_group("kafka")]

SURE = Guarantee.AT_LEAST_ONCE


def numbers(inbox: Inbox) -> list[int]:
    return [int(data) for data in inbox.datas if isinstance(data, bytes)]


async def test_a_topic_that_somebody_makes_anew_is_read_from_its_beginning(
    kafka_server: Broker, space: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its offsets begin again, below those that were read: nothing that was acknowledged is taken for read."""
    monkeypatch.setattr(_kafka_client, "_METADATA_MS", 300)
    topic = f"{space}.test.v1.things"
    await make(kafka_server, topic)
    async with opened(kafka_server.url, timeout=20, buffer=4) as transport:
        exact, wild, member, held, heir = Inbox(), Inbox(), Acking(), Inbox(), Acking()
        await transport.subscribe(f"{topic}.k", exact)
        await transport.subscribe(f"{topic}.*", wild)
        joined = await transport.subscribe(f"{topic}.k", member, group="g")
        lagging = await transport.subscribe(f"{topic}.k", held)
        lagging.pause()
        for number in range(20):
            await transport.publish(f"{topic}.k", frame(b"%d" % number), guarantee=SURE)
        await until(lambda: len(exact) == len(wild) == len(member) == 20)
        await forget(kafka_server, topic)
        await make(kafka_server, topic)
        for number in range(20, 30):
            await transport.publish(f"{topic}.k", frame(b"%d" % number), guarantee=SURE)
        await until(lambda: numbers(exact) == numbers(wild) == numbers(member) == list(range(30)), 20)
        lagging.resume()
        await until(lambda: numbers(held)[-10:] == list(range(20, 30)), 20)
        await joined.close()
        await transport.subscribe(f"{topic}.k", heir, group="g")
        await transport.publish(f"{topic}.k", frame(b"30"), guarantee=SURE)
        await heir.expect(1)
    assert numbers(heir) == [30], "what was acknowledged of the new topic is committed"
    assert f"topic {topic}, partition 0: it was read up to offset 20, and ended before that" in caplog.text


@pytest.mark.parametrize("renewed", [False, True])
async def test_a_topic_that_is_gone_is_made_again_by_who_knew_it(
    kafka_server: Broker, space: str, monkeypatch: pytest.MonkeyPatch, renewed: bool
) -> None:
    """Deleted by hand, or by a broker that came back with empty files: not only a new process mends it."""
    monkeypatch.setattr(_kafka_client, "_METADATA_MS", 300)
    topic, inbox = f"{space}.test.v1.things", Inbox()
    async with opened(kafka_server.url, timeout=20) as transport:
        await transport.publish(f"{topic}.k", frame(b"0"), guarantee=SURE)
        await forget(kafka_server, topic)
        async with operator(kafka_server) as admin:
            while topic in await admin.list_topics():
                pass
        assert isinstance(transport, KafkaTransport)
        if renewed:  # by which all is forgotten that was heard of topics
            clients: Any = transport._opened.clients  # pyright: ignore[reportPrivateUsage]
            clients._producer.spent = True
            await transport.publish(f"{space}.test.v1.others", frame(), guarantee=SURE)
        while not await transport.prepare(topic):  # noqa: ASYNC110 - it has not heard of that yet
            await asyncio.sleep(0.01)
        await transport.subscribe(f"{topic}.k", inbox)
        await transport.publish(f"{topic}.k", frame(b"1"), guarantee=SURE)
        await until(lambda: numbers(inbox) == [1])


async def test_a_topic_that_is_made_anew_with_fewer_partitions_is_read_in_those(
    kafka_server: Broker, space: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The partition of a key is another one then, and who waits for that key is to hear of it."""
    monkeypatch.setattr(_kafka_client, "_METADATA_MS", 300)
    topic = f"{space}.test.v1.things"
    keys = [f"{topic}.k{number}" for number in range(8)]
    await make(kafka_server, topic, partitions=8)
    async with opened(kafka_server.url) as transport:
        inboxes = {pattern: Inbox() for pattern in (*keys, f"{topic}.*")}
        for pattern, inbox in inboxes.items():
            await transport.subscribe(pattern, inbox)
        for key in keys * 20:  # so that no partition grows past its reader's place before that hears of it
            await transport.publish(key, frame(b"1"))
        await transport.flush()
        await inboxes[f"{topic}.*"].expect(160)
        await forget(kafka_server, topic)
        await make(kafka_server, topic, partitions=2)
        async with opener(kafka_server.url, timeout=20) as anew:
            other = await anew()
            for key in keys:
                await other.publish(key, frame(b"2"), guarantee=SURE)
        await until(lambda: all(numbers(inboxes[key]) == [1] * 20 + [2] for key in keys), 20)
        await until(lambda: numbers(inboxes[f"{topic}.*"]) == [1] * 160 + [2] * 8)


async def test_what_was_deleted_before_it_was_read_is_warned_of_and_passed_over(
    kafka_server: Broker, space: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever had come further is not sent back."""
    topic = f"{space}.test.v1.things"
    await make(kafka_server, topic)
    async with opened(kafka_server.url, buffer=4) as transport:
        exact, member, held = Inbox(), Inbox(), Inbox()
        await transport.subscribe(f"{topic}.k", exact)
        await transport.subscribe(f"{topic}.k", member, group="g")
        lagging = await transport.subscribe(f"{topic}.*", held)
        lagging.pause()
        for number in range(20):
            await transport.publish(f"{topic}.k", frame(b"%d" % number), guarantee=SURE)
        await until(lambda: len(exact) == 20 and len(member) == 4)
        async with operator(kafka_server) as admin:
            await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(15)})
        lagging.resume()

        def acknowledged() -> list[int]:
            for delivery in member:
                delivery.ack()
            return numbers(member)

        await until(lambda: numbers(held)[-5:] == list(range(15, 20)))
        await until(lambda: acknowledged()[-5:] == list(range(15, 20)))  # its client may have had a few more
        assert len(member) < 20
        await transport.publish(f"{topic}.k", frame(b"20"), guarantee=SURE)
        await exact.expect(21)
        await until(lambda: numbers(held) == [0, 1, 2, 3, *range(15, 21)])
    assert f"topic {topic}, partition 0: offsets 4 to 14 were deleted before they were read" in caplog.text
