"""What `kafka://` does when the broker, a member of a group or a neighbour is not as one wishes."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer  # pyright: ignore[reportMissingTypeStubs]
from aiokafka.admin import (  # pyright: ignore[reportMissingTypeStubs]
    NewPartitions,
)

from comity.sdk.errors import ConfigError, TransportError
from comity.sdk.ports import Delivery, Guarantee
from comity.transports import _kafka_client, _kafka_group, brokers, connect
from comity.transports._kafka_client import Clients
from comity.transports.brokers import Broker
from tests.transports.connections import flood, opened, refused
from tests.transports.harness import Inbox, frame, halted, settle, until, until_only
from tests.transports.kafka_operator import operator

pytestmark = [pytest.mark.broker, pytest.mark.xdist_group("kafka")]

SURE = Guarantee.AT_LEAST_ONCE


def numbers(inbox: Inbox) -> list[int]:
    return [int(data) for data in inbox.datas if isinstance(data, bytes)]


async def test_nobody_listens() -> None:
    """At once: the deadline of `refused` ends long before this timeout."""
    await refused(
        "kafka://127.0.0.1:1", r"kafka://127\.0\.0\.1:1: .*no Kafka broker answers there", timeout=60
    )


async def test_a_host_that_does_not_exist() -> None:
    await refused("kafka://nowhere.invalid:9092", "no Kafka broker answers")


async def test_a_server_that_says_nothing() -> None:
    async def until_eof(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(until_eof, "127.0.0.1", 0) as silent:
        port = silent.sockets[0].getsockname()[1]
        await refused(f"kafka://127.0.0.1:{port}", "answers? ", timeout=0.5)


async def test_something_that_is_no_kafka() -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example.com ESMTP\r\n")
        await reader.read()
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as other:
        await refused(f"kafka://127.0.0.1:{other.sockets[0].getsockname()[1]}", "answers? ")


async def test_a_broker_killed_and_restarted_under_load_loses_nothing(fragile: Broker, space: str) -> None:
    address = f"{space}.test.v1.things.k"
    async with opened(fragile.url, timeout=30) as transport:
        inbox, member = Inbox(), Inbox()
        await transport.subscribe(address, inbox)
        await transport.subscribe(f"{space}.test.v1.things.*", acking(member), group="g")
        sent = 0

        async def load(guarantee: Guarantee, count: int) -> None:
            nonlocal sent
            for _ in range(count):
                await transport.publish(address, frame(b"%d" % sent), guarantee=guarantee)
                sent += 1

        await load(SURE, 200)
        fragile.kill()
        await load(Guarantee.AT_MOST_ONCE, 50)
        restarting = asyncio.create_task(asyncio.to_thread(fragile.restart))
        await load(SURE, 200)
        await restarting
        await transport.flush()
        await inbox.expect(sent)
        assert numbers(inbox) == list(range(sent)), "in order, nothing missing and nothing twice"
        await until(lambda: set(numbers(member)) >= set(range(sent)), 30)


async def test_partitions_added_meanwhile_are_read_too(
    kafka_server: Broker, space: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a producer puts into a new partition reaches those who subscribed before there was one."""
    monkeypatch.setattr(_kafka_client, "_METADATA_MS", 300)
    async with opened(kafka_server.url, partitions=1) as transport:
        inbox, member = Inbox(), Inbox()
        await transport.subscribe(f"{space}.test.v1.things.*", inbox)
        await transport.subscribe(f"{space}.test.v1.things.*", acking(member), group="g")
        exact = {f"{space}.test.v1.things.k{number}": Inbox() for number in range(390, 400)}
        for address, its in exact.items():
            await transport.subscribe(address, its)
        async with operator(kafka_server) as admin:
            await admin.create_partitions({f"{space}.test.v1.things": NewPartitions(8)})
            described = await admin.describe_topics([f"{space}.test.v1.things"])
        assert len(described[0]["partitions"]) == 8
        sent: set[bytes] = set()

        def arrived(at: Inbox) -> set[bytes]:
            return {delivery.frame.data for delivery in at if isinstance(delivery.frame.data, bytes)}

        while len(sent) < 400:  # for long enough that the producer hears of them
            sent.add(data := b"%d" % len(sent))
            await transport.publish(f"{space}.test.v1.things.k{len(sent)}", frame(data), guarantee=SURE)
        await until(lambda: arrived(inbox) >= sent, 20)
        await until(lambda: arrived(member) >= sent, 20)
        assert len(inbox) == len(sent)
        await until(lambda: all(exact.values()), 20)
        await settle(transport)
        for address, its in exact.items():
            assert [delivery.address for delivery in its] == [address], (
                "once, in whichever partition it is now"
            )

        async def before(*_: object) -> list[int]:
            return [0]

        late = Inbox()
        monkeypatch.setattr(Clients, "partitions", before)  # each client hears of them in its own time
        await transport.subscribe(f"{space}.test.v1.things.*", late)
        for data in (more := {b"more %d" % number for number in range(8)}):
            await transport.publish(f"{space}.test.v1.things.k{data[-1]}", frame(data), guarantee=SURE)
        await until(lambda: arrived(late) >= more, 20)


