# pyright: basic
# aiokafka is not typed.
"""The Kafka journal: appends of 256 octets by 64 concurrent clients, against aiokafka's producer with the same window.

Both sides wait for the broker's acknowledgement (`acks=all`) of every append, 64 of them under way at a time, and run
in turn on the same real Apache Kafka, each on a fresh topic of one partition. The raw side is not idempotent, so that
a repetition would be stored twice.
"""

from __future__ import annotations

import asyncio
import statistics
import time
import uuid
from collections.abc import Awaitable, Callable

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from comity.transports import open_journal
from comity.transports.brokers import running
from tests.benchmarks.common import Row, emit

CLIENTS, APPENDS, ROUNDS = 64, 12800, 7
DATA = bytes(range(256))


async def _at_once(append: Callable[[], Awaitable[object]]) -> float:
    """Appends per second of all clients, each waiting for its own before the next."""

    async def client() -> None:
        for _ in range(APPENDS // CLIENTS):
            await append()

    await append()  # the first one asks where the topic is
    begin = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return APPENDS / (time.perf_counter() - begin)


async def ours(url: str) -> float:
    async with open_journal(f"kafka:{url}/{uuid.uuid4().hex}") as journal:
        rate = await _at_once(lambda: journal.append(DATA))
        assert await journal.end() == APPENDS + 1
        return rate


async def raw(url: str) -> float:
    topic, server = uuid.uuid4().hex, url.removeprefix("kafka://")
    admin = AIOKafkaAdminClient(bootstrap_servers=server)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 1, 1)])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=server, acks="all", max_batch_size=1 << 18) as producer:
        return await _at_once(lambda: producer.send_and_wait(topic, DATA, partition=0))


def rows() -> list[Row]:
    samples: dict[str, list[float]] = {"ours": [], "raw": []}
    with running("kafka") as broker:
        for _ in range(ROUNDS + 1):
            samples["ours"].append(asyncio.run(ours(broker.url)))
            samples["raw"].append(asyncio.run(raw(broker.url)))
    rate, peer = (statistics.median(samples[name][1:]) for name in ("ours", "raw"))  # the first warms the JVM
    note = "one broker, one replica; every append carries the number that makes a repetition harmless"
    ratio = rate / peer
    return [
        Row("kafka journal, 64 clients", rate, "appends/s", "≥ 0.85 × raw", ratio >= 0.85,
            "aiokafka, same window", peer, ratio, note)
    ]  # fmt: skip


if __name__ == "__main__":
    emit(rows())
