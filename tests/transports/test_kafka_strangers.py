"""Records of other programs that aiokafka itself cannot read, or counts otherwise than one would think."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer  # pyright: ignore[reportMissingTypeStubs]
from aiokafka.producer import message_accumulator  # pyright: ignore[reportMissingTypeStubs]
from aiokafka.producer import producer as aioproducer  # pyright: ignore[reportMissingTypeStubs]
from aiokafka.record import default_records  # pyright: ignore[reportMissingTypeStubs]

from comity.sdk.ports import Delivery, Guarantee
from comity.transports.brokers import Broker
from tests.transports.connections import opened
from tests.transports.contract import Inbox, frame, until

pytestmark = [pytest.mark.broker, pytest.mark.xdist_group("kafka")]

SURE = Guarantee.AT_LEAST_ONCE


class Acking(Inbox):
    """What is delivered is acknowledged."""

    def __call__(self, delivery: Delivery) -> None:
        super().__call__(delivery)
        delivery.ack()


class NotText(str):
    """A name that is not UTF-8 on the wire."""

    def encode(self, *_: str) -> bytes:
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


async def test_a_header_whose_name_is_not_utf8_holds_up_nobody(
    kafka_server: Broker, space: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """aiokafka raises for it, out of whatever it was reading at that moment: nothing else may be lost."""
    for module in (message_accumulator, aioproducer):
        lenient = default_records._DefaultRecordBatchBuilderPy  # pyright: ignore[reportPrivateUsage]
        monkeypatch.setattr(module, "DefaultRecordBatchBuilder", lenient)
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
