"""`memory:` — a journal that lives and dies with its object: for tests and the first minute.

Responsible for order and for the port's contract without durability. Not responsible for sharing: two
journals opened with the same URL are two journals.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from comity.sdk.errors import ConfigError, JournalError
from comity.sdk.ports import Durability, Entry, Journal, Snapshot
from comity.transports._urls import options
from comity.transports.journals._base import JournalBase, Wake, check_snapshot, check_truncation, compacted

__all__ = ["MemoryJournal"]


class MemoryJournal(JournalBase):
    """Entries in a list. Nothing survives `close`; each `open` begins empty, one incarnation higher."""

    def __init__(self, url: str = "memory:", **overrides: str | float) -> None:
        options(url, (), overrides)
        if not url.startswith("memory:"):
            raise ConfigError(f"{url!r} is no memory: URL")
        self._wake = Wake()
        self._incarnation = 0
        self._open = False
        self._entries: list[bytes] = []
        self._first = 1
        self._snapshot: Snapshot | None = None

    @property
    def durability(self) -> Durability:
        return Durability.NONE

    @property
    def incarnation(self) -> int:
        return self._incarnation

    async def open(self) -> None:
        """Begin empty. Raises `JournalError` when already open."""
        if self._open:
            raise JournalError("the journal is already open")
        self._entries, self._first, self._snapshot = [], 1, None
        self._incarnation += 1
        self._open = True

    async def append(self, data: bytes) -> int:
        self._check()
        self._entries.append(bytes(data))
        self._wake.set()
        return self._last

    async def follow(self, after: int) -> AsyncIterator[Entry]:
        position = after
        while True:
            self._check()
            if position < self._first - 1:
                raise compacted(position, self._first - 1)
            if position >= self._last:
                await self._wake.wait(self._wake.count)
                continue
            position += 1
            yield Entry(position, self._entries[position - self._first])

    async def end(self) -> int:
        self._check()
        return self._last

    async def save_snapshot(self, snapshot: Snapshot) -> None:
        self._check()
        check_snapshot(snapshot, self._snapshot, self._last)
        self._snapshot = Snapshot(snapshot.position, bytes(snapshot.data))

    async def load_snapshot(self) -> Snapshot | None:
        self._check()
        return self._snapshot

    async def truncate(self, position: int) -> None:
        self._check()
        check_truncation(position, self._snapshot)
        gone = max(0, position - self._first + 1)
        del self._entries[:gone]
        self._first += gone

    async def close(self) -> None:
        self._open = False
        self._wake.set()

    @property
    def _last(self) -> int:
        return self._first + len(self._entries) - 1

    def _check(self) -> None:
        if not self._open:
            raise JournalError("the journal is not open")


_: type[Journal] = MemoryJournal
