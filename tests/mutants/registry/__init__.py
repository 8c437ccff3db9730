"""Mutants for the rows of the registry family."""

# pyright: basic
# what is patched is private and untyped here on purpose: a mutant reaches where no caller may
from __future__ import annotations

from bisect import bisect_left
from typing import Any

from comity.registry import _reads, service
from comity.registry._clock import JournalClock
from comity.registry._core import order, query, registry, watch
from comity.registry._core.dedup import Dedup, Outcome, refusal
from comity.registry._core.history import Change, History
from comity.registry._core.lease import Leases
from comity.registry._core.registry import Registry
from comity.registry._core.state import State
from comity.registry._core.values import getter, kind_of, same
from comity.registry._core.watch import Watches
from comity.registry.service import RegistryService
from comity.sdk._generated.registry_v1.machines import ENTRY, WATCH
from comity.sdk.inbox import Accepted, Inbox, Rejected
from comity.sdk.machine import Effect, Instance
from comity.sdk.model import MISSING
from tests.mutants._patch import Patch, mutant


def _said(p: Patch, effect: str, **changes: Any) -> None:
    """Answer with other data: each change is a function of (slot, message, revision, data before)."""

    def change(original: Any, self: Any, slot: Any, message: Any, revision: int) -> Outcome:
        before = None if slot is None else dict(slot.entry)
        outcome: Outcome = original(self, slot, message, revision)
        new = {name: value(before, message, revision, outcome.data) for name, value in changes.items()}
        return Outcome(outcome.reply, {**outcome.data, **new})

    p.around(Registry, effect, change)


def _rewritten(p: Patch, effect: str, rewrite: Any) -> None:
    """Leave another entry behind: `rewrite(before, after, message)` gives it."""

    def change(original: Any, self: Any, slot: Any, message: Any, revision: int) -> Outcome:
        before = None if slot is None else dict(slot.entry)
        outcome: Outcome = original(self, slot, message, revision)
        kept = self._slots[message.agent]
        self._index.replace(kept, rewrite(before, dict(kept.entry), message, revision))
        return outcome

    p.around(Registry, effect, change)


def _unexpected(p: Patch, message: str, code: str) -> None:
    """Refuse a message that meets no entry with another code."""

    def change(original: Any, self: Any, trigger: str) -> Any:
        return (Effect("refuse", code),) if trigger == message else original(self, trigger)

    p.around(Instance, "_unexpected", change)


# -------------------------------------------------------------------- register


@mutant("REG-REG-001", "admits-at-another-epoch")
def _(p: Patch) -> None:
    _said(p, "_admit", epoch=lambda before, message, revision, data: revision - 1)


@mutant("REG-REG-002", "keeps-the-epoch-of-a-live-entry")
def _(p: Patch) -> None:
    keep: Any = lambda before, message, revision, data: before["epoch"] if before else revision  # noqa: E731
    _said(p, "_admit", epoch=keep)
    _rewritten(p, "_admit", lambda b, after, *_: {**after, "epoch": b["epoch"]} if b else after)


@mutant("REG-REG-003", "merges-into-the-live-entry")
def _(p: Patch) -> None:
    _rewritten(p, "_admit", lambda before, after, *_: {**(before or {}), **after})


@mutant("REG-REG-004", "lets-anybody-write-for-anybody")
def _(p: Patch) -> None:
    def change(original: Any, self: Any, frame: Any, now: Any) -> Any:
        found = original(self, frame, now)
        if isinstance(found, Rejected) and found.code == "core.forbidden":
            message = self._accepts[frame.attributes["type"]]
            return Accepted(self._decode(frame, message, False), frame.attributes, frame)
        return found

    p.around(Inbox, "receive", change)


