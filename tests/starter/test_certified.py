"""The suite certifies the starter, and names each deliberate defect of it by requirement, with a short case."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from comity.conformance import certify, starter

from .defects import DEFECTS, Defect

PLANS, MOST_OPERATIONS = 240, 8
FEW = 40
"""Plans that most defects do not survive; the others meet all `PLANS`."""


def _certified(files: dict[str, str], directory: Path, plans: int = PLANS) -> Any:
    for name, text in files.items():
        (directory / name).write_text(text, encoding="utf-8")
    command = shlex.join([sys.executable, "-ESs", str(directory / "registry.py")])
    return certify(f"stdio:{command}", plans=plans, seed=20261121).data


@pytest.mark.slow
def test_the_starter_is_conformant(tmp_path: Path) -> None:
    report = _certified(starter.files("registry"), tmp_path)
    wrong = {
        row["id"]: row["cells"] for row in report["requirements"] if row["cells"]["sim"]["verdict"] != "pass"
    }
    assert all(cells["sim"]["verdict"] == "n/a" for cells in wrong.values()), wrong
    assert (report["verdict"], report["exit"]) == ("conformant", 0)


@pytest.mark.slow
@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name.replace(" ", "-"))
def test_a_defect_is_named_with_a_short_case(defect: Defect, tmp_path: Path) -> None:
    files = defect.applied(starter.files("registry"))
    report = _certified(files, tmp_path, FEW)
    if defect.requirement not in _failed(report):
        report = _certified(files, tmp_path)
    assert report["exit"] == 1
    assert defect.requirement in _failed(report)
    cases = [
        found
        for found in report["counterexamples"]
        if defect.requirement in (found["requirement"], *found["also"])
    ]
    assert cases
    assert min(found["operations"] for found in cases) <= MOST_OPERATIONS


def _failed(report: Any) -> set[str]:
    return {row["id"] for row in report["requirements"] if row["cells"]["sim"]["verdict"] == "fail"}
