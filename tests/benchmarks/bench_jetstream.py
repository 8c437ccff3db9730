# pyright: basic
# nats-py is only partly typed.
"""The JetStream journal: appends of 256 octets by 64 concurrent clients, against the raw client with the same window.

The raw side sends no id, so that a repetition would be stored twice.
"""

from __future__ import annotations

import uuid

from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import StreamConfig

from tests.benchmarks.common import Row, emit
from tests.benchmarks.journals import DATA, Versus

VERSUS = Versus(
    scheme="jetstream",
    broker="nats",
    peer="nats-py",
    appends=6400,
    rounds=5,
    warming=0,
    note="file storage, one replica; every append carries the id that makes a repetition harmless",
)


async def raw(url: str) -> float:
    name, client = uuid.uuid4().hex, Client()
    await client.connect(url)
    stream: JetStreamContext = client.jetstream(timeout=5)
    await stream.add_stream(StreamConfig(name=name, subjects=[name]))
    rate = await VERSUS.at_once(lambda: stream.publish(name, DATA))
    await client.close()
    return rate


def rows() -> list[Row]:
    return VERSUS.rows(raw)


if __name__ == "__main__":
    emit(rows)
