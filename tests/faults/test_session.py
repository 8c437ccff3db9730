"""A session among replicas and on its way out, on memory alone."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping

from comity.sdk.ports import Append, Effect, Entry, Frame, Json, Now, Snapshot
from comity.sdk.session import Session
from comity.transports.journals.memory import MemoryJournal
from comity.transports.memory import MemoryTransport

from .processes import eventually


class Counter:
    """A replica that counts entries; its snapshot has `size` octets. `add` appends entries."""

    def __init__(self, size: int = 0) -> None:
        self.seen = self.snapshots = 0
        self._size = size
        self._effects: list[Effect] = []

    def receive(self, frame: Frame, now: Now) -> None:
        raise AssertionError("nobody sends anything here")

    def command(self, request: str, args: Mapping[str, Json], now: Now) -> None:
        self._effects.extend(Append(b"x" * 100) for _ in range(int(request)))

    def entry(self, position: int, data: bytes, now: Now) -> None:
        assert position == self.seen + 1
        self.seen = position

    def persisted(self, token: str, now: Now) -> None:
        raise AssertionError("nothing is persisted here")

    def wake(self, now: Now) -> None:
        raise AssertionError("there is no deadline here")

    def next_deadline(self) -> float | None:
        return None

    def take_effects(self) -> list[Effect]:
        effects, self._effects = self._effects, []
        return effects

    def snapshot(self) -> Snapshot:
        self.snapshots += 1
        return Snapshot(self.seen, b"s" * self._size)

    def restore(self, snapshot: Snapshot) -> None:
        self.seen = snapshot.position

    def caught_up(self, now: Now) -> None:
        return


class Slow(MemoryJournal):
    """A journal whose followers hear of entries only once they may."""

    def __init__(self) -> None:
        super().__init__()
        self.may = asyncio.Event()
        self.appended = 0

    async def append(self, data: bytes) -> int:
        self.appended += 1
        return await super().append(data)

    async def follow(self, after: int) -> AsyncIterator[Entry]:
        async for entry in super().follow(after):
            await self.may.wait()
            yield entry


def somewhere() -> MemoryTransport:
    return MemoryTransport(f"memory://s{uuid.uuid4().hex}")


async def test_a_replica_that_lags_leaves_the_later_snapshot_alone() -> None:
    replica, transport = Counter(), somewhere()
    await transport.open()
    async with (
        MemoryJournal() as journal,
        Session(replica, transport, subscriptions=[], journal=journal, snapshot_every=1),
    ):
        for _ in range(600):
            await journal.append(b"from another replica")
        await journal.save_snapshot(Snapshot(600, b"of another replica"))
        await eventually(lambda: replica.seen == 600, "the session gave up")
        assert await journal.load_snapshot() in (Snapshot(600, b"of another replica"), Snapshot(600, b""))
    await transport.close()


async def test_what_was_appended_is_applied_before_the_end() -> None:
    replica, transport, journal = Counter(), somewhere(), Slow()
    await transport.open()
    await journal.open()
    session = Session(replica, transport, subscriptions=[], journal=journal)
    await session.start()
    session.command("10", {})
    stopping = asyncio.create_task(session.stop())
    await eventually(lambda: journal.appended == 10, "nothing was appended")
    assert not stopping.done()
    journal.may.set()
    await stopping
    assert replica.seen == 10
    await journal.close()
    await transport.close()


async def test_large_snapshots_are_rare() -> None:
    """Snapshots take a share of what the log takes, however large the state is."""
    replica, transport = Counter(size=1_000_000), somewhere()
    await transport.open()
    async with (
        MemoryJournal() as journal,
        Session(replica, transport, subscriptions=[], journal=journal, snapshot_every=10) as session,
    ):
        session.command("10000", {})
        await eventually(lambda: replica.seen == 10_000, "the session gave up")
        assert 1 < replica.snapshots <= 1 + 10_000 * 100 // (1_000_000 // 4)
    await transport.close()
