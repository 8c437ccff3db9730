"""Records of other programs that aiokafka itself cannot read, or counts otherwise than one would think."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition  # pyright: ignore[reportMissingTypeStubs]
from aiokafka.producer import message_accumulator  # pyright: ignore[reportMissingTypeStubs]
from aiokafka.producer import producer as aioproducer  # pyright: ignore[reportMissingTypeStubs]
from aiokafka.record import default_records  # pyright: ignore[reportMissingTypeStubs]

from comity.sdk.errors import JournalError, PayloadTooLarge
from comity.sdk.ports import Guarantee
from comity.transports import _kafka_live, open_journal
from comity.transports.brokers import Broker
from tests.transports.connections import opened
from tests.transports.harness import Acking, Inbox, frame, settle, until
from tests.transports.kafka_operator import make

pytestmark = [pytest.mark.broker, pytest.mark.xdist_group("kafka")]

SURE = Guarantee.AT_LEAST_ONCE
EVENT = [("ce_specversion", b"1.0"), ("ce_id", b"1"), ("ce_source", b"/x"), ("ce_type", b"T")]


class NotText(str):
    """A name that is not UTF-8 on the wire."""

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        return b"\xff\xfe"


@asynccontextmanager
async def stranger(server: Broker, **options: Any) -> AsyncGenerator[Any]:
    """A producer of another program."""
    producer: Any = AIOKafkaProducer(bootstrap_servers=server.url.removeprefix("kafka://"), **options)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


@pytest.fixture
def careless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have producers write what `NotText` says, as those in other languages do."""
    for module in (message_accumulator, aioproducer):
        lenient = default_records._DefaultRecordBatchBuilderPy  # pyright: ignore[reportPrivateUsage]
        monkeypatch.setattr(module, "DefaultRecordBatchBuilder", lenient)


@pytest.mark.usefixtures("careless")
async def test_a_header_whose_name_is_not_utf8_holds_up_nobody(
    kafka_server: Broker, space: str, caplog: pytest.LogCaptureFixture
) -> None:
    """aiokafka raises for it, out of whatever it was reading at that moment: nothing else may be lost."""
    topic, exact, member, late = f"{space}.test.v1.things", Inbox(), Acking(), Inbox()
    async with opened(kafka_server.url) as transport:
        await transport.subscribe(f"{topic}.*", exact)
        await transport.subscribe(f"{topic}.*", member, group="g")
        lagging = await transport.subscribe(f"{topic}.*", late)
        lagging.pause()
        sent: set[bytes] = set()
        async with stranger(kafka_server) as producer:
            for _ in range(3):
                for number in range(20):
                    sent.add(data := b"%d" % len(sent))
                    await transport.publish(f"{topic}.k{number}", frame(data))
                await transport.flush()
                for partition in range(4):
                    bad = [("ce_id", b"1"), (NotText("x"), b"1")]
                    await producer.send_and_wait(topic, b"{}", key=b"k", headers=bad, partition=partition)
        await transport.publish(f"{topic}.k", frame(b"last"), guarantee=SURE)
        sent.add(b"last")
        lagging.resume()
        for inbox in (exact, member, late):
            await until(lambda its=inbox: set(its.datas) == sent, 30)  # type: ignore[misc]
            assert len(inbox) == len(sent), "nothing twice"
    assert "were ignored, since a header's name is not UTF-8" in caplog.text


@pytest.mark.usefixtures("careless")
async def test_a_journal_with_such_a_record_is_refused_with_its_place(
    kafka_server: Broker, space: str
) -> None:
    journal = open_journal(f"kafka:{kafka_server.url}/{space}")
    await journal.open()
    try:
        await journal.append(b"1")
        async with stranger(kafka_server) as producer:
            await producer.send_and_wait(f"comity-{space}-1", b"{}", headers=[(NotText("x"), b"1")])
        async with asyncio.timeout(20):
            with pytest.raises(JournalError, match=f"comity-{space}-1 at offset [01], or soon behind it"):
                _ = [entry async for entry in journal.follow(0)]
    finally:
        await journal.close()


