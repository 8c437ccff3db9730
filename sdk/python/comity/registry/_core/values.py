"""What two JSON values have in common: their kind, equality, order, and the paths that lead to them.

Responsible for the comparisons every operator, order and index rests on. An absent value is `None`: entries
hold no nulls. Not responsible for operators themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

__all__ = ["Entry", "Getter", "getter", "key_of", "kind_of", "leaves", "order_of", "same"]

Entry: TypeAlias = dict[str, Any]
Getter: TypeAlias = Callable[[Mapping[str, Any]], Any]

_KINDS: dict[Any, str] = {
    bool: "boolean",
    int: "number",
    float: "number",
    str: "string",
    list: "list",
    dict: "map",
}
_RANKS: dict[Any, int] = {bool: 0, int: 1, float: 1, str: 2, list: 3, dict: 4}
_BOOLEANS = {False: ("boolean", False), True: ("boolean", True)}


def kind_of(value: Any) -> str | None:
    """The JSON kind of a value; 1 and 1.0 are both numbers, and true is none."""
    return _KINDS.get(type(value))


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal as JSON: of one kind, and equal all the way down."""
    kind = _KINDS.get(type(one))
    if kind is None or kind != _KINDS.get(type(other)):
        return False
    if kind == "list":
        return len(one) == len(other) and all(map(same, one, other))
    if kind == "map":
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    return bool(one == other)


def key_of(value: Any) -> Any:
    """What an index files a scalar under, so that true and 1 stay apart; `None` for lists, maps and absence."""
    rank = _RANKS.get(type(value), 3)
    if rank == 0:
        return _BOOLEANS[value]
    return value if rank < 3 else None


def order_of(value: Any) -> tuple[int, Any] | None:
    """The place of a value in one total order: booleans, numbers, strings by code point, lists, maps; lists and maps
    among themselves are ties. `None` for absence.
    """
    rank = _RANKS.get(type(value))
    return None if rank is None else (rank, value if rank < 3 else 0)


def getter(path: str) -> Getter:
    """A function that reads `path` from an entry and gives `None` where nothing is there."""
    member, *keys = path.split(".")
    if not keys:
        return lambda entry: entry.get(member)
    if len(keys) == 1:
        (only,) = keys
        return lambda entry: entry[member].get(only) if member in entry else None
    return lambda entry: _descend(entry.get(member), keys)


def _descend(value: Any, keys: list[str]) -> Any:
    found = value
    for key in keys:
        if _KINDS.get(type(found)) != "map":
            return None
        found = found.get(key)
    return found


def leaves(path: str, value: Any) -> list[tuple[str, Any]]:
    """Every scalar below the map `value` with its path and index key; lists and absence have none."""
    found: list[tuple[str, Any]] = []
    for name, inner in value.items() if value else ():
        key = key_of(inner)
        if key is not None:
            found.append((f"{path}.{name}", key))
        elif _KINDS[type(inner)] == "map":
            found += leaves(f"{path}.{name}", inner)
    return found
