"""Filters: what the operators mean, and which criteria an index can answer.

Responsible for turning a `Filter` of the spec into a predicate over entries, and for naming the criteria that
are plain equalities. A missing path or a value of another kind is no match and never an error (REG-QRY-013,
REG-QRY-015). Not responsible for order and pages, nor for indexes.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from .values import getter, key_of, kind_of, same

__all__ = ["Filter", "Predicate", "Term", "capability_keys"]

Predicate: TypeAlias = Callable[[Mapping[str, Any]], bool]
Test: TypeAlias = Callable[[Any], bool]

_INDEXED = frozenset({"name", "endpoint", "health", "zone", "node", "agent"})
_ORDERED = frozenset({"number", "string"})


class Term(NamedTuple):
    """One criterion that an index answers: the value at `path` is one of `keys`."""

    path: str
    keys: tuple[Any, ...]


class Filter:
    """A compiled filter. `terms` are the indexable part of `all`; `matches` is the whole."""

    __slots__ = ("_any", "_rest", "_terms", "_whole", "terms", "where")

    def __init__(self, where: Mapping[str, Any] | None = None) -> None:
        self.where = where or {}
        self.terms: list[Term] = []
        self._rest: list[Mapping[str, Any]] = []
        self._terms: list[Mapping[str, Any]] = []
        self._any: Sequence[Mapping[str, Any]] = self.where.get("any", ())
        self._whole: Predicate | None = None
        for criterion in self.where.get("all", ()):
            self._file(criterion)

    def _file(self, criterion: Mapping[str, Any]) -> None:
        term = _term(criterion["path"], criterion["op"], criterion.get("value"))
        if term is None:
            self._rest.append(criterion)
        else:
            self.terms.append(term)
            self._terms.append(criterion)

    def matches(self, entry: Mapping[str, Any]) -> bool:
        """Whether the entry satisfies every criterion of `all` and one of `any`, if there are any (REG-QRY-001)."""
        if self._whole is None:
            self._whole = _conjunction([*self._terms, *self._rest], self._any)
        return self._whole(entry)

    def residual(self) -> Predicate | None:
        """What remains to be checked of entries that satisfy all `terms`; `None` when nothing does."""
        if not self._rest and not self._any:
            return None
        return _conjunction(self._rest, self._any)


def capability_keys(capability: str) -> tuple[str, ...]:
    """What a stated capability is filed under: itself, and its name without the version (REG-QRY-016)."""
    name, at, _ = capability.partition("@")
    return (capability, name) if at else (capability,)


def _term(path: str, op: str, value: Any) -> Term | None:
    if path == "capabilities":
        return Term(path, (value,)) if op == "contains" and type(value) is str else None
    if path not in _INDEXED and "." not in path:
        return None
    if op == "eq" and (key := key_of(value)) is not None:
        return Term(path, (key,))
    if op == "in" and type(value) is list:
        keys = [key_of(item) for item in value]
        return None if None in keys else Term(path, tuple(dict.fromkeys(keys)))
    return None


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
    path, value = criterion["path"], criterion.get("value")
    read = getter(path)
    if criterion["op"] == "exists":
        return _exists(path, value)
    if value is None:
        return lambda entry: False
    test = (
        _capability(value)
        if _names_capability(path, criterion["op"], value)
        else _OPERATORS[criterion["op"]](value)
    )

    def holds(entry: Mapping[str, Any]) -> bool:
        found = read(entry)
        return found is not None and test(found)

    return holds


def _exists(path: str, value: Any) -> Predicate:
    read = getter(path)
    wanted = True if value is None else value
    if type(wanted) is not bool:
        return lambda entry: False
    return lambda entry: (read(entry) is not None) is wanted


def _names_capability(path: str, op: str, value: Any) -> bool:
    return path == "capabilities" and op == "contains" and type(value) is str


def _capability(value: str) -> Test:
    return lambda found: any(value in capability_keys(capability) for capability in found)


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


def _in(value: Any) -> Test:
    if type(value) is not list:
        return lambda found: False
    return lambda found: any(same(found, item) for item in value)


def _not_in(value: Any) -> Test:
    if type(value) is not list:
        return lambda found: False
    kinds = {kind_of(item) for item in value}
    return lambda found: kind_of(found) in kinds and not any(same(found, item) for item in value)


def _contains(value: Any) -> Test:
    def test(found: Any) -> bool:
        if type(found) is list:
            return any(same(item, value) for item in found)
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