@pytest.mark.parametrize("codec", ["gzip", "lz4", "snappy", "zstd"])
async def test_compressed_records_are_read(kafka_server: Broker, space: str, codec: str) -> None:
    topic, inbox = f"{space}.test.v1.things", Inbox()
    async with opened(kafka_server.url) as transport:
        await transport.subscribe(f"{topic}.*", inbox)
        async with stranger(kafka_server, compression_type=codec) as producer:
            await producer.send_and_wait(topic, b"x" * 2000, key=b"k", headers=EVENT)
        await inbox.expect(1)
        assert inbox.datas == [b"x" * 2000]


async def test_what_a_refused_batch_held_up_is_flushed_and_keeps_its_order(
    kafka_server: Broker, space: str
) -> None:
    """After a refusal another producer goes on; the one before may still wait for the leader of a partition."""
    address, narrow, inbox = f"{space}.test.v1.things", f"{space}.test.v1.small", Inbox()
    await make(kafka_server, narrow, {"max.message.bytes": "500000"})
    async with opened(kafka_server.url, timeout=20) as transport:
        await transport.subscribe(address, inbox)
        await transport.publish(address, frame(b"0"), guarantee=SURE)
        producer, place = cast(Any, transport)._hub.clients._producer, TopicPartition(address, 0)
        producer._sender._muted_partitions.add(place)  # as while its leader is being elected

        def elected() -> None:
            producer._sender._muted_partitions.discard(place)
            if not (waiter := producer._message_accumulator.waiter()).done():
                waiter.set_result(None)  # it has work again

        await transport.publish(address, frame(b"1"))
        with pytest.raises(PayloadTooLarge):
            await transport.publish(narrow, frame(b"y" * 900_000), guarantee=SURE)
        asyncio.get_running_loop().call_later(2, elected)
        renewing = asyncio.create_task(transport.publish(narrow, frame(b"w")))
        await until(lambda: cast(Any, transport)._hub.clients._producer is not producer, 20)
        await transport.publish(address, frame(b"2"))
        await transport.flush()
        assert sum((await cast(Any, transport)._hub.clients.ends(address)).values()) == 3
        await inbox.expect(3)
        assert inbox.datas == [b"0", b"1", b"2"]
        await renewing


def test_long_keys_are_not_remembered(caplog: pytest.LogCaptureFixture) -> None:
    before = _kafka_live._known_address.cache_info().currsize  # pyright: ignore[reportPrivateUsage]
    assert _kafka_live.address_of("n.test.v1.things", b"x" * 1025) == ""
    assert _kafka_live._known_address.cache_info().currsize == before  # pyright: ignore[reportPrivateUsage]
    assert "has a key of 1025 octets and was ignored" in caplog.text


async def test_marks_of_transactions_hold_up_nobody_and_what_was_aborted_never_comes(
    kafka_server: Broker, space: str
) -> None:
    topic, inbox, late = f"{space}.test.v1.things", Inbox(), Inbox()
    async with opened(kafka_server.url, partitions=1) as transport:
        began = time.time()
        await transport.subscribe(f"{topic}.*", inbox)
        async with stranger(kafka_server, transactional_id=space) as producer:
            async with producer.transaction():
                await producer.send_and_wait(topic, b"committed", key=b"k", headers=EVENT)
            await producer.begin_transaction()
            await producer.send_and_wait(topic, b"aborted", key=b"k", headers=EVENT)
            await producer.abort_transaction()
        await settle(transport)
        assert inbox.datas == [b"committed"]
        await transport.subscribe(f"{topic}.*", late, since=began - 60)
        await settle(transport)
        assert late.datas == [b"committed"], "it catches up, though the last that there is is no record"
