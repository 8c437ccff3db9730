"""Checks a YAML document against the JSON Schema of its file format, with file and line.

Responsible for interpreting the keywords that `spec/language/*.schema.json` use; a test holds it against an
independent JSON Schema validator. Not responsible for anything that one file alone cannot show.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from ._json import is_list, is_map
from ._yaml import Document, Where

__all__ = ["LANGUAGE", "check_shape", "violations"]

LANGUAGE = Path(__file__).parent / "_language"

Schema: TypeAlias = dict[str, Any]


class Violation(NamedTuple):
    where: Where
    rule: str
    message: str


_TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
    "string": lambda v: isinstance(v, str),
    "boolean": lambda v: isinstance(v, bool),
    "null": lambda v: v is None,
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "number": lambda v: isinstance(v, int | float) and not isinstance(v, bool),
}


@cache
def _schema(directory: Path, name: str) -> Schema:
    loaded: Schema = json.loads((directory / f"{name}.schema.json").read_text(encoding="utf-8"))
    return loaded


def check_shape(document: Document, name: str, directory: Path = LANGUAGE) -> bool:
    """Report every violation of file format `name`; True when there is none."""
    root = _schema(directory, name)
    found = list(violations(document.data, root, root, ()))
    for where, rule, message in found:
        document.report(where, rule, message)
    return not found


def violations(value: Any, schema: Schema, root: Schema, where: Where) -> Iterator[Violation]:
    """Yield what makes `value` differ from `schema`, whose local references are resolved in `root`."""
    if "$ref" in schema:
        yield from violations(value, root["$defs"][schema["$ref"].rpartition("/")[2]], root, where)
    if "oneOf" in schema:
        yield from _one_of(value, schema["oneOf"], root, where)
    types = schema.get("type", [])
    if types and not any(_TYPES[t](value) for t in ([types] if isinstance(types, str) else types)):
        yield Violation(
            where, "shape.type", f"expected {types if isinstance(types, str) else ' or '.join(types)}"
        )
        return
    if "enum" in schema and not any(type(value) is type(v) and value == v for v in schema["enum"]):
        yield Violation(
            where, "shape.value", f"{value!r} is not one of {', '.join(map(str, schema['enum']))}"
        )
    elif is_map(value):
        yield from _object(value, schema, root, where)
    elif is_list(value):
        yield from _array(value, schema, root, where)
    else:
        yield from _scalar(value, schema, where)


def _one_of(value: Any, options: list[Schema], root: Schema, where: Where) -> Iterator[Violation]:
    outcomes = [list(violations(value, option, root, where)) for option in options]
    matching = sum(not found for found in outcomes)
    if matching > 1:
        yield Violation(where, "shape.value", "matches more than one of the allowed forms")
    elif not matching:
        yield from min(outcomes, key=len)


def _object(value: dict[str, Any], schema: Schema, root: Schema, where: Where) -> Iterator[Violation]:
    properties: dict[str, Schema] = schema.get("properties", {})
    for key in schema.get("required", []):
        if key not in value:
            yield Violation(where, "shape.missing-key", f"missing key {key!r}")
    if len(value) < schema.get("minProperties", 0):
        yield Violation(where, "shape.value", f"needs at least {schema['minProperties']} member")
    others = schema.get("additionalProperties", True)
    for key, item in value.items():
        inside = (*where, key)
        for problem in violations(key, schema.get("propertyNames", {}), root, inside):
            yield problem._replace(message=f"key {key!r} does not have the form of a name here")
        if key in properties:
            yield from violations(item, properties[key], root, inside)
        elif others is False:
            known = ", ".join(properties)
            yield Violation(inside, "shape.unknown-key", f"unknown key {key!r}; known here: {known}")
        elif is_map(others):
            yield from violations(item, others, root, inside)


def _array(value: list[Any], schema: Schema, root: Schema, where: Where) -> Iterator[Violation]:
    if len(value) < schema.get("minItems", 0):
        yield Violation(where, "shape.value", f"needs at least {schema['minItems']} item")
    for index, item in enumerate(value):
        yield from violations(item, schema.get("items", {}), root, (*where, index))


def _scalar(value: Any, schema: Schema, where: Where) -> Iterator[Violation]:
    if "pattern" in schema and isinstance(value, str) and not _matches(schema["pattern"], value):
        yield Violation(where, "shape.value", f"{value!r} does not match {schema['pattern']}")
    if isinstance(value, int | float) and not isinstance(value, bool):
        if value < schema.get("minimum", value):
            yield Violation(where, "shape.value", f"{value} is below {schema['minimum']}")
        if value > schema.get("maximum", value):
            yield Violation(where, "shape.value", f"{value} is above {schema['maximum']}")


def _matches(pattern: str, value: str) -> bool:
    return re.search(pattern, value) is not None and not value.endswith("\n")
