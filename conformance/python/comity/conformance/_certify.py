"""Certifying a subject: from a target to a report, and from a failure's file to its replay.

Responsible for the order of things (greet, run, shrink, add up) and for verdicts. Not responsible for rendering.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .campaign import NEEDED, Campaign, Failure, Tally, as_plain
from .driver import DriverFactory, resolve
from .errors import UsageError
from .generate import ALIKE, SIM_ONLY
from .law import Law, Row, law
from .live import LiveTarget, run_live, shown_in
from .plan import Plan
from .roles import role_of
from .simulate import Simulation, encode
from .wire import members_of

__all__ = ["PROFILES", "Report", "certify", "certify_live", "replay"]

SERVICE = "registry"
PROFILES = ("core", "extended", "strict")
FAILURE = "comity-failure/1"
FAILURES = "failures"
SHRINK_SECONDS = 10.0
SHRINK_TOTAL = 90.0
OnProgress = Callable[[int, int, int, int], None]


@dataclass(slots=True)
class Report:
    """`data` is the document "comity-report/1"; `journals` and `failures` are files by name."""

    data: dict[str, Any]
    journals: dict[str, bytes] = field(default_factory=dict[str, bytes])
    failures: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])

    @property
    def exit(self) -> int:
        """0 conformant, 1 not conformant, 2 incomplete."""
        return int(self.data["exit"])

    def write_failures(self, directory: Path) -> list[Path]:
        """Write each failure's replay file below `directory`, where the report says it is."""
        paths: list[Path] = []
        for name, content in self.failures.items():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
            paths.append(path)
        return paths


def certify(
    target: str | DriverFactory, *, family: str = "registry", role: str = "registry", profile: str = "core",
    plans: int = 800, seed: int = 0, live: Sequence[LiveTarget] = (), shrinking: bool = True, timeout: float = 10.0,
    on_progress: OnProgress | None = None,
) -> Report:  # fmt: skip
    """Run `plans` plans against `target` and report a verdict for every row.

    `target` is `stdio:COMMAND`, `python:MODULE:FACTORY` or a driver factory; with `live` targets such plans also
    go to the services that run there. `timeout` bounds each answer of a process, in
    seconds. Failures are shrunk unless `shrinking` is off.
    `on_progress(done, total, rows_fired, rows)` is called after each plan.
    Raises `UsageError`, `AdapterError`, `NobodyThere` (exit 3) or `SelfCheckError` (exit 4).
    """
    if profile not in PROFILES:
        raise UsageError(f"there is no profile {profile!r}; there are {', '.join(PROFILES)}")
    rules = law(family, role)
    role_of(role)
    if live:
        _live_role(role)
    name = target if isinstance(target, str) else getattr(target, "__name__", "callable")
    drive = resolve(target, timeout=timeout) if isinstance(target, str) else target
    simulation = Simulation(drive, rules, seed)
    try:
        simulation.greet()
        campaign = Campaign(simulation, rules, seed, plans, on_progress)
        tallies = [campaign.run()]
        failures = _shrunk(campaign) if shrinking else _unshrunk(tallies[0])
        shown = shown_in(simulation, seed) if live else []
    finally:
        simulation.close()
    tallies += [run_live(place, rules, seed=seed, shown=shown, on_progress=on_progress) for place in live]
    failures += [f for t in tallies[1:] for f in _unshrunk(t)]
    return _report(rules, str(name), simulation.welcome, profile, seed, tallies, failures)


def certify_live(
    target: LiveTarget,
    *,
    family: str = "registry",
    role: str = "registry",
    profile: str = "core",
    seed: int = 0,
    on_progress: OnProgress | None = None,
) -> Report:
    """Judge a service that already runs on a broker, by the rows that can be judged there; a note counts the others.

    Raises `NobodyThere` where nothing answers in the namespace.
    """
    _live_role(role)
    rules = law(family, role)
    tally = run_live(target, rules, seed=seed, on_progress=on_progress)
    implementation = {"name": target.shown, "version": "unknown", "language": "unknown"}
    welcome: dict[str, Any] = {
        "implementation": implementation, "features": [], "storage": "unknown", "deterministic": False
    }  # fmt: skip
    return _report(rules, target.shown, welcome, profile, seed, [tally], _unshrunk(tally))


def _live_role(role: str) -> None:
    if role != SERVICE:
        raise UsageError(f"role {role} is judged in simulation only; live, the suite judges role {SERVICE}")


