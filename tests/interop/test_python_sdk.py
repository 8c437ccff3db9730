"""The CloudEvents SDK for Python over aiokafka, which is how its users meet Kafka: it reads us, and we read it."""

from __future__ import annotations

import asyncio
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
from comity.transports import kafka_binding
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


@asynccontextmanager
async def producing(url: str) -> AsyncGenerator[Any, None]:
    producer: Any = AIOKafkaProducer(bootstrap_servers=url.removeprefix("kafka://"))
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


@pytest.mark.parametrize("structured", [False, True], ids=["binary", "structured"])
@pytest.mark.parametrize("case", CASES)
async def test_it_reads_us(kafka_server: Broker, case: str, structured: bool, mark: str) -> None:
    sent = frame(case, mark)
    assert isinstance(sent.data, bytes)
    url = kafka_server.url
    async with listening(url) as (transport, _), consuming(url) as consumer, producing(url) as producer:
        if structured:  # which our transport reads and does not send
            headers, value = kafka_binding.encode_structured(sent)
            await producer.send_and_wait(ADDRESS, value, headers=headers, partition=0)
        else:
            await transport.publish(ADDRESS, sent, guarantee=Guarantee.AT_LEAST_ONCE)
        record = await asyncio.wait_for(consumer.getone(), 20)
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
    async with listening(kafka_server.url) as (_, arrived), producing(kafka_server.url) as producer:
        value = message.value if isinstance(message.value, bytes) else message.value.encode()
        await producer.send_and_wait(ADDRESS, value, headers=[*message.headers.items()])
        got = await arrived(mark)
    assert same(got, sent), got
