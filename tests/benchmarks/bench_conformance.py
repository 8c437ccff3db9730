"""The suite against the reference in process: plans a minute with judging, a first verdict, and what judging costs."""

from __future__ import annotations

import time

from comity.conformance import certify
from comity.conformance.campaign import NEEDED
from comity.conformance.driver import CallDriver
from comity.conformance.generate import AIMS, generate
from comity.conformance.judge import judge
from comity.conformance.law import law
from comity.conformance.simulate import Run, Simulation
from comity.registry import reference
from tests.benchmarks.common import Row, emit

RULES = law("registry", "registry")
PLANS = 600


def _runs() -> tuple[list[Run], float]:
    simulation = Simulation(lambda: CallDriver(reference), RULES, 0)
    simulation.greet()
    aims = [*AIMS, *[None] * 30]
    start = time.perf_counter()
    runs = [simulation.run(generate(41, n, aims[n % len(aims)])) for n in range(PLANS)]
    return runs, time.perf_counter() - start


def _smoke() -> tuple[float, int]:
    """Seconds until a conformant verdict, with as many plans as that takes."""
    plans = 300
    while True:
        start = time.perf_counter()
        report = certify("python:comity.registry:reference", plans=plans)
        if report.exit == 0:
            return time.perf_counter() - start, plans
        plans += 100


def rows() -> list[Row]:
    runs, seconds = _runs()
    assert all(not run.judgement.violations for run in runs)
    start = time.perf_counter()
    for run in runs:
        judge(run.plan, run.journal, RULES)
    judging = (time.perf_counter() - start) / PLANS * 1000
    rate = PLANS / seconds * 60
    smoke, plans = _smoke()
    return [
        Row("conformance, sim, registry", rate, "plans/min", "≥ 3,000 per core", rate >= 3000,
            note="run, judged, one core"),
        Row("conformance, smoke verdict", smoke, "s", "≤ 20 s", smoke <= 20,
            note=f"{plans} plans, every row fired {NEEDED} times"),
        Row("conformance, judging one plan", judging, "ms", "", True, note="of the plans above"),
    ]  # fmt: skip


if __name__ == "__main__":
    emit(rows())
