"""What holds of every event and every exchange, whatever the family: envelope, replies, refusals, repetition, clocks.

Responsible for the core rows. Not responsible for what a request means to the family.
"""

from __future__ import annotations

from typing import Any

from ..signature import verify
from ..wire import address, dump, millis
from ._case import Case, Emission, Judgement, Request
from ._repeats import judge_repeats, stamped_long_ago

__all__ = ["hostile_row", "judge_events", "judge_exchanges"]

DROPPED = {
    "unreadable": "CORE-ENV-006",
    "foreign_namespace": "CORE-ADR-001",
    "unsigned": "CORE-SIG-002",
    "forged": "CORE-SIG-003",
    "altered": "CORE-SIG-004",
    "other_key": "CORE-SIG-005",
    "weak_key": "CORE-SIG-006",
}
REFUSED = {
    "bad_attribute": "CORE-ENV-004",
    "duplicate_name": "CORE-LEX-001",
    "bad_number": "CORE-LEX-002",
    "bad_text": "CORE-LEX-003",
    "too_deep": "CORE-LEX-004",
    "truncated": "CORE-LEX-005",
    "too_large": "CORE-LEX-006",
    "invalid": "CORE-SCH-001",
    "unknown_type": "CORE-SCH-002",
    "other_major": "CORE-VER-001",
    "unknown_member": "CORE-VER-002",
    "critical_member": "CORE-VER-004",
    "foreign_write": "REG-REG-004",
}
PRIMARY = {
    "Register": "REG-REG-001", "Update": "REG-UPD-001", "Renew": "REG-LEASE-001", "Deregister": "REG-DRG-001",
    "Lookup": "REG-LKP-001", "Query": "REG-QRY-001", "List": "REG-LST-001", "Count": "REG-CNT-001",
    "Watch": "REG-WCH-001", "Unwatch": "REG-WCH-011",
}  # fmt: skip
AHEAD, HELD = 500, 64


# ------------------------------------------------------------------- every event sent


def judge_events(case: Case, out: Judgement) -> None:
    """CORE-ENV-001 to 003, CORE-REP, CORE-SIG-001 over everything that the subject sent."""
    seen: dict[tuple[str, str], tuple[str, int]] = {}
    by_id = {str(r.inspection.doc.get("id")): r for r in case.requests.values()}
    for emission in case.emissions:
        _envelope(case, out, emission)
        if emission.wrong:
            continue
        _unique(out, emission, seen)
        message = case.law.spec.messages.get(emission.message)
        if (message is not None and message["kind"] == "reply") or "correlationid" in emission.doc:
            _reply(case, out, emission, by_id)
        if case.plan.profile == "signed":
            out.fire("CORE-SIG-001")
            fault = verify(emission.doc)
            if fault is not None:
                out.blame(["CORE-SIG-001"], emission.n, "a good signature of its source", fault,
                          f"The {emission.message} is {fault}.")  # fmt: skip


def _envelope(case: Case, out: Judgement, emission: Emission) -> None:
    out.fire("CORE-ENV-001")
    out.fire("CORE-ENV-002")
    known = case.law.core.schema["$defs"]["Attributes"]["properties"]
    attributes = {name: value for name, value in emission.doc.items() if name in known}
    wrong = case.law.errors("Attributes", attributes, spec="core")
    if wrong is not None:
        out.blame(["CORE-ENV-001"], emission.n, "attributes by the schema", wrong,
                  f"An event was sent whose attributes break their schema: {wrong}")  # fmt: skip
        emission.wrong = emission.wrong or wrong
        return
    message = case.law.spec.messages.get(emission.message)
    typed = emission.doc["type"] == f"comity.{case.law.family}.v{case.law.major}.{emission.message}"
    if message is None or not typed or case.law.role not in message["from"]:
        wrong = f"type {emission.doc['type']}"
    elif not emission.wrong:
        wrong = case.law.errors(emission.message, emission.data)
    wrong = emission.wrong or wrong
    if wrong:
        out.blame(["CORE-ENV-002"], emission.n, "data by the schema of the type", wrong,
                  f"An event was sent whose data break their schema: {wrong}")  # fmt: skip
        emission.wrong = wrong


