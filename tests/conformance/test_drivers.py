"""Subjects on pipes that hang, die, babble, answer out of turn or flood: one case lost each, and a verdict."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from comity.conformance import AdapterError, certify
from comity.conformance.driver import CallDriver, StdioDriver
from comity.conformance.generate import generate
from comity.conformance.law import law
from comity.conformance.simulate import Simulation
from tests.conformance import toy

ROOT = Path(__file__).parents[2]
TOY = [sys.executable, str(Path(__file__).with_name("toy.py"))]


def driven(*arguments: str, timeout: float = 0.5) -> Simulation:
    return Simulation(lambda: StdioDriver([*TOY, *arguments], timeout), law("registry", "registry"), 0)


@pytest.mark.parametrize(
    ("way", "row"),
    [("hang", "DRV-LINE-001"), ("die", "DRV-LINE-001"), ("garbage", "DRV-LINE-003"), ("order", "DRV-LINE-001"),
     ("flood", "DRV-TIME-001")],
)  # fmt: skip
def test_misbehaviour_costs_one_case_is_quoted_and_the_next_life_goes_on(way: str, row: str) -> None:
    subject = driven(f"{way}:12")
    try:
        subject.greet()
        lost = subject.run(generate(1, 1, "REG-UPD-001"))
        assert [violation.rows[-1] for violation in lost.judgement.violations] == [row]
        assert lost.judgement.lost is not None
        assert lost.judgement.fired.keys() == set(lost.judgement.violations[0].rows)
        assert lost.judgement.violations[0].seen
        next_life = subject.run(generate(1, 1, "REG-UPD-001"))
        assert next_life.judgement.lost == lost.judgement.lost
    finally:
        subject.close()


def test_a_program_over_pipes_behaves_as_in_process() -> None:
    subject, here = (
        driven(timeout=5.0),
        Simulation(lambda: CallDriver(toy.toy), law("registry", "registry"), 0),
    )
    try:
        subject.greet()
        here.greet()
        for number in range(15):
            plan = generate(2, number)
            assert subject.run(plan).digest == here.run(plan).digest
    finally:
        subject.close()
        here.close()


@pytest.mark.parametrize("way", ["hang:1", "die:1", "garbage:1", "order:1"])
def test_a_subject_with_which_nothing_works_is_an_adapter_error(way: str) -> None:
    subject = driven(way)
    with pytest.raises(AdapterError) as caught:
        subject.greet()
    assert caught.value.exit == 3
    subject.close()


def test_a_subject_that_dies_in_every_case_is_an_adapter_error() -> None:
    with pytest.raises(AdapterError, match="no plan could be carried out"):
        certify(f"stdio:{shlex.join([*TOY, 'die:6'])}", plans=50)
