"""The registry that the suite plays to an agent: small, plain and honest.

Responsible for answers and changes as spec/registry has them, for one agent that asks and some others that exist
only here. Not responsible for the network between, which is where faults are staged, nor for judging.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

__all__ = ["Answer", "Registry"]

Data = dict[str, Any]
Answer = tuple[str, Data]
_BATCH = 64


@dataclass(slots=True)
class _Watch:
    where: Data
    until: int
    index: int = 0


@dataclass(slots=True)
class _Change:
    revision: int
    agent: str
    before: Data | None
    after: Data | None
    reason: str


class Registry:
    """One namespace. `batches` collects the Changes that are due, until somebody takes them."""

    def __init__(self, incarnation: int) -> None:
        self.revision = incarnation * 2**40
        self.batches: list[Data] = []
        self._entries: dict[str, Data] = {}
        self._until: dict[str, int] = {}
        self._history: list[_Change] = []
        self._watches: dict[str, _Watch] = {}
        self._outcomes: dict[str, tuple[str, Answer]] = {}

    def handle(self, doc: Data, message: str, data: Data, now: int, code: str | None = None) -> Answer:
        """Answer a request, or refuse it with `code`; a repeated one gets its first answer (CORE-DLV-001)."""
        self._expire(now)
        known = self._outcomes.get(doc["sequence"])
        if known is not None:
            return known[1] if known[0] == doc["id"] else ("Refused", {"code": "core.sequence_reused"})
        self.revision += 1
        answer = _refused(code, self.revision) if code else getattr(self, f"_{message.lower()}")(data, now)
        self._outcomes[doc["sequence"]] = (doc["id"], answer)
        return answer

    def stage(self, agent: str, zone: str | None, now: int) -> None:
        """Somebody else registers in `zone`, or leaves where it is None."""
        self._expire(now)
        self.revision += 1
        entry = {"agent": agent, "capabilities": ["vision"], "lease_ms": 60_000, "zone": zone,
                 "epoch": self.revision, "revision": self.revision}  # fmt: skip
        self._change(agent, None if zone is None else entry, "deregistered")

    def held(self, agent: str) -> Data | None:
        """The entry of an agent, where it has one."""
        return self._entries.get(agent)

    def watched(self) -> str | None:
        """Name of the youngest live watch."""
        return next(reversed(self._watches), None)

    # ------------------------------------------------------------------- writes

    def _register(self, data: Data, now: int) -> Answer:
        entry = {**data, "epoch": self.revision, "revision": self.revision}
        entry.pop("if_revision", None)
        self._change(data["agent"], entry, "")
        self._until[data["agent"]] = now + data["lease_ms"]
        said = {name: entry[name] for name in ("agent", "epoch", "revision", "lease_ms")}
        return "Registered", said

    def _renew(self, data: Data, now: int) -> Answer:
        entry, wrong = self._entry(data)
        if entry is None:
            return _refused(wrong, self.revision)
        entry["lease_ms"] = data.get("lease_ms", entry["lease_ms"])
        self._until[data["agent"]] = now + entry["lease_ms"]
        return "Renewed", {"agent": data["agent"], "epoch": entry["epoch"], "revision": self.revision,
                           "lease_ms": entry["lease_ms"]}  # fmt: skip

    def _update(self, data: Data, now: int) -> Answer:
        entry, wrong = self._entry(data)
        if entry is None:
            return _refused(wrong, self.revision)
        kept = {name: value for name, value in entry.items() if name not in data.get("clear", ())}
        given = {name: value for name, value in data.items() if name not in ("clear", "if_revision")}
        self._change(data["agent"], {**kept, **given, "revision": self.revision}, "")
        return "Updated", {"agent": data["agent"], "revision": self.revision}

    def _deregister(self, data: Data, now: int) -> Answer:
        entry, wrong = self._entry(data)
        if entry is None:
            return _refused(wrong, self.revision)
        self._change(data["agent"], None, "deregistered")
        return "Deregistered", {"agent": data["agent"], "revision": self.revision}

    def _entry(self, data: Data) -> tuple[Data | None, str]:
        entry = self._entries.get(data["agent"])
        if entry is None:
            return None, "registry.unknown_agent"
        return (entry, "") if entry["epoch"] == data["epoch"] else (None, "registry.stale_epoch")

    # -------------------------------------------------------------------- reads

    def _lookup(self, data: Data, now: int) -> Answer:
        entry = self._entries.get(data["agent"])
        if entry is None:
            return _refused("registry.unknown_agent", self.revision)
        return "Found", {"entry": entry, "revision": self.revision}

    def _query(self, data: Data, now: int) -> Answer:
        found = [self._entries[agent] for agent in sorted(self._entries)]
        matching = [entry for entry in found if _covers(data.get("where", {}), entry)]
        return "Page", {"entries": matching[: data["limit"]], "revision": self.revision}

    _list = _query

    def _count(self, data: Data, now: int) -> Answer:
        count = sum(_covers(data.get("where", {}), entry) for entry in self._entries.values())
        return "Counted", {"count": count, "revision": self.revision}

    # ------------------------------------------------------------------ watches

    def _watch(self, data: Data, now: int) -> Answer:
        name, until = data["watch"], now + data["lease_ms"]
        watch = self._watches.get(name)
        if watch is None and "index" in data:
            return _refused("registry.unknown_watch", self.revision)
        if watch is not None:
            watch.until = until
        else:
            watch = self._watches[name] = _Watch(data.get("where", {}), until)
        answer = {
            "watch": name,
            "revision": self.revision,
            "index": watch.index,
            "lease_ms": data["lease_ms"],
        }
        if watch.index == 0:
            self._begin(name, watch, data.get("after"))
        return "Watching", answer

    def _begin(self, name: str, watch: _Watch, after: int | None) -> None:
        due = list(self._snapshot(watch.where) if after is None else self._behind(watch.where, after))
        for start in range(0, max(1, len(due)), _BATCH):
            last = start + _BATCH >= len(due)
            revision = self.revision if last else due[start + _BATCH - 1]["revision"]
            self._batch(name, watch, due[start : start + _BATCH], revision, synced=last)

    def _snapshot(self, where: Data) -> Iterator[Data]:
        for entry in sorted(self._entries.values(), key=lambda entry: entry["revision"]):
            if _covers(where, entry):
                yield _put(entry)

    def _behind(self, where: Data, after: int) -> Iterator[Data]:
        for change in self._history:
            if change.revision > after:
                inside = change.after is not None and _covers(where, change.after)
                yield _put(change.after) if inside and change.after else _delete(change)

    def _unwatch(self, data: Data, now: int) -> Answer:
        if self._watches.pop(data["watch"], None) is None:
            return _refused("registry.unknown_watch", self.revision)
        return "Unwatched", {"watch": data["watch"]}

    def _change(self, agent: str, after: Data | None, reason: str) -> None:
        before = self._entries.pop(agent, None)
        if after is not None:
            self._entries[agent] = after
        elif before is None:
            return
        self._until.pop(agent, None)
        change = _Change(self.revision, agent, before, after, reason)
        self._history.append(change)
        for name, watch in self._watches.items():
            if after is not None and _covers(watch.where, after):
                self._batch(name, watch, [_put(after)], self.revision)
            elif before is not None and _covers(watch.where, before):
                self._batch(name, watch, [_delete(change)], self.revision)

    def _batch(
        self, name: str, watch: _Watch, changes: list[Data], revision: int, *, synced: bool = False
    ) -> None:
        watch.index += 1
        batch: Data = {"watch": name, "index": watch.index, "revision": revision, "changes": changes}
        self.batches.append({**batch, "synced": True} if synced else batch)

    def _expire(self, now: int) -> None:
        for agent in [agent for agent, until in self._until.items() if until <= now]:
            self.revision += 1
            self._change(agent, None, "expired")
        self._watches = {name: watch for name, watch in self._watches.items() if watch.until > now}


def _refused(code: str, revision: int) -> Answer:
    return "Refused", {"code": code, "revision": revision}


def _put(entry: Data) -> Data:
    return {"kind": "put", "agent": entry["agent"], "revision": entry["revision"], "entry": dict(entry)}


def _delete(change: _Change) -> Data:
    reason = change.reason if change.after is None else "unmatched"
    return {"kind": "delete", "agent": change.agent, "revision": change.revision, "reason": reason}


def _covers(where: Data, entry: Data) -> bool:
    """Plans for agents ask for equality of a member and for nothing else."""
    return all(entry.get(part["path"]) == part["value"] for part in where.get("all", ()))
