# pyright: basic
# aiokafka is not typed.
"""The Kafka journal: appends of 256 octets by 64 concurrent clients, against aiokafka's producer with the same window.

Both sides wait for the broker's acknowledgement (`acks=all`) of every append, 64 of them under way at a time, and run
in turn on the same real Apache Kafka, each on a fresh topic of one partition. The goal is against a raw side that is not
idempotent, so that a repetition would be stored twice; against one that is, the ratio is stated.
"""

from __future__ import annotations

import asyncio
import statistics
import time
import uuid
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial

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


async def raw(url: str, *, idempotent: bool) -> float:
    topic, server = uuid.uuid4().hex, url.removeprefix("kafka://")
    admin = AIOKafkaAdminClient(bootstrap_servers=server)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 1, 1)])
    await admin.close()
    producer = AIOKafkaProducer(
        bootstrap_servers=server, acks="all", max_batch_size=1 << 18, enable_idempotence=idempotent
    )
    async with producer:
        return await _at_once(lambda: producer.send_and_wait(topic, DATA, partition=0))


def rows() -> list[Row]:
    sides: dict[str, Callable[[str], Coroutine[None, None, float]]] = {
        "ours": ours,
        "raw": partial(raw, idempotent=False),
        "idempotent": partial(raw, idempotent=True),
    }
    samples: dict[str, list[float]] = {name: [] for name in sides}
    with running("kafka") as broker:
        for _ in range(ROUNDS + 1):
            for name, side in sides.items():
                samples[name].append(asyncio.run(side(broker.url)))
    # the first round warms the JVM
    rate, peer, equal = (statistics.median(samples[name][1:]) for name in sides)
    note = "one broker, one replica; every append carries the number that makes a repetition harmless"
    what = "kafka journal, 64 clients"
    return [
        Row(what, rate, "appends/s", "≥ 0.85 × raw", rate / peer >= 0.85,
            "aiokafka, same window", peer, rate / peer, note),
        Row(what, rate, "appends/s", "stated", True,
            "aiokafka, same window, idempotent", equal, rate / equal, "the peer sends such numbers, too"),
    ]  # fmt: skip


if __name__ == "__main__":
    emit(rows())
