"""Filters: what the operators mean, and which criteria an index can answer.

Responsible for turning a `Filter` of the spec into a predicate over entries, and for naming the criteria that
are plain equalities. A missing path or a value of another kind is no match and never an error (REG-QRY-013,
REG-QRY-015). Not responsible for order and pages, nor for indexes.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

from .values import getter, key_of, kind_of, same

__all__ = ["Filter", "Predicate", "bare"]

Predicate: TypeAlias = Callable[[Mapping[str, Any]], bool]
Test: TypeAlias = Callable[[Any], bool]

_INDEXED = frozenset({"name", "endpoint", "health", "zone", "node", "agent"})
_ORDERED = frozenset({"number", "string"})


class Filter:
    """A compiled filter. `matches` is the whole; `equal` and `among` are what an index can answer of `all`.

    `equal` gives the one value wanted at a path, `among` the values of which one is wanted; `residual` is the rest.
    Capabilities are filed without their version, so that one with a version is asked for and remains to be checked.
    """

    __slots__ = ("_any", "_rest", "_whole", "among", "equal", "where")

    def __init__(self, where: Mapping[str, Any] | None = None) -> None:
        self.where = where or {}
        self.equal: dict[str, Any] = {}
        self.among: list[tuple[str, list[Any]]] = []
        self._rest: list[Mapping[str, Any]] = []
        self._any: Sequence[Mapping[str, Any]] = self.where.get("any", ())
        self._whole: Predicate | None = None
        for criterion in self.where.get("all", ()):
            if not self._file(criterion["path"], criterion["op"], criterion.get("value", True)):
                self._rest.append(criterion)

    def _file(self, path: str, op: str, value: Any) -> bool:
        """Note what an index can answer of a criterion; whether that is all of it."""
        if path == "capabilities":
            if op != "contains" or type(value) is not str or path in self.equal:
                return False
            name = self.equal[path] = bare(value)
            return name == value
        if "." not in path and path not in _INDEXED:
            return False
        if op == "eq" and path not in self.equal and (key := key_of(value)) is not None:
            self.equal[path] = key
            return True
        if (
            op == "in"
            and None not in (keys := [key_of(item) for item in _items(value)])
            and type(value) is list
        ):
            self.among.append((path, keys))
            return True
        return False

    def matches(self, entry: Mapping[str, Any]) -> bool:
        """Whether the entry satisfies every criterion of `all` and one of `any`, if there are any (REG-QRY-001)."""
        if self._whole is None:
            self._whole = _conjunction(self.where.get("all", ()), self._any)
        return self._whole(entry)

    def residual(self) -> Predicate | None:
        """What remains to be checked of entries that satisfy all `terms`; `None` when nothing does."""
        if not self._rest and not self._any:
            return None
        return _conjunction(self._rest, self._any)


@lru_cache(maxsize=16384)
def bare(capability: str) -> str:
    """The capability without its version."""
    return capability.partition("@")[0]


def _conjunction(every: Sequence[Mapping[str, Any]], some: Sequence[Mapping[str, Any]]) -> Predicate:
    all_of = [_criterion(criterion) for criterion in every]
    any_of = [_criterion(criterion) for criterion in some]

    def holds(entry: Mapping[str, Any]) -> bool:
        for test in all_of:
            if not test(entry):
                return False
        return not any_of or any(test(entry) for test in any_of)

    return holds


def _criterion(criterion: Mapping[str, Any]) -> Predicate:
    path, op, value = criterion["path"], criterion["op"], criterion.get("value", True)
    read = getter(path)
    if op == "exists":
        wanted = value is not False  # REG-QRY-012
        return lambda entry: (read(entry) is not None) is wanted
    test = _capability(value) if _names_capability(path, op, value) else _OPERATORS[op](value)

    def holds(entry: Mapping[str, Any]) -> bool:
        found = read(entry)
        return found is not None and test(found)  # REG-QRY-013

    return holds


def _names_capability(path: str, op: str, value: Any) -> bool:
    return path == "capabilities" and op == "contains" and type(value) is str


def _capability(value: str) -> Test:
    if "@" in value:
        return lambda found: value in found
    return lambda found: any(bare(capability) == value for capability in found)  # REG-QRY-016


def _eq(value: Any) -> Test:
    return lambda found: same(found, value)


def _ne(value: Any) -> Test:
    kind = kind_of(value)
    return lambda found: kind_of(found) == kind and not same(found, value)


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any], Test]:
    def build(value: Any) -> Test:
        kind = kind_of(value)
        if kind not in _ORDERED:
            return lambda found: False
        return lambda found: kind_of(found) == kind and compare(found, value)

    return build


def _items(value: Any) -> list[Any]:
    """The elements of a list; what is none has none."""
    return value if type(value) is list else []  # pyright: ignore[reportUnknownVariableType]


def _in(value: Any) -> Test:
    items = _items(value)
    return lambda found: any(same(found, item) for item in items)


def _not_in(value: Any) -> Test:
    items = _items(value)
    kinds = set(map(kind_of, items))
    return lambda found: kind_of(found) in kinds and not any(same(found, item) for item in items)


def _contains(value: Any) -> Test:
    def test(found: Any) -> bool:
        if type(found) is list:
            return any(same(item, value) for item in _items(found))
        return type(found) is str and type(value) is str and value in found

    return test


def _prefix(value: Any) -> Test:
    if type(value) is not str:
        return lambda found: False
    return lambda found: type(found) is str and found.startswith(value)


_OPERATORS: Mapping[str, Callable[[Any], Test]] = {
    "eq": _eq,  # REG-QRY-002
    "ne": _ne,  # REG-QRY-003
    "gt": _ordered(operator.gt),  # REG-QRY-004
    "gte": _ordered(operator.ge),  # REG-QRY-005
    "lt": _ordered(operator.lt),  # REG-QRY-006
    "lte": _ordered(operator.le),  # REG-QRY-007
    "in": _in,  # REG-QRY-008
    "not_in": _not_in,  # REG-QRY-009
    "contains": _contains,  # REG-QRY-010
    "prefix": _prefix,  # REG-QRY-011
}
