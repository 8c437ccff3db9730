"""Proves that every MUST row has a property that bites: each mutant has to fall by its own row.

Responsible for the kill rule: the reference passes the very plan that kills the mutant, the changed code ran, at most
500 plans aimed at the row were needed, and the row that fails is the mutant's own. Not responsible for the mutants.
"""

from __future__ import annotations

import argparse
import importlib
import json
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comity.conformance.campaign import Campaign
from comity.conformance.driver import CallDriver
from comity.conformance.judge import Judgement
from comity.conformance.law import Law, law
from comity.conformance.roles import ROLES, role_of
from comity.conformance.shrink import shrink
from comity.conformance.simulate import Simulation
from comity.registry import reference
from tests.mutants._patch import MUTANTS, Mutant, applied

__all__ = ["Result", "index", "load", "main", "trial"]

PLANS = 500
HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Result:
    """How one mutant fared. `verdict` is killed, survived, not applied or baseline fails."""

    mutant: Mutant
    verdict: str
    plans: int
    operations: int
    also: tuple[str, ...] = ()


def load() -> dict[str, Mutant]:
    """All mutants by name."""
    for family in ("core", "registry", "driver", "agent", "gateway"):
        importlib.import_module(f"tests.mutants.{family}")
    return MUTANTS


def index() -> dict[str, list[str]]:
    """Names of mutants by requirement id."""
    found: dict[str, list[str]] = {}
    for name, subject in sorted(load().items()):
        found.setdefault(subject.row, []).append(name)
    return dict(sorted(found.items()))


def _simulation(rules: Law) -> Simulation:
    simulation = Simulation(lambda: CallDriver(reference), rules, 0)
    simulation.greet()
    return simulation


def trial(subject: Mutant, *, seconds: float = 2.0, plans: int = PLANS) -> Result:
    """Run plans aimed at the mutant's row until it falls; shrink the plan that kills it."""
    if subject.role == "gateway":
        return _gateway_trial(subject)
    rules, role = law("registry", subject.role), role_of(subject.role)
    aim = subject.row if subject.row in role.aims or subject.row in role.signed_aims else None
    for number in range(plans):
        plan = role.generate(7, number, aim)
        with applied(subject) as patch:
            found = _rows(subject, rules, plan)
            hits = patch.hits
        if subject.row not in found:
            continue
        if not hits:
            return Result(subject, "not applied", number + 1, 0)
        if _rows(subject, rules, plan):
            return Result(subject, "baseline fails", number + 1, 0)
        small = _smallest(subject, rules, plan, seconds)
        return Result(subject, "killed", number + 1, small, tuple(sorted(found - {subject.row})))
    return Result(subject, "survived", plans, 0)


def _gateway_trial(subject: Mutant) -> Result:
    """A gateway is judged event by event, without plans: its laws and their cases are those of its own tests."""
    from tests.gateway.laws import counterexample

    with applied(subject) as patch:
        found = counterexample(subject.row)
        hits = patch.hits
    if found is None:
        return Result(subject, "survived", 0, 0)
    tried, broken = found
    if not hits:
        return Result(subject, "not applied", tried, 0)
    return Result(subject, "baseline fails" if broken() else "killed", tried, 1)


def _rows(subject: Mutant, rules: Law, plan: Any) -> set[str]:
    """Rows that fail when the plan is run."""
    simulation = _simulation(rules)
    judgement = Judgement()
    if subject.row.startswith("DRV"):
        simulation.probe(judgement)
        campaign = Campaign(simulation, rules, 7, 1, None)
        campaign.one(0)
        found = set(campaign.tally.violations)
    else:
        found = {row for violation in simulation.run(plan).judgement.violations for row in violation.rows}
    return found | {row for violation in judgement.violations for row in violation.rows}


def _smallest(subject: Mutant, rules: Law, plan: Any, seconds: float) -> int:
    if subject.row.startswith("DRV"):
        return 0
    with applied(subject):
        simulation = _simulation(rules)

        def fails(candidate: Any) -> bool:
            run = simulation.run(candidate)
            return any(subject.row in violation.rows for violation in run.judgement.violations)

        return len(shrink(plan, fails, seconds=seconds).operations)


def main(arguments: list[str] | None = None) -> int:
    """Run all mutants or those that match; print a table; 1 where one survives."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants.run", description=__doc__)
    parser.add_argument("only", nargs="*", help="requirement ids or names of mutants")
    parser.add_argument("--index", action="store_true", help="write index.json and stop")
    options = parser.parse_args(arguments)
    load()
    (HERE / "index.json").write_text(json.dumps(index(), indent=2) + "\n", encoding="utf-8")
    if options.index:
        return 0
    chosen = [
        m for m in MUTANTS.values() if not options.only or m.row in options.only or m.name in options.only
    ]
    start = time.monotonic()
    results: list[Result] = []
    for subject in chosen:
        result = trial(subject)
        results.append(result)
        print(
            f"{result.verdict:14} {subject.row:14} {subject.name:52} plans {result.plans:3}  operations {result.operations}"
        )
        sys.stdout.flush()
    missing = [
        row.id
        for name in ROLES
        for row in law("registry", name).rows.values()
        if row.level == "MUST" and row.id not in index()
    ]
    killed = [r for r in results if r.verdict == "killed"]
    sizes = [r.operations for r in killed if r.operations]
    print(f"{len(killed)} of {len(results)} killed in {time.monotonic() - start:.0f} s; "
          f"median counterexample {statistics.median(sizes) if sizes else 0} operations; "
          f"MUST rows without a mutant: {', '.join(missing) or 'none'}")  # fmt: skip
    return 0 if len(killed) == len(results) and not (missing and not options.only) else 1


if __name__ == "__main__":
    sys.exit(main())