def _unique(out: Judgement, emission: Emission, seen: dict[tuple[str, str], tuple[str, int]]) -> None:
    doc = emission.doc
    out.fire("CORE-ENV-003")
    core: list[Any] = [doc.get(n) for n in ("type", "correlationid", "comityaddress")]
    content = dump([*core, emission.data])
    first, n = seen.setdefault((doc["source"], doc["id"]), (content, emission.n))
    if first != content:
        out.blame(["CORE-ENV-003"], emission.n, "another id", f"id {doc['id']} again",
                  f"This event and the one of record {n} differ and share source and id.")  # fmt: skip


def _reply(case: Case, out: Judgement, emission: Emission, by_id: dict[str, Request]) -> None:
    out.fire("CORE-REP-001")
    request = by_id.get(str(emission.doc.get("correlationid")))
    if request is None or not any(d.n < emission.n for d in request.deliveries):
        out.blame(["CORE-REP-001"], emission.n, "correlationid of a request", str(emission.doc.get("correlationid")),
                  f"The {emission.message} names no request that was delivered.")  # fmt: skip
        return
    out.fire("CORE-REP-002")
    out.fire("CORE-REP-003")
    due = address(case.namespace, case.law.family, case.law.major, "replies", request.source)
    if due != emission.address or due != emission.doc["comityaddress"]:
        out.blame(["CORE-REP-002"], emission.n, due, emission.address,
                  f"The {emission.message} was sent to {emission.address}.")  # fmt: skip
    message = case.law.spec.messages.get(request.message, {"replies": ["Refused"]})
    if emission.message not in message["replies"]:
        out.blame(["CORE-REP-003"], emission.n, " or ".join(message["replies"]), emission.message,
                  f"A {request.message} was answered with {emission.message}.")  # fmt: skip
        emission.wrong = "a type that is no reply to it"


# ---------------------------------------------------------------------- every exchange


def judge_exchanges(case: Case, out: Judgement) -> list[Request]:
    """Judge what each delivery deserves by itself; return the requests that the family has to act on."""
    astray = any("CORE-REP-001" in violation.rows for violation in out.violations)
    acting: list[Request] = []
    for request in case.requests.values():
        if not request.deliveries:
            continue
        match request.inspection.fate:
            case "drop":
                _dropped(case, out, request)
            case "refuse":
                _refused(case, out, request, astray)
            case _:
                if _acted_on(case, out, request, astray):
                    acting.append(request)
    _held_back(case, out)
    writes = [r for r in acting if case.law.is_write(r.message)]
    judge_repeats(case, out, writes)
    return [r for r in acting if not (r.answer and r.answer.code.startswith("core."))]


def _fact(request: Request) -> str:
    facts = request.inspection.facts
    table = DROPPED if request.inspection.fate == "drop" else REFUSED
    for fact in ("unknown_member", *table):
        if fact in facts:
            return fact
    return ""


def hostile_row(request: Request) -> str:
    """The row about a request that deserves a refusal or no answer."""
    return (DROPPED if request.inspection.fate == "drop" else REFUSED)[_fact(request)]


def _dropped(case: Case, out: Judgement, request: Request) -> None:
    fact = _fact(request)
    row = DROPPED[fact]
    rows = [row]
    if fact == "forged" and case.plan.profile == "signed":
        altered = any(
            op["id"] == request.op and op.get("craft", {}).get("kind") == "altered"
            for op in case.plan.operations
        )
        rows = ["CORE-SIG-004", "CORE-SIG-003"] if altered else rows
    for found in rows:
        out.fire(found)
    if request.answers:
        out.blame(rows, request.answers[0].n, "no answer", str(request.answers[0]),
                  f"An event that is an instance of {fact} was answered.")  # fmt: skip


