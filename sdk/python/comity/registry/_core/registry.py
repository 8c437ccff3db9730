"""The entries of one namespace: writes through the `Entry` machine, reads through the index.

Responsible for entries, their leases and the history of their changes. A transition that is not in the table
does not exist; the effects that the table names are the methods at the bottom. Not responsible for who may
write, for repeated requests or for watches.
"""

from __future__ import annotations

import gc
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from comity.sdk._generated.registry_v1.machines import ENTRY
from comity.sdk.machine import Instance
from comity.sdk.model import MISSING, Message

from .dedup import Outcome, refusal
from .history import Change, History
from .index import MEMBERS, Index, Slot, by_agent
from .lease import Leases
from .order import Cursor, Order
from .query import Filter
from .values import Entry

__all__ = ["Page", "Registry"]

_CARRIED = frozenset(MEMBERS)


class Page(NamedTuple):
    """Matching entries in order, and the cursor that continues behind them where more follow."""

    entries: list[Entry]
    cursor: str | None


class Registry:
    """The registry without wire, journal or clock: entries, leases in journal milliseconds, queries.

    What reads return are the registry's own entries: look, and do not change them.
    """

    def __init__(self, *, history: int = 10_000, floor: int = 0) -> None:
        self.leases: Leases[str] = Leases()
        self.history = History(history, floor)
        self._ordered: list[Slot] = []
        self._index = Index()
        self._slots = self._index.agents
        self._machine = Instance(ENTRY)
        self._changed: list[Change] = []
        self._effects: dict[str, Callable[[Any, Any, int], Outcome]] = {
            "admit": self._admit,
            "apply_update": self._apply_update,
            "prolong": self._prolong,
            "bury": self._bury,
        }

    # ------------------------------------------------------------------ reads

    def __len__(self) -> int:
        return len(self._slots)

    def get(self, agent: str) -> Entry | None:
        """The live entry of `agent`, or `None`."""
        try:
            return self._slots[agent].entry
        except KeyError:
            return None

    def entries(self) -> Iterable[Entry]:
        """All live entries in the order of their agents."""
        return (slot.entry for slot in self._ordered)

    def count(self, where: Mapping[str, Any] | None = None) -> int:
        """How many live entries match `where` (REG-CNT-001)."""
        return len(self._matching(Filter(where)))

    def query(
        self,
        where: Mapping[str, Any] | None = None,
        order_by: Sequence[Mapping[str, Any]] = (),
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page:
        """One page of the live entries that match `where`.

        Raises `RemoteProtocolError` with `registry.bad_cursor` for a cursor that this query did not give.
        """
        chosen = Filter(where)
        if cursor is None and not order_by:
            found = [slot.entry for slot in self._in_order(chosen)[: limit + 1]]
            if len(found) <= limit:
                return Page(found, None)
        order = Order(order_by)
        cursors = Cursor(order, [where or {}, list(order_by)])
        found = self._page(
            chosen, order, None if cursor is None else cursors.place(cursor, self.get), limit + 1
        )
        if len(found) <= limit:
            return Page(found, None)
        del found[limit:]
        return Page(found, cursors.after(found[-1]))

    def _page(self, chosen: Filter, order: Order, place: list[Any] | None, limit: int) -> list[Entry]:
        if order.by_agent:
            slots = self._in_order(chosen)
            start = 0 if place is None else bisect_right(slots, place[-1], key=by_agent)
            return [slot.entry for slot in slots[start : start + limit]]
        found = order.sort([slot.entry for slot in self._matching(chosen)])
        start = 0 if place is None else order.behind(found, place)
        return found[start : start + limit]

    def _in_order(self, chosen: Filter) -> list[Slot]:
        found = self._matching(chosen)
        return found if isinstance(found, list) else sorted(found, key=by_agent)

    def _matching(self, chosen: Filter) -> list[Slot] | set[Slot]:
        found = self._index.find(chosen) if chosen.equal or chosen.among else self._ordered
        residual = chosen.residual()
        if residual is None:
            return found
        kept = [slot for slot in found if residual(slot.entry)]
        return kept if isinstance(found, list) else set(kept)

    # ----------------------------------------------------------------- writes

    def apply(self, message: Message, revision: int, now: int) -> Outcome:
        """Decide a Register, Update, Renew or Deregister at `revision` and journal time `now` (ms).

        Raises nothing: what the machine does not allow comes back as `Refused`.
        """
        agent: str = vars(message)["agent"]
        slot = self._slots.get(agent)
        machine = self._load(slot)
        (effect,) = machine.step(type(message).__name__, message, now / 1000)
        if effect.kind == "refuse":
            return refusal(effect.name, revision=revision)
        outcome = self._effects[effect.name](slot, message, revision)
        if "expiry" in machine.armed:
            self.leases.arm(agent, round(machine.armed["expiry"] * 1000))
        return outcome

    def lapse(self, revision: int, now: int) -> None:
        """Remove every entry whose lease ran out by journal time `now` (REG-LEASE-003)."""
        for agent in self.leases.due(now):
            slot = self._slots[agent]
            machine = self._load(slot)
            machine.armed["expiry"] = now / 1000
            for _ in machine.fire_due(now / 1000):
                self._remove(slot, revision, "expired")

    def take_changes(self) -> list[Change]:
        """What changed since the last call, in order."""
        changes, self._changed = self._changed, []
        return changes

    def load(self, entries: Iterable[Entry], deadlines: Mapping[str, int] | None = None) -> None:
        """Take over many entries at once, with their lease deadlines (from their `lease_ms` where not given).

        For a snapshot or a transfer: no history is written, and what was here before stays.
        """
        with _uncollected():
            slots = [Slot(entry) for entry in entries]
            self._index.load(slots)
            self._ordered = sorted(self._slots.values(), key=by_agent)
            given: Mapping[str, int] = deadlines or {slot.agent: slot.entry["lease_ms"] for slot in slots}
            self.leases.load({slot.agent: given[slot.agent] for slot in slots})

    def _load(self, slot: Slot | None) -> Instance:
        machine = self._machine
        if slot is None:
            machine.state, machine.context, machine.armed = ENTRY.initial, dict(ENTRY.context), {}
        else:
            machine.state, machine.armed = "live", {}
            entry = slot.entry
            machine.context = {
                "epoch": entry["epoch"],
                "revision": entry["revision"],
                "lease_ms": entry["lease_ms"],
            }
        return machine

    # ------------------------------------------------- effects named by the table

    def _admit(self, slot: Slot | None, message: Any, revision: int) -> Outcome:
        entry: Entry = {"agent": message.agent}
        _carry(message, entry)
        entry |= {"lease_ms": message.lease_ms, "epoch": revision, "revision": revision}
        if slot is None:
            slot = Slot(entry)
            insort(self._ordered, slot, key=by_agent)
            self._index.add(slot)
            self._note(Change(revision, slot.agent, None, entry))
        else:
            self._replace(slot, entry, revision, MEMBERS)
        answer = {"agent": slot.agent, "epoch": revision, "revision": revision, "lease_ms": message.lease_ms}
        return Outcome("Registered", answer)

    def _apply_update(self, slot: Slot, message: Any, revision: int) -> Outcome:
        entry = dict(slot.entry)
        cleared: Sequence[str] = () if message.clear is MISSING else message.clear
        for member in cleared:
            entry.pop(member, None)
        changed = {*_carry(message, entry), *cleared}
        entry["revision"] = revision
        self._replace(slot, entry, revision, changed)
        return Outcome("Updated", {"agent": slot.agent, "revision": revision})

    def _prolong(self, slot: Slot, message: Any, revision: int) -> Outcome:
        entry = slot.entry
        lease: int = self._machine.context["lease_ms"]
        if lease != entry["lease_ms"]:
            slot.entry = entry | {"lease_ms": lease}
        answer = {"agent": slot.agent, "epoch": entry["epoch"], "revision": revision, "lease_ms": lease}
        return Outcome("Renewed", answer)

    def _bury(self, slot: Slot, message: Any, revision: int) -> Outcome:
        self.leases.disarm(slot.agent)
        self._remove(slot, revision, "deregistered")
        return Outcome("Deregistered", {"agent": slot.agent, "revision": revision})

    def _replace(self, slot: Slot, entry: Entry, revision: int, members: Collection[str]) -> None:
        before = slot.entry
        self._index.replace(slot, entry, members)
        self._note(Change(revision, slot.agent, before, entry))

    def _remove(self, slot: Slot, revision: int, reason: str) -> None:
        del self._ordered[bisect_left(self._ordered, slot.agent, key=by_agent)]
        self._index.remove(slot)
        self._note(Change(revision, slot.agent, slot.entry, None, reason))

    def _note(self, change: Change) -> None:
        self.history.add(change)
        self._changed.append(change)


def _carry(message: Any, entry: Entry) -> list[str]:
    """Put the members of an entry that `message` carries into `entry`; their names."""
    values = message.__dict__
    carried = [member for member in message.model_fields_set if member in _CARRIED]
    carried.sort()
    for member in carried:
        entry[member] = values[member]
    return carried


@contextmanager
def _uncollected() -> Generator[None, None, None]:
    """Without garbage collection: what is loaded stays, and would only be looked through again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
