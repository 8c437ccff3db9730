# pyright: basic
# aiokafka is not typed.
"""Whether Kafka serves: a message is produced and read back, from each of its nodes.

Responsible for the one question. Not responsible for how long to go on asking.
"""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
from collections.abc import Sequence
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

__all__ = ["echo"]

_TOPIC: Final = "comity-ready"
_PATIENCE: Final = 15.0


async def echo(servers: str, nodes: Sequence[int], trust: ssl.SSLContext | None) -> bool:
    """Whether what is produced comes back from each of `nodes`, and all of them keep it; false where not yet."""
    logger = logging.getLogger("aiokafka")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    to = {
        "bootstrap_servers": servers,
        "security_protocol": "SSL" if trust else "PLAINTEXT",
        "ssl_context": trust,
    }
    try:
        async with asyncio.timeout(_PATIENCE):
            if not await _has_topic(to, nodes):
                return False
            return await _produce_and_read(to, len(nodes), os.urandom(8))
    except (KafkaError, OSError, TimeoutError):
        return False
    finally:
        logger.setLevel(before)


async def _has_topic(to: dict[str, Any], nodes: Sequence[int]) -> bool:
    """Whether every node keeps every partition; the topic is made where it is missing, led once by each node."""
    admin = AIOKafkaAdminClient(**to, request_timeout_ms=5000)
    try:
        await admin.start()
        if admin._client.cluster.controller is None:
            return False
        placed = {n: [*nodes[n:], *nodes[:n]] for n in range(len(nodes))}
        answer: Any = await admin.create_topics([NewTopic(_TOPIC, -1, -1, placed)])
        for _, code, *_rest in answer.topic_errors:
            if code and for_code(code) is not TopicAlreadyExistsError:
                raise for_code(code)
        (found,) = await admin.describe_topics([_TOPIC])
        return len(found["partitions"]) == len(nodes) and all(
            set(one["isr"]) == set(nodes) for one in found["partitions"]
        )
    finally:
        await admin.close()


async def _produce_and_read(to: dict[str, Any], partitions: int, token: bytes) -> bool:
    producer = AIOKafkaProducer(**to, acks="all", request_timeout_ms=5000)
    consumer = AIOKafkaConsumer(**to, enable_auto_commit=False)
    try:
        await producer.start()
        await consumer.start()
        for number in range(partitions):
            sent = await producer.send_and_wait(_TOPIC, token, partition=number)
            place = TopicPartition(_TOPIC, number)
            consumer.assign([place])
            consumer.seek(place, sent.offset)
            if (await consumer.getone()).value != token:
                return False
        return True
    finally:
        await asyncio.gather(producer.stop(), consumer.stop())
