"""Role agent: the reference is cleared, plans are reproducible, failures are small and replay."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comity.conformance import UsageError, agent, certify, replay
from comity.conformance.driver import CallDriver
from comity.conformance.errors import SelfCheckError
from comity.conformance.law import law
from comity.conformance.live import LiveTarget
from comity.conformance.plan import Plan
from comity.conformance.simulate import Simulation, encode
from comity.registry import reference
from tests.conformance.agent_toy import AgentToy
from tests.mutants._patch import MUTANTS, applied
from tests.mutants.run import load

RULES = law("registry", "agent")
TARGET = "python:comity.registry:reference"
AIMS = [*agent.AIMS, *agent.SIGNED_AIMS, None]
OWN = {row for row in RULES.rows if row.startswith("REG-AGT")}


def _simulation() -> Simulation:
    simulation = Simulation(lambda: CallDriver(reference), RULES, 0)
    simulation.greet()
    return simulation


@pytest.mark.parametrize("seed", [31, 32, 33])
def test_no_false_alarm_on_the_reference(seed: int) -> None:
    subject = _simulation()
    for number in range(12 * len(AIMS)):
        run = subject.run(agent.generate(seed, number, AIMS[number % len(AIMS)]))
        assert run.judgement.violations == []


def test_the_reference_is_certified_and_every_row_that_binds_an_agent_passes() -> None:
    report = certify(TARGET, role="agent", plans=200, shrinking=False)
    cells = {row["id"]: row["cells"]["sim"] for row in report.data["requirements"]}
    assert report.exit == 0
    assert {row for row, cell in cells.items() if cell["verdict"] == "n/a"} == set(agent.BEYOND)
    assert all(cells[row]["reason"] == reason for row, reason in agent.BEYOND.items())
    assert all(cell["verdict"] == "pass" for row, cell in cells.items() if row not in agent.BEYOND)


def test_an_agent_that_takes_every_liberty_is_certified_as_well() -> None:
    report = certify(lambda: CallDriver(AgentToy), role="agent", plans=300, shrinking=False)
    assert report.data["counterexamples"] == []
    assert report.exit == 0


def test_every_row_either_has_an_aim_or_a_reason_why_it_binds_no_agent() -> None:
    rows = {row for row in RULES.rows if not row.startswith("DRV")}
    assert agent.AIMS.keys() | agent.SIGNED_AIMS.keys() | agent.BEYOND.keys() == rows
    assert not (agent.AIMS.keys() | agent.SIGNED_AIMS.keys()) & agent.BEYOND.keys()
    assert agent.AIMS.keys() >= OWN


@settings(max_examples=60)
@given(st.integers(0, 2**32), st.integers(0, 10_000), st.sampled_from(AIMS))
def test_a_plan_depends_on_its_seed_number_and_aim_alone(seed: int, index: int, aim: str | None) -> None:
    plan = agent.generate(seed, index, aim)
    assert plan == agent.generate(seed, index, aim)
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


def test_the_same_plan_gives_the_same_journal_whatever_ran_before() -> None:
    first, second = _simulation(), _simulation()
    plan = agent.generate(3, 7, "REG-AGT-006")
    second.run(agent.generate(3, 8, "CORE-ENV-003"))
    assert encode(first.run(plan).journal) == encode(second.run(plan).journal)


def test_a_failure_is_small_drawn_and_replays(tmp_path: Path) -> None:
    load()
    with applied(MUTANTS["counts-its-lease-from-the-answer"]):
        report = certify(TARGET, role="agent", plans=60)
        paths = report.write_failures(tmp_path)
        again = replay(next(path for path in paths if "REG-AGT-004" in path.name))
    assert report.exit == 1
    example = next(e for e in report.data["counterexamples"] if e["requirement"] == "REG-AGT-004")
    assert example["operations"] <= 5
    assert {lane["id"] for lane in example["diagram"]["lanes"]} == {"user", "subject", "registry"}
    assert [e["step"] for e in example["diagram"]["events"] if e["status"] == "bad"] == [example["prose"]]
    assert again["reproduced"]
    assert again["identical"]


def test_what_failed_in_a_mutant_holds_in_the_reference(tmp_path: Path) -> None:
    load()
    with applied(MUTANTS["skips-over-gaps"]):
        paths = certify(TARGET, role="agent", plans=60).write_failures(tmp_path)
    again = replay(next(path for path in paths if "REG-AGT-006" in path.name))
    assert not again["reproduced"]
    assert not again["identical"]


def test_an_agent_is_not_judged_live() -> None:
    with pytest.raises(UsageError, match="simulation only"):
        certify(TARGET, role="agent", plans=1, live=[LiveTarget("memory://agents")])


def test_a_frame_that_is_wrong_by_mistake_is_the_suites_own_failure() -> None:
    subject = _simulation()
    run = subject.run(agent.generate(1, 0, "REG-AGT-003"))
    handed = next(record for record in run.journal if record["what"] == "handed")
    handed["frame"] = handed["frame"].replace('"lease_ms":', '"lease":')
    with pytest.raises(SelfCheckError):
        agent.judge(run.plan, run.journal, RULES)
