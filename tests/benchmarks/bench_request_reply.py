"""Requests to `comity serve registry` in a process of its own, by an agent with 32 of them under way.

Each is a `lookup` through `Mesh`: from the user's call to the typed answer. The registry's journal is in memory; a
lookup does not write to it.
"""

from __future__ import annotations

import asyncio
import statistics
import time

from comity.mesh import Mesh
from comity.transports.brokers import names, running
from tests.benchmarks.common import Row, emit
from tests.benchmarks.services import registry

UNDER_WAY, REQUESTS, ROUNDS = 32, 3200, 5


async def one_round(mesh: Mesh) -> tuple[float, float]:
    """Requests per second, and the 99th percentile of what one took, in milliseconds."""
    times: list[float] = []

    async def client() -> None:
        for _ in range(REQUESTS // UNDER_WAY):
            begun = time.perf_counter()
            await mesh.registry.lookup(mesh.agent)
            times.append(time.perf_counter() - begun)

    begun = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(UNDER_WAY)))
    rate = REQUESTS / (time.perf_counter() - begun)
    return rate, sorted(times)[REQUESTS * 99 // 100] * 1e3


async def measure(url: str) -> tuple[float, float]:
    """The medians of the rounds."""
    async with Mesh.connect(url, agent="bench") as mesh:
        await mesh.registry.register(capabilities=["bench"])
        rounds = [await one_round(mesh) for _ in range(ROUNDS + 1)][1:]
    rates, slowest = zip(*rounds, strict=True)
    return statistics.median(rates), statistics.median(slowest)


def rows() -> list[Row]:
    found: list[Row] = []
    for name in names():
        with running(name) as broker, registry(broker.url):
            rate, p99 = asyncio.run(measure(broker.url))
        note = f"lookups by one agent, {UNDER_WAY} under way; client, registry and broker in processes of their own"
        found += [
            Row(f"{name}, request and reply", rate, "requests/s", "≥ 1,000/s", rate >= 1000, note=note),
            Row(
                f"{name}, request and reply, p99",
                p99,
                "ms",
                "< 100 ms",
                p99 < 100,
                note="of the same requests",
            ),
        ]
    return found


if __name__ == "__main__":
    emit(rows)
