"""Whoever implements nothing earns nothing."""

from __future__ import annotations

import pytest

from comity.conformance import AdapterError, certify
from comity.conformance.driver import CallDriver
from tests.conformance.liars import LIARS

# what even an honest adapter of nothing does right: it answers lines, says no to what it does not know, repeats itself
BARE = {"DRV-LINE-001", "DRV-LINE-002", "DRV-LINE-003", "DRV-TIME-001", "DRV-DET-001"}


@pytest.mark.parametrize("name", LIARS)
def test_a_liar_is_refused_and_earns_no_row(name: str) -> None:
    try:
        report = certify(lambda: CallDriver(LIARS[name]), plans=150, shrinking=False)
    except AdapterError:
        return
    earned = {r["id"] for r in report.data["requirements"] if r["cells"]["sim"]["verdict"] == "pass"}
    assert report.exit == 1
    assert earned <= BARE
