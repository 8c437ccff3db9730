"""Pitfalls of Kafka and of its clients that others fell into, each with the issue or the measurement that tells of it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import time
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer  # pyright: ignore[reportMissingTypeStubs]
from aiokafka.errors import KafkaConnectionError  # pyright: ignore[reportMissingTypeStubs]

from comity.sdk.errors import TransportError
from comity.sdk.ports import Guarantee
from comity.transports import _kafka_group, connect
from comity.transports.brokers import Broker
from tests.transports.connections import opened
from tests.transports.harness import Acking, Inbox, frame, halted, until

pytestmark = [pytest.mark.broker, pytest.mark.slow, pytest.mark.xdist_group("kafka")]

SURE = Guarantee.AT_LEAST_ONCE
MEMBER = """
import asyncio, sys
from comity.transports import connect

async def main(url, pattern):
    transport = connect(url)
    await transport.open()
    await transport.subscribe(pattern, lambda one: print(one.frame.data.decode(), flush=True), group="g")
    print("joined", flush=True)
    await asyncio.Event().wait()

asyncio.run(main(*sys.argv[1:]))
"""


def numbers(inbox: Inbox) -> list[int]:
    return [int(data) for data in inbox.datas if isinstance(data, bytes)]


async def stranger(broker: Broker) -> Any:
    producer: Any = AIOKafkaProducer(bootstrap_servers=broker.url.removeprefix("kafka://"))
    await producer.start()
    return producer


async def test_a_publish_that_timed_out_and_was_stored_may_be_repeated(fragile: Broker, space: str) -> None:
    """The broker gets it when it wakes, too late for us: who repeats it sends it twice, and loses nothing."""
    address, inbox = f"{space}.test.v1.things.k", Inbox()
    async with opened(fragile.url, timeout=1) as transport, opened(fragile.url, timeout=20) as reader:
        await reader.subscribe(address, inbox)
        await transport.publish(address, frame(b"0"), guarantee=SURE)
        async with halted(fragile):
            with pytest.raises(TransportError, match="no answer within 1 s"):
                await transport.publish(address, frame(b"1"), guarantee=SURE)
        async with asyncio.timeout(20):
            while len(inbox) < 2 or inbox[-1].frame.data != b"2":
                for data in (b"1", b"2"):
                    try:
                        await transport.publish(address, frame(data), guarantee=SURE)
                    except TransportError:
                        break  # it has not woken up yet
        seen = numbers(inbox)
        assert set(seen) == {0, 1, 2}
        assert seen.index(1) < seen.index(2), "in order, however often"


async def test_what_is_repeated_during_an_outage_comes_twice_at_most(fragile: Broker, space: str) -> None:
    """What was under way when the broker went may have been stored; what waited behind it is given up."""
    address, inbox = f"{space}.test.v1.things.k", Inbox()
    async with opened(fragile.url, timeout=0.5) as transport, opened(fragile.url, timeout=20) as reader:
        await reader.subscribe(address, inbox)
        await transport.publish(address, frame(b"0"), guarantee=SURE)
        async with halted(fragile):
            for _ in range(6):
                with pytest.raises(TransportError, match="no answer within"):
                    await transport.publish(address, frame(b"1"), guarantee=SURE)
        await until(lambda: len(inbox) == 2)
        await transport.publish(address, frame(b"1"), guarantee=SURE)
        await reader.publish(address, frame(b"2"), guarantee=SURE)
        await until(lambda: inbox.datas[-1] == b"2")
        assert numbers(inbox) == [0, 1, 1, 2]


async def test_a_restarted_broker_is_found_again_by_all(
    fragile: Broker, space: str, caplog: pytest.LogCaptureFixture
) -> None:
    """aiokafka #1154: consumers and producers stuck after a restart, without any sign of it.

    Ours log nothing of what they try again; a program's own clients of the same library are left their log.
    """
    address = f"{space}.test.v1.things.k"
    async with opened(fragile.url, timeout=20) as transport:
        exact, wild, member, late = Inbox(), Inbox(), Acking(), Inbox()
        await transport.subscribe(address, exact)
        await transport.subscribe(f"{space}.test.v1.things.>", wild)
        await transport.subscribe(address, member, group="g")
        await transport.publish(address, frame(b"0"), guarantee=SURE)
        await member.expect(1)
        await asyncio.to_thread(fragile.restart)
        await transport.publish(address, frame(b"1"), guarantee=SURE)
        await until(lambda: set(numbers(member)) == {0, 1}, 30)
        await until(lambda: numbers(exact) == numbers(wild) == [0, 1], 30)
        await transport.subscribe(f"{space}.test.v1.things.*", late)
        await transport.publish(address, frame(b"2"), guarantee=SURE)
        await late.expect(1)
    assert [record.name for record in caplog.records if record.name.startswith("aiokafka")] == []
    theirs: Any = AIOKafkaProducer(bootstrap_servers="127.0.0.1:1")
    with pytest.raises(KafkaConnectionError):
        await theirs.start()
    await theirs.stop()
    assert any(one.name.startswith("aiokafka") and one.levelno == logging.ERROR for one in caplog.records)


async def test_a_member_that_was_killed_blocks_no_rejoin(
    kafka_server: Broker, space: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """aiokafka #625, #847: the others wait for a dead one no longer than its session, and have what it had."""
    pattern = f"{space}.test.v1.things.*"
    monkeypatch.setattr(_kafka_group, "_SESSION_MS", 1500)
    victim = await asyncio.create_subprocess_exec(
        sys.executable, "-c", MEMBER, kafka_server.url, pattern, stdout=asyncio.subprocess.PIPE
    )
    assert victim.stdout is not None
    try:
        assert await victim.stdout.readline() == b"joined\n"
        async with opened(kafka_server.url, timeout=20) as transport:
            for number in range(8):
                address = f"{space}.test.v1.things.k{number}"
                await transport.publish(address, frame(b"%d" % number), guarantee=SURE)
            had = {int(await victim.stdout.readline()) for _ in range(8)}
            assert had == set(range(8)), "it has them all and acknowledges none"
            victim.kill()
            await victim.wait()
            heir = Acking()
            await transport.subscribe(pattern, heir, group="g")
            await until(lambda: set(numbers(heir)) == had, 30)
            assert all(delivery.redelivered for delivery in heir)
            assert len(heir) == 8
    finally:
        with contextlib.suppress(ProcessLookupError):
            victim.kill()
        await victim.wait()


