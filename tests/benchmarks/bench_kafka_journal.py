# pyright: basic
# aiokafka is not typed.
"""The Kafka journal: appends of 256 octets by 64 concurrent clients, against aiokafka's producer with the same window.

The raw side waits for `acks=all`, too, and is not idempotent, so that a repetition would be stored twice.
"""

from __future__ import annotations

import uuid

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.benchmarks.common import Row, emit
from tests.benchmarks.journals import DATA, Versus

VERSUS = Versus(
    scheme="kafka",
    broker="kafka",
    peer="aiokafka",
    appends=12800,
    rounds=7,
    warming=1,  # the JVM
    note="one broker, one replica; every append carries the number that makes a repetition harmless",
)


async def raw(url: str) -> float:
    topic, server = uuid.uuid4().hex, url.removeprefix("kafka://")
    admin = AIOKafkaAdminClient(bootstrap_servers=server)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 1, 1)])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=server, acks="all", max_batch_size=1 << 18) as producer:
        return await VERSUS.at_once(lambda: producer.send_and_wait(topic, DATA, partition=0))


def rows() -> list[Row]:
    return [VERSUS.row(raw)]


if __name__ == "__main__":
    emit(rows)
