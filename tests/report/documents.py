"""Report documents made from the real requirement rows, with a story or two in them."""

from __future__ import annotations

import hashlib
from typing import Any

from comity.sdk import spec

__all__ = ["FAILED", "conformant", "failing", "incomplete", "lease_diagram"]

Json = Any
FAILED = ("REG-LEASE-007", "REG-DUR-002", "REG-QRY-018")
LIVE = ("live:memory", "live:nats")


def conformant() -> Json:
    """A registry that keeps every sentence, in simulation and live on two transports."""
    digests = {name: spec.load(name).digest for name in ("core", "registry", "driver")}
    rows = [
        *spec.load("registry").requirements,
        *spec.load("core").requirements,
        *spec.load("driver").requirements,
    ]
    return {
        "format": "comity-report/1",
        "subject": {
            **{"name": "meadow-registry", "version": "0.3.1", "language": "Lua 5.4"},
            **{"target": "stdio:./meadow --driver", "storage": "host", "deterministic": True},
        },
        "suite": {"version": "0.1.0", "digests": digests},
        **{"family": "registry", "role": "registry", "profile": "core", "seed": 20261121},
        "modes": [
            _mode("sim", "sim", 3000, 31_842, 9_120, 41.7),
            _mode("live", "live:memory", 400, 3_964, 0, 6.1),
            _mode("live", "live:nats", 400, 3_964, 0, 14.9),
        ],
        **{"verdict": "conformant", "exit": 0},
        "requirements": [_row(row) for row in rows if row["role"] in ("registry", "endpoint", "subject")],
        "counterexamples": [],
        "notes": [
            "The namespace-wide rows ran in simulation only.",
            "No feature was declared: signed is n/a.",
        ],
    }


def incomplete() -> Json:
    """A registry whose snapshot of conditions never came up."""
    report = conformant()
    _cell(report, "REG-WCH-004").update(verdict="inconclusive", fired=1, reason="fired 1 of 3 times")
    return {**report, "verdict": "incomplete", "exit": 2}


def failing() -> Json:
    """A registry with three defects, each with its counterexample."""
    report = conformant()
    report["subject"].update(
        name="brittle-registry", language="Python 3.11", target='stdio:"python3 registry.py"'
    )
    report["counterexamples"] = [_stale_epoch(), _lost_dedup(), _paging()]
    for index, identity in enumerate(FAILED):
        row = next(row for row in report["requirements"] if row["id"] == identity)
        row["counterexample"] = index
        row["cells"]["sim"].update(verdict="fail", violations=17 - index)
    _cell(report, "REG-WCH-004").update(verdict="inconclusive", fired=1, reason="fired 1 of 3 times")
    return {**report, "verdict": "not conformant", "exit": 1}


def _cell(report: Json, identity: str) -> Json:
    return next(row for row in report["requirements"] if row["id"] == identity)["cells"]["sim"]


def _mode(mode: str, key: str, plans: int, operations: int, faults: int, seconds: float) -> Json:
    digest = hashlib.sha256(key.encode()).hexdigest()
    counts = {"plans": plans, "operations": operations, "faults": faults, "seconds": seconds}
    return {"mode": mode, "key": key, **counts, "seeds_digest": digest}


def _row(row: Json) -> Json:
    kept = {name: row[name] for name in ("id", "level", "role", "profile", "text", "why", "observe")}
    kept["trigger"] = row["trigger"]["source"]
    if row["profile"] != "core":
        cell = {"verdict": "n/a", "fired": 0, "needed": 3, "violations": 0, "reason": "feature not declared"}
        return {**kept, "cells": {key: dict(cell) for key in ("sim", *LIVE)}, "counterexample": None}
    fired = 3 + int(hashlib.sha256(row["id"].encode()).hexdigest()[:3], 16)
    passed = {"verdict": "pass", "fired": fired, "needed": 3, "violations": 0}
    not_live = (
        row["trigger"]["source"] == "crash"
        or row["id"] in ("REG-LST-001", "REG-WCH-012")
        or row["role"] == "subject"
    )
    skipped = {**passed, "verdict": "not-run", "fired": 0, "reason": "simulation only"}
    cells = {"sim": passed, **{key: dict(skipped if not_live else passed) for key in LIVE}}
    return {**kept, "cells": cells, "counterexample": None}


def _event(n: int, t: float, way: tuple[str, str], label: str, detail: str = "", **more: Json) -> Json:
    event = {"n": n, "t_ms": t, "from": way[0], "to": way[1], "label": label, "detail": detail}
    return {**event, "kind": "message", "status": "ok", **more}


