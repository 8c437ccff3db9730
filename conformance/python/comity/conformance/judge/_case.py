"""The journal of a plan, read into requests, deliveries, answers and the subject's other events.

Responsible for parsing raw frames and for joining answers to requests by `correlationid`. Not responsible for any
verdict.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any

from ..law import Law
from ..plan import Plan
from ..wire import Lexical, NotAnEvent, data_of, document, members_of
from ._receive import Inspection, inspect

__all__ = ["Case", "Crash", "Delivery", "Emission", "Judgement", "Request", "Violation", "read"]

Record = dict[str, Any]


@dataclass(slots=True)
class Violation:
    """One breach. `rows` are the requirements broken, the most specific first; `n` the record that shows it."""

    rows: list[str]
    n: int
    allowed: list[str]
    seen: str
    prose: str


@dataclass(slots=True)
class Judgement:
    """What a plan showed: breaches, and how often each row's trigger fired."""

    violations: list[Violation] = field(default_factory=list[Violation])
    fired: dict[str, int] = field(default_factory=dict[str, int])
    lost: str | None = None

    def blame(self, rows: list[str], n: int, allowed: list[str] | str, seen: str, prose: str) -> None:
        wanted = [allowed] if isinstance(allowed, str) else allowed
        self.violations.append(Violation(list(dict.fromkeys(rows)), n, wanted, seen, prose))

    def fire(self, row: str, times: int = 1) -> None:
        self.fired[row] = self.fired.get(row, 0) + times


@dataclass(slots=True)
class Delivery:
    n: int
    t: int
    wall: int
    life: int


@dataclass(slots=True)
class Emission:
    """One event that the subject sent. `data` is None and `wrong` says why where it cannot be read."""

    n: int
    t: int
    wall: int
    life: int
    address: str
    doc: dict[str, Any]
    message: str = ""
    data: Any = None
    wrong: str = ""

    @property
    def code(self) -> str:
        return str(self.data.get("code", "")) if self.message == "Refused" else ""

    def __str__(self) -> str:
        return f"{self.message} {self.code}".strip()


@dataclass(slots=True)
class Request:
    """One event that a client sent, however often it travelled."""

    op: str
    client: int | None
    inspection: Inspection
    sent_n: int
    sent_t: int
    deliveries: list[Delivery] = field(default_factory=list[Delivery])
    answers: list[Emission] = field(default_factory=list[Emission])

    @property
    def message(self) -> str:
        return self.inspection.message

    @property
    def data(self) -> dict[str, Any]:
        return members_of(self.inspection.data) or {}

    @property
    def source(self) -> str:
        return str(self.inspection.doc.get("source", ""))

    @property
    def sequence(self) -> int:
        return int(self.inspection.doc["sequence"])

    @property
    def answer(self) -> Emission | None:
        return self.answers[0] if self.answers else None


@dataclass(slots=True)
class Crash:
    n: int
    t: int
    up_n: int
    up_t: int


@dataclass(slots=True)
class Case:
    """Everything observed in one run."""

    plan: Plan
    law: Law
    namespace: str
    mode: str
    in_order: bool = True
    """Whether what one endpoint sends over two channels arrives in the order in which it was sent."""
    requests: dict[str, Request] = field(default_factory=dict[str, Request])
    emissions: list[Emission] = field(default_factory=list[Emission])
    crashes: list[Crash] = field(default_factory=list[Crash])
    broken: list[tuple[int, str, str]] = field(default_factory=list[tuple[int, str, str]])
    lines: int = 0
    end_t: int = 0
    end_n: int = 0

    def parameter(self, name: str) -> int:
        """A parameter of the subject: the plan's, or the spec's default."""
        return int(self.plan.parameters.get(name, 0) or self.law.parameters[name])

    @property
    def grace(self) -> int:
        return self.parameter("expiry_grace_ms")

    @property
    def slack(self) -> int:
        """Tolerance of clocks, in ms: none in simulation."""
        return 0 if self.mode == "sim" else 400

    def crashed_between(self, n: int, m: int) -> bool:
        return any(n < crash.n < m for crash in self.crashes)


def _raw(frame: Any) -> bytes:
    return frame.encode() if isinstance(frame, str) else base64.b64decode(frame["b64"])


def _emission(record: Record, n: int, life: int) -> Emission:
    found = Emission(n, record["t"], record["wall"], life, record["address"], {})
    try:
        found.doc = document(_raw(record["frame"]))
        found.message = str(found.doc.get("type", "")).rpartition(".")[2]
        found.data = data_of(found.doc)
    except (NotAnEvent, Lexical, UnicodeEncodeError) as error:
        found.wrong = str(error)
    return found


def read(plan: Plan, journal: list[Record], law: Law) -> Case:
    """Read the records of a run of `plan`."""
    first = journal[0]
    case = Case(plan, law, first["namespace"], first["mode"])
    case.in_order = first.get("ordering", "total") in ("total", "per-publisher")
    by_id: dict[str, Request] = {}
    for n, record in enumerate(journal):
        match record["what"]:
            case "sent":
                _read_sent(case, by_id, record, n)
            case "delivered":
                delivery = Delivery(n, record["t"], record["wall"], len(case.crashes))
                case.requests[record["op"]].deliveries.append(delivery)
            case "emitted":
                emission = _emission(record, n, len(case.crashes))
                case.emissions.append(emission)
                asked = by_id.get(str(emission.doc.get("correlationid")))
                if asked is not None:
                    asked.answers.append(emission)
            case "crashed":
                case.crashes.append(Crash(n, record["t"], n, record["t"]))
            case "recovered" if case.crashes:
                case.crashes[-1].up_n, case.crashes[-1].up_t = n, record["t"]
            case "broken":
                case.broken.append((n, record["kind"], record["quote"]))
            case _:
                pass
    case.end_t, case.end_n = journal[-1]["t"], len(journal)
    return case


def _read_sent(case: Case, by_id: dict[str, Request], record: Record, n: int) -> None:
    if record["op"] in case.requests:
        return
    found = inspect(_raw(record["frame"]), case.law, namespace=case.namespace, profile=case.plan.profile)
    request = Request(record["op"], record["client"], found, n, record["t"])
    case.requests[record["op"]] = request
    if isinstance(found.doc.get("id"), str):
        by_id[found.doc["id"]] = request
