"""A naive registry of entries: a dictionary, a scan, and the operators as the registry's page words them.

Responsible for being obviously right. It shares nothing with the core.
"""

from __future__ import annotations

from functools import cmp_to_key
from typing import Any

from hypothesis import strategies as st

RANKS = ["boolean", "number", "string", "list", "map"]
ABSENT = object()


def kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "string" if isinstance(value, str) else "list" if isinstance(value, list) else "map"


def equal(one: Any, other: Any) -> bool:
    if kind(one) != kind(other):
        return False
    if kind(one) == "list":
        return len(one) == len(other) and all(equal(a, b) for a, b in zip(one, other, strict=True))
    if kind(one) == "map":
        return set(one) == set(other) and all(equal(one[key], other[key]) for key in one)
    return bool(one == other)


def at(entry: Any, path: str) -> Any:
    for key in path.split("."):
        if kind(entry) != "map" or key not in entry:
            return ABSENT
        entry = entry[key]
    return entry


def holds(entry: dict[str, Any], criterion: dict[str, Any]) -> bool:
    path, op, value = criterion["path"], criterion["op"], criterion["value"]
    found = at(entry, path)
    if op == "exists":
        return (found is not ABSENT) == (value is not False)
    if found is ABSENT:
        return False
    return bool(judge(path, op, found, value))


def judge(path: str, op: str, found: Any, value: Any) -> bool:
    comparable = kind(found) == kind(value) and kind(found) in ("number", "string")
    match op:
        case "eq":
            return equal(found, value)
        case "ne":
            return kind(found) == kind(value) and not equal(found, value)
        case "gt":
            return comparable and found > value
        case "gte":
            return comparable and found >= value
        case "lt":
            return comparable and found < value
        case "lte":
            return comparable and found <= value
        case "in":
            return kind(value) == "list" and any(equal(found, item) for item in value)
        case "not_in":
            kinds = [kind(item) for item in value] if kind(value) == "list" else []
            return kind(found) in kinds and not any(equal(found, item) for item in value)
        case "prefix":
            return isinstance(found, str) and isinstance(value, str) and found.startswith(value)
        case _:
            return contains(path, found, value)


def contains(path: str, found: Any, value: Any) -> bool:
    if kind(found) == "list":
        if path == "capabilities" and isinstance(value, str) and "@" not in value:
            return any(item.split("@")[0] == value for item in found)
        return any(equal(item, value) for item in found)
    return isinstance(found, str) and isinstance(value, str) and value in found


def select(entries: list[dict[str, Any]], where: dict[str, Any]) -> list[dict[str, Any]]:
    chosen = [entry for entry in entries if all(holds(entry, c) for c in where.get("all", []))]
    some = where.get("any", [])
    return [entry for entry in chosen if not some or any(holds(entry, c) for c in some)]


def arrange(entries: list[dict[str, Any]], order_by: list[dict[str, Any]]) -> list[dict[str, Any]]:
    def compare(one: dict[str, Any], other: dict[str, Any]) -> int:
        for key in order_by:
            result = rank(at(one, key["path"]), at(other, key["path"]), key.get("descending", False))
            if result:
                return result
        return -1 if one["agent"] < other["agent"] else 1

    return sorted(entries, key=cmp_to_key(compare))


def rank(one: Any, other: Any, descending: bool) -> int:
    if one is ABSENT or other is ABSENT:
        return (one is ABSENT) - (other is ABSENT)
    first, second = RANKS.index(kind(one)), RANKS.index(kind(other))
    if first == second and first < 3:
        first, second = (one > other) - (one < other), 0
    result = (first > second) - (first < second)
    return -result if descending else result


# ---------------------------------------------------------------- strategies

scalars = st.one_of(
    st.booleans(), st.integers(-2, 2), st.sampled_from([0.0, 1.0, 1.5]), st.sampled_from(["", "a", "ab", "1"])
)
values = st.one_of(
    scalars, st.lists(scalars, max_size=2), st.dictionaries(st.sampled_from("kl"), scalars, max_size=2)
)
capabilities = st.sampled_from(["a.b", "a.b@1", "a.b@1.2", "a.bc", "c@2"])
members = st.fixed_dictionaries(
    {"capabilities": st.lists(capabilities, max_size=3)},
    optional={
        "name": st.sampled_from(["x", "y"]),
        "health": st.sampled_from(["healthy", "degraded"]),
        "zone": st.sampled_from(["n", "s"]),
        "metadata": st.dictionaries(st.sampled_from("pq"), values, max_size=2),
        "resources": st.dictionaries(st.sampled_from("r"), values, max_size=1),
    },
)
paths = st.sampled_from(
    ["agent", "name", "endpoint", "capabilities", "health", "zone", "lease_ms", "revision", "metadata.p", "metadata.p.k",
     "metadata.q", "resources.r"]
)  # fmt: skip
operators = ["eq", "ne", "gt", "gte", "lt", "lte", "in", "not_in", "contains", "prefix", "exists"]
lists = st.lists(st.one_of(scalars, st.sampled_from("nsx")), max_size=3)
wanted = st.one_of(values, capabilities, st.sampled_from(["healthy", "n", "x", "agent-1"]), lists)
criterion = st.fixed_dictionaries({"path": paths, "op": st.sampled_from(operators), "value": wanted})
likely = st.sampled_from(
    [
        {"path": "capabilities", "op": "contains", "value": "a.b"},
        {"path": "capabilities", "op": "contains", "value": "a.b@1"},
        {"path": "zone", "op": "eq", "value": "n"},
        {"path": "health", "op": "eq", "value": "healthy"},
        {"path": "metadata.p", "op": "eq", "value": 1},
        {"path": "metadata.p", "op": "eq", "value": True},
        {"path": "zone", "op": "in", "value": ["n", "s"]},
        {"path": "agent", "op": "eq", "value": "agent-1"},
    ]
)
criteria = st.lists(st.one_of(likely, criterion), max_size=3)
filters = st.fixed_dictionaries({"all": criteria}, optional={"any": st.lists(criterion, max_size=2)})
orders = st.lists(st.fixed_dictionaries({"path": paths}, optional={"descending": st.booleans()}), max_size=2)
