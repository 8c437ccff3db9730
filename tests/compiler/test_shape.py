"""The compiler's own check of file formats agrees with an independent JSON Schema validator."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comity.compiler._diagnostics import Log
from comity.compiler._json import is_list, is_map
from comity.compiler._shape import violations
from comity.compiler._yaml import read_yaml
from tests.compiler.support import PINGPONG, ROOT

LANGUAGE = ROOT / "spec" / "language"
FILES = [
    *(
        (file, file.stem)
        for family in (PINGPONG, ROOT / "spec/core/v1", ROOT / "spec/registry/v1")
        for file in family.glob("*.yaml")
    ),
    *((file, "trace") for file in (PINGPONG / "traces").glob("*.yaml")),
]
JUNK: list[Any] = [None, True, 0, -1, 1.5, "x", "Bad Name", "A-B-001", [], ["x"], {}, {"x": 1}]


def schema(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((LANGUAGE / f"{name}.schema.json").read_text())
    return loaded


def places(value: Any, where: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items: list[tuple[Any, Any]] = []
    if is_map(value):
        items = list(value.items())
    elif is_list(value):
        items = list(enumerate(value))
    return [where, *(place for key, item in items for place in places(item, (*where, key)))]


def put(data: Any, where: tuple[Any, ...], value: Any) -> Any:
    if not where:
        return value
    result = copy.deepcopy(data)
    inside = result
    for key in where[:-1]:
        inside = inside[key]
    inside[where[-1]] = value
    return result


@pytest.mark.parametrize(
    "name", sorted(p.name.removesuffix(".schema.json") for p in LANGUAGE.glob("*.schema.json"))
)
def test_the_language_schemas_are_schemas(name: str) -> None:
    jsonschema_rs.meta.validate(schema(name))


@pytest.mark.parametrize(
    ("file", "name"), FILES, ids=lambda v: v.parts[-3] + "-" + v.name if isinstance(v, Path) else v
)
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_both_judges_agree_on_damaged_files(file: Path, name: str, data: st.DataObject) -> None:
    root = schema(name)
    original = read_yaml(file, file.name, Log()).data
    assert list(violations(original, root, root, ())) == []
    where = data.draw(st.sampled_from(places(original)))
    damaged = put(original, where, data.draw(st.sampled_from(JUNK)))
    ours = not list(violations(damaged, root, root, ()))
    assert ours == jsonschema_rs.validator_for(root).is_valid(damaged)
