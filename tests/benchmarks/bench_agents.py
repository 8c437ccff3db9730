"""1,000 agents in one process on NATS: connect, register, and live on by their heartbeats.

Each is a `Mesh` with a connection of its own; the registry runs in another process. Agents outlive their first lease only
by renewing it, so the time is taken until a whole lease after the last one was granted, when the registry still counts all.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path

from comity.mesh import Mesh
from comity.transports.brokers import running
from tests.benchmarks.common import Row, emit
from tests.benchmarks.services import registry

AGENTS, LEASE_MS = 1000, 9000


def resident() -> float:
    """KiB of memory that this process has."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return float(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")))


async def measure(url: str) -> list[Row]:
    lost: list[str | None] = []
    async with AsyncExitStack() as stack:
        witness = await stack.enter_async_context(Mesh.connect(url, agent="witness"))
        before, begun = resident(), time.perf_counter()
        meshes = [
            Mesh.connect(url, agent=f"agent-{number}", request_timeout_ms=30_000) for number in range(AGENTS)
        ]
        for mesh in meshes:
            stack.push_async_exit(mesh)
        async with asyncio.TaskGroup() as group:
            for mesh in meshes:
                group.create_task(mesh.__aenter__())
        connected = time.perf_counter() - begun
        async with asyncio.TaskGroup() as group:
            for mesh in meshes:
                group.create_task(mesh.registry.register(lease_ms=LEASE_MS, on_lost=lost.append))
        registered, cpu = time.perf_counter() - begun, time.process_time()
        await asyncio.sleep(LEASE_MS / 1000)
        busy = (time.process_time() - cpu) / (LEASE_MS / 1000)
        memory = (resident() - before) / AGENTS
        alive = await witness.registry.count(consistency="linearizable")
        seconds = time.perf_counter() - begun
    if lost or alive != AGENTS:
        raise RuntimeError(f"{alive} of {AGENTS} agents are alive, {len(lost)} lost their lease")
    note = f"connected after {connected:.1f} s, registered after {registered:.1f} s, then one lease of {LEASE_MS / 1000:g} s"
    beat = f"a heartbeat every {LEASE_MS / 3000:g} s"
    return [
        Row(
            "1,000 agents in one process, connect, register, heartbeat",
            seconds,
            "s",
            "< 30 s",
            seconds < 30,
            note=note,
        ),
        Row("processor of one agent", busy / AGENTS * 1e6, "µs per second", "stated", True, note=beat),
        Row("memory of one agent", memory, "KiB", "stated", True, note="resident, its connection included"),
    ]


def rows() -> list[Row]:
    with running("nats") as broker, registry(broker.url):
        return asyncio.run(measure(broker.url))


if __name__ == "__main__":
    emit(rows)
