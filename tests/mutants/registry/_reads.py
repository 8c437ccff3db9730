"""Mutants for the rows of reads: lookup, queries, count and list."""

# pyright: basic
# what is patched is private and untyped here on purpose: a mutant reaches where no caller may
from __future__ import annotations

from bisect import bisect_left
from typing import Any

from comity.registry import _reads
from comity.registry._core import order, query, registry
from comity.registry._core.dedup import Outcome, refusal
from comity.registry._core.registry import Registry
from comity.registry._core.values import getter, kind_of, same
from tests.mutants._patch import Patch, mutant

# -------------------------------------------------------------------- lookup


@mutant("REG-LKP-001", "hides-what-is-not-healthy")
def _(p: Patch) -> None:
    def change(original: Any, state: Any, agent: str) -> Outcome:
        entry = state.registry.get(agent)
        hidden = entry is not None and "health" in entry and entry["health"] != "healthy"
        code = "registry.unknown_agent"
        found: Outcome = refusal(code, revision=state.revision) if hidden else original(state, agent)
        return found

    p.around(_reads, "_lookup", change)


@mutant("REG-LKP-002", "refuses-a-lookup-for-another-reason")
def _(p: Patch) -> None:
    def change(original: Any, state: Any, agent: str) -> Outcome:
        found: Outcome = original(state, agent)
        return found if found.reply == "Found" else refusal("registry.conflict", revision=state.revision)

    p.around(_reads, "_lookup", change)


# -------------------------------------------------------------------- queries


@mutant("REG-QRY-001", "forgets-the-alternatives")
def _(p: Patch) -> None:
    p.around(query, "_conjunction", lambda original, every, some: original(every, ()))


def _unfiled(p: Patch, op: str) -> None:
    """Keep the index from answering an operator, so that the predicate decides."""

    def change(original: Any, self: Any, path: str, found: str, value: Any) -> bool:
        return False if found == op and path != "metadata.case" else original(self, path, found, value)

    p.around(query.Filter, "_file", change)


@mutant("REG-QRY-002", "takes-true-for-one")
def _(p: Patch) -> None:
    _unfiled(p, "eq")
    p.item(query._OPERATORS, "eq", lambda value: lambda found: found == value)


@mutant("REG-QRY-003", "calls-other-types-not-equal")
def _(p: Patch) -> None:
    p.item(query._OPERATORS, "ne", lambda value: lambda found: not same(found, value))


def _compared(p: Patch, op: str, instead: str) -> None:
    other = query._OPERATORS[instead]
    p.item(query._OPERATORS, op, other)


@mutant("REG-QRY-004", "greater-or-equal-for-greater")
def _(p: Patch) -> None:
    _compared(p, "gt", "gte")


@mutant("REG-QRY-005", "greater-for-greater-or-equal")
def _(p: Patch) -> None:
    _compared(p, "gte", "gt")


@mutant("REG-QRY-006", "less-or-equal-for-less")
def _(p: Patch) -> None:
    _compared(p, "lt", "lte")


@mutant("REG-QRY-007", "less-for-less-or-equal")
def _(p: Patch) -> None:
    _compared(p, "lte", "lt")


@mutant("REG-QRY-008", "looks-at-the-first-of-a-list")
def _(p: Patch) -> None:
    _unfiled(p, "in")
    p.item(query._OPERATORS, "in", lambda value: lambda found: any(same(found, v) for v in value[:1]))


@mutant("REG-QRY-009", "takes-other-types-for-not-in")
def _(p: Patch) -> None:
    p.item(query._OPERATORS, "not_in", lambda value: lambda found: not any(same(found, v) for v in value))


@mutant("REG-QRY-010", "contains-only-in-lists")
def _(p: Patch) -> None:
    original = query._OPERATORS["contains"]
    p.item(
        query._OPERATORS,
        "contains",
        lambda value: lambda found: type(found) is list and original(value)(found),
    )


@mutant("REG-QRY-011", "finds-a-prefix-anywhere")
def _(p: Patch) -> None:
    p.item(query._OPERATORS, "prefix", lambda value: lambda found: type(found) is str and value in found)


@mutant("REG-QRY-012", "cannot-ask-for-absence")
def _(p: Patch) -> None:
    def change(original: Any, criterion: Any) -> Any:
        return original({**criterion, "value": True} if criterion["op"] == "exists" else criterion)

    p.around(query, "_criterion", change)


@mutant("REG-QRY-013", "takes-absence-for-difference")
def _(p: Patch) -> None:
    def change(original: Any, criterion: Any) -> Any:
        holds, read = original(criterion), getter(criterion["path"])
        loose = criterion["op"] in ("ne", "not_in")
        return (lambda entry: read(entry) is None or holds(entry)) if loose else holds

    p.around(query, "_criterion", change)


@mutant("REG-QRY-014", "gives-one-entry-too-many")
def _(p: Patch) -> None:
    def change(original: Any, self: Any, where: Any, order_by: Any, limit: int, cursor: Any) -> Any:
        return original(self, where, order_by, min(100, limit + 1), cursor)

    p.around(Registry, "query", change)


@mutant("REG-QRY-015", "compares-numbers-with-texts")
def _(p: Patch) -> None:
    for op in ("gt", "gte", "lt", "lte"):
        original = query._OPERATORS[op]

        def build(value: Any, original: Any = original) -> Any:
            return lambda found: kind_of(found) != kind_of(value) or original(value)(found)

        p.item(query._OPERATORS, op, build)


@mutant("REG-QRY-016", "wants-the-version-spelled-out")
def _(p: Patch) -> None:
    _unfiled(p, "contains")
    p.around(query, "_capability", lambda original, value: lambda found: value in found)


@mutant("REG-QRY-017", "orders-upwards-only")
def _(p: Patch) -> None:
    def change(original: Any, self: Any, order_by: Any = ()) -> None:
        original(self, [{**key, "descending": False} for key in order_by])

    p.around(order.Order, "__init__", change)


@mutant("REG-QRY-018", "repeats-the-last-entry-on-the-next-page")
def _(p: Patch) -> None:
    p.around(registry, "bisect_right", lambda original, *a, **named: bisect_left(*a, **named))


@mutant("REG-QRY-019", "takes-any-cursor")
def _(p: Patch) -> None:
    p.around(order, "_digest", lambda original, *parts: bytes(12))


# -------------------------------------------------------------- count and list


@mutant("REG-CNT-001", "counts-everybody")
def _(p: Patch) -> None:
    p.around(Registry, "count", lambda original, self, where=None: len(self))


@mutant("REG-LST-001", "lists-backwards")
def _(p: Patch) -> None:
    def change(original: Any, state: Any, where: Any, keys: Any, limit: int, cursor: Any) -> Outcome:
        down = [{"path": "agent", "descending": True}]
        found: Outcome = original(state, where, down if where is None and not keys else keys, limit, cursor)
        return found

    p.around(_reads, "_page", change)
