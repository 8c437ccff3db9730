"""What each requirement row of the role gateway says of one case and its verdict, and a mutant that breaks each.

Responsible for the laws and the mutants. Not responsible for cases, nor for running either.
"""

# pyright: basic
# what is patched is private and untyped here on purpose: a mutant reaches where no caller may
from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from comity.gateway import Drop, Pass, Policy, Refuse, Verdict, _policy
from comity.sdk.ports import Frame, Send
from comity.sdk.security import verify_frame
from tests.mutants._patch import Mutant, Patch

from .cases import GATEWAY, SAFE, SENDER, Case

__all__ = ["LAWS", "MUTANTS"]

Law = Callable[[Case, Verdict], bool]


def _without_via(attributes: Any) -> dict[str, str]:
    return {name: value for name, value in attributes.items() if name != "comityvia"}


def _unchanged(case: Case, verdict: Verdict) -> bool:
    if not isinstance(verdict, Pass):
        return True
    address, frame = verdict.send
    same = _without_via(frame.attributes) == _without_via(case.frame.attributes)
    return same and address == case.address and frame.data == case.frame.data


def _answers_pass(case: Case, verdict: Verdict) -> bool:
    return isinstance(verdict, Pass) or case.request or not case.good


def _safe_requests_pass(case: Case, verdict: Verdict) -> bool:
    return isinstance(verdict, Pass) or case.message not in SAFE or not case.good


def _others_are_refused(case: Case, verdict: Verdict) -> bool:
    if not case.request or case.message in SAFE or not case.good:
        return True
    if not isinstance(verdict, Refuse):
        return False
    address, frame = verdict.send
    if case.profile == "signed":
        verify_frame(frame)
    assert isinstance(frame.data, bytes)
    return (
        address
        == f"{case.namespace}.registry.v1.replies.{SENDER.agent_id}"
        == frame.attributes["comityaddress"]
        and frame.attributes["type"] == "comity.registry.v1.Refused"
        and frame.attributes["correlationid"] == case.frame.attributes["id"]
        and frame.attributes["source"] == GATEWAY.agent_id
        and json.loads(frame.data) == {"code": "core.read_only"}
    )


def _one_way(case: Case, verdict: Verdict) -> bool:
    return isinstance(verdict, Drop) or not case.astray


def _no_loop(case: Case, verdict: Verdict) -> bool:
    if case.flaws & {"looped", "full"} and "malformed" not in case.flaws:
        return isinstance(verdict, Drop)
    passed = case.frame.attributes.get("comityvia", "").split()
    return not isinstance(verdict, Pass) or verdict.send.frame.attributes["comityvia"].split() == [
        *passed,
        GATEWAY.agent_id,
    ]


def _in_time(case: Case, verdict: Verdict) -> bool:
    return isinstance(verdict, Drop) or "expired" not in case.flaws or "malformed" in case.flaws


def _as_addressed(case: Case, verdict: Verdict) -> bool:
    wrong = "address" in case.flaws or ("key" in case.flaws and case.request)
    return (
        not isinstance(verdict, Pass) and (isinstance(verdict, Drop) or "malformed" in case.flaws)
        if wrong
        else True
    )


def _verified(case: Case, verdict: Verdict) -> bool:
    forged = (
        case.profile == "signed" and case.flaws & {"unsigned", "altered"} and "malformed" not in case.flaws
    )
    return isinstance(verdict, Drop) or not forged


LAWS: dict[str, Law] = {
    "CORE-GTW-001": _unchanged,
    "CORE-GTW-002": _answers_pass,
    "CORE-GTW-003": _safe_requests_pass,
    "CORE-GTW-004": _others_are_refused,
    "CORE-GTW-005": _one_way,
    "CORE-GTW-006": _no_loop,
    "CORE-GTW-007": _in_time,
    "CORE-GTW-008": _as_addressed,
    "CORE-GTW-010": _verified,
}


def _flaw(p: Patch, reason: str) -> None:
    """Overlook one flaw."""

    def change(original: Any, *a: Any) -> Any:
        found = original(*a)
        return None if found is not None and found.startswith(reason) else found

    p.around(Policy, "_flaw", change)


def _restamps(p: Patch) -> None:
    def change(original: Any, self: Any, side: Any, address: str, frame: Any, now: Any) -> Any:
        verdict = original(self, side, address, frame, now)
        if isinstance(verdict, Pass):
            address, frame = verdict.send
            return Pass(
                Send(address, Frame({**frame.attributes, "time": "2026-01-01T00:00:00Z"}, frame.data))
            )
        return verdict

    p.around(Policy, "judge", change)


def _sends_answers_home(p: Patch) -> None:
    def change(original: Any, self: Any, side: Any, *a: Any) -> Any:
        verdict = original(self, side, *a)
        if verdict == Drop("against the direction of its namespace"):
            return original(self, side.other, *a)
        return verdict

    p.around(Policy, "judge", change)


def _objects(p: Patch, change: Callable[[Any, Any, str], Any]) -> None:
    p.around(_policy, "_objection", change)


MUTANTS = [
    Mutant("CORE-GTW-001", "restamps-what-it-sends-on", _restamps),
    Mutant(
        "CORE-GTW-002",
        "keeps-events-to-itself",
        lambda p: _objects(
            p, lambda o, way, kind: "core.forbidden" if kind.endswith("Changes") else o(way, kind)
        ),
    ),
    Mutant(
        "CORE-GTW-003",
        "takes-a-watch-for-a-write",
        lambda p: _objects(
            p, lambda o, way, kind: "core.read_only" if kind.endswith("Watch") else o(way, kind)
        ),
    ),
    Mutant(
        "CORE-GTW-004",
        "lets-a-renewal-through",
        lambda p: _objects(p, lambda o, way, kind: None if kind.endswith("Renew") else o(way, kind)),
    ),
    Mutant("CORE-GTW-005", "carries-both-ways", _sends_answers_home),
    Mutant("CORE-GTW-006", "passes-what-it-passed", lambda p: _flaw(p, "passed before")),
    Mutant("CORE-GTW-006", "counts-no-hops", lambda p: _flaw(p, "passed 8")),
    Mutant("CORE-GTW-007", "passes-what-expired", lambda p: _flaw(p, "expired")),
    Mutant("CORE-GTW-008", "trusts-the-address-inside", lambda p: _flaw(p, "addressed")),
    Mutant("CORE-GTW-010", "trusts-the-broker", lambda p: _flaw(p, "the signature")),
    Mutant("CORE-GTW-010", "takes-unsigned-events", lambda p: _flaw(p, "not signed")),
]
