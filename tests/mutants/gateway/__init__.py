"""Mutants for the rows of the role gateway."""

# pyright: basic
# what is patched is private and untyped here on purpose: a mutant reaches where no caller may
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from comity.gateway import Drop, Pass, Policy, _policy
from comity.gateway._outlet import Outlet
from comity.sdk.ports import Delivery, Frame, Send
from tests.mutants._patch import Patch, mutant


def _overlooks(p: Patch, reason: str) -> None:
    """Find nothing wrong where the flaw begins so."""

    def change(original: Any, *a: Any) -> Any:
        found = original(*a)
        return None if found is not None and found.startswith(reason) else found

    p.around(Policy, "_flaw", change)


def _objects(p: Patch, change: Callable[[Any, Any, str], Any]) -> None:
    p.around(_policy, "_objection", change)


@mutant("CORE-GTW-001", "restamps-what-it-sends-on", "gateway")
def _(p: Patch) -> None:
    def change(original: Any, *a: Any) -> Any:
        verdict = original(*a)
        if not isinstance(verdict, Pass):
            return verdict
        address, frame = verdict.send
        return Pass(Send(address, Frame({**frame.attributes, "time": "2026-01-01T00:00:00Z"}, frame.data)))

    p.around(Policy, "judge", change)


@mutant("CORE-GTW-002", "keeps-events-to-itself", "gateway")
def _(p: Patch) -> None:
    _objects(p, lambda o, way, kind: "core.forbidden" if kind.endswith("Changes") else o(way, kind))


@mutant("CORE-GTW-003", "takes-a-watch-for-a-write", "gateway")
def _(p: Patch) -> None:
    _objects(p, lambda o, way, kind: "core.read_only" if kind.endswith("Watch") else o(way, kind))


@mutant("CORE-GTW-004", "lets-a-renewal-through", "gateway")
def _(p: Patch) -> None:
    _objects(p, lambda o, way, kind: None if kind.endswith("Renew") else o(way, kind))


@mutant("CORE-GTW-005", "carries-both-ways", "gateway")
def _(p: Patch) -> None:
    def change(original: Any, self: Any, side: Any, *a: Any) -> Any:
        verdict = original(self, side, *a)
        backwards = verdict == Drop("against the direction of its namespace")
        return original(self, side.other, *a) if backwards else verdict

    p.around(Policy, "judge", change)


@mutant("CORE-GTW-006", "passes-what-it-passed", "gateway")
def _(p: Patch) -> None:
    _overlooks(p, "passed before")


@mutant("CORE-GTW-006", "counts-no-gateways", "gateway")
def _(p: Patch) -> None:
    _overlooks(p, "passed 8")


@mutant("CORE-GTW-007", "passes-what-has-expired", "gateway")
def _(p: Patch) -> None:
    _overlooks(p, "expired")


@mutant("CORE-GTW-008", "trusts-the-address-inside", "gateway")
def _(p: Patch) -> None:
    _overlooks(p, "addressed")


@mutant("CORE-GTW-008", "lets-anybody-ask-for-anybody", "gateway")
def _(p: Patch) -> None:
    def change(original: Any, self: Any, side: Any, address: str, frame: Frame, now: Any) -> Any:
        verdict = original(self, side, address, frame, now)
        return Pass(Send(address, frame)) if verdict == Drop("keyed by another than its source") else verdict

    p.around(Policy, "judge", change)


@mutant("CORE-GTW-009", "acknowledges-on-arrival", "gateway")
def _(p: Patch) -> None:
    async def change(original: Any, self: Any, batch: list[Delivery]) -> None:
        for delivery in batch:
            delivery.ack()
        await original(self, batch)

    p.around(Outlet, "carry", change)


@mutant("CORE-GTW-010", "trusts-the-broker", "gateway")
def _(p: Patch) -> None:
    _overlooks(p, "the signature")


@mutant("CORE-GTW-010", "passes-unsigned-events", "gateway")
def _(p: Patch) -> None:
    _overlooks(p, "not signed")
