"""Filters and orders over entries, as the registry's README defines them; the judge's own reading.

Responsible for whether an entry matches and where it sorts. Not responsible for which entries there are.
"""

from __future__ import annotations

from functools import cmp_to_key
from typing import Any, Final

from ..wire import items_of

__all__ = ["MISSING", "criteria", "kind_of", "matches", "place", "satisfies", "sort_key", "value_at"]

MISSING: Final[Any] = object()
Entry = dict[str, Any]
_KINDS: Final = ("boolean", "number", "string", "list", "map")


def value_at(entry: Entry, path: str) -> Any:
    """The value at a dotted path, or `MISSING`."""
    value: Any = entry
    for key in path.split("."):
        if not isinstance(value, dict) or key not in value:
            return MISSING
        value = value[key]  # pyright: ignore[reportUnknownVariableType]
    return value  # pyright: ignore[reportUnknownVariableType]


def kind_of(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, str):
        return "string"
    return "list" if isinstance(value, list) else "map"


def _equal(a: Any, b: Any) -> bool:
    kind = kind_of(a)
    if kind != kind_of(b):
        return False
    if kind == "list":
        return len(a) == len(b) and all(_equal(x, y) for x, y in zip(a, b, strict=True))
    if kind == "map":
        return a.keys() == b.keys() and all(_equal(a[key], b[key]) for key in a)
    return bool(a == b)


def _ordered(op: str, a: Any, b: Any) -> bool:
    if kind_of(a) not in ("number", "string") or kind_of(a) != kind_of(b):
        return False
    return bool({"gt": a > b, "gte": a >= b, "lt": a < b, "lte": a <= b}[op])


def _contains(path: str, a: Any, b: Any) -> bool:
    items = items_of(a)
    if items is not None:
        if path == "capabilities" and isinstance(b, str) and "@" not in b:
            return any(item == b or item.startswith(b + "@") for item in items)
        return any(_equal(item, b) for item in items)
    return isinstance(a, str) and isinstance(b, str) and b in a


def satisfies(entry: Entry, criterion: dict[str, Any]) -> bool:
    """Whether an entry satisfies one criterion (REG-QRY-002 to 016)."""
    path, op, wanted = criterion["path"], criterion["op"], criterion.get("value", True)
    value = value_at(entry, path)
    if op == "exists":
        return (value is not MISSING) == (wanted is not False)
    if value is MISSING:
        return False
    match op:
        case "eq":
            return _equal(value, wanted)
        case "ne":
            return kind_of(value) == kind_of(wanted) and not _equal(value, wanted)
        case "in":
            return any(_equal(value, item) for item in items_of(wanted) or ())
        case "not_in":
            items = items_of(wanted) or []
            typed = any(kind_of(value) == kind_of(item) for item in items)
            return typed and not any(_equal(value, item) for item in items)
        case "contains":
            return _contains(path, value, wanted)
        case "prefix":
            return isinstance(value, str) and isinstance(wanted, str) and value.startswith(wanted)
        case _:
            return _ordered(op, value, wanted)


def criteria(where: dict[str, Any] | None) -> list[dict[str, Any]]:
    return [*(where or {}).get("all", []), *(where or {}).get("any", [])]


def matches(entry: Entry, where: dict[str, Any] | None) -> bool:
    """Whether an entry satisfies a filter (REG-QRY-001)."""
    if not where:
        return True
    if not all(satisfies(entry, criterion) for criterion in where.get("all", [])):
        return False
    alternatives = where.get("any", [])
    return not alternatives or any(satisfies(entry, criterion) for criterion in alternatives)


def place(entry: Entry, order_by: list[dict[str, Any]]) -> list[Any]:
    """Where an entry stands in an order: its values by key, then its agent."""
    return [*(value_at(entry, key["path"]) for key in order_by), entry["agent"]]


def _compare(a: Any, b: Any) -> int:
    ranks = _KINDS.index(kind_of(a)), _KINDS.index(kind_of(b))
    if ranks[0] != ranks[1]:
        return -1 if ranks[0] < ranks[1] else 1
    if ranks[0] > 2 or a == b:
        return 0
    return -1 if a < b else 1


def sort_key(order_by: list[dict[str, Any]]) -> Any:
    """A key function over places (REG-QRY-017)."""
    down = [bool(key.get("descending")) for key in order_by] + [False]

    def compare(left: list[Any], right: list[Any]) -> int:
        for a, b, descending in zip(left, right, down, strict=True):
            if a is MISSING or b is MISSING:
                result = (a is MISSING) - (b is MISSING)
            else:
                result = -_compare(a, b) if descending else _compare(a, b)
            if result:
                return result
        return 0

    return cmp_to_key(compare)
