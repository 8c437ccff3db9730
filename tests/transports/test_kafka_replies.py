"""Who waits for one key on Kafka reads that key's partition, and nothing of the others."""

from __future__ import annotations

from typing import Any

import pytest
from aiokafka import AIOKafkaProducer  # pyright: ignore[reportMissingTypeStubs]
from hypothesis import given, settings
from hypothesis import strategies as st

from comity.sdk.address import Address, parse_pattern, to_kafka
from comity.sdk.ports import Guarantee
from comity.transports._kafka_channel import Channel, Reading, needed
from comity.transports._kafka_partition import partition_of
from comity.transports.brokers import Broker
from tests.transports.connections import opened
from tests.transports.harness import Inbox, frame, settle

KEYS = st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=20), min_size=1, max_size=3)


def nothing() -> None:
    pass


def reading(pattern: str, **begin: int) -> Reading:
    """A reading whose `p3=7` begins at offset 7 of partition 3."""
    one = Reading(parse_pattern(pattern), Inbox(), 10, nothing, lambda _: None)
    one.next = {int(name[1:]): offset for name, offset in begin.items()}
    return one


# ------------------------------------------------------------- which partition


@pytest.mark.parametrize(
    ("key", "hashed"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_a_key_has_the_partition_that_the_java_client_gives_it(key: bytes, hashed: int) -> None:
    """Vectors of Apache Kafka's own test of murmur2."""
    for count in (1, 2, 3, 4, 12, 1000):
        assert partition_of(key, range(count)) == (hashed & 0x7FFFFFFF) % count


@settings(max_examples=40)
@given(KEYS, st.integers(1, 64))
def test_an_address_needs_one_partition_and_a_wildcard_all(keys: list[str], count: int) -> None:
    address = Address("n", "test", 1, "replies", tuple(keys))
    _, key = to_kafka(address)
    assert needed(parse_pattern(str(address)), range(count)) == [partition_of(key, range(count))]
    for pattern in ("n.test.v1.replies", "n.test.v1.replies.*", "n.test.v1.replies.>"):
        assert needed(parse_pattern(pattern), range(count)) == list(range(count))


# ------------------------------------------------------------------ who has what


def test_a_partition_is_read_while_somebody_needs_it() -> None:
    channel = Channel(4)
    first, second = reading("n.t.v1.c.a", p1=5), reading("n.t.v1.c.b", p1=5, p2=7)
    assert channel.add(first)
    assert channel.add(second)
    assert channel.positions == {1: 5, 2: 7}
    channel.discard(second)
    channel.discard(second)
    assert channel.wants(1)
    assert not channel.wants(2)
    assert list(channel) == [first]


def test_who_begins_earlier_than_the_others_are_does_not_suit() -> None:
    channel = Channel(4)
    channel.add(reading("n.t.v1.c.a", p1=5))
    assert channel.suits(reading("n.t.v1.c.b", p1=5))
    assert channel.suits(reading("n.t.v1.c.b", p2=0)), "nobody reads that partition"
    assert not channel.suits(reading("n.t.v1.c.b", p1=4))


def test_who_leaves_goes_on_behind_what_it_had() -> None:
    channel, one = Channel(4), reading("n.t.v1.c.>", p0=3, p1=9)
    channel.add(one)
    channel.positions.update({0: 8, 1: 9})
    channel.leave(one)
    assert one.next == {0: 8, 1: 9}
    assert channel.suits(one)


# ------------------------------------------------------------------ on a broker


@pytest.mark.broker
@pytest.mark.xdist_group("kafka")
async def test_replies_to_others_are_not_read(kafka_server: Broker, space: str) -> None:
    """Records of one key in every partition, as no producer of ours writes them, tell which one is read."""
    topic, key, count = f"{space}.test.v1.replies", b"agent-7", 8
    exact, everything = Inbox(), Inbox()
    async with opened(kafka_server.url, partitions=count) as transport:
        await transport.subscribe(f"{topic}.agent-7", exact)
        stranger: Any = AIOKafkaProducer(bootstrap_servers=kafka_server.url.removeprefix("kafka://"))
        await stranger.start()
        for number in range(count):
            await stranger.send_and_wait(topic, b"%d" % number, key=key, partition=number)
        await stranger.stop()
        await transport.publish(f"{topic}.agent-7", frame(b"ours"), guarantee=Guarantee.AT_LEAST_ONCE)
        await transport.subscribe(f"{topic}.>", everything)
        await transport.publish(f"{topic}.agent-8", frame(b"others"))
        await settle(transport)
        assert exact.datas == [b"%d" % partition_of(key, range(count)), b"ours"]
        assert everything.datas == [b"others"], "who comes late begins at the end, also of what others read"


@pytest.mark.broker
@pytest.mark.xdist_group("kafka")
async def test_subscriptions_that_come_and_go_miss_nothing(kafka_server: Broker, space: str) -> None:
    """Partitions join and leave what is read, while one that stays reads on."""
    topic, stays = f"{space}.test.v1.replies", Inbox()
    async with opened(kafka_server.url, partitions=8) as transport:
        await transport.subscribe(f"{topic}.k0", stays)
        for number in range(40):
            address, inbox = f"{topic}.k{number % 13}", Inbox()
            subscription = await transport.subscribe(address, inbox)
            await transport.publish(address, frame(b"%d" % number))
            await transport.publish(f"{topic}.k0", frame(b"%d" % number))
            await inbox.expect(1 if number % 13 else 2)
            await subscription.close()
        for number in range(1500):
            await transport.publish(f"{topic}.k{number % 12 + 1}", frame(b"unwanted"))
        await settle(transport)
        for number in range(1, 13):
            inbox = Inbox()
            await transport.subscribe(f"{topic}.k{number}", inbox)
            await transport.publish(f"{topic}.k{number}", frame(b"%d" % number))
            await inbox.expect(1)
            assert inbox.datas == [b"%d" % number]
        await settle(transport)
        assert [data for data in stays.datas if data not in (b"0", b"13", b"26", b"39")] == [
            b"%d" % number for number in range(40) if number % 13
        ]
        assert len(stays) == 44
