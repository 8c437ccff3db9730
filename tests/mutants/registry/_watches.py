"""Mutants for the rows of watches."""

# pyright: basic
# what is patched is private and untyped here on purpose: a mutant reaches where no caller may
from __future__ import annotations

from typing import Any

from comity.registry._core import watch
from comity.registry._core.dedup import Outcome
from comity.registry._core.history import Change, History
from comity.registry._core.lease import Leases
from comity.registry._core.registry import Registry
from comity.registry._core.watch import Watches
from comity.registry.service import RegistryService
from comity.sdk._generated.registry_v1.machines import WATCH
from comity.sdk.model import MISSING
from tests.mutants._patch import Patch, mutant

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
