# pyright: basic
# aiokafka is not typed.
"""How long after its start a consumer in a fresh Kafka group has its first message; the broker is warm.

From before the connection is opened until the message is there, which is published as soon as the subscription is in force.
The raw client reads a message that was there before, so that it need not wait for a publisher.
"""

from __future__ import annotations

import asyncio
import time
import uuid

from aiokafka import AIOKafkaConsumer

from comity.sdk.ports import Frame, Transport
from comity.transports import connect
from comity.transports.brokers import running
from tests.benchmarks.common import Row, emit

ROUNDS = 7
TOPIC = "bench.registry.v1.requests"
FRAME = Frame({"specversion": "1.0", "id": "1", "source": "/bench", "type": "Bench"}, b"{}")


async def ours(url: str, publisher: Transport) -> float:
    begun = time.perf_counter()
    transport = connect(url, timeout=30.1)  # connections of its own, which differ in nothing else
    await transport.open()
    arrived = asyncio.Event()
    await transport.subscribe(f"{TOPIC}.*", lambda _: arrived.set(), group=uuid.uuid4().hex)
    await publisher.publish(f"{TOPIC}.a", FRAME)
    async with asyncio.timeout(60):
        await arrived.wait()
    seconds = time.perf_counter() - begun
    await transport.close()
    return seconds


async def raw(url: str) -> float:
    begun = time.perf_counter()
    consumer = AIOKafkaConsumer(
        TOPIC,
        bootstrap_servers=url.removeprefix("kafka://"),
        group_id=uuid.uuid4().hex,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    async with asyncio.timeout(60):
        await consumer.getone()
    seconds = time.perf_counter() - begun
    await consumer.stop()
    return seconds


async def measure(url: str) -> tuple[list[float], list[float]]:
    publisher = connect(url)
    await publisher.open()
    await publisher.publish(f"{TOPIC}.a", FRAME)
    await publisher.flush()
    samples = [(await ours(url, publisher), await raw(url)) for _ in range(ROUNDS + 1)][1:]
    await publisher.close()
    return sorted(mine for mine, _ in samples), sorted(theirs for _, theirs in samples)


def rows() -> list[Row]:
    with running("kafka") as broker:
        mine, theirs = asyncio.run(measure(broker.url))
    middle = ROUNDS // 2
    return [
        Row("first message of a fresh group, the slowest", mine[-1], "s", "≤ 1 s after start", mine[-1] <= 1,
            "aiokafka", theirs[-1], mine[-1] / theirs[-1],
            f"of {ROUNDS} groups, connecting included; median {mine[middle]:.2f} s against {theirs[middle]:.2f}")
    ]  # fmt: skip


if __name__ == "__main__":
    emit(rows)
