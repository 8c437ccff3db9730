"""Filters, orders and pages over entries: what matches, in which order, and where a page goes on."""

from __future__ import annotations

import base64
import hashlib
import operator
from collections.abc import Callable, Iterable

from .wire import Json, Refusal, compact, is_list, is_map, parse

HALF_REPLY = 500_000


def typed(value: Json) -> Json:
    """`value` as [rank of its type, comparable]: a boolean is no number, lists and maps only equal or not."""
    if isinstance(value, bool):
        return [0, value]
    if isinstance(value, int | float):
        return [1, value]
    if isinstance(value, str):
        return [2, value]
    if is_list(value):
        return [3, [typed(each) for each in value]]
    return [4, {name: typed(each) for name, each in value.items()}]


def at_path(entry: Json, path: str) -> Json:
    """The value at `path`, None where there is none: the wire has no null."""
    for name in path.split("."):
        entry = entry.get(name) if is_map(entry) else None
    return entry


def holds(criterion: Json, entry: Json) -> bool:
    """A missing path and a value of another type are no match and no error (REG-QRY-013, REG-QRY-015)."""
    path, op, wanted = criterion["path"], criterion["op"], criterion.get("value")
    found = at_path(entry, path)
    if op == "exists":
        return (found is None) == (wanted is False)
    if found is None or wanted is None:
        return False
    (rank, value), (other, limit) = typed(found), typed(wanted)
    if op in ("in", "not_in"):
        among: list[Json] = limit if other == 3 else []
        same_type = any(rank == kind for kind, _ in among)
        return [rank, value] in among if op == "in" else same_type and [rank, value] not in among
    if op == "contains":
        if path == "capabilities" and other == 2 and "@" not in limit:
            return any(each.partition("@")[0] == limit for each in found)  # REG-QRY-016
        return [other, limit] in value if rank == 3 else rank == other == 2 and limit in value
    if rank != other or (rank not in (1, 2) and op not in ("eq", "ne")) or (rank != 2 and op == "prefix"):
        return False
    return bool(COMPARE[op](value, limit))


COMPARE: dict[str, Callable[[Json, Json], bool]] = {
    **{"eq": operator.eq, "ne": operator.ne, "gt": operator.gt, "gte": operator.ge, "lt": operator.lt},
    **{"lte": operator.le, "prefix": str.startswith},
}


def satisfies(entry: Json, where: Json) -> bool:
    any_of = where.get("any")
    return all(holds(each, entry) for each in where.get("all", ())) and (
        not any_of or any(holds(each, entry) for each in any_of)
    )


def place(entry: Json, order: Json) -> list[Json]:
    """Where `entry` stands in `order`: a key each, [] where it has no value, and its agent (REG-QRY-017)."""
    keys: list[Json] = [
        typed(found) if (found := at_path(entry, key["path"])) is not None else [] for key in order
    ]
    return [key[:1] if key and key[0] > 2 else key for key in keys] + [[2, entry["agent"]]]


def compare(one: list[Json], other: list[Json], order: Json) -> int:
    downwards: list[bool] = [key.get("descending", False) for key in order]
    for a, b, down in zip(one, other, [*downwards, False], strict=True):
        if a != b:
            later: bool = (a > b) != down if a and b else not a
            return 1 if later else -1
    return 0


def batches(items: Iterable[Json], most: int) -> list[list[Json]]:
    """At least one batch, each of at most `most` items and about half of what a channel carries."""
    result, room = [list[Json]()], HALF_REPLY
    for item in items:
        size = len(compact(item))
        if result[-1] and (len(result[-1]) == most or size > room):
            result.append([])
            room = HALF_REPLY
        result[-1].append(item)
        room -= size
    return result


def shortened(keys: list[Json]) -> list[Json]:
    """What of a place fits into a cursor of 2,048 characters."""
    return [[2, key[1][:56]] if key[:1] == [2] else key for key in keys]


def cursor(where: Json, order: Json, last: list[Json]) -> str:
    """The place behind `last` in the answer to one query, sealed with a digest of all three."""
    return (
        base64.urlsafe_b64encode(compact([seal(where, order, shortened(last)), shortened(last)]))
        .decode()
        .rstrip("=")
    )


def read_cursor(text: str, where: Json, order: Json) -> Json:
    """The place that a cursor marks; one that another query gave is refused (REG-QRY-019)."""
    try:
        given, last = parse(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, TypeError, Refusal):
        given, last = None, None
    if given != seal(where, order, last):
        raise Refusal("registry.bad_cursor")
    return last


def seal(where: Json, order: Json, last: Json) -> str:
    return hashlib.sha256(compact([where, order, last])).hexdigest()[:16]
