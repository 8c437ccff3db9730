"""JSON Schema (an independent validator) and the Pydantic models accept and refuse the same values.

At least 2,000 for each message: random values, random near-misses, and every single-rule near-miss of each random
value; and all published vectors. `COMITY_AGREEMENT_EXAMPLES` asks for another number.
"""

from __future__ import annotations

import importlib
import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from comity.compiler import Spec
from comity.compiler import load as compile_spec
from comity.compiler._examples import misses
from comity.compiler._ir import Ref
from comity.sdk.spec import load

ROOT = Path(__file__).parents[2]
FAMILIES = ("core", "registry", "driver")
EXAMPLES = int(os.environ.get("COMITY_AGREEMENT_EXAMPLES", "2000"))
BATCH = 20
MESSAGES = [(family, name) for family in FAMILIES for name in load(family).messages]

RANDOM = settings(
    max_examples=max(1, EXAMPLES // (8 * BATCH)),
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
EMPTY = {"Crash", "Reset", "Stop"}  # without members there is little to vary


@cache
def source(family: str) -> Spec:
    return compile_spec(ROOT / "spec" / family / "v1")


def judges(family: str, name: str) -> tuple[Any, Any]:
    model = importlib.import_module(f"comity.sdk._generated.{family}_v1.messages").MESSAGES[name]
    schema = json.loads((ROOT / f"schemas/json/{family}-{load(family).version}/{name}.json").read_text())
    return model, jsonschema_rs.validator_for(schema)


def verdicts(model: Any, validator: Any, value: Any) -> tuple[bool, bool]:
    try:
        model.model_validate(value)
    except ValidationError:
        return False, validator.is_valid(value)
    return True, validator.is_valid(value)


@pytest.mark.slow
@pytest.mark.parametrize(("family", "name"), MESSAGES, ids=[f"{f}-{n}" for f, n in MESSAGES])
def test_both_judges_agree_on_generated_values(family: str, name: str) -> None:
    strategies = importlib.import_module(f"comity.conformance._generated.{family}_v1_strategies")
    model, validator = judges(family, name)

    checked = 0

    @seed(1)
    @RANDOM
    @given(
        st.lists(strategies.valid(name), min_size=BATCH, max_size=BATCH),
        st.lists(strategies.near_miss(name), min_size=BATCH, max_size=BATCH),
    )
    def agree(valid: list[Any], near: list[tuple[Any, str]]) -> None:
        nonlocal checked
        for value in valid:
            assert verdicts(model, validator, value) == (True, True), value
            assert model.model_validate(value).model_dump(by_alias=True) == value
            near += [(miss.value, miss.rule) for miss in misses(source(family), Ref("", name), value)]
        for value, rule in near:
            assert verdicts(model, validator, value) == (False, False), (rule, value)
        checked += len(valid) + len(near)

    agree()
    assert checked >= EXAMPLES or name in EMPTY


@pytest.mark.parametrize("family", FAMILIES)
def test_both_judges_agree_on_the_vectors(family: str) -> None:
    version = load(family).version
    vectors = json.loads((ROOT / f"schemas/vectors/{family}-{version}.json").read_text())
    assert vectors["messages"].keys() == load(family).messages.keys()
    for name, group in vectors["messages"].items():
        model, validator = judges(family, name)
        for value in group["valid"]:
            assert verdicts(model, validator, value) == (True, True), (name, value)
        for row in group["invalid"]:
            assert verdicts(model, validator, row["data"]) == (False, False), (name, row)
        assert {"additionalProperties"} <= {row["rule"] for row in group["invalid"]}


def test_the_compiled_schema_says_the_same_as_the_standalone_ones() -> None:
    vectors = json.loads((ROOT / "schemas/vectors/registry-1.0.json").read_text())
    for name, group in vectors["messages"].items():
        validator = jsonschema_rs.validator_for(load("registry").message_schema(name))
        assert all(validator.is_valid(value) for value in group["valid"])
        assert not any(validator.is_valid(row["data"]) for row in group["invalid"])


def test_near_misses_of_every_rule_are_drawn() -> None:
    strategies = importlib.import_module("comity.conformance._generated.registry_v1_strategies")
    drawn: set[str] = set()

    @seed(1)
    @settings(RANDOM, max_examples=60)
    @given(st.lists(strategies.near_miss("Update"), min_size=BATCH, max_size=BATCH))
    def collect(near: list[tuple[Any, str]]) -> None:
        drawn.update(rule for _, rule in near)

    collect()
    wanted = {
        "required",
        "additionalProperties",
        "type",
        "null",
        "pattern",
        "minimum",
        "maximum",
        "maxItems",
        "enum",
    }
    assert wanted <= drawn
