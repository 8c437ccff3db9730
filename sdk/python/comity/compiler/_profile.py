"""The strict JSON profile: turns the `$defs` of a messages file into types, and refuses what is outside.

Responsible for the rules that keep a payload the same in every language: closed, bounded, null-free unless
said, one discriminated kind of union. Not responsible for references (see `_references`).
"""

from __future__ import annotations

import keyword
import math
from collections.abc import Callable
from typing import Any

from ._builtins import MAX_INTEGER
from ._ir import (
    Array,
    Boolean,
    Choice,
    Definition,
    Field,
    Integer,
    MessageMeta,
    Nullable,
    Number,
    Record,
    Ref,
    Text,
    Type,
    Union,
)
from ._json import is_list
from ._pattern import PatternError, parse_pattern, samples
from ._yaml import Document, Where

__all__ = ["definitions", "names", "parse_type"]

_COMMON = {"type", "description", "x-field", "x-requirement", "x-since", "x-deprecated", "x-message"}
_KEYWORDS = {
    "string": {"minLength", "maxLength", "pattern", "enum", "const"},
    "integer": {"minimum", "maximum", "const"},
    "number": {"minimum", "maximum"},
    "boolean": set[str](),
    "array": {"items", "minItems", "maxItems", "uniqueItems"},
    "object": {"properties", "required", "additionalProperties"},
    "$ref": {"$ref"},
    "oneOf": {"oneOf"},
}
_TAKEN = frozenset(
    ("Annotated", "ClassVar", "Final", "Literal", "Mapping", "TypeAlias", "MISSING", "MESSAGES", "CHANNELS")
) | {"None", "True", "False"}
_RESERVED = frozenset(keyword.kwlist) | {"model_config", "model_fields"}


def names(value: Any) -> tuple[str, ...]:
    """A name or a list of names as a tuple."""
    return (value,) if isinstance(value, str) else tuple(value)


def definitions(document: Document) -> dict[str, Definition]:
    """Parse every definition; complaints go to the document's log."""
    result: dict[str, Definition] = {}
    for name, schema in document.data["$defs"].items():
        where: Where = ("$defs", name)
        if name in _TAKEN:
            document.report(
                where, "profile.definition-name", f"{name!r} is a reserved word in a generated language"
            )
        kind = parse_type(document, where, schema)
        meta = schema.get("x-message")
        if meta is not None and not isinstance(kind, Record):
            document.report((*where, "x-message"), "profile.message", f"message {name} must be an object")
        result[name] = Definition(
            name,
            kind,
            schema,
            schema.get("description", "").strip(),
            _meta(meta) if meta is not None else None,
            tuple(schema.get("x-requirement", ())),
        )
    return result


def _meta(meta: dict[str, Any]) -> MessageMeta:
    return MessageMeta(
        names(meta["from"]),
        names(meta["to"]),
        meta["kind"],
        meta.get("write", False),
        meta.get("safe", not meta.get("write", False)),
        tuple(meta.get("replies", ())),
    )


def parse_type(document: Document, where: Where, schema: dict[str, Any]) -> Type:
    """The type that `schema` means. What is wrong is reported, and a harmless type stands in for it."""
    kind, nullable = _kind(document, where, schema)
    for key in schema.keys() - _KEYWORDS[kind] - _COMMON:
        document.report((*where, key), "profile.keyword", f"{key!r} has no place in a schema of kind {kind}")
    parsed = _PARSERS[kind](document, where, schema)
    return Nullable(parsed) if nullable else parsed


def _kind(document: Document, where: Where, schema: dict[str, Any]) -> tuple[str, bool]:
    for combinator in ("$ref", "oneOf"):
        if combinator in schema:
            if "type" in schema:
                document.report(
                    (*where, "type"), "profile.keyword", f"'type' has no place beside {combinator!r}"
                )
            return combinator, False
    kind = schema.get("type")
    nullable = is_list(kind)
    if is_list(kind):
        others = [k for k in kind if k != "null"]
        if len(kind) != 2 or len(others) != 1:
            document.report((*where, "type"), "profile.type", 'a list of types may only be [X, "null"]')
        kind = others[0] if others else "boolean"
    if kind is None and "const" in schema:
        kind = "integer" if isinstance(schema["const"], int) else "string"
    if kind is None and "enum" in schema:
        kind = "string"
    if kind not in _KEYWORDS or kind in ("$ref", "oneOf"):
        document.report(
            where, "profile.type", f"type {kind!r} is not one of {', '.join(list(_KEYWORDS)[:6])}"
        )
        kind = "boolean"
    return kind, nullable


def _text(document: Document, where: Where, schema: dict[str, Any]) -> Type:
    if "const" in schema or "enum" in schema:
        return _choice(document, where, schema)
    if "maxLength" not in schema:
        document.report(where, "profile.unbounded", "a string needs maxLength, enum or const")
    pattern = schema.get("pattern")
    if pattern is not None:
        try:
            node = parse_pattern(pattern)
            if "maxLength" in schema and not samples(node, schema.get("minLength", 0), schema["maxLength"]):
                document.report(
                    (*where, "pattern"), "profile.pattern", f"pattern {pattern} and the lengths leave nothing"
                )
        except PatternError as error:
            document.report((*where, "pattern"), "profile.pattern", f"pattern {pattern} {error}")
            pattern = None
    low, high = schema.get("minLength", 0), schema.get("maxLength", 0)
    if "maxLength" in schema and low > high:
        document.report((*where, "minLength"), "profile.bounds", f"minLength {low} is above maxLength {high}")
    return Text(low, high, pattern)