def acking(inbox: Inbox) -> Inbox:
    """What is delivered is acknowledged and kept in `inbox`."""

    class Acking(Inbox):
        def __call__(self, delivery: Delivery) -> None:
            inbox(delivery)
            delivery.ack()

    return Acking()


async def test_a_broker_that_hangs_blocks_nobody_for_ever(fragile: Broker, space: str) -> None:
    """Nor does it delay the end once for each group: they leave at once, and the deadline is too short for all."""
    address, tasks = f"{space}.test.v1.things.k", asyncio.all_tasks()
    transport = connect(fragile.url, timeout=1)
    await transport.open()
    for group in ("a", "b", "c", "d"):
        await transport.subscribe(address, Inbox(), group=group)
    await transport.publish(address, frame(), guarantee=SURE)
    async with halted(fragile):
        for attempt in (
            transport.publish(address, frame(), guarantee=SURE),
            transport.flush(),
            transport.subscribe(address, Inbox()),
            transport.publish(f"{space}.test.v1.others", frame()),
        ):
            async with asyncio.timeout(15):
                with pytest.raises(TransportError):
                    await attempt
        async with asyncio.timeout(6):
            await transport.close()
        await until_only(tasks)


async def test_what_waits_while_disconnected_is_bounded(fragile: Broker, space: str) -> None:
    address = f"{space}.test.v1.things.k"
    async with opened(fragile.url, timeout=1) as transport:
        await transport.publish(address, frame(), guarantee=SURE)
        async with halted(fragile):
            async with asyncio.timeout(10):
                with pytest.raises(TransportError, match="publish again later"):
                    await flood(transport, 10_000, address)


async def test_closing_while_disconnected_ends_in_time(fragile: Broker, space: str) -> None:
    transport = connect(fragile.url, timeout=1)
    tasks = asyncio.all_tasks()
    await transport.open()
    await transport.subscribe(f"{space}.test.v1.things.*", Inbox())
    await transport.subscribe(f"{space}.test.v1.things.*", Inbox(), group="g")
    fragile.kill()
    try:
        await transport.publish(f"{space}.test.v1.things.k", frame())
        async with asyncio.timeout(15):
            await transport.close()
        await until_only(tasks)
    finally:
        await asyncio.to_thread(fragile.restart)


