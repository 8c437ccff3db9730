"""What every journal of this package shares: waking followers in process and the context manager.

Responsible for the wake-up of those who wait for the next entry and for the rules of snapshots and truncation.
Not responsible for storing anything.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Self

from comity.sdk.errors import JournalError
from comity.sdk.ports import Snapshot

__all__ = ["JournalBase", "UnderWay", "Wake", "check_snapshot", "check_truncation", "compacted"]


class Wake:
    """Wakes everybody who waits. `count` rises with every `set`, so that none is missed between look and wait.

    Waiting may be bounded; it costs one future and no task.
    """

    def __init__(self) -> None:
        self.count = 0
        self._waiting: set[asyncio.Future[None]] = set()

    def set(self) -> None:
        """Wake all who wait now."""
        self.count += 1
        for future in self._waiting:
            if not future.done():
                future.set_result(None)

    async def wait(self, seen: int, seconds: float | None = None) -> None:
        """Return once `count` is no longer `seen`, or after `seconds`."""
        if self.count != seen:
            return
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self._waiting.add(future)
        timer = loop.call_later(seconds, _settle, future) if seconds is not None else None
        try:
            await future
        finally:
            self._waiting.discard(future)
            if timer is not None:
                timer.cancel()


class UnderWay:
    """Counts the blocks that run inside it, so that whoever closes can wait for them."""

    def __init__(self) -> None:
        self._running = 0
        self._ended = Wake()

    def __enter__(self) -> None:
        self._running += 1

    def __exit__(self, *_: object) -> None:
        self._running -= 1
        self._ended.set()

    async def over(self, seconds: float) -> None:
        """Return when none runs, or after `seconds`: those that still do are told by what they wait for."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._running:
                    await self._ended.wait(self._ended.count)


class JournalBase:
    """`async with journal:` opens and closes."""

    async def open(self) -> None:
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        await self.close()


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def compacted(after: int, truncated: int) -> JournalError:
    """The error for a reader who asks for entries that were truncated."""
    return JournalError(
        f"entries up to {truncated} were truncated, so nothing can be read after {after}: "
        "load the snapshot and follow from its position"
    )


def check_snapshot(snapshot: Snapshot, latest: Snapshot | None, end: int) -> None:
    """Raise `JournalError` for a snapshot of what has not happened, or older than the one that is kept."""
    if not 0 <= snapshot.position <= end:
        raise JournalError(f"a snapshot at {snapshot.position} cannot be: the journal ends at {end}")
    if latest is not None and snapshot.position < latest.position:
        raise JournalError(
            f"a snapshot at {snapshot.position} is older than the kept one at {latest.position}",
            code="local.snapshot_outdated",
        )


def check_truncation(position: int, snapshot: Snapshot | None) -> None:
    """Raise `JournalError` where no saved snapshot covers `position`."""
    covered = snapshot.position if snapshot is not None else 0
    if position > covered:
        raise JournalError(f"cannot truncate up to {position}: the saved snapshot covers up to {covered}")