@mutant("REG-REG-005", "grants-half-the-lease")
def _(p: Patch) -> None:
    _said(p, "_admit", lease_ms=lambda before, message, revision, data: max(100, data["lease_ms"] // 2))


@mutant("REG-REG-006", "admits-whatever-the-condition")
def _(p: Patch) -> None:
    p.edge(ENTRY, "admit", lambda event, it: True)


@mutant("REG-REG-007", "refuses-every-condition")
def _(p: Patch) -> None:
    p.edge(ENTRY, "admit", lambda event, it: event.if_revision is MISSING)
    p.edge(ENTRY, "admit-conflict", lambda event, it: True)


# ---------------------------------------------------------------------- update


@mutant("REG-UPD-001", "loses-the-zone")
def _(p: Patch) -> None:
    def rewrite(before: Any, after: Any, message: Any, revision: int) -> Any:
        return after if message.zone is not MISSING else {k: v for k, v in after.items() if k != "zone"}

    _rewritten(p, "_apply_update", rewrite)


@mutant("REG-UPD-002", "does-not-clear")
def _(p: Patch) -> None:
    _rewritten(p, "_apply_update", lambda before, after, *_: {**before, **after})


@mutant("REG-UPD-003", "states-the-old-revision")
def _(p: Patch) -> None:
    _said(p, "_apply_update", revision=lambda before, *_: before["revision"])


@mutant("REG-UPD-004", "updates-for-any-incarnation")
def _(p: Patch) -> None:
    p.edge(ENTRY, "update-stale", lambda event, it: False)
    p.edge(ENTRY, "update", lambda event, it: True)


@mutant("REG-UPD-005", "calls-an-absent-entry-stale-on-update")
def _(p: Patch) -> None:
    _unexpected(p, "Update", "registry.stale_epoch")


@mutant("REG-UPD-006", "updates-whatever-the-condition")
def _(p: Patch) -> None:
    p.edge(ENTRY, "update-conflict", lambda event, it: False)
    p.edge(ENTRY, "update", lambda event, it: True)


# ---------------------------------------------------------------------- leases


@mutant("REG-LEASE-001", "renews-in-words-only")
def _(p: Patch) -> None:
    p.edge(ENTRY, "renew", update=None)


@mutant("REG-LEASE-002", "lets-leases-run-out-early")
def _(p: Patch) -> None:
    def change(original: Any, self: Any, key: Any, deadline: int) -> None:
        original(self, key, deadline - 150 if isinstance(key, str) else deadline)

    p.around(Leases, "arm", change)


@mutant("REG-LEASE-003", "lets-the-dead-linger")
def _(p: Patch) -> None:
    def change(original: Any, self: Any, key: Any, deadline: int) -> None:
        original(self, key, deadline + 5000 if isinstance(key, str) else deadline)

    p.around(Leases, "arm", change)


@mutant("REG-LEASE-004", "calls-an-absent-entry-stale-on-renew")
def _(p: Patch) -> None:
    _unexpected(p, "Renew", "registry.stale_epoch")


@mutant("REG-LEASE-005", "moves-the-revision-on-renew")
def _(p: Patch) -> None:
    _rewritten(p, "_prolong", lambda before, after, message, revision: {**after, "revision": revision})


@mutant("REG-LEASE-006", "renews-for-the-length-before")
def _(p: Patch) -> None:
    _said(p, "_prolong", lease_ms=lambda before, *_: before["lease_ms"])


@mutant("REG-LEASE-007", "renews-for-a-predecessor")
def _(p: Patch) -> None:
    p.edge(ENTRY, "renew-stale", lambda event, it: event.epoch > it.context["epoch"])
    p.edge(ENTRY, "renew", lambda event, it: event.lease_ms is MISSING)
    p.edge(ENTRY, "renew-longer", lambda event, it: event.lease_ms is not MISSING)


@mutant("REG-LEASE-008", "loses-time-while-it-is-away")
def _(p: Patch) -> None:
    def change(original: Any, self: Any, time: int, now: Any) -> None:
        original(self, time + 60_000 if time else 0, now)

    p.around(JournalClock, "start", change)


# ------------------------------------------------------------------ deregister


@mutant("REG-DRG-001", "says-goodbye-and-stays")
def _(p: Patch) -> None:
    def change(original: Any, self: Any, slot: Any, message: Any, revision: int) -> Outcome:
        return Outcome("Deregistered", {"agent": slot.agent, "revision": revision})

    p.around(Registry, "_bury", change)


@mutant("REG-DRG-002", "removes-the-successor")
def _(p: Patch) -> None:
    p.edge(ENTRY, "deregister-stale", lambda event, it: False)
    p.edge(ENTRY, "deregister", lambda event, it: True)


@mutant("REG-DRG-003", "calls-an-absent-entry-stale-on-deregister")
def _(p: Patch) -> None:
    _unexpected(p, "Deregister", "registry.stale_epoch")


@mutant("REG-DRG-004", "removes-whatever-the-condition")
def _(p: Patch) -> None:
    p.edge(ENTRY, "deregister-conflict", lambda event, it: False)
    p.edge(ENTRY, "deregister", lambda event, it: True)


# ------------------------------------------------------- order and durability


def _revision(p: Patch, number: Any) -> None:
    kept = State.revision
    p.around(State, "apply", lambda original, *a: original(*a))
    State.revision = property(lambda self: number(kept.fget(self), self.position))  # type: ignore
    p._undo.append(lambda: setattr(State, "revision", kept))


@mutant("REG-REV-001", "gives-one-revision-to-two-writes")
def _(p: Patch) -> None:
    _revision(p, lambda revision, position: revision - position % 2 if position > 1 else revision)


@mutant("REG-REV-002", "counts-revisions-down")
def _(p: Patch) -> None:
    _revision(p, lambda revision, position: revision + 1_000_000 - 2 * position if position else 0)


@mutant("REG-REV-003", "names-an-older-revision-than-it-shows")
def _(p: Patch) -> None:
    def change(original: Any, state: Any, message: Any) -> Outcome:
        outcome: Outcome = original(state, message)
        if message.consistency == "eventual" and "revision" in outcome.data:
            return Outcome(outcome.reply, {**outcome.data, "revision": outcome.data["revision"] - 1})
        return outcome

    p.around(service, "answer", change)


@mutant("REG-REV-004", "answers-behind-the-barrier-as-of-before")
def _(p: Patch) -> None:
    def change(original: Any, state: Any, message: Any) -> Outcome:
        outcome: Outcome = original(state, message)
        if message.consistency == "linearizable" and "revision" in outcome.data:
            return Outcome(outcome.reply, {**outcome.data, "revision": max(0, outcome.data["revision"] - 3)})
        return outcome

    p.around(service, "answer", change)


@mutant("REG-DUR-001", "skips-entries-when-it-comes-back")
def _(p: Patch) -> None:
    def change(original: Any, self: Any, position: int, data: bytes, now: Any) -> None:
        if self._serving or position % 2:
            original(self, position, data, now)

    p.around(RegistryService, "entry", change)


@mutant("REG-DUR-002", "forgets-outcomes-when-it-comes-back")
def _(p: Patch) -> None:
    def change(original: Any, self: Any, now: Any) -> None:
        self.state.dedup = Dedup()
        original(self, now)

    p.around(RegistryService, "caught_up", change)


# -------------------------------------------------------------------- lookup


@mutant("REG-LKP-001", "hides-what-is-not-healthy")
def _(p: Patch) -> None:
    def change(original: Any, state: Any, agent: str) -> Outcome:
        entry = state.registry.get(agent)
        hidden = entry is not None and "health" in entry and entry["health"] != "healthy"
        code = "registry.unknown_agent"
        found: Outcome = refusal(code, revision=state.revision) if hidden else original(state, agent)
        return found

    p.around(_reads, "_lookup", change)


@mutant("REG-LKP-002", "refuses-a-lookup-for-another-reason")
def _(p: Patch) -> None:
    def change(original: Any, state: Any, agent: str) -> Outcome:
        found: Outcome = original(state, agent)
        return found if found.reply == "Found" else refusal("registry.conflict", revision=state.revision)

    p.around(_reads, "_lookup", change)


# -------------------------------------------------------------------- queries


@mutant("REG-QRY-001", "forgets-the-alternatives")
def _(p: Patch) -> None:
    p.around(query, "_conjunction", lambda original, every, some: original(every, ()))


def _unfiled(p: Patch, op: str) -> None:
    """Keep the index from answering an operator, so that the predicate decides."""

    def change(original: Any, self: Any, path: str, found: str, value: Any) -> bool:
        return False if found == op and path != "metadata.case" else original(self, path, found, value)

    p.around(query.Filter, "_file", change)


@mutant("REG-QRY-002", "takes-true-for-one")
def _(p: Patch) -> None:
    _unfiled(p, "eq")
    p.item(query._OPERATORS, "eq", lambda value: lambda found: found == value)


@mutant("REG-QRY-003", "calls-other-types-not-equal")
def _(p: Patch) -> None:
    p.item(query._OPERATORS, "ne", lambda value: lambda found: not same(found, value))


def _compared(p: Patch, op: str, instead: str) -> None:
    other = query._OPERATORS[instead]
    p.item(query._OPERATORS, op, other)


@mutant("REG-QRY-004", "greater-or-equal-for-greater")
def _(p: Patch) -> None:
    _compared(p, "gt", "gte")


@mutant("REG-QRY-005", "greater-for-greater-or-equal")
def _(p: Patch) -> None:
    _compared(p, "gte", "gt")


@mutant("REG-QRY-006", "less-or-equal-for-less")
def _(p: Patch) -> None:
    _compared(p, "lt", "lte")


@mutant("REG-QRY-007", "less-for-less-or-equal")
def _(p: Patch) -> None:
    _compared(p, "lte", "lt")


@mutant("REG-QRY-008", "looks-at-the-first-of-a-list")
def _(p: Patch) -> None:
    _unfiled(p, "in")
    p.item(query._OPERATORS, "in", lambda value: lambda found: any(same(found, v) for v in value[:1]))


@mutant("REG-QRY-009", "takes-other-types-for-not-in")
def _(p: Patch) -> None:
    p.item(query._OPERATORS, "not_in", lambda value: lambda found: not any(same(found, v) for v in value))


@mutant("REG-QRY-010", "contains-only-in-lists")
def _(p: Patch) -> None:
    original = query._OPERATORS["contains"]
    p.item(
        query._OPERATORS,
        "contains",
        lambda value: lambda found: type(found) is list and original(value)(found),
    )


@mutant("REG-QRY-011", "finds-a-prefix-anywhere")
def _(p: Patch) -> None:
    p.item(query._OPERATORS, "prefix", lambda value: lambda found: type(found) is str and value in found)


@mutant("REG-QRY-012", "cannot-ask-for-absence")
def _(p: Patch) -> None:
    def change(original: Any, criterion: Any) -> Any:
        return original({**criterion, "value": True} if criterion["op"] == "exists" else criterion)

    p.around(query, "_criterion", change)


@mutant("REG-QRY-013", "takes-absence-for-difference")
def _(p: Patch) -> None:
    def change(original: Any, criterion: Any) -> Any:
        holds, read = original(criterion), getter(criterion["path"])
        loose = criterion["op"] in ("ne", "not_in")
        return (lambda entry: read(entry) is None or holds(entry)) if loose else holds

    p.around(query, "_criterion", change)


@mutant("REG-QRY-014", "gives-one-entry-too-many")
def _(p: Patch) -> None:
    def change(original: Any, self: Any, where: Any, order_by: Any, limit: int, cursor: Any) -> Any:
        return original(self, where, order_by, min(100, limit + 1), cursor)

    p.around(Registry, "query", change)


@mutant("REG-QRY-015", "compares-numbers-with-texts")
def _(p: Patch) -> None:
    for op in ("gt", "gte", "lt", "lte"):
        original = query._OPERATORS[op]

        def build(value: Any, original: Any = original) -> Any:
            return lambda found: kind_of(found) != kind_of(value) or original(value)(found)

        p.item(query._OPERATORS, op, build)


@mutant("REG-QRY-016", "wants-the-version-spelled-out")
def _(p: Patch) -> None:
    _unfiled(p, "contains")
    p.around(query, "_capability", lambda original, value: lambda found: value in found)


@mutant("REG-QRY-017", "orders-upwards-only")
def _(p: Patch) -> None:
    def change(original: Any, self: Any, order_by: Any = ()) -> None:
        original(self, [{**key, "descending": False} for key in order_by])

    p.around(order.Order, "__init__", change)


@mutant("REG-QRY-018", "repeats-the-last-entry-on-the-next-page")
def _(p: Patch) -> None:
    p.around(registry, "bisect_right", lambda original, *a, **named: bisect_left(*a, **named))


@mutant("REG-QRY-019", "takes-any-cursor")
def _(p: Patch) -> None:
    p.around(order, "_digest", lambda original, *parts: bytes(12))


# -------------------------------------------------------------- count and list


@mutant("REG-CNT-001", "counts-everybody")
def _(p: Patch) -> None:
    p.around(Registry, "count", lambda original, self, where=None: len(self))


@mutant("REG-LST-001", "lists-backwards")
def _(p: Patch) -> None:
    def change(original: Any, state: Any, where: Any, keys: Any, limit: int, cursor: Any) -> Outcome:
        down = [{"path": "agent", "descending": True}]
        found: Outcome = original(state, where, down if where is None and not keys else keys, limit, cursor)
        return found

    p.around(_reads, "_page", change)


# --------------------------------------------------------------------- watches


@mutant("REG-WCH-001", "leaves-one-entry-out-of-the-snapshot")
def _(p: Patch) -> None:
    p.around(watch, "_snapshot", lambda original, *a: list(original(*a))[1:])


@mutant("REG-WCH-002", "tells-watches-of-no-update")
def _(p: Patch) -> None:
    def change(original: Any, self: Any, changes: list[Change], *a: Any) -> None:
        original(self, [c for c in changes if c.before is None or c.after is None], *a)

    p.around(Watches, "publish", change)


@mutant("REG-WCH-003", "resumes-one-change-late")
def _(p: Patch) -> None:
    p.around(watch, "_missed", lambda original, *a: list(original(*a))[1:])


@mutant("REG-WCH-004", "keeps-silent-about-a-gap")
def _(p: Patch) -> None:
    p.around(History, "keeps", lambda original, *a: True)


@mutant("REG-WCH-004", "resumes-behind-what-is-yet-to-come")
def _(p: Patch) -> None:
    p.around(Watches, "_kept", lambda original, self, event, *a: self._registry.history.keeps(event.after))


@mutant("REG-WCH-005", "skips-a-number")
def _(p: Patch) -> None:
    def change(original: Any, self: Any, key: Any, live: Any, *a: Any, **named: Any) -> None:
        original(self, key, live, *a, **named)
        live.index += live.index == 2

    p.around(Watches, "_queue", change)


@mutant("REG-WCH-006", "does-not-tell-who-left-the-filter")
def _(p: Patch) -> None:
    def change(original: Any, *a: Any) -> Any:
        return (c for c in original(*a) if c.get("reason") != "unmatched")

    p.around(watch, "_seen", change)


@mutant("REG-WCH-007", "mistakes-dying-for-leaving")
def _(p: Patch) -> None:
    swapped = {"expired": "deregistered", "deregistered": "expired"}

    def change(original: Any, change_: Change) -> Any:
        found = original(change_)
        return {**found, "reason": swapped.get(found["reason"], found["reason"])}

    p.around(watch, "_delete", change)


@mutant("REG-WCH-008", "tells-watches-of-every-renewal")
def _(p: Patch) -> None:
    def change(original: Any, self: Any, slot: Any, message: Any, revision: int) -> Outcome:
        outcome: Outcome = original(self, slot, message, revision)
        self._note(Change(revision, slot.agent, slot.entry, slot.entry))
        return outcome

    p.around(Registry, "_prolong", change)


@mutant("REG-WCH-009", "watches-for-ever")
def _(p: Patch) -> None:
    def change(original: Any, self: Any, key: Any, deadline: int) -> None:
        original(self, key, deadline if isinstance(key, str) else deadline + 10_000_000)

    p.around(Leases, "arm", change)


@mutant("REG-WCH-010", "begins-counting-anew-when-a-watch-is-prolonged")
def _(p: Patch) -> None:
    def change(original: Any, *a: Any) -> Outcome:
        outcome: Outcome = original(*a)
        return Outcome(outcome.reply, {**outcome.data, "index": 0})

    p.around(Watches, "_prolong", change)


@mutant("REG-WCH-011", "goes-on-after-the-end")
def _(p: Patch) -> None:
    p.around(Watches, "_close", lambda original, self, key, *a: Outcome("Unwatched", {"watch": key[1]}))


@mutant("REG-WCH-012", "forgets-watches-when-it-comes-back")
def _(p: Patch) -> None:
    def change(original: Any, self: Any, now: Any) -> None:
        for key in list(self.state.watches._live):
            self.state.watches.leases.disarm(key)
            del self.state.watches._live[key]
        original(self, now)

    p.around(RegistryService, "caught_up", change)


@mutant("REG-WCH-013", "opens-a-watch-that-was-to-be-prolonged")
def _(p: Patch) -> None:
    p.edge(WATCH, "open", lambda event, it: event.after is MISSING or it.predicates["kept"](event, it))


@mutant("REG-TMB-001", "leaves-no-tombstones")
def _(p: Patch) -> None:
    def change(original: Any, *a: Any) -> Any:
        return (c for c in original(*a) if c.get("reason") not in ("deregistered", "expired"))

    p.around(watch, "_missed", change)


@mutant("REG-TMB-002", "keeps-half-the-history")
def _(p: Patch) -> None:
    def change(original: Any, self: Any, limit: int, floor: int = 0) -> None:
        original(self, limit // 2, floor)

    p.around(History, "__init__", change)


@mutant("REG-REF-001", "applies-what-it-refuses")
def _(p: Patch) -> None:
    def change(original: Any, self: Any, message: Any, revision: int, now: int) -> Outcome:
        outcome: Outcome = original(self, message, revision, now)
        slot = self._slots.get(message.agent)
        if type(message).__name__ == "Update" and outcome.reply == "Refused" and slot is not None:
            self._apply_update(slot, message, revision)
        return outcome

    p.around(Registry, "apply", change)


# ----------------------------------------------------------------- equivalence


def _pointing(p: Patch, when: Any) -> None:
    """Refuse with a remark that no other row minds, at some revisions and not at others."""

    def change(original: Any, code: str, **detail: Any) -> Outcome:
        remark = {"pointer": "/epoch"} if when(detail.get("revision", 0)) else {}
        refused: Outcome = original(code, **detail, **remark)
        return refused

    p.around(registry, "refusal", change)


@mutant("REG-EQV-001", "points-at-the-epoch-in-a-journal-made-anew")
def _(p: Patch) -> None:
    _pointing(p, lambda revision: revision >> 40 > 1)


@mutant("REG-EQV-001", "points-at-the-epoch-at-uneven-positions")
def _(p: Patch) -> None:
    _pointing(p, lambda revision: revision % 2)
