# pyright: basic
# aiokafka is not typed.
"""Whether a Kafka broker serves: a message is produced and read back.

Responsible for the one question. Not responsible for how long to go on asking.
"""

from __future__ import annotations

import asyncio
import logging
import os
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

__all__ = ["echo"]

_TOPIC: Final = "comity-ready"
_PATIENCE: Final = 15.0


async def echo(server: str) -> bool:
    """Whether what is produced to `server` comes back; false where it does not serve yet."""
    logger = logging.getLogger("aiokafka")
    before, logger.disabled = logger.disabled, True
    try:
        async with asyncio.timeout(_PATIENCE):
            await _create(server)
            return await _produce_and_read(server, os.urandom(8))
    except (KafkaError, OSError, TimeoutError):
        return False
    finally:
        logger.disabled = before


async def _create(server: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=server, request_timeout_ms=2000)
    try:
        await admin.start()
        answer: Any = await admin.create_topics([NewTopic(_TOPIC, 1, 1)])
        for _, code, *_rest in answer.topic_errors:
            if code and for_code(code) is not TopicAlreadyExistsError:
                raise for_code(code)
    finally:
        await admin.close()


async def _produce_and_read(server: str, token: bytes) -> bool:
    producer = AIOKafkaProducer(bootstrap_servers=server, acks="all", request_timeout_ms=5000)
    consumer = AIOKafkaConsumer(bootstrap_servers=server, enable_auto_commit=False)
    try:
        await producer.start()
        sent = await producer.send_and_wait(_TOPIC, token, partition=0)
        await consumer.start()
        place = TopicPartition(_TOPIC, 0)
        consumer.assign([place])
        consumer.seek(place, sent.offset)
        return bool((await consumer.getone()).value == token)
    finally:
        await asyncio.gather(producer.stop(), consumer.stop())