def _refused(case: Case, out: Judgement, request: Request, astray: bool) -> None:
    fact, code = _fact(request), request.inspection.code
    row = REFUSED[fact]
    out.fire(row)
    if fact == "unknown_member":
        out.fire("CORE-SCH-001")
    rows = [row, "CORE-SCH-001"] if fact == "unknown_member" else [row]
    for answer in request.answers:
        if answer.code != code:
            out.blame(rows, answer.n, f"Refused {code}", str(answer),
                      f"An event that is an instance of {fact} was answered with {answer}.")  # fmt: skip
            return
    if not request.answers and not astray and not _excused(case, request):
        out.blame(rows, request.deliveries[-1].n, f"Refused {code}", "no answer",
                  f"An event that is an instance of {fact} was not answered.")  # fmt: skip
    if fact == "invalid":
        out.fire("CORE-SCH-003")
        if request.answers:
            _pointer(request, out)


def _pointer(request: Request, out: Judgement) -> None:
    pointer = request.answers[0].data.get("pointer")
    if pointer is None:
        out.blame(
            ["CORE-SCH-003"], request.answers[0].n, "a JSON pointer", "none",
            "The refusal does not say where the data break their schema.",
        )  # fmt: skip


def _excused(case: Case, request: Request) -> bool:
    """Whether a crash may have swallowed the last delivery."""
    last = request.deliveries[-1]
    return any(last.n < crash.n and crash.t <= last.t + 20 for crash in case.crashes)


def _release(request: Request) -> float:
    """Wall-clock ms from which the event may be acted on."""
    stamp = millis(str(request.inspection.doc["time"]))
    return (stamp or 0.0) - AHEAD


def _acted_on(case: Case, out: Judgement, request: Request, astray: bool) -> bool:
    """Expiry, clock and the duty to answer. False where nothing follows for the family."""
    first, last, facts = request.deliveries[0], request.deliveries[-1], request.inspection.facts
    for fact, row in (("extra_attribute", "CORE-ENV-005"), ("newer_member", "CORE-VER-003")):
        if fact in facts:
            out.fire(row)
    limit = (
        millis(str(request.inspection.doc.get("expirytime")))
        if "expirytime" in request.inspection.doc
        else None
    )
    if limit is not None and all(d.wall > limit for d in request.deliveries):
        return _expired(out, request, limit, case, astray)
    release = _release(request)
    if first.wall < release:
        _ahead(case, out, request, release, astray)
    if not request.answers:
        if not astray and not _excused(case, request):
            rows = [PRIMARY[request.message], "CORE-REP-003"]
            rows[:0] = _extras(case, request)
            out.blame(rows, last.n, " or ".join(case.law.spec.messages[request.message]["replies"]), "no answer",
                      f"A {request.message} was delivered {len(request.deliveries)} times and not answered.")  # fmt: skip
        return False
    if request.answers[-1].n < last.n and case.law.is_write(request.message) and not _excused(case, request):
        out.blame(["CORE-DLV-001"], last.n, "the first outcome", "no answer",
                  "A write was delivered again after its answer and not answered again.")  # fmt: skip
    return _core_refusals(case, out, request, first.n)


def _extras(case: Case, request: Request) -> list[str]:
    facts = request.inspection.facts
    rows = ["CORE-ENV-005"] if "extra_attribute" in facts else []
    rows += ["CORE-VER-003"] if "newer_member" in facts else []
    rows += ["REG-DUR-002"] if any(request.sent_n < crash.n for crash in case.crashes) else []
    return rows


