"""Holds a JSON value against a type of the profile.

Responsible for checking data that stands in spec files (parameter defaults, traces) and for checking the
compiler's own vectors. Not responsible for the wire: bindings and JSON Schema do that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ._builtins import value_fault
from ._ir import Array, Boolean, Choice, Integer, Nullable, Number, Record, Ref, Spec, Text, Type, Union
from ._json import is_list, is_map
from ._yaml import Where

__all__ = ["faults"]


def faults(
    spec: Spec, kind: Type, value: Any, where: Where = (), *, partial: bool = False
) -> Iterator[tuple[Where, str]]:
    """Yield where and why `value` is not a `kind`. With `partial`, `"$name"` stands for anything and members may miss."""
    if partial and isinstance(value, str) and value.startswith("$"):
        return
    if isinstance(kind, Ref) and kind.family == "comity":
        fault = value_fault(kind.name, value)
        if fault:
            yield where, fault
        return
    resolved, owner = spec.resolve(kind)
    if isinstance(resolved, Nullable):
        if value is not None:
            yield from faults(owner, resolved.inner, value, where, partial=partial)
    elif isinstance(resolved, Record):
        yield from _record(owner, resolved, value, where, partial)
    elif isinstance(resolved, Array):
        yield from _array(owner, resolved, value, where, partial)
    elif isinstance(resolved, Union):
        yield from _union(owner, resolved, value, where, partial)
    else:
        fault = _scalar(resolved, value)
        if fault:
            yield where, fault


def _record(spec: Spec, kind: Record, value: Any, where: Where, partial: bool) -> Iterator[tuple[Where, str]]:
    if not is_map(value):
        yield where, "is no object"
        return
    for name in value:
        if kind.field(name) is None:
            yield (*where, name), f"unknown member {name!r}"
    for field in kind.fields:
        if field.name in value:
            yield from faults(spec, field.type, value[field.name], (*where, field.name), partial=partial)
        elif field.required and not partial:
            yield where, f"lacks {field.name!r}"


def _array(spec: Spec, kind: Array, value: Any, where: Where, partial: bool) -> Iterator[tuple[Where, str]]:
    if not is_list(value):
        yield where, "is no array"
        return
    if not kind.min_items <= len(value) <= kind.max_items:
        yield where, f"has {len(value)} items, not {kind.min_items} to {kind.max_items}"
    if kind.unique and any(item in value[:i] for i, item in enumerate(value)):
        yield where, "has an item twice"
    for index, item in enumerate(value):
        yield from faults(spec, kind.items, item, (*where, index), partial=partial)


def _union(spec: Spec, kind: Union, value: Any, where: Where, partial: bool) -> Iterator[tuple[Where, str]]:
    tag = value.get(kind.tag) if is_map(value) else None
    for constant, ref in kind.variants:
        if tag == constant:
            yield from faults(spec, ref, value, where, partial=partial)
            return
    if not (partial and is_map(value) and tag is None):
        yield where, f"{kind.tag!r} is none of {', '.join(c for c, _ in kind.variants)}"


def _scalar(kind: Type, value: Any) -> str | None:
    if isinstance(kind, Boolean):
        return None if isinstance(value, bool) else "is no boolean"
    if isinstance(kind, Choice):
        return (
            None
            if isinstance(value, str) and value in kind.values
            else f"{value!r} is none of {', '.join(kind.values)}"
        )
    if isinstance(kind, Text):
        return _text(kind, value)
    if isinstance(kind, Integer | Number):
        types = int if isinstance(kind, Integer) else (int, float)
        if isinstance(value, bool) or not isinstance(value, types):
            return "is no integer" if isinstance(kind, Integer) else "is no number"
        return (
            None
            if kind.minimum <= value <= kind.maximum
            else f"{value} is not in {kind.minimum} to {kind.maximum}"
        )
    raise AssertionError(kind)


def _text(kind: Text, value: Any) -> str | None:
    if not isinstance(value, str):
        return "is no string"
    if not kind.min_length <= len(value) <= kind.max_length:
        return f"has {len(value)} characters, not {kind.min_length} to {kind.max_length}"
    if kind.pattern is not None and not re.search(f"{kind.pattern[:-1]}\\Z", value):
        return f"does not match {kind.pattern}"
    return None
