# pyright: basic
# aiokafka is not typed; the `_kafka_` modules are the places that touch it.
"""What a Kafka journal keeps beside its entries: which topic they are in, its incarnation, its snapshots.

Responsible for one compacted topic, read as a map from keys to the last value of each. Kafka has no compare-and-set,
so nothing here replaces anything: each snapshot has a key of its own, the highest position counts for every reader,
and what lies below is swept. Not responsible for making topics.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import Generator, Mapping
from contextlib import aclosing, contextmanager
from typing import Any, Final, NamedTuple
from uuid import uuid4

from comity.sdk.ports import Snapshot
from comity.transports.journals._base import check_snapshot
from comity.transports.journals._kafka_cluster import Cluster

__all__ = ["Life", "State"]

_CHUNK: Final = 256 << 10
_LIFE: Final = "life"
_NAME: Final = re.compile(rb"life|[0-9]+/[0-9]+(/[0-9a-f]{32}/[0-9]+)?")


class Life(NamedTuple):
    """The number of the topic that the entries are in, and the journal's incarnation."""

    topic: int
    incarnation: int


class State:
    """The state of one journal. `life` says which snapshots are its own; it is valid after `enter`."""

    def __init__(self, cluster: Cluster, topic: str) -> None:
        self._cluster = cluster
        self._topic = topic
        self._known: dict[str, bytes] = {}
        self._next = 0
        self._reading = asyncio.Lock()
        self.life = Life(0, 0)

    async def former(self) -> Life | None:
        """The life that was recorded last."""
        await self._look()
        found = self._known.get(_LIFE)
        if found is None:
            return None
        with self._understanding(_LIFE):
            record = json.loads(found)
            return Life(int(record["topic"]), int(record["incarnation"]))

    async def enter(self, life: Life) -> None:
        """Begin or go on with `life`."""
        if await self.former() != life:
            await self._put(_LIFE, json.dumps(life._asdict()).encode())
        self.life = life

    async def kept(self) -> Snapshot | None:
        """The snapshot that counts, without its octets."""
        await self._look()
        position = self._highest(self._known)
        return None if position is None else Snapshot(position, b"")

    async def save(self, snapshot: Snapshot, end: int) -> None:
        """Keep `snapshot`. Raises `JournalError` as `check_snapshot` does, also where another was faster meanwhile."""
        check_snapshot(snapshot, await self.kept(), end)
        name = f"{self.life.topic}/{snapshot.position}"
        place = uuid4().hex
        chunks = [snapshot.data[at : at + _CHUNK] for at in range(0, len(snapshot.data), _CHUNK)]
        for number, chunk in enumerate(chunks):
            await self._put(f"{name}/{place}/{number}", chunk)
        record = {"place": place, "chunks": len(chunks), "sha256": hashlib.sha256(snapshot.data).hexdigest()}
        await self._put(name, json.dumps(record).encode())
        kept = await self.kept()
        await self._sweep()
        check_snapshot(snapshot, kept, end)

    async def load(self) -> Snapshot | None:
        """The snapshot that counts, with its octets."""
        before = -1
        while True:
            known: dict[str, bytes] = {}
            end = await self._read(known, 0)
            position = self._highest(known)
            if position is None:
                return None
            name = f"{self.life.topic}/{position}"
            with self._understanding(name):
                data = _assembled(known, name)
            if data is not None:
                return Snapshot(position, data)
            if end == before:  # else it was replaced, and compacted away, while it was read
                raise self._cluster.failure(f"the snapshot is damaged: restore the topic {self._topic}")
            before = end

    @contextmanager
    def _understanding(self, name: str) -> Generator[None]:
        """Raise `JournalError` where the block cannot read the record: somebody else wrote it."""
        try:
            yield
        except (ValueError, TypeError, KeyError) as error:
            raise self._cluster.failure(
                f"the record {name!r} in the topic {self._topic} is none of a journal ({error}): see who else may write "
                "there, and restore it"
            ) from error

    # ---------------------------------------------------------------- the map

    async def _look(self) -> None:
        """Know what is there now, but for the octets of snapshots."""
        async with self._reading:
            self._next = await self._read(self._known, self._next)
            for name in self._known:
                if name.count("/") > 1:
                    self._known[name] = b""

    async def _read(self, known: dict[str, bytes], offset: int) -> int:
        """Bring `known`, which is as of `offset`, up to what is there now; return the offset behind it."""
        first, end = await self._cluster.bounds(self._topic)
        offset = max(offset, first)
        if offset > end:
            raise self._cluster.failure(f"the topic {self._topic} was replaced: start again")
        seen, clock = offset, asyncio.get_running_loop().time
        deadline = clock() + self._cluster.patience
        while offset < end:
            async with aclosing(self._cluster.read(self._topic, offset)) as batches:
                async for batch in batches:
                    for record in batch:
                        _apply(known, record)
                        offset = record.offset + 1
                    if offset >= end or not batch:
                        break
            if offset > seen:
                seen, deadline = offset, clock() + self._cluster.patience
            elif clock() > deadline:
                raise self._cluster.failure(
                    f"the topic {self._topic} gives nothing at {offset}: see the broker's log"
                )
        return offset

    async def _put(self, name: str, value: bytes | None) -> None:
        await self._cluster.append(self._topic, value, key=name.encode())

    async def _sweep(self) -> None:
        """Forget all below the snapshot that counts, and what somebody may have left half done there."""
        highest = self._highest(self._known)
        counts = (self.life.topic, highest or 0)
        for name in list(self._known):
            if name != _LIFE and _rank(name) < counts:
                await self._put(name, None)

    def _highest(self, known: Mapping[str, bytes]) -> int | None:
        ranks = (_rank(name) for name in known if name.count("/") == 1)
        return max((position for topic, position in ranks if topic == self.life.topic), default=None)


def _apply(known: dict[str, bytes], record: Any) -> None:
    if not _NAME.fullmatch(record.key):
        return  # not of ours
    name = record.key.decode()
    if record.value is None:
        known.pop(name, None)
    else:
        known[name] = record.value


def _rank(name: str) -> tuple[int, int]:
    topic, position, *_ = name.split("/")
    return int(topic), int(position)


def _assembled(known: Mapping[str, bytes], name: str) -> bytes | None:
    """The octets of a snapshot; None where they are not all there."""
    record = json.loads(known[name])
    chunks = [known.get(f"{name}/{record['place']}/{number}") for number in range(record["chunks"])]
    data = b"".join(chunk for chunk in chunks if chunk is not None)
    whole = None not in chunks and hashlib.sha256(data).hexdigest() == record["sha256"]
    return data if whole else None