def _unshrunk(tally: Tally) -> list[Failure]:
    """Failures of a live run as they were seen: real time gives no second look."""
    return [failure for row, failure in tally.failures.items() if failure.violation.rows[0] == row]


def _shrunk(campaign: Campaign) -> list[Failure]:
    """One minimal failure for each row that was the most specific one somewhere."""
    deadline = time.monotonic() + SHRINK_TOTAL
    found: list[Failure] = []
    primary = [f for row, f in campaign.tally.failures.items() if f.violation.rows[0] == row]
    for failure in primary:
        left = deadline - time.monotonic()
        if left > 0:
            small = sorted((one.run.plan for one in found), key=lambda plan: len(plan.operations))
            failure = campaign.minimal(failure, min(SHRINK_SECONDS, left), small)
        found.append(failure)
    return found


# --------------------------------------------------------------------------- verdicts


def _cell(row: Row, tally: Tally, features: Collection[str], beyond: Mapping[str, str]) -> dict[str, Any]:
    fired, broken = tally.fired[row.id], tally.violations[row.id]
    cell: dict[str, Any] = {"fired": fired, "needed": NEEDED, "violations": broken}
    if row.id in beyond:
        return {"verdict": "n/a", **cell, "reason": beyond[row.id]}
    if row.feature is not None and row.feature not in features:
        return {"verdict": "n/a", **cell, "reason": f"the subject does not declare {row.feature}"}
    if tally.mode == "live" and row.family == "driver":
        return {"verdict": "n/a", **cell, "reason": "there is no driver between the suite and a live service"}
    if broken:
        return {"verdict": "fail", **cell}
    if tally.compared and row.id != ALIKE:
        return {"verdict": "n/a", **cell, "reason": "this place is only compared with the simulation"}
    if fired >= NEEDED:
        return {"verdict": "pass", **cell}
    if tally.mode == "live" and row.id == ALIKE and not tally.tried[ALIKE]:
        return {"verdict": "n/a", **cell, "reason": "there is one place only, and nothing to compare it with"}
    if tally.mode == "live" and row.id in SIM_ONLY:
        return {"verdict": "n/a", **cell, "reason": "needs the whole namespace, the journal or raw bytes"}
    if fired or tally.tried[row.id]:
        reason = (
            "the trigger fired too rarely" if fired else "the trigger never fired in a run that ended clean"
        )
        return {"verdict": "inconclusive", **cell, "reason": reason}
    return {"verdict": "not-run", **cell}


def _decides(row: Row, profile: str, features: Collection[str]) -> bool:
    """Whether a row's verdict decides the profile's."""
    if row.level != "MUST" and profile != "strict":
        return False
    return row.feature is None or (profile != "core" and row.feature in features)


def _verdict(rows: list[dict[str, Any]], deciding: set[str]) -> tuple[str, int]:
    judged = [{cell["verdict"] for cell in row["cells"].values()} for row in rows if row["id"] in deciding]
    if any("fail" in verdicts for verdicts in judged):
        return "not conformant", 1
    if all("pass" in verdicts or verdicts == {"n/a"} for verdicts in judged):
        return "conformant", 0
    return "incomplete", 2


def _report(
    rules: Law, target: str, welcome: dict[str, Any], profile: str, seed: int, tallies: list[Tally], failures: list[Failure]
) -> Report:  # fmt: skip
    features = welcome["features"]
    examples = [_counterexample(n, failure) for n, failure in enumerate(failures)]
    beyond = role_of(rules.role).beyond
    rows = [_requirement(row, tallies, features, beyond, examples) for row in rules.rows.values()]
    deciding = {row.id for row in rules.rows.values() if _decides(row, profile, features)}
    verdict, status = _verdict(rows, deciding)
    implementation = welcome["implementation"]
    subject = {
        **implementation,
        "target": target,
        "storage": welcome["storage"],
        "deterministic": welcome["deterministic"],
    }
    data = {
        "format": "comity-report/1",
        "subject": subject,
        "suite": {"version": _version(), "digests": rules.digests()},
        "family": rules.family, "role": rules.role, "profile": profile, "seed": seed,
        "modes": [_mode(tally) for tally in tallies],
        "verdict": verdict, "exit": status,
        "requirements": rows,
        "counterexamples": examples,
        "notes": [note for tally in tallies for note in tally.notes],
    }  # fmt: skip
    journals = {name: content for tally in tallies for name, content in tally.journals.items()}
    files = {
        e["replay"]: _failure_file(rules, target, f, seed) for e, f in zip(examples, failures, strict=True)
    }
    return Report(data, journals, files)


