"""Mutants for the rows of writes: register, update, leases, deregister, order, durability and equivalence."""

# pyright: basic
# what is patched is private and untyped here on purpose: a mutant reaches where no caller may
from __future__ import annotations

from typing import Any

from comity.registry import service
from comity.registry._clock import JournalClock
from comity.registry._core import registry
from comity.registry._core.dedup import Dedup, Outcome
from comity.registry._core.lease import Leases
from comity.registry._core.registry import Registry
from comity.registry._core.state import State
from comity.registry.service import RegistryService
from comity.sdk._generated.registry_v1.machines import ENTRY
from comity.sdk.inbox import Accepted, Inbox, Rejected
from comity.sdk.model import MISSING
from tests.mutants._patch import Patch, mutant
from tests.mutants.registry._effects import rewritten, said, unexpected

# -------------------------------------------------------------------- register


@mutant("REG-REG-001", "admits-at-another-epoch")
def _(p: Patch) -> None:
    said(p, "_admit", epoch=lambda before, message, revision, data: revision - 1)


@mutant("REG-REG-002", "keeps-the-epoch-of-a-live-entry")
def _(p: Patch) -> None:
    keep: Any = lambda before, message, revision, data: before["epoch"] if before else revision  # noqa: E731
    said(p, "_admit", epoch=keep)
    rewritten(p, "_admit", lambda b, after, *_: {**after, "epoch": b["epoch"]} if b else after)


@mutant("REG-REG-003", "merges-into-the-live-entry")
def _(p: Patch) -> None:
    rewritten(p, "_admit", lambda before, after, *_: {**(before or {}), **after})


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
    said(p, "_admit", lease_ms=lambda before, message, revision, data: max(100, data["lease_ms"] // 2))


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

    rewritten(p, "_apply_update", rewrite)


@mutant("REG-UPD-002", "does-not-clear")
def _(p: Patch) -> None:
    rewritten(p, "_apply_update", lambda before, after, *_: {**before, **after})


@mutant("REG-UPD-003", "states-the-old-revision")
def _(p: Patch) -> None:
    said(p, "_apply_update", revision=lambda before, *_: before["revision"])


@mutant("REG-UPD-004", "updates-for-any-incarnation")
def _(p: Patch) -> None:
    p.edge(ENTRY, "update-stale", lambda event, it: False)
    p.edge(ENTRY, "update", lambda event, it: True)


@mutant("REG-UPD-005", "calls-an-absent-entry-stale-on-update")
def _(p: Patch) -> None:
    unexpected(p, "Update", "registry.stale_epoch")


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
    unexpected(p, "Renew", "registry.stale_epoch")


@mutant("REG-LEASE-005", "moves-the-revision-on-renew")
def _(p: Patch) -> None:
    rewritten(p, "_prolong", lambda before, after, message, revision: {**after, "revision": revision})


@mutant("REG-LEASE-006", "renews-for-the-length-before")
def _(p: Patch) -> None:
    said(p, "_prolong", lease_ms=lambda before, *_: before["lease_ms"])


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
    unexpected(p, "Deregister", "registry.stale_epoch")


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
