"""Judging a run from its plan and journal alone.

Responsible for the order of the judgements and for what counts: rows fire only in runs that ended clean, so that a
subject earns nothing for half an exchange. Not responsible for running anything.
"""

from __future__ import annotations

from typing import Any

from ..errors import SelfCheckError
from ..law import Law
from ..plan import Plan
from ._case import Case, Judgement, Request, Violation, read
from ._history import NEVER, fold
from ._monitors import hostile_row, judge_events, judge_exchanges
from ._reads import judge_reads
from ._watches import judge_watches

__all__ = ["Judgement", "Violation", "judge"]

_BROKEN = {
    "hang": "DRV-LINE-001",
    "death": "DRV-LINE-001",
    "order": "DRV-LINE-001",
    "failed": "DRV-LINE-001",
    "garbage": "DRV-LINE-003",
    "schema": "DRV-LINE-003",
    "flood": "DRV-TIME-001",
    "restless": "DRV-TIME-001",
}


def judge(plan: Plan, journal: list[dict[str, Any]], law: Law) -> Judgement:
    """Say what a run shows. Raises `SelfCheckError` where the suite sent what it did not mean to."""
    case = read(plan, journal, law)
    out = Judgement()
    _self_check(case)
    if case.broken:
        n, kind, quote = case.broken[0]
        out.lost = f"{kind}: {quote}"
        out.blame([*_provoked(case), _BROKEN[kind]], n, "one line for each line", f"{kind}: {quote}",
                  f"The conversation with the subject broke ({kind}): {quote}")  # fmt: skip
        out.fired = _blamed(out)
        return out
    judge_events(case, out)
    acting = judge_exchanges(case, out)
    _judge_family(case, out, acting)
    if not _counts(out, acting):
        out.fired = _blamed(out)
    return out


def _blamed(out: Judgement) -> dict[str, int]:
    """All that a run with a breach fires: the rows that it breaks."""
    broken = dict.fromkeys(row for violation in out.violations for row in violation.rows)
    return {row: max(1, out.fired.get(row, 0)) for row in broken}


def _provoked(case: Case) -> list[str]:
    """The row about hostile input, where such input was the last thing that the subject got."""
    last = max(
        ((d.n, r) for r in case.requests.values() for d in r.deliveries), key=lambda p: p[0], default=None
    )
    if last is None or last[1].inspection.fate == "take":
        return []
    return [hostile_row(last[1])]


def _self_check(case: Case) -> None:
    """A message of the suite's is wrong in the way its plan asks for, and in no other."""
    crafts = {op["id"]: op.get("craft", {}).get("kind") for op in case.plan.operations}
    crafts |= {op["id"]: "unreadable" for op in case.plan.operations if op["op"] == "garbage"}
    for request in case.requests.values():
        wanted, found = crafts.get(request.op.partition(".")[0]), request.inspection
        foreign = "foreign_write" in found.facts
        if foreign or wanted in found.facts:
            continue
        if wanted is None and found.fate != "take":
            raise SelfCheckError(
                f"{request.op} was meant to be good and is {found.facts} ({found.code or 'dropped'})"
            )
        if wanted == "altered" and "forged" in found.facts:
            continue
        if wanted is not None:
            raise SelfCheckError(f"{request.op} was meant to be {wanted} and is {found.facts or 'good'}")


def _judge_family(case: Case, out: Judgement, acting: list[Request]) -> None:
    writes = [request for request in acting if case.law.is_write(request.message)]
    floor = _floor(case, writes)
    _order(case, out, writes, floor)
    entries = [request for request in writes if "watch" not in request.data]
    history = fold(case, out, entries)
    _durable(case, out, entries)
    reads = [request for request in acting if not case.law.is_write(request.message)]
    judge_reads(case, out, history, reads, floor)
    if history.tainted == NEVER:
        judge_watches(case, out, history, writes)


def _success(request: Request) -> int | None:
    """Revision of a write that was answered with success."""
    answer = request.answer
    if answer is None or answer.message == "Refused" or answer.wrong or "watch" in request.data:
        return None
    revision = answer.data.get("revision")
    return revision if isinstance(revision, int) else None


def _floor(case: Case, writes: list[Request]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for request in writes:
        revision = _success(request)
        if revision is not None:
            found.append((request.answers[0].n, revision))
    return sorted(found)


def _order(case: Case, out: Judgement, writes: list[Request], floor: list[tuple[int, int]]) -> None:
    """REG-REV-001 and 002: revisions are unique and follow real time."""
    owner: dict[int, Request] = {}
    for request in sorted(writes, key=lambda w: w.answers[0].n if w.answers else 0):
        revision = _success(request)
        if revision is None:
            continue
        n = request.answers[0].n
        out.fire("REG-REV-001")
        if revision in owner:
            out.blame(["REG-REV-001"], n, "a revision of its own", str(revision),
                      f"{request.op} and {owner[revision].op} were both given revision {revision}.")  # fmt: skip
        owner[revision] = request
        known = max((r for answered, r in floor if answered < request.sent_n), default=0)
        if known:
            out.fire("REG-REV-002")
        if known >= revision:
            out.blame(["REG-REV-002"], n, f"more than {known}", str(revision),
                      f"A write was answered at revision {known} before {request.op} was sent.")  # fmt: skip


def _durable(case: Case, out: Judgement, entries: list[Request]) -> None:
    """REG-DUR-001 fires where a write was answered before a crash, and the audit then found it."""
    for request in entries:
        if _success(request) is not None and case.crashed_between(request.answers[0].n, case.end_n):
            out.fire("REG-DUR-001")


def _counts(out: Judgement, acting: list[Request]) -> bool:
    """Whether the run earns anything: no breach, and at least one write that succeeded and was audited."""
    must = [v for v in out.violations if v.rows != ["CORE-SCH-003"]]
    return not must and any(_success(request) is not None for request in acting)
