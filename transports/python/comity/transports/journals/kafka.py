"""`kafka:kafka://HOST:PORT/NAME` — a journal in one partition of a Kafka topic, for replicas on several hosts.

Responsible for the port: positions, following, snapshots and truncation, and which topic the entries are in. Not
responsible for the topics (`_kafka_topics.py`), for requests to the cluster (`_kafka_cluster.py`), nor for how the
state beside the entries is kept (`_kafka_state.py`).

Behind `kafka:` stands any URL of the Kafka transport, with the journal's name as its path, and the transport's options
for connecting. Its own: `replicas`, how many brokers keep each entry (1); `patience`, seconds over which a request is
repeated while brokers come and go (30); `incarnation`, to be raised by whoever restores the topics from a backup.

An entry is a record, and its position is the record's offset + 1. Each time the entries' topic is missing a new one is
made under the next number, so that no two lives of a journal ever share a topic (decision 014).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING

from comity.sdk.errors import JournalError
from comity.sdk.ports import Durability, Entry, Journal, Snapshot
from comity.transports.journals._base import JournalBase, UnderWay, check_truncation, compacted
from comity.transports.journals._kafka_place import Place, place

if TYPE_CHECKING:
    from comity.transports.journals._kafka_log import Log

__all__ = ["KafkaJournal"]


class KafkaJournal(JournalBase):
    """See the module for the URL. Raises `ConfigError` for a wrong URL, `JournalError` for everything else."""

    def __init__(self, url: str, **overrides: str | float) -> None:
        self._place: Place = place(url, overrides)
        self._log: Log | None = None
        self._appending = UnderWay()

    @property
    def durability(self) -> Durability:
        return Durability.HOST if self._place.replicas > 1 else Durability.PROCESS

    @property
    def incarnation(self) -> int:
        return self._opened.state.life.incarnation

    async def open(self) -> None:
        """Connect, and make the topics where they are missing. Raises `JournalError` that says what to do."""
        from comity.transports.journals._kafka_log import Log

        if self._log is not None:
            raise JournalError(f"{self._place.shown}: the journal is already open")
        self._log = await Log.opened(self._place)

    async def append(self, data: bytes) -> int:
        log = self._opened
        with self._appending:
            return await log.append(data)

    async def follow(self, after: int) -> AsyncIterator[Entry]:
        position = after
        while True:
            first, end = await self._opened.bounds()
            if position < first:
                raise compacted(position, first)
            if position > end:
                raise JournalError(
                    f"{self._place.shown}: the journal ends at {end}, so nothing can follow {position}: "
                    "the topic was replaced; delete it, so that the journal is made anew"
                )
            async with aclosing(self._opened.read(position)) as entries:
                async for entry in entries:
                    position = entry.position
                    yield entry

    async def end(self) -> int:
        return (await self._opened.bounds())[1]

    async def save_snapshot(self, snapshot: Snapshot) -> None:
        await self._opened.state.save(snapshot, await self.end())

    async def load_snapshot(self) -> Snapshot | None:
        return await self._opened.state.load()

    async def truncate(self, position: int) -> None:
        log = self._opened
        check_truncation(position, await log.state.kept())
        if position > 0:
            await log.cut(position)

    async def close(self) -> None:
        """Finish what is being appended, within the patience, then disconnect. Followers end. Idempotent."""
        if self._log is None:
            return
        log, self._log = self._log, None
        try:
            await self._appending.over(self._place.patience)
        finally:
            await log.close()

    @property
    def _opened(self) -> Log:
        if self._log is None:
            raise JournalError(f"{self._place.shown}: the journal is not open")
        return self._log


_: type[Journal] = KafkaJournal
