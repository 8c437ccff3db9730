"""A registry on sqlite and a real nats-server, killed with -9: it loses nothing that it answered."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from comity.mesh import Mesh
from comity.sdk.errors import Refused, TimedOut
from comity.transports.brokers import Broker

pytestmark = [pytest.mark.broker, pytest.mark.slow]

SERVE = """
import asyncio, sys
from comity.mesh import serve
asyncio.run(serve(sys.argv[1], sys.argv[2], namespace=sys.argv[3], ready=lambda _: print("ready", flush=True)))
"""


def start(url: str, journal: Path, namespace: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SERVE, url, f"sqlite:{journal}", namespace]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait(timeout=10)
    assert process.stdout is not None
    process.stdout.close()


async def test_nothing_acknowledged_is_lost(nats_server: Broker, tmp_path: Path) -> None:
    """REG-DUR-001 with real processes: updates go on while the registry is killed five times."""
    journal = tmp_path / "registry.db"
    process = start(nats_server.url, journal, "killed")
    acknowledged: dict[str, int] = {}
    stop, progress = asyncio.Event(), asyncio.Event()

    async def write(mesh: Mesh) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            try:
                await mesh.registry.update(metadata={"n": number})
            except (TimedOut, Refused):
                continue
            acknowledged[mesh.agent] = number
            progress.set()

    try:
        meshes = [Mesh.connect(nats_server.url, agent=f"a{n}", namespace="killed") for n in range(4)]
        for mesh in meshes:
            await mesh.__aenter__()
            await mesh.registry.register(capabilities=["x"], lease_ms=600_000)
        async with asyncio.TaskGroup() as group:
            writers = [group.create_task(write(mesh)) for mesh in meshes]
            for _ in range(5):
                so_far = sum(acknowledged.values())
                async with asyncio.timeout(20):
                    while sum(acknowledged.values()) < so_far + 40:
                        progress.clear()
                        await progress.wait()
                await asyncio.to_thread(kill, process)
                process = await asyncio.to_thread(start, nats_server.url, journal, "killed")
            stop.set()
            await asyncio.wait(writers, timeout=20)
        for mesh in meshes:
            entry = await meshes[0].registry.lookup(mesh.agent, consistency="linearizable")
            assert entry.metadata["n"] >= acknowledged[mesh.agent]
        for mesh in meshes:
            await mesh.__aexit__(None, None, None)
    finally:
        kill(process)


async def test_a_watch_over_nats_survives_the_registry(nats_server: Broker, tmp_path: Path) -> None:
    journal = tmp_path / "registry.db"
    process = start(nats_server.url, journal, "watched")
    seen: list[str] = []
    arrived = asyncio.Event()

    async def watch(mesh: Mesh) -> None:
        async for change in mesh.registry.watch(capability="x", lease_ms=3000):
            if change.kind == "put" and change.entry is not None:
                seen.append(str(change.entry.zone))
                arrived.set()
            if seen and seen[-1] == "c":
                return

    try:
        async with (
            asyncio.timeout(40),
            Mesh.connect(nats_server.url, agent="w", namespace="watched") as watcher,
            Mesh.connect(nats_server.url, agent="a", namespace="watched") as mesh,
            asyncio.TaskGroup() as group,
        ):
            await mesh.registry.register(capabilities=["x"], zone="a", lease_ms=600_000)
            group.create_task(watch(watcher))
            await arrived.wait()
            await asyncio.to_thread(kill, process)
            process = await asyncio.to_thread(start, nats_server.url, journal, "watched")
            await mesh.registry.update(zone="b")
            await mesh.registry.update(zone="c")
        assert seen == ["a", "b", "c"]
    finally:
        kill(process)
