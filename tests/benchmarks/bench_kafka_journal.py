# pyright: basic
# aiokafka is not typed.
"""The Kafka journal: appends of 256 octets by 64 concurrent clients, against aiokafka's producer with the same window.

The raw side waits for `acks=all`, too. The goal is against one that is not idempotent, so that a repetition would be
stored twice; against one that is, the ratio is stated.
"""

from __future__ import annotations

import uuid
from functools import partial

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


async def raw(url: str, *, idempotent: bool = False) -> float:
    topic, server = uuid.uuid4().hex, url.removeprefix("kafka://")
    admin = AIOKafkaAdminClient(bootstrap_servers=server)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 1, 1)])
    await admin.close()
    producer = AIOKafkaProducer(
        bootstrap_servers=server, acks="all", max_batch_size=1 << 18, enable_idempotence=idempotent
    )
    async with producer:
        return await VERSUS.at_once(lambda: producer.send_and_wait(topic, DATA, partition=0))


def rows() -> list[Row]:
    equal = partial(raw, idempotent=True)
    return VERSUS.rows(raw, ("aiokafka, idempotent", equal, "the peer sends such numbers, too"))


if __name__ == "__main__":
    emit(rows)
