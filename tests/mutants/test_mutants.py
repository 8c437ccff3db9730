"""The mutants' table, and the kill rule on a few of them; `make mutants` runs them all."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from comity.conformance.law import law
from comity.sdk.spec import load as load_spec
from tests.mutants._patch import MUTANTS, Mutant, Patch, applied
from tests.mutants.run import HERE, index, load, trial

load()


def test_every_must_row_has_a_mutant_and_the_index_is_current() -> None:
    rows = law("registry", "registry").rows | law("registry", "agent").rows
    levels = {row.id: row.level for row in rows.values()}
    levels |= {row["id"]: row["level"] for row in load_spec("core").requirements if row["role"] == "gateway"}
    assert {row for row, level in levels.items() if level == "MUST"} <= index().keys() <= levels.keys()
    assert json.loads((HERE / "index.json").read_text(encoding="utf-8")) == index()


@pytest.mark.parametrize(
    "name",
    [
        "renews-for-a-predecessor",
        "takes-any-cursor",
        "stops-reading-after-the-value",
        "counts-its-lease-from-the-answer",
    ],
)
def test_a_mutant_falls_by_its_own_row_with_a_small_counterexample(name: str) -> None:
    result = trial(MUTANTS[name])
    assert result.verdict == "killed"
    assert result.operations <= 5


def test_a_mutant_that_changes_nothing_survives() -> None:
    harmless = Mutant("REG-UPD-001", "harmless", lambda patch: None)
    assert trial(harmless, plans=10).verdict == "survived"


def _one_more(original: Callable[[object], int], self: object) -> int:
    return original(self) + 1


def test_a_mutant_leaves_the_reference_as_it_was() -> None:
    class Owner:
        def value(self) -> int:
            return 1

    def put_on(patch: Patch) -> None:
        patch.around(Owner, "value", _one_more)

    with applied(Mutant("REG-UPD-001", "one-more", put_on)) as patch:
        assert Owner().value() == 2
        assert patch.hits == 1
    assert Owner().value() == 1
