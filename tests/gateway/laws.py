"""What each requirement row of the role gateway says, and the search for a case that breaks it.

Responsible for the laws of the policy, and for the row that only a flow can break. Not responsible for cases.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from functools import partial
from typing import Any

from hypothesis import Phase, find, settings
from hypothesis.errors import NoSuchExample

from comity.gateway import Drop, Pass, Policy, Refuse, Side, Verdict
from comity.gateway._flow import Flow
from comity.gateway._outlet import Outlet
from comity.sdk.clock import SystemClock
from comity.sdk.errors import TransportError
from comity.sdk.ports import Delivery, Frame
from comity.sdk.security import verify_frame

from .brokers import Faulty
from .cases import GATEWAY, HOMES, SAFE, SENDER, Case, cases, event

__all__ = ["LAWS", "acknowledged_too_early", "counterexample"]

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


async def acknowledged_too_early() -> list[int]:
    """CORE-GTW-009: numbers of deliveries that were acknowledged before the other broker had taken them."""
    early: list[int] = []

    def fate(attempt: int, frame: Frame) -> None:
        if -3 < attempt < 3:
            raise TransportError("away")

    def acknowledge(number: int) -> None:
        if b'{"n":%d}' % number not in faulty.datas:
            early.append(number)

    faulty = Faulty(fate)
    flow = Flow(
        Outlet(Policy(HOMES, GATEWAY), Side.FROM, dict.fromkeys(Side, faulty), SystemClock(), 10), 100
    )
    for number in range(1, 6):
        address, frame = event("Changes", "edge", number=number)
        flow.arrive(Delivery(address, frame, ack=partial(acknowledge, number)))
    flow.drain()
    async with asyncio.timeout(10):
        await flow.run()
    return early


def counterexample(row: str, most: int = 2000) -> tuple[int, Callable[[], bool]] | None:
    """What breaks the row: how many cases it took, and whether it still does. None where none of `most` does."""
    if row not in LAWS:
        return (1, _too_early) if _too_early() else None
    tried = 0

    def broken(case: Case) -> bool:
        nonlocal tried
        tried += 1
        return not LAWS[row](case, case.judged())

    try:
        found = find(cases(), broken, settings=settings(_SEARCH, max_examples=most))
    except NoSuchExample:
        return None
    return tried, lambda: broken(found)


def _too_early() -> bool:
    return bool(asyncio.run(acknowledged_too_early()))


_SEARCH = settings(deadline=None, database=None, phases=[Phase.generate])
