"""What the suite sends wrong is wrong in the way that was asked for, whatever shrinking has left of its data."""

from __future__ import annotations

from typing import Any

import pytest

from comity.conformance.engine._craft import HOSTILE, SIGNED_HOSTILE, build
from comity.conformance.generate import generate
from comity.conformance.judge._receive import inspect
from comity.conformance.law import law
from comity.conformance.plan import identity
from comity.conformance.shrink import shrink
from comity.conformance.wire import dump

RULES = law("registry", "registry")
WHO, OTHER = identity("client-0"), identity("client-1")
FULL: dict[str, dict[str, Any]] = {
    "Register": {"agent": WHO.agent, "capabilities": ["ml"], "lease_ms": 1000, "metadata": {"case": "c", "n": 1}},
    "Renew": {"agent": WHO.agent, "epoch": 7},
    "Query": {"where": {"all": [{"path": "zone", "op": "exists"}]}, "limit": 5, "consistency": "eventual"},
    "Watch": {"watch": "w1", "lease_ms": 1000, "where": {}},
}  # fmt: skip


def facts(message: str, data: dict[str, Any], kind: str, variant: int, profile: str) -> set[str]:
    op = {"message": message, "craft": {"kind": kind, "variant": variant}}
    doc = build(
        op, data, namespace="plant", family="registry", channel="requests", key=WHO, other=OTHER, sequence=3,
        event_id="c.o1", wall_ms=1_764_000_000_000, profile=profile,
    )  # fmt: skip
    return inspect(
        dump(doc).encode("utf-8", "surrogatepass"), RULES, namespace="plant", profile=profile
    ).facts


@pytest.mark.parametrize("message", FULL)
@pytest.mark.parametrize("kind", HOSTILE)
def test_each_kind_is_what_it_is_called(kind: str, message: str) -> None:
    for variant in range(24):
        assert kind in facts(message, FULL[message], kind, variant, "open"), variant
        if kind != "newer_member":
            assert kind in facts(message, {}, kind, variant, "open"), variant


@pytest.mark.parametrize("kind", SIGNED_HOSTILE)
def test_each_way_to_sign_badly_is_seen(kind: str) -> None:
    for variant in range(20):
        found = facts("Renew", FULL["Renew"], kind, variant, "signed")
        assert found & ({kind, "forged"} if kind == "altered" else {kind}), variant


def test_a_counterexample_never_shrinks_to_nothing() -> None:
    plan = generate(3, 1, "CORE-REP-001")
    assert [op["op"] for op in shrink(plan, lambda _: True, seconds=2.0).operations] == ["send"]
