"""The join of requirements, properties, mutants and source features, and the page that it makes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity.cli._coverage import Feature, System, coverage_markdown, coverage_rows, join, load_sources, render
from comity.sdk.errors import ConfigError, SpecError

ROOT = Path(__file__).resolve().parents[2]

ROWS = [
    {
        "id": "ONE-A-001",
        "level": "MUST",
        "role": "registry",
        "profile": "core",
        "observe": "wire",
        "text": "…",
    },
    {
        "id": "ONE-A-002",
        "level": "SHOULD",
        "role": "registry",
        "profile": "core",
        "observe": "wire",
        "text": "…",
    },
]
REFERENCED = {"old.find": ["ONE-A-001", "ONE-A-002"], "old.watch": ["ONE-A-001"], "old.half": ["ONE-A-001"]}
SYSTEMS = [
    System(
        "old",
        "An old system: 1 → 2",
        (
            Feature("old.find", "Find a|b", "registry", "Finding"),
            Feature("old.watch", "Watch", "registry", "Watching"),
            Feature("old.half", "Half", "registry", "Halves", lacks="the other half"),
            Feature("old.tool", "Tool", "sdk", "Tools", tests=("tests/there.py",)),
            Feature("old.gone", "Gone", "sdk", "Tools", tests=("tests/gone.py",)),
            Feature("old.dream", "Dream", "mesh-memory", "Dreams"),
        ),
    )
]
NAMES = st.dictionaries(
    st.sampled_from(["ONE-A-001", "ONE-A-002"]), st.lists(st.text("abc", min_size=1), max_size=3)
)


def page(properties: dict[str, list[str]]) -> str:
    return render(SYSTEMS, join(ROWS, properties, {}), REFERENCED, lambda path: path == "tests/there.py")


def state(text: str, feature: str) -> str:
    (line,) = [line for line in text.splitlines() if f"`{feature}`" in line]
    return line.rstrip(" |").rpartition("| ")[2]


def test_rows_have_the_columns_of_the_command() -> None:
    rows = join(ROWS, {"ONE-A-001": ["b", "a"]}, {"ONE-A-001": ["m"]})
    expected = {"id": "ONE-A-001", "level": "MUST", "role": "registry", "profile": "core", "observe": "wire"}
    assert rows[0] == {**expected, "properties": ["a", "b"], "mutants": ["m"]}
    assert rows[1]["properties"] == []
    assert rows[1]["mutants"] == []


def test_a_property_without_a_requirement_is_an_error() -> None:
    with pytest.raises(SpecError, match="NONE-1"):
        join(ROWS, {"NONE-1": ["a"]}, {})
    with pytest.raises(SpecError, match="NONE-2"):
        join(ROWS, {}, {"NONE-2": ["m"]})


def test_states() -> None:
    text = page({"ONE-A-001": ["first"]})
    assert state(text, "old.find") == "**partly**"
    assert state(text, "old.watch") == "**covered**"
    assert state(text, "old.half") == "**partly**: lacks the other half"
    assert state(text, "old.tool") == "**covered**"
    assert state(text, "old.gone") == "**open**"
    assert state(text, "old.dream") == "**open**"
    assert "| [An old system: 1 → 2](#an-old-system-1--2) | 6 | 2 | 2 | 2 |" in text
    assert "| MUST | 1 | 1 | 0 |" in text
    assert "| SHOULD | 1 | 0 | 0 |" in text


@given(NAMES)
def test_covered_needs_a_property_for_each_requirement(properties: dict[str, list[str]]) -> None:
    text = page(properties)
    for feature, ids in REFERENCED.items():
        all_proved = all(properties.get(each) for each in ids)
        assert state(text, feature).startswith("**covered**") == (all_proved and feature != "old.half")


def test_cells_survive_the_separator_of_tables() -> None:
    (line,) = [line for line in page({}).splitlines() if "old.find" in line]
    assert line.replace("\\|", "").count("|") == 6


def test_a_requirement_that_names_an_unknown_feature_is_an_error() -> None:
    with pytest.raises(SpecError, match=r"old\.lost"):
        render(SYSTEMS, join(ROWS, {}, {}), {"old.lost": ["ONE-A-001"]}, lambda _: False)


@pytest.mark.parametrize(
    ("feature", "complaint"),
    [
        ("{id: old.a, feature: A, family: sdk}", "missing \\['see'\\]"),
        ("{id: old.a, feature: A, family: sdk, see: S, sea: S}", "unknown \\['sea'\\]"),
        ("{id: new.a, feature: A, family: sdk, see: S}", "an id starts with its system's"),
        ("{id: old.a, feature: A, family: cooking, see: S}", "a family is one of"),
        ("{id: old.b, feature: A, family: sdk, see: S}", "two features are named old.b"),
    ],
)
def test_a_bad_table_is_named(feature: str, complaint: str) -> None:
    good = "{id: old.b, feature: B, family: sdk, see: S}"
    with pytest.raises(SpecError, match=complaint):
        load_sources(f"sources: [{{id: old, title: Old, features: [{good}, {feature}]}}]")


def test_elsewhere_the_command_says_where_to_run_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="top of a checkout"):
        coverage_markdown(tmp_path)


def test_every_requirement_of_the_spec_has_a_row() -> None:
    ids = {str(row["id"]) for row in coverage_rows()}
    index = ROOT.glob("sdk/python/comity/sdk/_generated/*/spec.json")
    specs = [json.loads(path.read_text(encoding="utf-8")) for path in index]
    assert ids == {row["id"] for compiled in specs for row in compiled["requirements"]}
    assert {"CORE-ENV-001", "REG-LEASE-007", "DRV-LINE-001"} <= ids


def test_every_test_that_a_feature_names_exists() -> None:
    systems = load_sources((ROOT / "spec" / "sources.yaml").read_text(encoding="utf-8"))
    named = {path for system in systems for feature in system.features for path in feature.tests}
    assert {path for path in named if not (ROOT / path).is_file()} == set()


def test_the_page_is_current() -> None:
    committed = (ROOT / "docs" / "coverage.md").read_text(encoding="utf-8")
    assert committed == coverage_markdown(ROOT), "run: comity spec coverage --write docs/coverage.md"