def _version() -> str:
    try:
        return version("comity")
    except PackageNotFoundError:
        return "0"


def _mode(tally: Tally) -> dict[str, Any]:
    return {"mode": tally.mode, "key": tally.key, "plans": tally.plans, "operations": tally.operations,
            "faults": tally.faults, "seconds": round(tally.seconds, 3), "seeds_digest": tally.seeds_digest}  # fmt: skip


def _requirement(
    row: Row, tallies: list[Tally], features: Collection[str], beyond: Mapping[str, str],
    examples: list[dict[str, Any]],
) -> dict[str, Any]:  # fmt: skip
    cells = {tally.key: _cell(row, tally, features, beyond) for tally in tallies}
    own = [n for n, e in enumerate(examples) if e["requirement"] == row.id]
    also = [n for n, e in enumerate(examples) if row.id in e["also"]]
    failed = any(cell["verdict"] == "fail" for cell in cells.values())
    index = next(iter(own or also), None) if failed else None
    return {"id": row.id, "level": row.level, "role": row.role, "profile": row.profile, "text": row.text,
            "why": row.why, "observe": row.observe, "cells": cells, "counterexample": index}  # fmt: skip


def _counterexample(n: int, failure: Failure) -> dict[str, Any]:
    violation, plan = failure.violation, failure.run.plan
    return {
        "requirement": violation.rows[0], "also": violation.rows[1:], "mode": failure.mode, "plan": plan.to_json(),
        "operations": len(plan.operations), "faults": plan.faults, "prose": violation.prose,
        "allowed": violation.allowed, "seen": violation.seen,
        "replay": f"{FAILURES}/{failure.mode}-{violation.rows[0]}.json",
        "diagram": role_of(plan.role).diagram(plan, failure.run.journal, violation),
    }  # fmt: skip


# ----------------------------------------------------------------------------- replay


def _failure_file(rules: Law, target: str, failure: Failure, seed: int) -> dict[str, Any]:
    journal = encode(failure.run.journal)
    return {
        "format": FAILURE, "target": target, "family": rules.family, "role": rules.role, "seed": seed,
        "mode": failure.mode, "requirement": failure.violation.rows[0], "violation": as_plain(failure),
        "spec": rules.digests(), "plan": failure.run.plan.to_json(),
        "journal_sha256": hashlib.sha256(journal).hexdigest(), "journal": failure.run.journal,
    }  # fmt: skip


def replay(path: Path | str, *, target: str | DriverFactory | None = None) -> dict[str, Any]:
    """Run a failure's plan again and compare.

    Returns `reproduced` (the row fails again), `identical` (the journal is the same byte for byte), `difference`
    (the first record that differs, as {n, expected, got}, or None), `requirement` and `prose`. Raises `UsageError`
    for a file that is no failure, and where the specs are not those of the recording.
    """
    try:
        data = members_of(json.loads(Path(path).read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read {path}: {error}") from error
    if data is None or data.get("format") != FAILURE:
        raise UsageError(f"{path} is no failure file of format {FAILURE}")
    rules = law(data["family"], data["role"])
    if data["mode"] != "sim" and target is None:
        raise UsageError(
            "a failure seen live is replayed against a target: stdio:COMMAND or python:MODULE:FACTORY"
        )
    subject = target or data["target"]
    simulation = Simulation(resolve(subject) if isinstance(subject, str) else subject, rules, data["seed"])
    try:
        simulation.greet()
        run = simulation.run(Plan.from_json(data["plan"]))
    finally:
        simulation.close()
    again = [v for v in run.judgement.violations if data["requirement"] in v.rows]
    return {
        "requirement": data["requirement"], "reproduced": bool(again),
        "identical": run.digest == data["journal_sha256"], "difference": _difference(data["journal"], run.journal),
        "prose": again[0].prose if again else "The requirement holds in this run.",
        "spec_changed": data["spec"] != rules.digests(),
    }  # fmt: skip


def _difference(expected: list[Any], got: list[Any]) -> dict[str, Any] | None:
    for n in range(max(len(expected), len(got))):
        left, right = (side[n] if n < len(side) else None for side in (expected, got))
        if left != right:
            return {"n": n, "expected": left, "got": right}
    return None
