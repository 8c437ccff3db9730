"""What is owed to writes that come again, and for how long: the last 64 sequences of each source, and its silence.

Responsible for the rows on delivery. Not responsible for what one delivery deserves by itself.
"""

from __future__ import annotations

from ..wire import dump, millis
from ._case import Case, Delivery, Emission, Judgement, Request

__all__ = ["judge_repeats", "stamped_long_ago"]

WINDOW = 64
_RETENTION = "retention_ms"


def judge_repeats(case: Case, out: Judgement, writes: list[Request]) -> None:
    """CORE-DLV and REG-DUR-002, over the writes in good order."""
    for request in writes:
        peers = [w for w in writes if w.source == request.source]
        _repetition(case, out, request, peers)
        _sequence(case, out, request, [w for w in peers if w is not request])


def stamped_long_ago(case: Case, request: Request) -> bool:
    """Whether a write is as old by its stamp as what may be forgotten, so that nobody can tell them apart."""
    stamp = millis(str(request.inspection.doc["time"])) or 0.0
    return max(d.wall for d in request.deliveries) - stamp >= case.parameter(_RETENTION)


def _outcome(answer: Emission) -> str:
    return dump([answer.message, answer.data])


def _acted(request: Request) -> bool:
    return request.answer is not None and not request.answer.code.startswith("core.")


def _wrote(peers: list[Request], until: Delivery) -> list[int]:
    """When a source wrote, by the writes that were acted on before a delivery, in ms."""
    return sorted(w.deliveries[0].t for w in peers if _acted(w) and w.answers[0].n < until.n)


def _kept_since(case: Case, peers: list[Request], until: Delivery) -> int:
    """From when on a source's writes have to be kept at a delivery: since then it was never silent for long."""
    since = until.t
    for t in reversed(_wrote(peers, until)):
        if since - t >= case.parameter(_RETENTION):
            break
        since = t
    return since


def _delivered(request: Request, answer: Emission) -> Delivery:
    """The delivery that an answer is to."""
    before = [d for d in request.deliveries if d.n < answer.n]
    return before[-1] if before else request.deliveries[0]


# ---------------------------------------------------------------------- one write, again


def _repetition(case: Case, out: Judgement, request: Request, peers: list[Request]) -> None:
    """All answers to one write are one outcome, while it is kept, and `core.stale_request` afterwards."""
    answers = [a for a in request.answers if a.code != "core.clock_ahead"]
    if len(request.deliveries) > 1 and answers:
        out.fire("CORE-DLV-001")
    crashed = answers and case.crashed_between(request.deliveries[0].n, request.deliveries[-1].n)
    if crashed and answers[-1].n > request.deliveries[-1].n:
        out.fire("REG-DUR-002")
    for answer in answers[1:]:
        allowed, rows = _due(case, request, peers, answers[0], answer)
        if rows[0] != "CORE-DLV-001":
            out.fire(rows[0])
        if _outcome(answer) in allowed or answer.code in allowed:
            continue
        if "CORE-DLV-001" in rows and case.crashed_between(answers[0].n, answer.n):
            rows.insert(0, "REG-DUR-002")
        out.blame(rows, answer.n, [a.replace("core.", "Refused core.") for a in allowed], _outcome(answer),
                  f"A write that was answered with {answers[0]} came again and was answered with {answer}.")  # fmt: skip
        return


def _due(
    case: Case, request: Request, peers: list[Request], first: Emission, answer: Emission
) -> tuple[list[str], list[str]]:
    """What may answer a repetition, as outcomes or codes, and the rows that say so."""
    delivery = _delivered(request, answer)
    since = _kept_since(case, peers, delivery)
    if request.deliveries[0].t < since:
        return [_outcome(first), "core.stale_request"], ["CORE-DLV-005"]
    kept = (w for w in peers if _acted(w) and w.answers[0].n < delivery.n and w.deliveries[0].t >= since)
    if max((w.sequence for w in kept), default=0) >= request.sequence + WINDOW:
        return ["core.stale_request"], ["CORE-DLV-002"]
    if delivery.t - request.deliveries[0].t >= case.parameter(_RETENTION) / 2:
        return [_outcome(first)], ["CORE-DLV-004", "CORE-DLV-001"]
    return [_outcome(first)], ["CORE-DLV-001"]


# ------------------------------------------------------------------- what sequences allow


def _sequence(case: Case, out: Judgement, request: Request, peers: list[Request]) -> None:
    """CORE-DLV-002, 003 and 006, where the order is certain."""
    answer, first = request.answer, request.deliveries[0]
    if answer is None:
        return
    wrote = _wrote(peers, first)
    twins = [w for w in peers if w.sequence == request.sequence and w.deliveries[0].n < answer.n]
    reach = max((w.sequence for w in peers if w.deliveries[0].n < answer.n), default=0)
    if wrote and first.t - wrote[-1] >= case.parameter(_RETENTION):
        _returning(case, out, request, answer, bool(twins) or reach >= request.sequence + WINDOW)
        return
    since = _kept_since(case, peers, first)
    kept = [w for w in peers if w.deliveries[0].t >= since and w.answer and w.answer.n < first.n]
    settled = [w for w in kept if w in twins and str(w.answer) != "Refused core.sequence_reused"]
    high = max((w.sequence for w in kept if _acted(w)), default=0)
    _reuse(out, request, answer, high, twins, settled)
    if high >= request.sequence + WINDOW and not settled:
        out.fire("CORE-DLV-002")
        if answer.code != "core.stale_request":
            out.blame(["CORE-DLV-002"], answer.n, "Refused core.stale_request", str(answer),
                      f"Sequence {request.sequence} lies {high - request.sequence} behind {high}.")  # fmt: skip
    elif answer.code == "core.stale_request" and not (
        reach >= request.sequence + WINDOW or stamped_long_ago(case, request)
    ):
        out.blame(["CORE-DLV-002", "CORE-DLV-001"], answer.n, "the request acted on", str(answer),
                  f"Sequence {request.sequence} lies less than {WINDOW} behind the highest, {reach}.")  # fmt: skip


def _returning(case: Case, out: Judgement, request: Request, answer: Emission, excused: bool) -> None:
    """CORE-DLV-006: the first write after a silence; `excused` where who forgets nothing has a reason to refuse it."""
    back = any(op["op"] == "wall" and op["by_ms"] < 0 for op in case.plan.operations)
    if excused or back or stamped_long_ago(case, request):
        return
    out.fire("CORE-DLV-006")
    if answer.code in ("core.stale_request", "core.sequence_reused"):
        out.blame(["CORE-DLV-006"], answer.n, "the request acted on", str(answer),
                  "Its source was silent for long, and nothing that it sent before calls for this refusal.")  # fmt: skip


def _reuse(
    out: Judgement,
    request: Request,
    answer: Emission,
    high: int,
    twins: list[Request],
    settled: list[Request],
) -> None:
    """CORE-DLV-003."""
    if settled and high < request.sequence + WINDOW:
        out.fire("CORE-DLV-003")
    certain = bool(settled) or not twins
    forgotten = settled and answer.code == "core.stale_request"
    if not certain or forgotten or bool(twins) == (answer.code == "core.sequence_reused"):
        return
    allowed = "Refused core.sequence_reused" if settled else "the request acted on"
    said = "was used by another request" if settled else "was not used before"
    out.blame(["CORE-DLV-003"], answer.n, allowed, str(answer), f"Sequence {request.sequence} {said}.")
