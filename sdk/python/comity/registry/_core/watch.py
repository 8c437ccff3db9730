"""Watches: who wants to hear of which entries, and what each of them is sent.

Responsible for the `Watch` machine, for turning changes of entries into numbered batches, and for remembering
the batches that may not have been sent. Not responsible for sending them.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from comity.sdk._generated.registry_v1.machines import WATCH
from comity.sdk.lexical import dump
from comity.sdk.machine import Instance
from comity.sdk.model import MISSING, Message

from .dedup import Outcome, refusal
from .history import Change
from .lease import Leases
from .query import Filter
from .registry import Registry

__all__ = ["Batch", "Watches"]

_MAX_CHANGES = 64
_MAX_WATCHES = 256
_MAX_BYTES = 500_000  # a Changes event stays below its channel's limit, in base64 too

Key = tuple[str, str]


class Batch(NamedTuple):
    """One `Changes` event: for whom, its number, and the revision and wall clock of the entry that caused it."""

    cause: int
    wall_ms: int
    source: str
    watch: str
    number: int
    revision: int
    changes: list[dict[str, Any]]
    synced: bool = False


class _Live:
    __slots__ = ("after", "filter", "index", "lease_ms")

    def __init__(self, where: Mapping[str, Any], after: int, lease_ms: int, index: int = 0) -> None:
        self.filter = Filter(where)
        self.after = after
        self.lease_ms = lease_ms
        self.index = index


class Watches:
    """The live watches of one registry. Leases run in journal milliseconds."""

    def __init__(self, registry: Registry) -> None:
        self.leases: Leases[Key] = Leases()
        self.unsent: deque[Batch] = deque()
        self._registry = registry
        self._live: dict[Key, _Live] = {}
        self._per_source: Counter[str] = Counter()
        self._revision = 0
        self._machine = Instance(WATCH, {"kept": self._kept})
        self._effects = {
            "open_watch": self._open,
            "prolong_watch": self._prolong,
            "close_watch": self._close,
        }

    def apply(self, source: str, message: Message, revision: int, now: int, wall_ms: int) -> Outcome:
        """Decide a Watch or an Unwatch of `source` at `revision` and journal time `now`."""
        key: Key = (source, vars(message)["watch"])
        self._revision = revision
        machine = self._load(key)
        (effect,) = machine.step(type(message).__name__, message, now / 1000)
        if effect.kind == "refuse":
            return refusal(effect.name, revision=revision)
        outcome = self._effects[effect.name](key, message, revision, wall_ms)
        if "expiry" in machine.armed:
            self.leases.arm(key, round(machine.armed["expiry"] * 1000))
        return outcome

    def too_many(self, source: str, watch: str) -> bool:
        """Whether `source` has as many watches as one source may, and `watch` would be another."""
        return self._per_source[source] >= _MAX_WATCHES and (source, watch) not in self._live

    def lapse(self, now: int) -> None:
        """End every watch whose lease ran out by journal time `now` (REG-WCH-009)."""
        for key in self.leases.due(now):
            machine = self._load(key)
            machine.armed["expiry"] = now / 1000
            for _ in machine.fire_due(now / 1000):
                self._forget(key)

    def publish(self, changes: list[Change], revision: int, wall_ms: int) -> None:
        """Queue what every live watch is to hear of `changes`, all made at `revision` (REG-WCH-002)."""
        for key, live in self._live.items():
            if live.after < revision and (seen := list(_seen(live.filter, changes))):
                self._queue(key, live, seen, revision, wall_ms, synced=False)

    def sent(self, cause: int) -> None:
        """Forget the batches of entries up to revision `cause`: they were sent."""
        while self.unsent and self.unsent[0].cause <= cause:
            self.unsent.popleft()

    def dump(self) -> dict[str, Any]:
        """Plain JSON from which `load` makes the same watches."""
        rows = [
            [*key, live.filter.where, live.after, live.lease_ms, live.index, self.leases.deadlines[key]]
            for key, live in self._live.items()  # in the order of opening, which is that of publishing
        ]
        return {"live": rows, "unsent": [list(batch) for batch in self.unsent]}

    def load(self, dumped: Mapping[str, Any]) -> None:
        """Take over what `dump` gave."""
        deadlines: dict[Key, int] = {}
        for source, watch, where, after, lease_ms, index, deadline in dumped["live"]:
            self._live[source, watch] = _Live(where, after, lease_ms, index)
            self._per_source[source] += 1
            deadlines[source, watch] = deadline
        self.leases.load(deadlines)
        self.unsent = deque(Batch(*row) for row in dumped["unsent"])

    def _load(self, key: Key) -> Instance:
        live = self._live.get(key)
        self._machine.state = WATCH.initial if live is None else "live"
        self._machine.context = {"index": 0 if live is None else live.index}
        self._machine.armed = {}
        return self._machine

    def _kept(self, event: Any, machine: Instance) -> bool:
        return event.after < self._revision and self._registry.history.keeps(event.after)

    def _queue(
        self,
        key: Key,
        live: _Live,
        changes: list[dict[str, Any]],
        revision: int,
        wall_ms: int,
        *,
        synced: bool,
    ) -> None:
        batches = list(_batches(changes)) or [[]]
        for following, batch in enumerate(batches, 1):
            last = following == len(batches)
            complete = revision if last else _complete(batch, batches[following])
            live.index += 1
            self.unsent.append(Batch(revision, wall_ms, *key, live.index, complete, batch, synced and last))

    # ------------------------------------------------- effects named by the table

    def _open(self, key: Key, message: Any, revision: int, wall_ms: int) -> Outcome:
        after = 0 if message.after is MISSING else message.after
        where: dict[str, Any] = {} if message.where is MISSING else message.where.model_dump()
        live = self._live[key] = _Live(where, after, message.lease_ms)
        self._per_source[key[0]] += 1
        if message.after is MISSING:
            changes = list(_snapshot(live.filter, self._registry))  # REG-WCH-001
        else:
            changes = list(_missed(live.filter, self._registry.history.since(after)))  # REG-WCH-003
        self._queue(key, live, changes, revision, wall_ms, synced=True)
        return _watching(key, revision, 0, message.lease_ms)

    def _prolong(self, key: Key, message: Any, revision: int, wall_ms: int) -> Outcome:
        live = self._live[key]
        live.lease_ms = message.lease_ms
        return _watching(key, revision, live.index, live.lease_ms)  # REG-WCH-010

    def _close(self, key: Key, message: Any, revision: int, wall_ms: int) -> Outcome:
        self.leases.disarm(key)
        self._forget(key)
        return Outcome("Unwatched", {"watch": key[1]})

    def _forget(self, key: Key) -> None:
        del self._live[key]
        self._per_source[key[0]] -= 1
        if not self._per_source[key[0]]:
            del self._per_source[key[0]]
        self.unsent = deque(
            batch for batch in self.unsent if (batch.source, batch.watch) != key
        )  # REG-WCH-011


def _watching(key: Key, revision: int, index: int, lease_ms: int) -> Outcome:
    return Outcome("Watching", {"watch": key[1], "revision": revision, "index": index, "lease_ms": lease_ms})


def _snapshot(chosen: Filter, registry: Registry) -> Iterable[dict[str, Any]]:
    entries = sorted(filter(chosen.matches, registry.entries()), key=lambda entry: entry["revision"])
    return (_put(entry) for entry in entries)


def _put(entry: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "put", "agent": entry["agent"], "revision": entry["revision"], "entry": entry}


def _seen(chosen: Filter, changes: Iterable[Change]) -> Iterable[dict[str, Any]]:
    """The changes as a live watch with this filter sees them: nothing of entries that it never covered."""
    for change in changes:
        if change.after is not None and chosen.matches(change.after):
            yield _put(change.after)
        elif change.before is not None and chosen.matches(change.before):
            yield _delete(change)


def _missed(chosen: Filter, changes: Iterable[Change]) -> Iterable[dict[str, Any]]:
    """The changes for a watch that resumes, of which nobody knows what it covered before."""
    for change in changes:
        if change.after is not None and chosen.matches(change.after):
            yield _put(change.after)
        else:
            yield _delete(change)


def _delete(change: Change) -> dict[str, Any]:
    reason = "unmatched" if change.after is not None else change.reason  # REG-WCH-006, REG-WCH-007
    return {"kind": "delete", "agent": change.agent, "revision": change.revision, "reason": reason}


def _batches(changes: list[dict[str, Any]]) -> Iterable[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    room = _MAX_BYTES
    for change in changes:
        room -= len(dump(change))
        if batch and (room < 0 or len(batch) == _MAX_CHANGES):
            yield batch
            batch, room = [], _MAX_BYTES - len(dump(change))
        batch.append(change)
    if batch:
        yield batch


def _complete(batch: list[dict[str, Any]], following: list[dict[str, Any]]) -> int:
    """The revision up to which a watcher has everything with `batch`, when `following` is yet to come."""
    last: int = batch[-1]["revision"]
    return last - 1 if following[0]["revision"] == last else last