async def test_what_is_acknowledged_while_a_partition_changes_hands_comes_once(
    kafka_server: Broker, space: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its member waits for that, and commits it, before another one has the partition."""
    address, asked = f"{space}.test.v1.things.k", asyncio.Event()
    hand_over = _kafka_group.Member.on_partitions_revoked

    async def revoked(member: _kafka_group.Member, places: Any) -> None:
        if places:  # it has some: not who joins
            asked.set()
        await hand_over(member, places)

    monkeypatch.setattr(_kafka_group, "_HANDOVER", 8)
    monkeypatch.setattr(_kafka_group.Member, "on_partitions_revoked", revoked)
    async with opened(kafka_server.url, timeout=20, partitions=1) as transport:
        held, others = Inbox(), Inbox()
        await transport.subscribe(address, held, group="g")
        await transport.publish(address, frame(b"0"), guarantee=SURE)
        await held.expect(1)
        joining = asyncio.create_task(transport.subscribe(address, acking(others), group="g"))
        await asyncio.wait_for(asked.wait(), 20)
        for _ in range(20):  # as many round trips, of which a commit would need one
            await transport.publish(f"{space}.test.v1.others", frame(), guarantee=SURE)
        assert not joining.done()
        held[0].ack()
        await joining
        await transport.publish(address, frame(b"1"), guarantee=SURE)
        await until(lambda: len(held) + len(others) >= 2)
        assert [(one.frame.data, one.redelivered) for one in (*held, *others)] == [
            (b"0", False),
            (b"1", False),
        ]


async def test_up_status_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kafka_server: Broker) -> None:
    monkeypatch.setenv("COMITY_STATE_DIR", str(tmp_path))
    (started,) = await asyncio.to_thread(brokers.up, ["kafka"])
    try:
        assert started.url != kafka_server.url
        assert brokers.up(["kafka"]) == brokers.status() == [started], "what runs is found, not started again"
        async with opened(started.url) as transport:
            await transport.publish("a.b.v1.c", frame(), guarantee=SURE)
    finally:
        assert brokers.down(["kafka"]) == [started]
    assert not started.alive
    assert not await asyncio.to_thread(Path(started.data).exists)


# ---------------------------------------------------------------------- groups


async def test_what_is_not_acknowledged_comes_again_flagged(kafka_server: Broker, space: str) -> None:
    pattern, address = f"{space}.test.v1.things.*", f"{space}.test.v1.things.k"
    first, second = Inbox(), Inbox()

    def ack_even(delivery: Delivery) -> None:
        first(delivery)
        if delivery.frame.data in (b"0", b"1"):
            delivery.ack()

    async with opened(kafka_server.url) as transport:
        await transport.subscribe(pattern, ack_even, group="g")
        for number in range(4):
            await transport.publish(address, frame(b"%d" % number), guarantee=SURE)
        await first.expect(4)
        assert not any(delivery.redelivered for delivery in first)
    async with opened(kafka_server.url) as transport:
        await transport.publish(address, frame(b"4"), guarantee=SURE)
        await transport.subscribe(pattern, acking(second), group="g")
        await second.expect(3)
        assert numbers(second) == [2, 3, 4], "the group keeps its place while nobody is there"
        assert [delivery.redelivered for delivery in second] == [True, True, False]


async def test_a_group_that_is_new_begins_at_the_end(kafka_server: Broker, space: str) -> None:
    address, inbox = f"{space}.test.v1.things.k", Inbox()
    async with opened(kafka_server.url) as transport:
        await transport.publish(address, frame(b"before"), guarantee=SURE)
        async with asyncio.timeout(15):
            await transport.subscribe(address, acking(inbox), group="new")
        await transport.publish(address, frame(b"after"), guarantee=SURE)
        await inbox.expect(1)
        assert inbox.datas == [b"after"]


async def test_a_partition_is_handed_over_without_duplicates(kafka_server: Broker, space: str) -> None:
    pattern, total = f"{space}.test.v1.things.*", 600
    inboxes = [Inbox(), Inbox(), Inbox()]
    async with opened(kafka_server.url) as transport:
        await transport.subscribe(pattern, acking(inboxes[0]), group="g")

        async def load() -> None:
            for number in range(total):
                address = f"{space}.test.v1.things.k{number % 16}"
                await transport.publish(address, frame(b"%d" % number), guarantee=SURE)

        loading = asyncio.create_task(load())
        leaving = await transport.subscribe(pattern, acking(inboxes[1]), group="g")
        await transport.subscribe(pattern, acking(inboxes[2]), group="g")
        await leaving.close()
        await loading
        await until(lambda: sum(map(len, inboxes)) >= total, 20)
        assert sorted(number for inbox in inboxes for number in numbers(inbox)) == list(range(total))


async def test_a_paused_member_is_bounded_and_loses_nothing(kafka_server: Broker, space: str) -> None:
    address, inbox = f"{space}.test.v1.things.k", Inbox()
    async with opened(kafka_server.url, buffer=16) as transport:
        member = await transport.subscribe(address, acking(inbox), group="g")
        member.pause()
        for number in range(200):
            await transport.publish(address, frame(b"%d" % number), guarantee=SURE)
        assert inbox == []
        member.resume()
        await inbox.expect(200)
        assert numbers(inbox) == list(range(200))
        assert member.dropped == 0


# ------------------------------------------------------------------- neighbours


async def test_many_agents_share_a_process(kafka_server: Broker, space: str) -> None:
    async with opened(kafka_server.url) as first:
        tasks = len(asyncio.all_tasks())
        agents = [connect(kafka_server.url) for _ in range(100)]
        inboxes = [Inbox() for _ in agents]
        for number, agent in enumerate(agents):
            await agent.open()
            await agent.subscribe(f"{space}.test.v1.replies.a{number}", inboxes[number])
        assert len(asyncio.all_tasks()) <= tasks + 5, "no connection, and no task, of their own"
        for number in range(len(agents)):
            await first.publish(f"{space}.test.v1.replies.a{number}", frame(b"%d" % number))
        for number, inbox in enumerate(inboxes):
            assert numbers(await inbox.expect(1)) == [number]
        await asyncio.gather(*(agent.close() for agent in agents))


async def test_those_that_lag_catch_up_and_hold_up_nobody(kafka_server: Broker, space: str) -> None:
    async with opened(kafka_server.url, buffer=10) as transport:
        inboxes, total = [Inbox() for _ in range(5)], 500
        slow = [await transport.subscribe(f"{space}.test.v1.things.*", inbox) for inbox in inboxes[1:]]
        await transport.subscribe(f"{space}.test.v1.things.>", inboxes[0])
        for one in slow:
            one.pause()
        for number in range(total):
            await transport.publish(f"{space}.test.v1.things.k", frame(b"%d" % number))
        await inboxes[0].expect(total)
        for one in slow:
            one.resume()
        for number in range(total, total + 50):
            await transport.publish(f"{space}.test.v1.things.k", frame(b"%d" % number))
        for inbox in inboxes:
            assert numbers(await inbox.expect(total + 50)) == list(range(total + 50))
        await settle(transport)
        assert all(len(inbox) == total + 50 for inbox in inboxes)


async def test_records_of_other_programs_are_read_or_ignored(
    kafka_server: Broker, space: str, caplog: pytest.LogCaptureFixture
) -> None:
    topic = f"{space}.test.v1.things"
    async with opened(kafka_server.url) as transport:
        inbox = Inbox()
        await transport.subscribe(f"{topic}.>", inbox)
        stranger: Any = AIOKafkaProducer(bootstrap_servers=kafka_server.url.removeprefix("kafka://"))
        await stranger.start()
        document = b'{"specversion":"1.0","id":"1","source":"/x","type":"T","data":{"n":1}}'
        structured = [("content-type", b"application/cloudevents+json")]
        for key, value, headers in (
            (b"k", document, structured),
            (b"k", b"not json", structured),
            (b"k", b"{}", [("ce_id", b"\xff")]),
            (b"k", b"{}", [("ce_id", b"1"), ("ce_id", b"2")]),
            (b"k", None, []),
            (b"\xc0\xa0\xff", b"{}", []),
            (b"x" * 300, b"{}", []),
            (b"k", b"bare", []),
        ):
            await stranger.send_and_wait(topic, value, key=key, headers=headers, partition=0)
        await stranger.stop()
        await inbox.expect(2)
        assert inbox[0].frame.attributes["id"] == "1"
        assert inbox[1].frame == ({}, b"bare")
        assert caplog.text.count("was ignored") == 6


# --------------------------------------------------------------------- settings


@pytest.mark.parametrize(
    "bad",
    [
        "kafka:",
        "kafka://",
        "kafka://h/path",
        "kafka://user@h",
        "kafka://:secret@h",
        "kafka://user:@h",
        "kafka://user:secret@h?sasl=gssapi",
        "kafka://h?sasl=plain",
        "kafka://h:port",
        "kafka://user:secret@h:9092,",
        "kafka://user:secret@[h",
        "kafka://h?ca=x",
        "kafkas://user:secret@h?ca=/nowhere/ca.pem",
        "kafka://h?timeout=0",
        "kafka://h?partitions=1.5",
    ],
)
def test_a_wrong_url_is_refused(bad: str) -> None:
    with pytest.raises(ConfigError) as caught:
        connect(bad)
    assert "secret" not in str(caught.value)


def test_without_aiokafka_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "comity.transports._kafka_client", raising=False)
    monkeypatch.setitem(sys.modules, "aiokafka", None)
    with pytest.raises(ConfigError, match=r"pip install comity\[kafka\]"):
        connect("kafka://h")
