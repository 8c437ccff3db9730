"""A writer, and a watcher that is owed each of its writes: once, in order, whatever becomes of servers meanwhile.

Responsible for both and for what must hold in the end. Not responsible for what is done to the servers.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from comity.mesh import Mesh
from comity.sdk.errors import Refused, TimedOut

from .processes import eventually

__all__ = ["Watched", "watched_on"]


class Watched:
    """`answered` are the revisions of the writes that were acknowledged, `seen` those that the watcher was told of."""

    def __init__(self, writer: Mesh, watcher: Mesh) -> None:
        self._writer, self._watcher = writer, watcher
        self._stopped = False
        self._first = 0
        self.seen: list[int] = []
        self.answered: list[int] = []
        self.refusals: list[str] = []

    async def begin(self) -> None:
        """Register what will be written and watched."""
        self._first = (await self._writer.registry.register(capabilities=["x"], lease_ms=600_000)).revision

    async def watch(self) -> None:
        """Watch without end."""
        async for change in self._watcher.registry.watch(capability="x", lease_ms=1500):
            if change.kind == "put" and change.entry is not None:
                self.seen.append(change.revision)

    async def write(self) -> None:
        """Write until `stop` is called; what nobody answered in time is tried anew."""
        number = 0
        while not self._stopped:
            number += 1
            try:
                self.answered.append(await self._writer.registry.update(metadata={"n": number}))
            except TimedOut:
                continue
            except Refused as refusal:
                self.refusals.append(refusal.code)

    def stop(self) -> None:
        """Begin no further write."""
        self._stopped = True

    async def check(self) -> None:
        """REG-AGT-001, REG-AGT-006: every acknowledged write was told of, once and in order."""
        assert self.refusals == []
        last = (await self._watcher.registry.lookup(self._writer.agent, consistency="linearizable")).revision
        await eventually(lambda: bool(self.seen) and self.seen[-1] == last, "the watch stands still", 30)
        assert self.seen == sorted(set(self.seen))
        missed = set(self.answered) - set(self.seen)
        assert {revision for revision in missed if revision > self.seen[0]} == set()
        assert self.seen[0] >= self._first


@asynccontextmanager
async def watched_on(url: str, namespace: str) -> AsyncGenerator[Watched]:
    """A writer and its watcher, each with a connection of its own; the watch lasts as long as the block."""
    async with (
        Mesh.connect(url, agent="watcher", namespace=namespace) as watcher,
        Mesh.connect(url, agent="writer", namespace=namespace) as writer,
    ):
        pair = Watched(writer, watcher)
        await pair.begin()
        watching = asyncio.create_task(pair.watch())
        try:
            yield pair
        finally:
            watching.cancel()
            await asyncio.wait({watching})