def _expired(out: Judgement, request: Request, limit: float, case: Case, astray: bool) -> bool:
    out.fire("CORE-CLK-003")
    stale = "core.stale_request" if stamped_long_ago(case, request) else ""
    wrong = next(
        (a for a in request.answers if a.code not in ("core.expired", stale or "core.expired")), None
    )
    if wrong is not None:
        out.blame(["CORE-CLK-003"], wrong.n, "Refused core.expired", str(wrong),
                  "The request came after its expirytime and was acted on.")  # fmt: skip
        return wrong.code == ""
    if not request.answers and not astray and not _excused(case, request):
        out.blame(["CORE-CLK-003"], request.deliveries[-1].n, "Refused core.expired", "no answer",
                  "The request came after its expirytime and was not answered.")  # fmt: skip
    return False


def _ahead(case: Case, out: Judgement, request: Request, release: float, astray: bool) -> None:
    out.fire("CORE-CLK-001")
    answer = request.answer
    if answer is None or answer.code == "core.clock_ahead":
        return
    delay = max((int(o.get("faults", {}).get("order", 0)) for o in case.plan.operations), default=0)
    if answer.wall < release - case.slack / 40:
        out.blame(["CORE-CLK-001"], answer.n, f"no answer before wall clock {release:g}", str(answer),
                  f"The event is {release + AHEAD - answer.wall:g} ms ahead and was acted on at once.")  # fmt: skip
    elif answer.wall > release + 100 + delay + case.slack and not case.crashes:
        out.blame(["CORE-CLK-001"], answer.n, f"an answer at wall clock {release:g}", str(answer),
                  f"The event was held {answer.wall - release:g} ms longer than its stamp calls for.")  # fmt: skip


def _held_back(case: Case, out: Judgement) -> None:
    """CORE-CLK-002: what is stamped ahead while 64 events of its source are held."""
    held: dict[str, list[float]] = {}
    moments = sorted(
        ((d, r) for r in case.requests.values() if r.inspection.fate == "take" for d in r.deliveries),
        key=lambda pair: pair[0].n,
    )
    for delivery, request in moments:
        release = _release(request)
        if delivery.wall >= release:
            continue
        waiting = [until for until in held.get(request.source, []) if until > delivery.wall]
        held[request.source] = waiting
        first = next((a for a in request.answers if a.n > delivery.n), None)
        refused = first is not None and first.code == "core.clock_ahead"
        if len(waiting) < HELD:
            waiting.append(release)
            if refused and first is not None:
                out.blame(["CORE-CLK-001", "CORE-CLK-002"], first.n, "the event held", str(first),
                          f"Only {len(waiting) - 1} events of its source are held.")  # fmt: skip
        else:
            out.fire("CORE-CLK-002")
            if not refused:
                out.blame(["CORE-CLK-002"], delivery.n, "Refused core.clock_ahead", str(first or "no answer"),
                          f"{len(waiting)} events of its source are held already.")  # fmt: skip


_EXCUSES = {"core.sequence_reused": "CORE-DLV-003", "core.stale_request": "CORE-DLV-002",
            "core.expired": "CORE-CLK-003", "core.clock_ahead": "CORE-CLK-002", "core.not_understood": "CORE-VER-004",
            "core.too_large": "CORE-LEX-006"}  # fmt: skip


def _core_refusals(case: Case, out: Judgement, request: Request, n: int) -> bool:
    """A core refusal of a request in order has to have its reason elsewhere."""
    for answer in request.answers:
        if not answer.code.startswith("core.") or answer.code in (
            "core.sequence_reused",
            "core.stale_request",
        ):
            continue
        if answer.code == "core.clock_ahead":
            continue
        limit = (
            millis(str(request.inspection.doc.get("expirytime")))
            if "expirytime" in request.inspection.doc
            else None
        )
        if (
            answer.code == "core.expired"
            and limit is not None
            and any(d.wall > limit for d in request.deliveries)
        ):
            continue
        rows = _extras(case, request)[:1] or [_EXCUSES.get(answer.code, PRIMARY[request.message])]
        rows.append(PRIMARY[request.message])
        out.blame(rows, answer.n, "the request acted on", str(answer),
                  f"A {request.message} in good order was refused with {answer.code}.")  # fmt: skip
        return False
    return True