async def test_who_does_not_poll_stays_a_member_and_commits(
    kafka_server: Broker, space: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """aiokafka #848: a slow subscriber was put out, and could commit nothing from then on, again and again."""
    monkeypatch.setattr(_kafka_group, "_SESSION_MS", 1000)
    address, slow, after = f"{space}.test.v1.things.k", Inbox(), Acking()
    async with opened(kafka_server.url, buffer=4) as transport:
        member = await transport.subscribe(address, slow, group="g")
        for number in range(8):
            await transport.publish(address, frame(b"%d" % number), guarantee=SURE)
        await slow.expect(4)
        member.pause()
        silent_until = time.monotonic() + 2
        while time.monotonic() < silent_until:
            await transport.publish(f"{space}.test.v1.others", frame(), guarantee=SURE)
        for delivery in slow:
            delivery.ack()
        member.resume()
        await until(lambda: len(slow) == 8)
        assert numbers(slow) == list(range(8)), "none twice: nobody else was given its partitions"
        for delivery in slow[4:7]:
            delivery.ack()
        await member.close()
        await transport.subscribe(address, after, group="g")
        await after.expect(1)
        assert numbers(after) == [7]


async def test_garbage_holds_up_no_group(kafka_server: Broker, space: str) -> None:
    """A foreign producer's records are passed over, and what comes behind them can be committed."""
    topic, first, second = f"{space}.test.v1.things", Acking(), Acking()
    async with opened(kafka_server.url, partitions=1) as transport:
        member = await transport.subscribe(f"{topic}.*", first, group="g")
        producer = await stranger(kafka_server)
        for key, value, headers in (
            (b"k", None, []),
            (b"\xff\xfe", b"{}", []),
            (b"k", b"{}", [("ce_id", b"\xff")]),
            (None, b"{}", []),
            (b"k", b"]", [("content-type", b"application/cloudevents+json")]),
            (b"k", b"[]", [("content-type", b"application/cloudevents-batch+json")]),
        ):
            await producer.send_and_wait(topic, value, key=key, headers=headers)
        await producer.stop()
        await transport.publish(f"{topic}.k", frame(b"1"), guarantee=SURE)
        await until(lambda: b"1" in first.datas)
        assert first.datas == [b"1"]
        await member.close()
        await transport.subscribe(f"{topic}.*", second, group="g")
        await transport.publish(f"{topic}.k", frame(b"2"), guarantee=SURE)
        await second.expect(1)
        assert second.datas == [b"2"]


async def test_only_what_was_delivered_is_flagged_after_a_handover(kafka_server: Broker, space: str) -> None:
    """A backlog that nobody has seen is new to whoever takes the partition over."""
    address, first, second = f"{space}.test.v1.things.k", Inbox(), Acking()
    async with opened(kafka_server.url, buffer=8) as transport:
        member = await transport.subscribe(address, first, group="g")
        for number in range(40):
            await transport.publish(address, frame(b"%d" % number), guarantee=SURE)
        await first.expect(8)
        first[0].ack()
        first[2].nack()
        await until(lambda: len(first) >= 9)
        delivered = set(numbers(first))
        await member.close()
        await transport.subscribe(address, second, group="g")
        await until(lambda: len(second) >= 39)
        assert numbers(second) == list(range(1, 40))
        assert {
            int(n) for n, one in zip(numbers(second), second, strict=True) if one.redelivered
        } == delivered - {0}


async def test_of_several_servers_one_is_enough(fragile: Broker, space: str) -> None:
    """Servers of the URL that are away, silent or no Kafka cost neither the connection nor the timeout."""

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as silent:
        port = silent.sockets[0].getsockname()[1]
        url = f"kafka://127.0.0.1:1,127.0.0.1:{port},{fragile.url.removeprefix('kafka://')}"
        async with asyncio.timeout(5):
            transport = connect(url, timeout=20)
            await transport.open()
        inbox = Inbox()
        await transport.subscribe(f"{space}.test.v1.things", inbox)
        await transport.publish(f"{space}.test.v1.things", frame(), guarantee=SURE)
        await inbox.expect(1)
        await transport.close()
