"""What the benchmarks of journals on brokers share: one window of clients, on our side and on the raw client's.

Both sides wait for the broker's acknowledgement of every append, `CLIENTS` of them under way at a time, and run in turn
on the same real broker, each on a fresh log of its own. Not responsible for how a raw client appends.
"""

from __future__ import annotations

import asyncio
import statistics
import time
import uuid
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from comity.transports import open_journal
from comity.transports.brokers import running
from tests.benchmarks.common import Row

__all__ = ["DATA", "Versus"]

CLIENTS = 64
DATA = bytes(range(256))


@dataclass(frozen=True, slots=True)
class Versus:
    """A journal against the raw client of its broker. The first `warming` rounds do not count."""

    scheme: str
    broker: str
    peer: str
    appends: int
    rounds: int
    warming: int
    note: str

    def row(self, raw: Callable[[str], Coroutine[Any, Any, float]]) -> Row:
        """Measure: `raw` is given the broker's URL, and gives its appends per second."""
        samples: dict[str, list[float]] = {"ours": [], "raw": []}
        with running(self.broker) as broker:
            for _ in range(self.warming + self.rounds):
                samples["ours"].append(asyncio.run(self._ours(broker.url)))
                samples["raw"].append(asyncio.run(raw(broker.url)))
        rate, peer = (statistics.median(samples[side][self.warming :]) for side in ("ours", "raw"))
        ratio, name = rate / peer, f"{self.scheme} journal, {CLIENTS} clients"
        return Row(name, rate, "appends/s", "≥ 0.85 × raw", ratio >= 0.85,
                   f"{self.peer}, same window", peer, ratio, self.note)  # fmt: skip

    async def at_once(self, append: Callable[[], Awaitable[object]]) -> float:
        """Appends per second of all clients, each waiting for its own before the next."""

        async def client() -> None:
            for _ in range(self.appends // CLIENTS):
                await append()

        await append()  # the first one may ask where the log is
        begin = time.perf_counter()
        await asyncio.gather(*(client() for _ in range(CLIENTS)))
        return self.appends / (time.perf_counter() - begin)

    async def _ours(self, url: str) -> float:
        async with open_journal(f"{self.scheme}:{url}/{uuid.uuid4().hex}") as journal:
            rate = await self.at_once(lambda: journal.append(DATA))
            assert await journal.end() == self.appends + 1
            return rate
