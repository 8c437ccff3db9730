"""The outcomes of the latest writes of every source, so that a repeated write is answered and not acted on again.

Responsible for telling new, repeated, reused and stale writes apart (CORE-DLV-001 to CORE-DLV-003), and for forgetting
sources that have been silent for long without ever acting on one of their writes again (CORE-DLV-004 to CORE-DLV-006).
Replicated state: it changes only when a journal entry is applied. Not responsible for what a write does.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any, NamedTuple

from comity.sdk.lexical import dump, read

__all__ = ["RETENTION_MS", "WINDOW", "Dedup", "Outcome", "refusal"]

WINDOW = 64
RETENTION_MS = 3_600_000
_SLACK = 64  # a source is kept 1/64 longer, by when the stamp of a clock a little ahead is old enough too
_AT_ONCE = 64
_NOTHING = -(2**53)


class Outcome(NamedTuple):
    """What a write came to: the name of the reply and its data."""

    reply: str
    data: dict[str, Any]


def refusal(code: str, **detail: Any) -> Outcome:
    """The outcome `Refused` with `code`."""
    return Outcome("Refused", {"code": code, **detail})


class _Source:
    """One source: its outcomes as JSON text, by the sequence modulo 64, and when it last wrote by either clock."""

    __slots__ = ("highest", "kept", "seen", "stamp")

    def __init__(self, highest: int, seen: int, stamp: int) -> None:
        self.highest = highest
        self.seen = seen
        self.stamp = stamp
        self.kept: list[bytes | None] = [None] * WINDOW

    def keep(self, sequence: int, text: bytes) -> None:
        for passed in range(max(self.highest, sequence - WINDOW) + 1, sequence):
            self.kept[passed % WINDOW] = None
        self.highest = max(self.highest, sequence)
        self.kept[sequence % WINDOW] = text

    def outcomes(self) -> Iterable[tuple[int, bytes]]:
        for sequence in range(self.highest - WINDOW + 1, self.highest + 1):
            text = self.kept[sequence % WINDOW]
            if text is not None:
                yield sequence, text


class Dedup:
    """Outcomes by source and sequence: the last 64 sequences of each source that wrote within `retention` ms.

    What is forgotten leaves one number, the latest `time` among the writes forgotten: a write of which nothing is known
    is new only if it is stamped later. It rises to stamps alone that lie `retention` behind the wall clock.
    """

    __slots__ = ("_floor", "_retention", "_sources")

    def __init__(self, retention: int = RETENTION_MS) -> None:
        self._retention = retention
        self._floor = _NOTHING
        self._sources: OrderedDict[str, _Source] = OrderedDict()  # the one silent for longest comes first

    def __len__(self) -> int:
        return len(self._sources)

    def known(self, source: str, sequence: int, event: str, stamp: int) -> Outcome | None:
        """The answer to a write that must not be acted on, or `None` for a new one. `stamp`: its `time`, Unix ms."""
        held = self._sources.get(source)
        if held is not None:
            if sequence <= held.highest - WINDOW:
                return refusal("core.stale_request")  # CORE-DLV-002
            text = held.kept[sequence % WINDOW] if sequence <= held.highest else None
            if text is not None:
                first, reply, data = read(text)
                return Outcome(reply, data) if first == event else refusal("core.sequence_reused")
        return refusal("core.stale_request") if stamp <= self._floor else None  # CORE-DLV-005

    def record(self, source: str, sequence: int, event: str, stamp: int, outcome: Outcome, now: int) -> None:
        """Keep the outcome of a write that was acted on at journal time `now`."""
        held = self._sources.get(source)
        if held is None:
            held = self._sources[source] = _Source(sequence, now, stamp)
        held.keep(sequence, dump([event, *outcome]))
        held.stamp = max(held.stamp, stamp)
        self._touch(source, held, now)

    def forget(self, now: int, wall: int) -> None:
        """Forget who has been silent for long at journal time `now` and Unix time `wall`, both in ms.

        Sources are looked at in the order of their last writes and few at a time, so that no entry takes long; as an
        entry adds one source at most, they cannot pile up.
        """
        for _ in range(min(_AT_ONCE, len(self._sources))):
            source, held = next(iter(self._sources.items()))
            if now - held.seen < self._retention + self._retention // _SLACK:  # CORE-DLV-004
                return
            if wall - held.stamp < self._retention:  # the wall clock went back: CORE-DLV-006
                self._touch(source, held, now)
            else:
                del self._sources[source]
                self._floor = max(self._floor, held.stamp)

    def dump(self) -> bytes:
        """JSON text from which `load` makes the same table."""
        rows = b",".join(map(_row, self._sources.items()))
        return b'{"floor":%d,"sources":[%b]}' % (self._floor, rows)

    def load(self, dumped: Any) -> None:
        """Take over what `dump` gave, parsed."""
        self._floor = dumped["floor"]
        for source, highest, seen, stamp, outcomes in dumped["sources"]:
            held = self._sources[source] = _Source(highest, seen, stamp)
            for sequence, outcome in outcomes:
                held.kept[sequence % WINDOW] = dump(outcome)

    def _touch(self, source: str, held: _Source, now: int) -> None:
        held.seen = now
        self._sources.move_to_end(source)


def _row(item: tuple[str, _Source]) -> bytes:
    source, held = item
    outcomes = b",".join(b"[%d,%b]" % each for each in held.outcomes())
    head = dump([source, held.highest, held.seen, held.stamp])[:-1]
    return b"%b,[%b]]" % (head, outcomes)