def _choice(document: Document, where: Where, schema: dict[str, Any]) -> Type:
    values = [schema["const"]] if "const" in schema else schema["enum"]
    others = schema.keys() & {"minLength", "maxLength", "pattern"}
    if ("const" in schema and "enum" in schema) or others:
        document.report(
            where, "profile.keyword", "an enum or a const stands alone, without other restrictions"
        )
    if not all(isinstance(v, str) for v in values) or len(set(values)) != len(values):
        document.report(
            where, "profile.type", "the values of a string enum or const must be different strings"
        )
        return Choice(("",))
    return Choice(tuple(values))


def _integer(document: Document, where: Where, schema: dict[str, Any]) -> Type:
    if "const" in schema:
        value = schema["const"]
        if isinstance(value, bool) or not isinstance(value, int):
            document.report((*where, "const"), "profile.type", f"const {value!r} is not an integer")
            value = 0
        return Integer(value, value)
    low, high = _bounds(document, where, schema)
    for key, bound in (("minimum", low), ("maximum", high)):
        if not isinstance(bound, int) or abs(bound) > MAX_INTEGER:
            message = f"{key} {bound} of an integer is not an integer within ±(2^53−1)"
            document.report((*where, key), "profile.bounds", message)
    return Integer(int(low), int(high))


def _number(document: Document, where: Where, schema: dict[str, Any]) -> Type:
    low, high = _bounds(document, where, schema)
    if not (math.isfinite(low) and math.isfinite(high)):
        document.report(where, "profile.bounds", "the bounds of a number must be finite")
    return Number(float(low), float(high))


def _bounds(document: Document, where: Where, schema: dict[str, Any]) -> tuple[float, float]:
    for key in ("minimum", "maximum"):
        if key not in schema:
            document.report(where, "profile.unbounded", f"a number needs {key}")
    low, high = schema.get("minimum", 0), schema.get("maximum", 0)
    if "minimum" in schema and "maximum" in schema and low > high:
        document.report((*where, "minimum"), "profile.bounds", f"minimum {low} is above maximum {high}")
    return low, high


def _boolean(document: Document, where: Where, schema: dict[str, Any]) -> Type:
    return Boolean()


def _array(document: Document, where: Where, schema: dict[str, Any]) -> Type:
    if "maxItems" not in schema:
        document.report(where, "profile.unbounded", "an array needs maxItems")
    if "items" not in schema:
        document.report(where, "profile.unbounded", "an array needs items")
        return Array(Boolean(), 0, 0)
    items = parse_type(document, (*where, "items"), schema["items"])
    low, high = schema.get("minItems", 0), schema.get("maxItems", 0)
    if "maxItems" in schema and low > high:
        document.report((*where, "minItems"), "profile.bounds", f"minItems {low} is above maxItems {high}")
    return Array(items, low, high, schema.get("uniqueItems", False))


def _record(document: Document, where: Where, schema: dict[str, Any]) -> Type:
    if "additionalProperties" not in schema:
        document.report(where, "profile.open", "an object needs additionalProperties: false")
    if where[0] == "$defs" and len(where) > 2:
        document.report(where, "profile.inline-object", "an object needs a name of its own under $defs")
    properties = schema.get("properties", {})
    required = schema.get("required", [])
    for index, name in enumerate(required):
        if name not in properties:
            document.report(
                (*where, "required", index), "profile.required", f"required {name!r} is no property"
            )
    numbers: dict[int, str] = {}
    fields = [
        _field(document, (*where, "properties", name), name, inner, name in required, numbers)
        for name, inner in properties.items()
    ]
    return Record(tuple(sorted(fields, key=lambda f: f.number)))


def _field(
    document: Document,
    where: Where,
    name: str,
    schema: dict[str, Any],
    required: bool,
    numbers: dict[int, str],
) -> Field:
    if name in _RESERVED:
        document.report(
            where, "profile.property-name", f"{name!r} is a reserved word in a generated language"
        )
    number = schema.get("x-field", 0)
    if not number:
        document.report(where, "profile.field-number", f"property {name!r} needs an x-field number")
    elif 19000 <= number <= 19999:
        document.report(where, "profile.field-number", f"x-field {number} is reserved by Protobuf")
    elif number in numbers:
        document.report(where, "profile.field-number", f"x-field {number} is taken by {numbers[number]!r}")
    numbers.setdefault(number, name)
    kind = parse_type(document, where, schema)
    about = schema.get("description", "").strip()
    return Field(name, kind, number, required, about, schema.get("x-since"), schema.get("x-deprecated"))


def _ref(document: Document, where: Where, schema: dict[str, Any]) -> Type:
    text: str = schema["$ref"]
    family, _, rest = text.partition("#/")
    name = rest if family == "comity" else rest.removeprefix("$defs/")
    if "#/" not in text or not name or (family != "comity" and not rest.startswith("$defs/")):
        document.report(
            (*where, "$ref"), "ref.form", f"{text!r} is neither #/$defs/X, family#/$defs/X nor comity#/X"
        )
    return Ref(family, name)


def _union(document: Document, where: Where, schema: dict[str, Any]) -> Type:
    refs = [_ref(document, (*where, "oneOf", i), option) for i, option in enumerate(schema["oneOf"])]
    return Union("", tuple(("", ref) for ref in refs if isinstance(ref, Ref)))


_PARSERS: dict[str, Callable[[Document, Where, dict[str, Any]], Type]] = {
    "string": _text,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "array": _array,
    "object": _record,
    "$ref": _ref,
    "oneOf": _union,
}
