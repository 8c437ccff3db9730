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
from typing import Any, TypeAlias

from comity.transports import open_journal
from comity.transports.brokers import running
from tests.benchmarks.common import Row

__all__ = ["DATA", "Versus"]

Raw: TypeAlias = Callable[[str], Coroutine[Any, Any, float]]
"""Given the broker's URL, its appends per second."""
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

    def rows(self, raw: Raw, *stated: tuple[str, Raw, str]) -> list[Row]:
        """Measure against `raw`, which the goal is about, and what is only stated: a peer, its side and a note."""
        sides = {"ours": self._ours, self.peer: raw, **{peer: side for peer, side, _ in stated}}
        samples: dict[str, list[float]] = {name: [] for name in sides}
        with running(self.broker) as broker:
            for _ in range(self.warming + self.rounds):
                for name, side in sides.items():
                    samples[name].append(asyncio.run(side(broker.url)))
        rates = {name: statistics.median(found[self.warming :]) for name, found in samples.items()}
        found = [self._row(rates, self.peer, "≥ 0.85 × raw", 0.85, self.note)]
        return found + [self._row(rates, peer, "stated", 0, note) for peer, _, note in stated]

    def _row(self, rates: dict[str, float], peer: str, goal: str, least: float, note: str) -> Row:
        rate, ratio = rates["ours"], rates["ours"] / rates[peer]
        return Row(f"{self.scheme} journal, {CLIENTS} clients", rate, "appends/s", goal, ratio >= least,
                   f"{peer}, same window", rates[peer], ratio, note)  # fmt: skip

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
