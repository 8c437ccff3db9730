# pyright: basic
# nats-py is only partly typed.
"""The JetStream journal: appends of 256 octets by 64 concurrent clients, against the raw client with the same window.

Both sides wait for the server's acknowledgement of every publish, 64 of them under way at a time, and run in turn on
the same real nats-server. The raw side sends no id, so that a repetition would be stored twice.
"""

from __future__ import annotations

import asyncio
import statistics
import time
import uuid
from collections.abc import Awaitable, Callable

from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import StreamConfig

from comity.transports import open_journal
from comity.transports.brokers import running
from tests.benchmarks.common import Row, emit

CLIENTS, APPENDS, ROUNDS = 64, 6400, 5
DATA = bytes(range(256))


async def _at_once(append: Callable[[], Awaitable[object]]) -> float:
    """Appends per second of all clients, each waiting for its own before the next."""

    async def client() -> None:
        for _ in range(APPENDS // CLIENTS):
            await append()

    begin = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return APPENDS / (time.perf_counter() - begin)


async def ours(url: str) -> float:
    async with open_journal(f"jetstream:{url}/{uuid.uuid4().hex}") as journal:
        rate = await _at_once(lambda: journal.append(DATA))
        assert await journal.end() == APPENDS
        return rate


async def raw(url: str) -> float:
    name, client = uuid.uuid4().hex, Client()
    await client.connect(url)
    stream: JetStreamContext = client.jetstream(timeout=5)
    await stream.add_stream(StreamConfig(name=name, subjects=[name]))
    rate = await _at_once(lambda: stream.publish(name, DATA))
    await client.close()
    return rate


def rows() -> list[Row]:
    samples: dict[str, list[float]] = {"ours": [], "raw": []}
    with running("nats") as broker:
        for _ in range(ROUNDS):
            samples["ours"].append(asyncio.run(ours(broker.url)))
            samples["raw"].append(asyncio.run(raw(broker.url)))
    rate, peer = statistics.median(samples["ours"]), statistics.median(samples["raw"])
    note = "file storage, one replica; every append carries the id that makes a repetition harmless"
    ratio = rate / peer
    return [
        Row("jetstream journal, 64 clients", rate, "appends/s", "≥ 0.85 × raw", ratio >= 0.85,
            "nats-py, same window", peer, ratio, note)
    ]  # fmt: skip


if __name__ == "__main__":
    emit(rows)
