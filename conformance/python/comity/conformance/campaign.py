"""A campaign: which plans are run, and what they add up to for each row.

Responsible for aiming plans at rows that have not fired often enough, for counting, and for keeping the first
failure of each row. Not responsible for the report's form.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from .errors import AdapterError
from .judge import Judgement, Violation
from .law import Law
from .plan import Plan
from .roles import role_of
from .shrink import shrink
from .simulate import Run, Simulation, encode

__all__ = ["Campaign", "Failure", "Tally"]

NEEDED = 3
PATIENCE = 40
FRAGILE = 50  # a subject that breaks off in more than one of so many plans earns nothing
DRIVER_ROWS = ("DRV-LINE-001", "DRV-LINE-003", "DRV-TIME-001")
OnProgress = Callable[[int, int, int, int], None]


@dataclass(slots=True)
class Failure:
    """The first failing run of a row, shrunk, and the violation in it."""

    row: str
    run: Run
    violation: Violation
    mode: str = "sim"


@dataclass(slots=True)
class Tally:
    """What one mode's runs add up to; `compared` where they only show whether a place is like another."""

    key: str
    mode: str = "sim"
    compared: bool = False
    plans: int = 0
    operations: int = 0
    faults: int = 0
    seconds: float = 0.0
    fired: Counter[str] = field(default_factory=Counter[str])
    violations: Counter[str] = field(default_factory=Counter[str])
    tried: Counter[str] = field(default_factory=Counter[str])
    failures: dict[str, Failure] = field(default_factory=dict[str, Failure])
    journals: dict[str, bytes] = field(default_factory=dict[str, bytes])
    digests: list[str] = field(default_factory=list[str])
    notes: list[str] = field(default_factory=list[str])

    def add(self, run: Run) -> None:
        """Count one judged run."""
        self.plans += 1
        self.operations += len(run.plan.operations)
        self.faults += run.seen_faults
        self.fired.update(run.judgement.fired)
        self.count(run.judgement, run)
        self.digests.append(run.plan.digest)
        name = f"{self.key.replace(':', '-')}-{self.plans:05d}"
        self.journals[name] = encode(run.journal)

    def count(self, judgement: Judgement, run: Run | None = None) -> None:
        for violation in judgement.violations:
            self.violations.update(violation.rows)
            for n, row in enumerate(violation.rows):
                known = self.failures.get(row)
                better = known is None or (n == 0 and known.violation.rows[0] != row)
                if run is not None and better:
                    self.failures[row] = Failure(row, run, violation, self.key.replace(":", "-"))

    @property
    def seeds_digest(self) -> str:
        """SHA-256 over the digests of all plans run."""
        return hashlib.sha256("".join(self.digests).encode()).hexdigest()


class Campaign:
    """All plans of one subject in simulation."""

    def __init__(
        self, simulation: Simulation, law: Law, seed: int, plans: int, on_progress: OnProgress | None
    ) -> None:
        self.simulation, self.law, self.seed, self.plans = simulation, law, seed, plans
        self.role = role_of(law.role)
        self.tally = Tally("sim")
        self._progress = on_progress
        features = simulation.welcome["features"]
        self.rows = [row for row in law.rows if row in self.role.aims]
        if "signed" in features:
            self.rows += list(self.role.signed_aims)
        self._lost = 0

    def run(self) -> Tally:
        """Run everything. Raises `AdapterError` where no plan could be carried out at all."""
        start = time.monotonic()
        probe = Judgement()
        self.simulation.probe(probe)
        self.tally.fired.update(probe.fired)
        self.tally.count(probe)
        for index in range(self.plans):
            self.one(index)
            if self._lost == self.tally.plans == 5:
                quote = self.tally.failures[next(iter(self.tally.failures))].violation.seen
                raise AdapterError(f"no plan could be carried out: {quote}")
            if self._lost >= 25:
                self.tally.notes.append("stopped early: the subject broke off 25 times")
                break
        if self._lost * FRAGILE > self.tally.plans:
            self.tally.notes.append(
                f"nothing is earned: the subject broke off {self._lost} times in {self.tally.plans} plans"
            )
            broken = self.tally.violations
            self.tally.fired = Counter({row: n for row, n in self.tally.fired.items() if broken[row]})
        self.tally.seconds = time.monotonic() - start
        return self.tally

    def one(self, index: int) -> None:
        """Run plan `index` and count it."""
        aim = self.aim(index)
        if aim is not None:
            self.tally.tried[aim] += 1
        run = self.simulation.run(self.role.generate(self.seed, index, aim))
        if run.judgement.lost is None:
            for row in DRIVER_ROWS:
                self.tally.fired[row] += run.lines
        else:
            self._lost += 1
        self.tally.add(run)
        if self.simulation.welcome["deterministic"] and (index < 3 or index % 100 == 50):
            self._again(run)
        if self._progress is not None:
            done = sum(self.tally.fired[row] >= NEEDED for row in self.rows)
            self._progress(index + 1, self.plans, done, len(self.rows))

    def aim(self, index: int) -> str | None:
        """The row that plan `index` is aimed at: the least fired one; none for every fourth once all have."""
        open_rows = [r for r in self.rows if self.tally.fired[r] < NEEDED and self.tally.tried[r] < PATIENCE]
        if open_rows:
            return min(open_rows, key=lambda row: (self.tally.tried[row], self.tally.fired[row]))
        if index % 4 == 0:
            return None
        return min(self.rows, key=lambda row: self.tally.tried[row])

    def _again(self, run: Run) -> None:
        """DRV-DET-001: the same plan has to give the same bytes."""
        self.tally.fired["DRV-DET-001"] += 1
        again = self.simulation.run(run.plan)
        if encode(again.journal) != encode(run.journal):
            out = Judgement()
            n = next(
                (
                    i
                    for i, pair in enumerate(zip(run.journal, again.journal, strict=False))
                    if pair[0] != pair[1]
                ),
                0,
            )
            out.blame(["DRV-DET-001"], n, "the same bytes", "other bytes",
                      f"The same plan, run again, differs from record {n} on.")  # fmt: skip
            self.tally.count(out, run)

    # ------------------------------------------------------------------ shrinking

    def minimal(self, failure: Failure, seconds: float = 10.0, known: Iterable[Plan] = ()) -> Failure:
        """The failure with the smallest plan found, begun from the first of those `known` that fails so, too."""
        row = failure.violation.rows[0]
        if failure.run.judgement.lost is not None and "hang" in failure.run.judgement.lost:
            return failure
        if row.startswith("DRV-DET"):
            return failure

        def fails(plan: Plan) -> bool:
            return self._violation(self.simulation.run(plan), row) is not None

        begin = next(filter(fails, known), failure.run.plan)
        small = shrink(begin, fails, seconds=seconds)
        run = self.simulation.run(small)
        found = self._violation(run, row)
        return failure if found is None else replace(failure, run=run, violation=found)

    def _violation(self, run: Run, row: str) -> Violation | None:
        return next((v for v in run.judgement.violations if v.rows[0] == row), None)


def as_plain(failure: Failure) -> dict[str, Any]:
    """What a failure's violation says, as JSON."""
    violation = failure.violation
    return {
        "rows": violation.rows,
        "allowed": violation.allowed,
        "seen": violation.seen,
        "prose": violation.prose,
    }
