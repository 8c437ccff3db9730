"""Deterministic values of a type: valid ones, and near-misses that break one rule each.

Responsible for what test vectors and generated strategies have in common. Not responsible for random values.
A near-miss is `(rule, value)`; its rule is the JSON Schema keyword that it breaks, or `null` or `type`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from ._builtins import MAX_INTEGER, value_fault
from ._ir import Array, Boolean, Choice, Integer, Nullable, Number, Record, Ref, Spec, Text, Type, Union
from ._json import is_list, is_map
from ._pattern import parse_pattern, samples
from ._values import faults

__all__ = ["VARIANTS", "Miss", "example", "leaf_misses", "misses", "open_misses", "texts"]

VARIANTS = 4
_LONGEST = 5000
_DEEPEST = 6


class Miss(NamedTuple):
    """One broken value: the rule, a JSON pointer to where it is broken, and the whole value."""

    rule: str
    pointer: str
    value: Any


def example(spec: Spec, kind: Type, variant: int, depth: int = 0) -> Any:
    """Valid value number `variant`: 0 is the least, later ones are fuller."""
    if isinstance(kind, Ref) and kind.family == "comity":
        return _open(kind.name, variant)
    resolved, owner = spec.resolve(kind)
    if isinstance(resolved, Nullable):
        return example(owner, resolved.inner, variant, depth) if variant else None
    if isinstance(resolved, Record):
        fields = [f for f in resolved.fields if f.required or (variant and depth < _DEEPEST)]
        return {f.name: example(owner, f.type, variant, depth + 1) for f in fields}
    if isinstance(resolved, Array):
        return _items(owner, resolved, variant, depth)
    if isinstance(resolved, Union):
        _, ref = resolved.variants[variant % len(resolved.variants)]
        return example(owner, ref, variant, depth)
    return _leaf(resolved, variant)


def _items(spec: Spec, kind: Array, variant: int, depth: int) -> list[Any]:
    count = min(kind.max_items, max(kind.min_items, variant if depth < _DEEPEST else 0))
    items: list[Any] = []
    for index in range(count + VARIANTS):
        item = example(spec, kind.items, variant + index, depth + 1)
        if len(items) < count and not (kind.unique and item in items):
            items.append(item)
    return items


def _leaf(kind: Type, variant: int) -> Any:
    if isinstance(kind, Boolean):
        return bool(variant % 2)
    if isinstance(kind, Choice):
        return kind.values[variant % len(kind.values)]
    if isinstance(kind, Text):
        found = texts(kind)
        return found[variant % len(found)]
    if isinstance(kind, Integer | Number):
        middle = (
            (kind.minimum + kind.maximum) // 2
            if isinstance(kind, Integer)
            else (kind.minimum + kind.maximum) / 2
        )
        return (kind.minimum, kind.maximum, middle, min(kind.minimum + 1, kind.maximum))[variant % 4]
    raise AssertionError(kind)


def texts(kind: Text) -> list[str]:
    """A few valid strings of `kind`, shortest first."""
    if kind.pattern is not None:
        return samples(parse_pattern(kind.pattern), kind.min_length, kind.max_length)
    lengths = {kind.min_length, min(kind.min_length + 3, kind.max_length), min(32, kind.max_length)}
    return ["é" * n if n == 3 else "x" * n for n in sorted(lengths) if n >= kind.min_length]


def _open(name: str, variant: int) -> Any:
    inner: Any = {"zone": "a", "n": 1}
    maps: list[Any] = [
        {},
        {"zone": "a"},
        {"nested": {"list": [1, 2.5, True, "x", [], {}]}},
        {"deep": _nested(6), **inner},
    ]
    return maps[variant % 4] if name == "Map" else ["", 1, [True, -0.5], {"nested": [inner]}][variant % 4]


def _nested(depth: int) -> Any:
    return [_nested(depth - 1)] if depth else []


# --------------------------------------------------------------- near-misses


def leaf_misses(spec: Spec, kind: Type) -> list[tuple[str, Any]]:
    """Values that break one rule of `kind` itself, not of what is inside it."""
    found: dict[str, tuple[str, Any]] = {}
    for rule, value in _candidates(spec, kind):
        if any(True for _ in faults(spec, kind, value)):
            found.setdefault(repr(value), (rule, value))
    return list(found.values())


def open_misses(name: str) -> list[tuple[str, Any]]:
    """Values that are no `Value` or no `Map`."""
    found = [*_wrong_types("object" if name == "Map" else "any"), *_open_candidates(name)]
    return [(rule, value) for rule, value in found if value_fault(name, value)]


def _wrong_types(wanted: str) -> Iterator[tuple[str, Any]]:
    yield "null", None
    values: list[Any] = [True, 7, 0.5, "x", [], {}]
    for value in values:
        name = _name(value)
        if wanted not in (name, "any") and (name, wanted) != ("integer", "number"):
            yield "type", value


def _candidates(spec: Spec, kind: Type) -> Iterator[tuple[str, Any]]:
    resolved, _ = spec.resolve(kind)
    inner = resolved.inner if isinstance(resolved, Nullable) else resolved
    if isinstance(inner, Ref):
        yield from open_misses(inner.name)
        return
    yield from _wrong_types(_JSON_TYPES.get(type(inner), "object"))
    if isinstance(inner, Text):
        yield from _text_candidates(inner)
    elif isinstance(inner, Choice):
        for value in inner.values[:2]:
            yield "enum", f"{value}x"
            yield "enum", value.swapcase()
            yield "enum", f"{value}\n"
    elif isinstance(inner, Integer | Number):
        yield "minimum", inner.minimum - 1
        yield "maximum", inner.maximum + 1


def _text_candidates(kind: Text) -> Iterator[tuple[str, Any]]:
    base = texts(kind)[-1]
    if kind.min_length:
        yield "minLength", base[: kind.min_length - 1]
    if kind.max_length < _LONGEST:
        yield "maxLength", (base or "x") * (kind.max_length // max(1, len(base)) + 1)
    if kind.pattern is not None:
        for text in (
            f"{base}\n",
            f"{base} ",
            f" {base}",
            base.swapcase(),
            f"{base}\u00e9",
            "\u0661" + base[1:],
        ):
            if kind.min_length <= len(text) <= kind.max_length:
                yield "pattern", text


def _open_candidates(name: str) -> Iterator[tuple[str, Any]]:
    """Faults inside `Value` and `Map`; each stands in a map, which is both."""
    yield "null", {"a": None}
    yield "depth", {"a": _nested(8)}
    yield "propertyNames", {"a b": 1}
    yield "propertyNames", {"": 1}
    yield "propertyNames", {"a\n": 1}
    yield "maxProperties", {f"k{i}": i for i in range(65)}
    yield "maxItems", {"a": [0] * 257}
    yield "maxLength", {"a": "x" * 4097}
    yield "maximum", {"a": MAX_INTEGER + 1}
    yield "minimum", {"a": -MAX_INTEGER - 1}
    if name == "Value":
        yield "depth", _nested(9)


def _name(value: Any) -> str:
    names = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    return names[type(value)]


_JSON_TYPES: dict[type[Any], str] = {
    Boolean: "boolean",
    Choice: "string",
    Text: "string",
    Integer: "integer",
    Number: "number",
    Array: "array",
}


def misses(spec: Spec, kind: Type, base: Any, pointer: str = "") -> Iterator[Miss]:
    """Every single-rule near-miss of `base`, a valid and full value of `kind`."""
    for rule, value in leaf_misses(spec, kind):
        yield Miss(rule, pointer, value)
    resolved, owner = spec.resolve(kind)
    if isinstance(resolved, Nullable):
        resolved, owner = owner.resolve(resolved.inner)
    if isinstance(resolved, Union) and is_map(base):
        yield from _union_misses(owner, resolved, base, pointer)
    elif isinstance(resolved, Record) and is_map(base):
        yield from _record_misses(owner, resolved, base, pointer)
    elif isinstance(resolved, Array) and is_list(base):
        yield from _array_misses(owner, resolved, base, pointer)


def _record_misses(spec: Spec, kind: Record, base: dict[str, Any], pointer: str) -> Iterator[Miss]:
    yield Miss("additionalProperties", pointer, {**base, "unheard_of": 1})
    for field in kind.fields:
        if field.required:
            yield Miss(
                "required", f"{pointer}/{field.name}", {k: v for k, v in base.items() if k != field.name}
            )
        if field.name in base:
            for rule, at, value in misses(spec, field.type, base[field.name], f"{pointer}/{field.name}"):
                yield Miss(rule, at, {**base, field.name: value})


def _array_misses(spec: Spec, kind: Array, base: list[Any], pointer: str) -> Iterator[Miss]:
    if kind.min_items:
        yield Miss("minItems", pointer, base[: kind.min_items - 1])
    if base and kind.max_items < _LONGEST and not kind.unique:
        yield Miss("maxItems", pointer, (base * (kind.max_items + 1))[: kind.max_items + 1])
    if base and kind.unique and kind.max_items > len(base):
        yield Miss("uniqueItems", pointer, [*base, base[0]])
    if base:
        for rule, at, value in misses(spec, kind.items, base[0], f"{pointer}/0"):
            yield Miss(rule, at, [value, *base[1:]])


def _union_misses(spec: Spec, kind: Union, base: dict[str, Any], pointer: str) -> Iterator[Miss]:
    yield Miss("oneOf", f"{pointer}/{kind.tag}", {**base, kind.tag: "unheard-of"})
    ref = dict(kind.variants)[base[kind.tag]]
    resolved, owner = spec.resolve(ref)
    if isinstance(resolved, Record):
        for miss in _record_misses(owner, resolved, base, pointer):
            if miss.pointer != f"{pointer}/{kind.tag}" or miss.rule == "required":
                yield miss
