"""`jetstream:nats://HOST:PORT/NAME` — a journal in a JetStream stream, for replicas on several hosts.

Responsible for appending under an id that makes a repetition harmless, and for following by pull, so that a reader
takes what it can hold. Not responsible for the streams themselves nor for snapshots: `_jetstream_state.py` is.

Behind `jetstream:` stands any URL of the NATS transport, with the journal's name as its path. Options: `replicas`, how
many servers keep each entry (1); `timeout`, seconds for one request (5); `patience`, seconds over which a request is
repeated while servers come and go (30); `incarnation`, to be raised by whoever restores the streams from a backup; and
`ca`, `cert`, `key` as in the transport. An entry fits into one message of the server.

Each time the stream of entries is missing the one that is made has another subject, `_comity.journal.NAME.LIFE`, so
that nothing is ever appended to another life of the journal than the one that was opened.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from itertools import count
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from comity.sdk.errors import JournalError
from comity.sdk.ports import Durability, Entry, Journal, Snapshot
from comity.transports.journals._base import (
    JournalBase,
    UnderWay,
    check_snapshot,
    check_truncation,
    compacted,
)
from comity.transports.journals._jetstream_url import Place, place

if TYPE_CHECKING:
    from comity.transports.journals._jetstream_state import Streams

__all__ = ["JetStreamJournal"]

_HEADERS: Final = 256  # octets that the id and the stream's name take of the server's limit, at most


class JetStreamJournal(JournalBase):
    """See the module for the URL. Raises `ConfigError` for a wrong URL, `JournalError` for everything else."""

    def __init__(self, url: str, **overrides: str | float) -> None:
        self._place: Place = place(url, overrides)
        self._streams: Streams | None = None
        self._token = uuid4().hex[:16]
        self._numbers = count(1)
        self._appending = UnderWay()

    @property
    def durability(self) -> Durability:
        return Durability.HOST if self._place.replicas > 1 else Durability.PROCESS

    @property
    def incarnation(self) -> int:
        return self._opened.incarnation

    async def open(self) -> None:
        """Connect, and make the streams where they are missing. Raises `JournalError` that says what to do."""
        from comity.transports.journals._jetstream_state import Streams

        if self._streams is not None:
            raise JournalError(f"{self._place.shown}: the journal is already open")
        streams = Streams(self._place)
        await streams.open()
        self._streams = streams

    async def append(self, data: bytes) -> int:
        streams = self._opened
        if len(data) + _HEADERS > streams.max_payload:
            raise JournalError(
                f"{self._place.shown}: an entry of {len(data)} octets does not fit into a message: "
                f"raise the server's max_payload, which is {streams.max_payload}"
            )
        with self._appending:
            return await streams.append(data, f"{self._token}-{next(self._numbers)}")

    async def follow(self, after: int) -> AsyncIterator[Entry]:
        position = after
        while True:
            if position > await self._end_behind(position):
                await self._opened.reach(position)
            async with aclosing(self._opened.read(position)) as entries:
                async for entry in entries:
                    if entry.position > position + 1:  # of what is truncated a consumer says nothing
                        await self._end_behind(position)
                    position = entry.position
                    yield entry

    async def end(self) -> int:
        return (await self._opened.bounds())[1]

    async def save_snapshot(self, snapshot: Snapshot) -> None:
        end = await self.end()
        while True:
            kept = await self._opened.kept()
            check_snapshot(snapshot, kept.snapshot, end)
            if await self._opened.replace(kept, snapshot):
                return

    async def load_snapshot(self) -> Snapshot | None:
        snapshot = await self._opened.load()
        if snapshot is not None and snapshot.position > (end := await self.end()):
            raise JournalError(
                f"{self._place.shown}: the snapshot is at {snapshot.position} and the entries end at {end}: their "
                f"stream was replaced; restore it, or give up the snapshot: {self._opened.forgetting}"
            )
        return snapshot

    async def truncate(self, position: int) -> None:
        check_truncation(position, (await self._opened.kept()).snapshot)
        await self._opened.purge(position)

    async def close(self) -> None:
        """Finish what is being appended, within the patience, then disconnect. Followers end. Idempotent."""
        if self._streams is None:
            return
        streams, self._streams = self._streams, None
        try:
            await self._appending.over(self._place.patience)
        finally:
            await streams.close()

    async def _end_behind(self, position: int) -> int:
        """The last position. Raises `JournalError` where entries behind `position` were truncated."""
        first, end = await self._opened.bounds()
        if position < first - 1:
            raise compacted(position, first - 1)
        return end

    @property
    def _opened(self) -> Streams:
        if self._streams is None:
            raise JournalError(f"{self._place.shown}: the journal is not open")
        return self._streams


_: type[Journal] = JetStreamJournal
