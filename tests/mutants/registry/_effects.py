"""What several mutants of the registry do to the effects of its machines."""

# pyright: basic
# what is patched is private and untyped here on purpose: a mutant reaches where no caller may
from __future__ import annotations

from typing import Any

from comity.registry._core.dedup import Outcome
from comity.registry._core.registry import Registry
from comity.sdk.machine import Effect, Instance
from tests.mutants._patch import Patch

__all__ = ["rewritten", "said", "unexpected"]


def said(p: Patch, effect: str, **changes: Any) -> None:
    """Answer with other data: each change is a function of (slot, message, revision, data before)."""

    def change(original: Any, self: Any, slot: Any, message: Any, revision: int) -> Outcome:
        before = None if slot is None else dict(slot.entry)
        outcome: Outcome = original(self, slot, message, revision)
        new = {name: value(before, message, revision, outcome.data) for name, value in changes.items()}
        return Outcome(outcome.reply, {**outcome.data, **new})

    p.around(Registry, effect, change)


def rewritten(p: Patch, effect: str, rewrite: Any) -> None:
    """Leave another entry behind: `rewrite(before, after, message)` gives it."""

    def change(original: Any, self: Any, slot: Any, message: Any, revision: int) -> Outcome:
        before = None if slot is None else dict(slot.entry)
        outcome: Outcome = original(self, slot, message, revision)
        kept = self._slots[message.agent]
        self._index.replace(kept, rewrite(before, dict(kept.entry), message, revision))
        return outcome

    p.around(Registry, effect, change)


def unexpected(p: Patch, message: str, code: str) -> None:
    """Refuse a message that meets no entry with another code."""

    def change(original: Any, self: Any, trigger: str) -> Any:
        return (Effect("refuse", code),) if trigger == message else original(self, trigger)

    p.around(Instance, "_unexpected", change)
