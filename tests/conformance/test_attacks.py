"""Who is wrong in one subtle way is found out, and who is right in another way than the reference stays green."""

# pyright: basic
# what is patched in the reference is private and untyped here on purpose
from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import Any

import pytest

from comity.conformance import certify
from comity.conformance.driver import CallDriver
from comity.conformance.generate import AIMS, generate
from comity.conformance.law import law
from comity.conformance.simulate import Simulation
from comity.conformance.wire import dump
from comity.registry import reference
from comity.sdk import inbox
from comity.sdk.errors import RemoteProtocolError
from comity.sdk.ports import Frame
from tests.conformance.attacks import ATTACKS, VARIANTS, Change, subject
from tests.mutants._patch import Patch

RULES = law("registry", "registry")
PLANS = 120
ORDER = 2**252 + 27742317777372353535851937790883648493


def reduced(frame: Frame) -> Frame:
    """The frame with S of its signature taken modulo the group's order, as careless arithmetic does."""
    raw = urlsafe_b64decode(frame.attributes["comitysig"] + "==")
    s = int.from_bytes(raw[32:], "little") % ORDER
    text = urlsafe_b64encode(raw[:32] + s.to_bytes(32, "little")).decode().rstrip("=")
    return Frame({**frame.attributes, "comitysig": text}, frame.data)


def without(name: str) -> Callable[[Frame], Frame]:
    return lambda frame: Frame({k: v for k, v in frame.attributes.items() if k != name}, frame.data)


def rewritten(frame: Frame) -> Frame:
    """The frame with its data read and written again."""
    octets = frame.data
    assert isinstance(octets, bytes)
    return Frame(frame.attributes, dump(json.loads(octets)).encode())


STALE = Change(
    "takes any epoch", "REG-LEASE-007", (("state.py", 'data["epoch"] != entry["epoch"]', "False"),)
)
LENIENT: dict[str, tuple[str, Callable[[Frame], Frame]]] = {
    "does not cover the cause": ("CORE-SIG-004", without("causationid")),
    "does not cover the correlation": ("CORE-SIG-004", without("correlationid")),
    "verifies data written again": ("CORE-SIG-003", rewritten),
    "takes S beyond the order": ("CORE-SIG-003", reduced),
}


def simulation(factory: Callable[[], Callable[[bytes], bytes]]) -> Simulation:
    found = Simulation(lambda: CallDriver(factory), RULES, 0)
    found.greet()
    return found


def broken(tried: Simulation, row: str, plans: int = PLANS) -> set[str]:
    """The MUST rows that fail until `row` does, in plans of which two thirds are aimed at it and the rest at nothing."""
    found: set[str] = set()
    for number in range(plans):
        violations = tried.run(generate(11, number, None if number % 3 == 2 else row)).judgement.violations
        found |= {broken for violation in violations for broken in violation.rows} - {"CORE-SCH-003"}
        if row in found:
            break
    return found


@pytest.mark.parametrize("attack", ATTACKS, ids=str)
def test_who_is_wrong_is_found_out(attack: Change) -> None:
    assert attack.row in broken(simulation(subject(attack)), attack.row)


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_who_is_right_stays_green(variant: Change) -> None:
    tried = simulation(subject(variant))
    rows = [*AIMS, None, None]
    for number, aim in enumerate(rows):
        judgement = tried.run(generate(5, number, aim)).judgement
        assert [v for v in judgement.violations if v.rows != ["CORE-SCH-003"]] == []


@pytest.mark.parametrize(("row", "reading"), LENIENT.values(), ids=LENIENT.keys())
def test_a_lenient_verifier_is_found_out(row: str, reading: Callable[[Frame], Frame]) -> None:
    patch = Patch()

    def lenient(original: Any, frame: Frame) -> None:
        try:
            original(frame)
        except RemoteProtocolError:
            if "comitysig" not in frame.attributes:
                raise
            original(reading(frame))

    patch.around(inbox, "verify_frame", lenient)
    try:
        assert row in broken(simulation(reference), row)
        assert patch.hits
    finally:
        patch.undo()


def test_garbage_now_and_then_costs_single_cases_and_hides_nothing() -> None:
    lines = 0

    def factory() -> Callable[[bytes], bytes]:
        inner = subject(STALE)()

        def answer(line: bytes) -> bytes:
            nonlocal lines
            lines += 1
            return b"<html>" if lines % 4001 == 0 else inner(line)

        return answer

    report = certify(lambda: CallDriver(factory), plans=240)
    rows = {row["id"]: row["cells"]["sim"] for row in report.data["requirements"]}
    assert rows["DRV-LINE-003"]["violations"] in (1, 2, 3)
    assert rows["REG-LEASE-007"]["verdict"] == "fail"
    assert all(cell["fired"] for cell in rows.values() if cell["verdict"] == "fail")
    assert any("<html>" in example["seen"] for example in report.data["counterexamples"])
    assert rows["REG-QRY-002"]["verdict"] == "pass"
