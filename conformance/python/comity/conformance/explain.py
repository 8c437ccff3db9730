"""Telling a failure: the space–time diagram and the sentences of one counterexample.

Responsible for turning a journal into lanes and events that a renderer can draw. Not responsible for drawing.
"""

from __future__ import annotations

import json
from typing import Any

from .judge import Violation
from .plan import Plan
from .wire import dump, members_of

__all__ = ["diagram"]

Record = dict[str, Any]


def _glimpse(frame: Any) -> tuple[str, str]:
    """Message name and a short form of the data of a frame in a journal."""
    if not isinstance(frame, str):
        return "bytes", f"{len(frame.get('b64', '')) * 3 // 4} bytes that are no text"
    try:
        doc: Any = json.loads(frame)
        data = doc.get("data", doc.get("data_base64", ""))
        return str(doc.get("type", "?")).rpartition(".")[2], _short(data)
    except (ValueError, AttributeError):
        return "bytes", frame[:80]


def _short(data: Any) -> str:
    members = members_of(data)
    if members is not None:
        shown = {key: value for key, value in members.items() if key != "agent"}
        return dump(shown)[:200]
    return str(data)[:80]


class _Drawing:
    def __init__(self, journal: list[Record], violation: Violation) -> None:
        self.journal, self.violation = journal, violation
        self.events: list[dict[str, Any]] = []
        self.sent: dict[str, list[int]] = {}
        self.landed = self._landings()

    def _landings(self) -> dict[int, list[tuple[str, int]]]:
        """Where each emission ended: (what, t) by record."""
        found: dict[int, list[tuple[str, int]]] = {}
        for record in self.journal:
            if "of" in record:
                found.setdefault(record["of"], []).append((record["what"], record["t"]))
        return found

    def add(self, n: int, t: int, source: str, to: str, label: str, detail: str, **more: Any) -> None:
        bad = n == self.violation.n
        status = "bad" if bad else more.pop("status", "ok")
        event = {"n": n, "t_ms": t, "from": source, "to": to, "label": label, "detail": detail,
                 "kind": more.pop("kind", "message"), **more, "status": status}  # fmt: skip
        if bad:
            event["step"] = self.violation.prose
        self.events.append(event)

    def draw(self, upto: int) -> None:
        for n, record in enumerate(self.journal[: upto + 1]):
            self._draw(n, record)

    def _draw(self, n: int, record: Record) -> None:
        t = record["t"]
        match record["what"]:
            case "sent":
                self.sent.setdefault(record["op"], []).append(n)
            case "delivered":
                self._delivered(n, record)
            case "lost" if record["leg"] == "request":
                origin = self.journal[self.sent[record["op"]][-1]]
                label, detail = _glimpse(origin["frame"])
                self.add(n, origin["t"], f"c{origin['client'] or 0}", "subject", label, detail, status="lost")
            case "emitted":
                self._emitted(n, record)
            case "ordered":
                self.add(n, t, "journal", "subject", f"entry {record['position']}", "", kind="entry")
            case "crashed":
                kept = "kept" if record["keep"] else "lost"
                detail = f"entries not ordered yet are {kept}; down for {record['down_ms']} ms"
                self.add(n, t, "subject", "subject", "crash", detail, kind="crash")
            case "wall":
                self.add(n, t, "subject", "subject", f"wall clock {record['by_ms']:+d} ms", "", kind="time")
            case "broken":
                self.add(
                    n, t, "subject", "subject", record["kind"], record["quote"], kind="fault", status="bad"
                )
            case _:
                pass

    def _delivered(self, n: int, record: Record) -> None:
        sends = self.sent.get(record["op"], [])
        if not sends:
            return
        origin = self.journal[sends[0] if len(sends) == 1 else sends[-1]]
        label, detail = _glimpse(origin["frame"])
        again = any(r["what"] == "delivered" and r["op"] == record["op"] for r in self.journal[:n])
        late = record["t"] - origin["t"] > 5
        status = "duplicate" if again else "late" if late else "ok"
        self.add(
            n,
            origin["t"],
            f"c{origin['client'] or 0}",
            "subject",
            label,
            detail,
            status=status,
            arrive_ms=record["t"],
        )

    def _emitted(self, n: int, record: Record) -> None:
        label, detail = _glimpse(record["frame"])
        landed = self.landed.get(n, [("arrived", record["t"] + 1)])
        what, at = landed[0]
        to = next((f"c{self.journal[m]['client']}" for m in range(n, len(self.journal))
                   if self.journal[m].get("of") == n and "client" in self.journal[m]), None)  # fmt: skip
        if to is None:
            op = next((r.get("op") for r in self.journal[n:] if r.get("of") == n), None)
            client = self.journal[self.sent[op][0]]["client"] if op in self.sent else 0
            to = f"c{client}"
        self.add(
            n,
            record["t"],
            "subject",
            to,
            label,
            detail,
            arrive_ms=at,
            status="lost" if what == "lost" else "ok",
        )


def diagram(plan: Plan, journal: list[Record], violation: Violation) -> dict[str, Any]:
    """Lanes and events of a run, up to shortly behind the record that shows the violation."""
    drawing = _Drawing(journal, violation)
    audit = next((n for n, r in enumerate(journal) if str(r.get("op", "")).startswith("audit")), len(journal))
    drawing.draw(len(journal) - 1 if violation.n >= audit else audit - 1)
    shown = [e for e in drawing.events if violation.n < audit or e["n"] < audit or e["status"] == "bad"]
    used = {e[side] for e in shown for side in ("from", "to")}
    lanes = [
        {"id": f"c{n}", "label": f"client {n}", "kind": "client"}
        for n in range(plan.clients)
        if f"c{n}" in used
    ]
    lanes.append({"id": "subject", "label": plan.role, "kind": "subject"})
    if "journal" in used:
        lanes.append({"id": "journal", "label": "journal", "kind": "journal"})
    return {"lanes": lanes, "events": shown}
