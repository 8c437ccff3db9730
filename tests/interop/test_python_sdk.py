"""The CloudEvents SDK for Python over aiokafka, which is how its users meet Kafka: it reads us, and we read it."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition  # pyright: ignore[reportMissingTypeStubs]
from cloudevents.core.bindings.kafka import (
    KafkaMessage,
    from_kafka_event,
    to_binary_event,
    to_structured_event,
)
from cloudevents.core.v1.event import CloudEvent

from comity.sdk.ports import Guarantee
from comity.transports.brokers import Broker

from .events import CASES, JSON, frame, same
from .sides import ADDRESS, listening

pytestmark = [pytest.mark.broker, pytest.mark.slow, pytest.mark.xdist_group("kafka")]


@asynccontextmanager
async def consuming(url: str) -> AsyncGenerator[Any, None]:
    """A consumer at the end of the channel's first partition, where records without a key go."""
    consumer: Any = AIOKafkaConsumer(bootstrap_servers=url.removeprefix("kafka://"))
    await consumer.start()
    try:
        consumer.assign([TopicPartition(ADDRESS, 0)])
        await consumer.seek_to_end()
        await consumer.position(TopicPartition(ADDRESS, 0))
        yield consumer
    finally:
        await consumer.stop()


def attributes_of(event: Any) -> dict[str, str]:
    """The attributes of the SDK's event in canonical text form."""
    time = event.get_time().isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {**event.get_attributes(), "time": time}


@pytest.mark.parametrize("case", CASES)
async def test_it_reads_us(kafka_server: Broker, case: str, mark: str) -> None:
    sent = frame(case, mark)
    assert isinstance(sent.data, bytes)
    async with listening(kafka_server.url) as (transport, _), consuming(kafka_server.url) as consumer:
        await transport.publish(ADDRESS, sent, guarantee=Guarantee.AT_LEAST_ONCE)
        record = await consumer.getone()
    event = from_kafka_event(KafkaMessage(dict(record.headers), record.key, record.value))
    assert attributes_of(event) == sent.attributes
    data = event.get_data()
    assert data == (json.loads(JSON) if sent.data == JSON else sent.data) or (not data and not sent.data)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("write", [to_binary_event, to_structured_event])
async def test_we_read_it(kafka_server: Broker, write: Any, case: str, mark: str) -> None:
    sent = frame(case, mark)
    assert isinstance(sent.data, bytes)
    headers = {"content-type" if name == "datacontenttype" else f"ce_{name}": value.encode()
               for name, value in sent.attributes.items()}  # fmt: skip
    event = from_kafka_event(KafkaMessage(headers, None, sent.data))
    assert isinstance(event, CloudEvent)
    message = write(event)
    producer: Any = AIOKafkaProducer(bootstrap_servers=kafka_server.url.removeprefix("kafka://"))
    await producer.start()
    try:
        async with listening(kafka_server.url) as (_, arrived):
            value = message.value if isinstance(message.value, bytes) else message.value.encode()
            await producer.send_and_wait(ADDRESS, value, headers=[*message.headers.items()])
            got = await arrived(mark)
    finally:
        await producer.stop()
    assert same(got, sent), got
