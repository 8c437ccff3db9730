"""Running, judging, shrinking and replaying, against the toy registry and its planted defects."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from comity.conformance import AdapterError, SelfCheckError, UsageError, certify, replay, resolve
from comity.conformance.campaign import Campaign
from comity.conformance.driver import CallDriver
from comity.conformance.generate import AIMS, generate
from comity.conformance.judge import judge
from comity.conformance.law import law
from comity.conformance.plan import Plan
from comity.conformance.report import json_
from comity.conformance.simulate import Run, Simulation, encode
from comity.conformance.wire import dump
from tests.conformance import attacks, toy

RULES = law("registry", "registry")
RIGHT = attacks.subject(attacks.VARIANTS[0])
DEFECTS = {
    "stale-renew": "REG-LEASE-007", "renew-bumps": "REG-LEASE-005", "no-dedup": "CORE-DLV-001",
    "merges": "REG-REG-003", "no-clear": "REG-UPD-002", "ignores-if": "REG-UPD-006",
    "expires-early": "REG-LEASE-002", "gt-equal": "REG-QRY-004", "ne-missing": "REG-QRY-013", "bare": "REG-QRY-016",
    "off-by-one": "REG-QRY-014", "any-cursor": "REG-QRY-019", "ignores-desc": "REG-QRY-017",
    "no-tombstones": "REG-TMB-001", "no-unmatched": "REG-WCH-006", "index-gap": "REG-WCH-005",
    "wrong-correlation": "CORE-REP-001", "answers-early": "REG-DRG-001", "duplicates": "CORE-LEX-001",
    "no-hold": "CORE-CLK-001", "any-namespace": "CORE-ADR-001",
}  # fmt: skip


def simulation(*defects: str) -> Simulation:
    found = Simulation(lambda: CallDriver(toy.factory(*defects)), RULES, 0)
    found.greet()
    return found


def first_failure(subject: Simulation, row: str) -> Run:
    """The first run of plans aimed at `row` in which it fails."""
    for number in range(200):
        run = subject.run(generate(3, number, row))
        if any(row in violation.rows for violation in run.judgement.violations):
            return run
    raise AssertionError(f"{row} never failed")


def test_the_same_plan_gives_the_same_journal() -> None:
    for number, aim in enumerate([None, *AIMS][:40]):
        plan = generate(5, number, aim)
        assert encode(simulation().run(plan).journal) == encode(simulation().run(plan).journal)


def test_a_plan_needs_no_plan_before_it_and_survives_json() -> None:
    plans = [generate(9, number, "REG-DUR-001") for number in range(20)]
    assert plans[13] == generate(9, 13, "REG-DUR-001")
    assert all(Plan.from_json(json.loads(dump(plan.to_json()))) == plan for plan in plans)


def test_no_false_alarm_on_a_registry_that_is_right() -> None:
    subject = Simulation(lambda: CallDriver(RIGHT), RULES, 0)
    subject.greet()
    aims = [*AIMS, None, None]
    for number in range(300):
        judgement = subject.run(generate(21, number, aims[number % len(aims)])).judgement
        assert [v for v in judgement.violations if v.rows != ["CORE-SCH-003"]] == []


@pytest.mark.parametrize(("defect", "row"), DEFECTS.items())
def test_a_planted_defect_fails_its_row_with_a_small_counterexample(defect: str, row: str) -> None:
    subject = simulation(defect)
    run = first_failure(subject, row)
    campaign = Campaign(subject, RULES, 0, 1, None)
    campaign.tally.add(run)
    failure = campaign.tally.failures[row]
    small = campaign.minimal(failure, 3.0)
    assert len(small.run.plan.operations) <= 5
    assert small.violation.rows[0] == failure.violation.rows[0]


def test_shrinking_reaches_the_minimum() -> None:
    subject = simulation("stale-renew")
    campaign = Campaign(subject, RULES, 0, 1, None)
    campaign.tally.add(first_failure(subject, "REG-LEASE-007"))
    plan = campaign.minimal(campaign.tally.failures["REG-LEASE-007"]).run.plan
    assert [op["message"] for op in plan.operations] == ["Register", "Renew"]
    assert plan.faults == 0


def test_a_failure_replays_byte_for_byte_and_is_gone_once_mended(tmp_path: Path) -> None:
    report = certify(lambda: CallDriver(toy.factory("merges")), plans=60)
    paths = report.write_failures(tmp_path)
    path = next(p for p in paths if "REG-REG-003" in p.name)
    again = replay(path, target=lambda: CallDriver(toy.factory("merges")))
    assert again["reproduced"]
    assert again["identical"]
    assert again["difference"] is None
    mended = replay(path, target=lambda: CallDriver(toy.toy))
    assert not mended["reproduced"]
    assert not mended["identical"]
    assert mended["difference"]["n"] > 0


def _into(seen: list[tuple[int, int, int, int]]) -> Callable[[int, int, int, int], None]:
    return lambda done, total, fired, rows: seen.append((done, total, fired, rows))


def test_a_right_registry_is_conformant_and_the_report_keeps_its_schema() -> None:
    seen: list[tuple[int, int, int, int]] = []
    report = certify(lambda: CallDriver(RIGHT), plans=420, on_progress=_into(seen))
    open_rows = [
        r["id"] for r in report.data["requirements"] if r["cells"]["sim"]["verdict"] not in ("pass", "n/a")
    ]
    assert open_rows == []
    assert (report.exit, report.data["verdict"]) == (0, "conformant")
    assert seen[-1][0] == 420
    assert len(report.journals) == 420
    json_.validate(report.data)


def test_too_few_plans_are_incomplete_and_never_a_certificate() -> None:
    report = certify("python:comity.registry:reference", plans=5)
    assert (report.exit, report.data["verdict"]) == (2, "incomplete")


def test_a_wrong_message_of_the_suite_itself_is_no_verdict() -> None:
    run = simulation().run(generate(1, 1, "REG-UPD-001"))
    sent = next(record for record in run.journal if record["what"] == "sent")
    sent["frame"] = sent["frame"].replace('"lease_ms":', '"lease":')
    with pytest.raises(SelfCheckError):
        judge(run.plan, run.journal, RULES)


def test_the_judge_needs_only_plan_and_journal() -> None:
    run = simulation("gt-equal").run(generate(3, 4, "REG-QRY-004"))
    copy = [json.loads(line) for line in encode(run.journal).splitlines()]
    assert judge(Plan.from_json(run.plan.to_json()), copy, RULES) == run.judgement


@pytest.mark.parametrize(
    "target", ["", "stdio:", "python:no.such.module:f", "python:json:nothing", "carrier-pigeon"]
)
def test_a_target_that_cannot_be_is_a_usage_error(target: str) -> None:
    with pytest.raises(UsageError) as caught:
        resolve(target)
    assert caught.value.exit == 3


def test_an_unknown_role_and_profile_are_usage_errors() -> None:
    with pytest.raises(UsageError, match="no role"):
        certify(lambda: CallDriver(toy.toy), role="emperor", plans=1)
    with pytest.raises(AdapterError, match="not agent"):
        certify(lambda: CallDriver(toy.toy), role="agent", plans=1)
    with pytest.raises(UsageError, match="profile"):
        certify(lambda: CallDriver(toy.toy), profile="gold", plans=1)


def test_a_subject_that_cannot_be_started_is_an_adapter_error() -> None:
    with pytest.raises(AdapterError) as caught:
        certify("stdio:/no/such/program", plans=1)
    assert caught.value.exit == 3
