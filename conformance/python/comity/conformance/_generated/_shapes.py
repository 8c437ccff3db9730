"""Strategies for valid data and for near-misses, as small parts that the generated modules put together.

Responsible for random surroundings of a value that breaks one rule. Not responsible for which values break it:
the compiler computed those from the spec. Written by `make gen`; every edit is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias, cast

from hypothesis import strategies as st

__all__ = ["Shape", "array", "boolean", "choice", "integer", "lazy", "nullable", "number", "open_map", "open_value"]
__all__ += ["record", "text", "union"]

Miss: TypeAlias = tuple[Any, str]
Misses: TypeAlias = Sequence[tuple[str, Any]]


class Shape(NamedTuple):
    """`valid` draws values; `near` draws `(value, rule)` pairs of which each breaks exactly that rule."""

    valid: st.SearchStrategy[Any]
    near: st.SearchStrategy[Miss]


def _leaf(valid: st.SearchStrategy[Any], misses: Misses) -> Shape:
    return Shape(valid, st.sampled_from([(value, rule) for rule, value in misses]))


def text(low: int, high: int, pattern: str | None, samples: Sequence[str], misses: Misses) -> Shape:
    """Mostly one of the compiler's samples, since every random character costs; now and then random text."""
    if pattern is None:
        unusual = st.text(min_size=low, max_size=min(high, low + 8))
    else:
        unusual = st.from_regex(pattern, fullmatch=True).filter(lambda s: low <= len(s) <= high)
    weight = max(1, 8 // len(samples))
    return _leaf(st.one_of([*map(st.just, [*samples] * weight), unusual]), misses)


def choice(values: Sequence[str], misses: Misses) -> Shape:
    return _leaf(st.sampled_from(values), misses)


def integer(low: int, high: int, misses: Misses) -> Shape:
    return _leaf(st.integers(low, high), misses)


def number(low: float, high: float, misses: Misses) -> Shape:
    return _leaf(st.floats(low, high, allow_nan=False, allow_infinity=False), misses)


def boolean(misses: Misses) -> Shape:
    return _leaf(st.booleans(), misses)


def nullable(inner: Shape, misses: Misses) -> Shape:
    near = st.one_of(inner.near.filter(lambda miss: miss[0] is not None), _leaf(inner.valid, misses).near)
    return Shape(st.none() | inner.valid, near)


def lazy(make: Callable[[], Shape]) -> Shape:
    """A shape that is looked up when it is drawn from, so that definitions may refer to one another freely."""
    return Shape(st.deferred(lambda: make().valid), st.deferred(lambda: make().near))


def array(items: Shape, low: int, high: int, misses: Misses, *, unique: bool = False) -> Shape:
    some = min(high, low + 2)
    valid = st.lists(items.valid, min_size=low, max_size=some, unique_by=repr if unique else None)
    options = [_leaf(valid, misses).near]
    if low:
        options.append(valid.map(lambda v: (v[: low - 1], "minItems")))
    if high <= 300 and not unique:
        options.append(items.valid.map(lambda item: ([item] * (high + 1), "maxItems")))
    if high:
        few, many = max(0, low - 1), max(0, some - 1)
        rest = st.lists(items.valid, min_size=few, max_size=many, unique_by=repr if unique else None)
        options.append(st.tuples(items.near, rest).map(lambda pair: ([pair[0][0], *pair[1]], pair[0][1])))
    if unique and high > 1:
        twice = st.lists(items.valid, min_size=1, max_size=max(1, some - 1), unique_by=repr)
        options.append(twice.map(lambda v: ([*v, v[0]], "uniqueItems")))
    return Shape(valid, st.one_of(options))


def record(required: Mapping[str, Shape], optional: Mapping[str, Shape], misses: Misses) -> Shape:
    must = {name: shape.valid for name, shape in required.items()}
    may = {name: shape.valid for name, shape in optional.items()}
    valid = st.fixed_dictionaries(must, optional=may)
    options = [_leaf(valid, misses).near, valid.map(lambda v: ({**v, "unheard_of": 1}, "additionalProperties"))]
    options += [_without(valid, name) for name in required]
    options += [_broken_member(valid, name, shape) for name, shape in {**required, **optional}.items()]
    return Shape(valid, st.one_of(options))


def _without(valid: st.SearchStrategy[Any], name: str) -> st.SearchStrategy[Miss]:
    return valid.map(lambda v: ({key: item for key, item in v.items() if key != name}, "required"))


def _broken_member(valid: st.SearchStrategy[Any], name: str, shape: Shape) -> st.SearchStrategy[Miss]:
    return st.tuples(valid, shape.near).map(lambda pair: ({**pair[0], name: pair[1][0]}, pair[1][1]))


def union(tag: str, variants: Mapping[str, Shape], misses: Misses) -> Shape:
    """Objects told apart by `tag`; a broken tag is a near-miss of the union and not of a variant."""
    valid = st.one_of([shape.valid for shape in variants.values()])
    unknown = valid.map(lambda v: ({**v, tag: "unheard-of"}, "oneOf"))
    inner = [_of_variant(shape, tag, name) for name, shape in variants.items()]
    return Shape(valid, st.one_of([_leaf(valid, misses).near, unknown, *inner]))


def _members(value: Any) -> dict[str, Any] | None:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def _of_variant(shape: Shape, tag: str, name: str) -> st.SearchStrategy[Miss]:
    def still_its_own(miss: Miss) -> bool:
        value = _members(miss[0])
        return value is not None and value.get(tag, name) == name

    return shape.near.filter(still_its_own)


# ------------------------------------------------------------- Value and Map

_BOUND = 2**53 - 1
_SCALARS = st.one_of(
    st.booleans(),
    st.integers(-_BOUND, _BOUND),
    st.floats(-_BOUND, _BOUND, allow_nan=False, allow_infinity=False),
    st.sampled_from(["", "a", "ml.inference", "é\u2028", "\n"]),
    st.text(max_size=4),
)
_EMPTY: list[Any] = []
_VALUE_MISSES: Misses = (("null", None), ("null", {"a": None}), ("depth", {"a": [[[[[[[[_EMPTY]]]]]]]]}), ("propertyNames", {"a b": 1}), ("propertyNames", {"": 1}), ("propertyNames", {"a\n": 1}), ("maxProperties", {f"k{i}": i for i in range(65)}), ("maxItems", {"a": [0] * 257}), ("maxLength", {"a": "x" * 4097}), ("maximum", {"a": 9007199254740992}), ("minimum", {"a": -9007199254740992}), ("depth", [[[[[[[[[_EMPTY]]]]]]]]]))
_MAP_MISSES: Misses = (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", _EMPTY), ("null", {"a": None}), ("depth", {"a": [[[[[[[[_EMPTY]]]]]]]]}), ("propertyNames", {"a b": 1}), ("propertyNames", {"": 1}), ("propertyNames", {"a\n": 1}), ("maxProperties", {f"k{i}": i for i in range(65)}), ("maxItems", {"a": [0] * 257}), ("maxLength", {"a": "x" * 4097}), ("maximum", {"a": 9007199254740992}), ("minimum", {"a": -9007199254740992}))
_KEYS = st.sampled_from(["a", "b", "zone", "K_9", "-", "0", "a" * 64])


def _values(depth: int) -> st.SearchStrategy[Any]:
    if not depth:
        return _SCALARS
    inner = _values(depth - 1)
    return st.one_of(_SCALARS, st.lists(inner, max_size=2), st.dictionaries(_KEYS, inner, max_size=2))


def open_value() -> Shape:
    """`Value`: random ones nest to 2; the deepest allowed stand beside them."""
    deepest: Any = [[[[[[[_EMPTY]]]]]]]
    return _leaf(st.one_of(_values(2), st.just(deepest)), _VALUE_MISSES)


def open_map() -> Shape:
    """`Map`: random ones nest to 2; the deepest allowed stand beside them."""
    deepest: Any = {"a": [[[[[[_EMPTY]]]]]]}
    return _leaf(st.one_of(st.dictionaries(_KEYS, _values(1), max_size=3), st.just(deepest)), _MAP_MISSES)
