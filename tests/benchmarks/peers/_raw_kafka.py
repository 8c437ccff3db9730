# pyright: basic
# aiokafka is not typed.
"""aiokafka, used by hand: the same job, or opaque bytes.

As durable as the SDK asks for and in batches as large (acks=all, idempotent, 256 KiB), read in batches by `getmany`,
which is its fastest way to receive, from partitions that were assigned and not through a group.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError

from tests.benchmarks.peers._job import AGENT, ByHand, Conversing, Peer

__all__ = ["BATCH", "KafkaByHand", "KafkaByHandUnchecked", "KafkaBytes", "make_topics"]

BATCH: Final = 1 << 18
PARTITIONS: Final = 4
_PREFIX: Final = "ce_"


async def make_topics(server: str, *topics: str) -> None:
    """The topics as the adapter makes them, where they are missing."""
    admin = AIOKafkaAdminClient(bootstrap_servers=server)
    await admin.start()
    try:
        for topic in topics:
            answer: Any = await admin.create_topics([NewTopic(topic, PARTITIONS, 1)])
            code = answer.topic_errors[0][1]
            assert code in (0, TopicAlreadyExistsError.errno), answer
    finally:
        await admin.close()


class KafkaBytes(Peer):
    """Opaque octets, no headers."""

    async def open(self) -> None:
        self.server = self.url.removeprefix("kafka://")
        self.requests = f"{self.space}.registry.v1.requests"
        self.replies = f"{self.space}.registry.v1.replies"
        self.key = AGENT.encode()
        self.data = bytes(self.size)
        self.tasks: list[asyncio.Task[None]] = []
        await make_topics(self.server, self.requests, self.replies)
        self.producer = AIOKafkaProducer(
            bootstrap_servers=self.server, acks="all", enable_idempotence=True, max_batch_size=BATCH
        )
        await self.producer.start()

    async def close(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.producer.stop()

    async def listen(self, seen: Callable[[], None]) -> None:
        async def receive(record: Any) -> None:
            seen()

        await self.subscribe(self.requests, receive)

    async def send(self) -> None:
        await self.producer.send(self.requests, self.data, key=self.key)

    async def subscribe(self, topic: str, receive: Callable[[Any], Awaitable[None]]) -> None:
        """Read `topic`, which is new, from its beginning."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.server, auto_offset_reset="earliest")
        await consumer.start()
        consumer.assign([TopicPartition(topic, number) for number in range(PARTITIONS)])
        self.tasks.append(asyncio.create_task(self._read(consumer, receive)))

    async def _read(self, consumer: Any, receive: Callable[[Any], Awaitable[None]]) -> None:
        try:
            while True:
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    for record in records:
                        await receive(record)
                    await asyncio.sleep(0)
        finally:
            with contextlib.suppress(asyncio.CancelledError):
                await consumer.stop()


class KafkaByHand(KafkaBytes, Conversing):
    """The same job as the SDK, every attribute and the data validated by Pydantic."""

    checked = True

    async def open(self) -> None:
        await super().open()
        self.job = ByHand(self.space, self.size, checked=self.checked)

    async def send(self) -> None:
        attributes, data = self.job.request()
        await self.producer.send(self.requests, data, key=self.key, headers=_headers(attributes))

    async def send_surely(self) -> None:
        attributes, data = self.job.request()
        await self.producer.send_and_wait(self.requests, data, key=self.key, headers=_headers(attributes))

    async def listen(self, seen: Callable[[], None]) -> None:
        async def receive(record: Any) -> None:
            self.job.read(_attributes(record), record.value)
            seen()

        await self.subscribe(self.requests, receive)

    async def answer(self) -> None:
        async def receive(record: Any) -> None:
            attributes = _attributes(record)
            self.job.read(attributes, record.value)
            mine, data = self.job.reply(attributes)
            await self.producer.send(self.replies, data, key=self.key, headers=_headers(mine))

        await self.subscribe(self.requests, receive)

    async def expect(self, replied: Callable[[], None]) -> None:
        async def receive(record: Any) -> None:
            self.job.read_reply(_attributes(record), record.value)
            replied()

        await self.subscribe(self.replies, receive)


class KafkaByHandUnchecked(KafkaByHand):
    """The same with attributes carried and read, but not validated."""

    checked = False


def _headers(attributes: dict[str, str]) -> list[tuple[str, bytes]]:
    return [
        ("content-type" if name == "datacontenttype" else _PREFIX + name, value.encode())
        for name, value in attributes.items()
    ]


def _attributes(record: Any) -> dict[str, str]:
    return {
        "datacontenttype" if name == "content-type" else name[len(_PREFIX) :]: value.decode()
        for name, value in record.headers
    }