def lease_diagram() -> Json:
    """Every kind of event and every status, in one story."""
    ask1, ask2, answer1, answer2 = ("c1", "s"), ("c2", "s"), ("s", "c1"), ("s", "c2")
    journal, ordered = ("s", "j"), ("j", "s")
    return {
        "lanes": [
            {"id": "c1", "label": "client 1", "kind": "client"},
            {"id": "c2", "label": "client 1, restarted", "kind": "client"},
            {"id": "s", "label": "brittle-registry", "kind": "subject"},
            {"id": "j", "label": "journal", "kind": "journal"},
        ],
        "events": [
            _event(0, 0, ask1, "Register", "lease_ms 1000", arrive_ms=2),
            _event(1, 2, journal, "append", "Register", kind="entry", arrive_ms=3),
            _event(2, 4, ordered, "entry 1", kind="entry", arrive_ms=4),
            _event(3, 4, answer1, "Registered epoch …777", arrive_ms=6, step="The first incarnation holds the lease."),
            _event(4, 40, ask2, "Register", "the same agent, after a restart", arrive_ms=42, status="duplicate"),
            _event(5, 42, journal, "append", "Register", kind="entry", arrive_ms=43),
            _event(6, 44, ordered, "entry 2", kind="entry", arrive_ms=44),
            _event(7, 44, answer2, "Registered epoch …778", arrive_ms=46, step="From here on epoch …777 is stale."),
            _event(8, 60, answer2, "Changes 1", "to a watch", arrive_ms=60, status="lost"),
            _event(9, 900, ("s", "s"), "time passes", "840 ms", kind="time"),
            _event(10, 905, ("s", "s"), "crash", "what was not durable is lost", kind="crash"),
            _event(11, 940, ask1, "Renew epoch …777", "delayed by 880 ms", arrive_ms=1820, status="late"),
            _event(12, 1822, journal, "append", "Renew", kind="entry", arrive_ms=1823),
            _event(13, 1824, ordered, "entry 3", kind="entry", arrive_ms=1824),
            _event(14, 1824, answer1, "Renewed epoch …777", arrive_ms=1826, status="bad",
                   step="Only Refused registry.stale_epoch is allowed here."),
        ],
    }  # fmt: skip


def _stale_epoch() -> Json:
    return {
        "requirement": "REG-LEASE-007",
        "also": ["REG-LEASE-001"],
        "mode": "sim",
        "plan": {
            "seed": 4711,
            "operations": [
                {"id": 0, "op": "send", "client": 1, "message": "Register", "data": {"lease_ms": 1000}},
                {"id": 1, "op": "send", "client": 1, "message": "Register", "data": {"lease_ms": 1000},
                 "faults": {"duplicate": 3}},
                {"id": 2, "op": "send", "client": 1, "message": "Renew", "faults": {"delay": 880},
                 "data": {"epoch": {"$": "epoch", "back": 1, "plus": 0}}},
            ],
        },
        "operations": 3,
        "faults": 2,
        "prose": "The agent registered twice, so its entry has the epoch of operation 1. The Renew of operation 2 "
        "carried the epoch of operation 0, yet it was answered with Renewed, and the lease went on.",
        "allowed": ["Refused registry.stale_epoch at revision 1099511627779"],
        "seen": "Renewed {epoch: 1099511627777, lease_ms: 1000, revision: 1099511627779}",
        "replay": "failures/REG-LEASE-007.json",
        "diagram": lease_diagram(),
    }  # fmt: skip


def _lost_dedup() -> Json:
    register = {"id": 0, "op": "send", "client": 1, "message": "Register", "data": {"lease_ms": 5000}}
    events = [
        _event(0, 0, ("c1", "s"), "Register", "sequence 1", arrive_ms=1),
        _event(1, 3, ("s", "c1"), "Registered epoch …777", arrive_ms=4),
        _event(2, 20, ("s", "s"), "crash", "back after 50 ms", kind="crash"),
        _event(3, 4000, ("c1", "s"), "Register", "sequence 1 again", arrive_ms=4001),
        _event(
            4,
            4003,
            ("s", "c1"),
            "Registered epoch …778",
            arrive_ms=4004,
            status="bad",
            step="A second admission.",
        ),
    ]
    lanes = [
        {"id": "c1", "label": "client 1", "kind": "client"},
        {"id": "s", "label": "brittle-registry", "kind": "subject"},
    ]
    return {
        "requirement": "REG-DUR-002",
        **{"also": ["CORE-DLV-001"], "mode": "sim", "operations": 3, "faults": 1},
        "plan": {
            "operations": [
                register,
                {"id": 1, "op": "crash", "keep": True, "down_ms": 50},
                {"id": 2, "op": "repeat", "of": 0},
            ]
        },
        "prose": "The Register was answered, the registry crashed, and the same Register was answered with another epoch.",
        "allowed": ["Registered {epoch: 1099511627777}, as before the crash"],
        "seen": "Registered {epoch: 1099511627778}",
        "replay": "failures/REG-DUR-002.json",
        "diagram": {"lanes": lanes, "events": events},
    }


def _paging() -> Json:
    query = {"limit": 1, "consistency": "eventual"}
    follow = {
        "id": 3,
        "op": "send",
        "client": 1,
        "message": "List",
        "data": {**query, "cursor": {"$": "cursor"}},
    }
    sends = [
        {"id": index, "op": "send", "client": index, "message": "Register", "data": {"lease_ms": 60000}}
        for index in (0, 1)
    ]
    events = [
        _event(0, 0, ("c1", "s"), "List limit 1", arrive_ms=1),
        _event(1, 2, ("s", "c1"), "Page [A] cursor", arrive_ms=3),
        _event(2, 5, ("c1", "s"), "List limit 1, cursor", arrive_ms=6),
        _event(3, 7, ("s", "c1"), "Page [A]", arrive_ms=8, status="bad", step="A came before."),
    ]
    lanes = [
        {"id": "c1", "label": "client 1", "kind": "client"},
        {"id": "s", "label": "brittle-registry", "kind": "subject"},
    ]
    return {
        "requirement": "REG-QRY-018",
        **{"also": [], "mode": "sim", "operations": 4, "faults": 0},
        "plan": {
            "operations": [
                *sends,
                {"id": 2, "op": "send", "client": 1, "message": "List", "data": query},
                follow,
            ]
        },
        "prose": "The second page begins with the entry that the first one ended with.",
        "allowed": ["Page [B] without cursor"],
        "seen": "Page [A] with cursor",
        "replay": "failures/REG-QRY-018.json",
        "diagram": {"lanes": lanes, "events": events},
    }
