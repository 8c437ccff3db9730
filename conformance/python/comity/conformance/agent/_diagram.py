"""The space–time diagram of a failing run of an agent.

Responsible for lanes and events that a renderer can draw. Not responsible for drawing.
"""

from __future__ import annotations

import json
from typing import Any

from ..judge import Violation
from ..plan import Plan
from ..wire import dump, members_of

__all__ = ["diagram"]

Record = dict[str, Any]
_LANES = (("user", "user", "client"), ("subject", "agent", "subject"), ("registry", "registry", "client"))
_MARGIN = 6


def diagram(plan: Plan, journal: list[Record], violation: Violation) -> dict[str, Any]:
    """Lanes and events of a run, up to shortly behind the record that shows the violation."""
    shown = journal[: violation.n + _MARGIN]
    lost = {record["of"] for record in shown if record["what"] == "lost" and "of" in record}
    served = {record["of"]: record["t"] for record in shown if record["what"] == "served"}
    events: list[dict[str, Any]] = []
    for n, record in enumerate(shown):
        event = _event(n, record, lost, served)
        if n == violation.n:
            event = event or _local(record, "time", f"{record['t']} ms")
            event |= {"status": "bad", "step": violation.prose}
        if event is not None:
            events.append({"n": n, "t_ms": record["t"], **event})
    used = {event[side] for event in events for side in ("from", "to")}
    return {
        "lanes": [{"id": i, "label": label, "kind": kind} for i, label, kind in _LANES if i in used],
        "events": events,
    }


def _event(n: int, record: Record, lost: set[int], served: dict[int, int]) -> dict[str, Any] | None:
    t = record["t"]
    match record["what"]:
        case "asked":
            return _arrow("user", "subject", record["request"], dump(record["args"]), arrive_ms=t)
        case "notified":
            return _arrow("subject", "user", record["event"], dump(record["data"]), arrive_ms=t)
        case "emitted":
            status = "lost" if n in lost else "ok"
            arrive = served.get(n, t + 1)
            return _arrow("subject", "registry", *_glimpse(record["frame"]), arrive_ms=arrive, status=status)
        case "handed":
            label, detail = _glimpse(record["frame"])
            return _arrow("registry", "subject", label, record["craft"] or detail, arrive_ms=t)
        case "lost" if record["leg"] == "reply":
            return _arrow("registry", "subject", record["message"], "", arrive_ms=t + 1, status="lost")
        case "crashed":
            return _local(record, "crash", "crash", f"down for {record['down_ms']} ms")
        case "wall":
            return _local(record, "time", f"wall clock {record['by_ms']:+d} ms")
        case "broken":
            return _local(record, "fault", record["kind"], record["quote"], status="bad")
        case _:
            return None


def _arrow(source: str, to: str, label: str, detail: str, **more: Any) -> dict[str, Any]:
    kind = "message" if "registry" in (source, to) else "local"
    return {
        "from": source,
        "to": to,
        "label": label,
        "detail": detail[:200],
        "kind": kind,
        "status": "ok",
        **more,
    }


def _local(record: Record, kind: str, label: str, detail: str = "", **more: Any) -> dict[str, Any]:
    return {"from": "subject", "to": "subject", "label": label, "detail": detail[:200], "kind": kind,
            "status": "ok", **more}  # fmt: skip


def _glimpse(frame: Any) -> tuple[str, str]:
    """Message name and a short form of the data of a frame in a journal."""
    try:
        doc: Any = json.loads(frame)
        data = members_of(doc.get("data")) or {}
        shown = {name: value for name, value in data.items() if name != "agent"}
        return str(doc.get("type", "?")).rpartition(".")[2], dump(shown)
    except (ValueError, TypeError, AttributeError):
        return "bytes", str(frame)[:80]
