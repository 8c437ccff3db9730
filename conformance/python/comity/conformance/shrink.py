"""Making a failing plan small: the same row has to fail with less.

Responsible for the order (clients, faults, operations, values) and the time limit. Not responsible for running or
judging, which the caller hands in as one question.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from .plan import Operation, Plan

__all__ = ["shrink"]

Fails = Callable[[Plan], bool]
_ACTS = frozenset({"send", "flood", "garbage", "do"})  # what every plan ends with is no counterexample
_KEEP = frozenset({"agent", "epoch", "capabilities", "lease_ms", "consistency", "limit", "watch"})


def _parts(whole: Sequence[int]) -> Iterator[Sequence[int]]:
    """Its halves, quarters and so on, down to single ones."""
    size = max(1, len(whole) // 2)
    while size:
        yield from (whole[start : start + size] for start in range(0, len(whole), size))
        size //= 2


def _fewer_clients(plan: Plan) -> Iterator[Plan]:
    used = sorted({op["client"] for op in plan.operations if "client" in op}, reverse=True)
    for gone in _parts(used):
        yield plan.with_operations([op for op in plan.operations if op.get("client") not in gone])
    least = max(2, 1 + max(used, default=0))
    for clients in (least, plan.clients - 1):
        if least <= clients < plan.clients:
            yield replace(plan, clients=clients)


def _fewer_faults(plan: Plan) -> Iterator[Plan]:
    bare = [_without(op, "faults") for op in plan.operations]
    yield plan.with_operations(bare)
    for n, op in enumerate(plan.operations):
        if "faults" in op:
            yield _replaced(plan, n, _without(op, "faults"))
    yield replace(plan, gaps=False)
    yield replace(plan, incarnation=1)


def _fewer_operations(plan: Plan) -> Iterator[Plan]:
    for gone in _parts(range(len(plan.operations))):
        yield plan.with_operations([op for n, op in enumerate(plan.operations) if n not in gone])


def _smaller_values(plan: Plan) -> Iterator[Plan]:
    for n, op in enumerate(plan.operations):
        for name in ("wait", "craft", "sequence"):
            if name in op and op.get("craft", {}).get("kind") is None:
                yield _replaced(plan, n, _without(op, name))
        yield from (_replaced(plan, n, smaller) for smaller in _smaller(op))
    for name in plan.parameters:
        yield replace(plan, parameters={k: v for k, v in plan.parameters.items() if k != name})


def _smaller(op: Operation) -> Iterator[Operation]:
    for name, floor in (("ms", 1), ("down_ms", 0), ("count", 1), ("times", 1)):
        if op.get(name, floor) > floor:
            yield {**op, name: op[name] // 2}
    data: dict[str, Any] = op.get("data", {})
    for name in data.keys() - _KEEP:
        yield {**op, "data": {key: value for key, value in data.items() if key != name}}
    if len(data.get("capabilities", ())) > 1:
        yield {**op, "data": {**data, "capabilities": data["capabilities"][:1]}}
    for name in ("metadata", "resources"):
        for key in data.get(name, {}):
            if key != "case":
                inner = {k: v for k, v in data[name].items() if k != key}
                yield {**op, "data": {**data, name: inner}}


def _without(op: Operation, name: str) -> Operation:
    return {key: value for key, value in op.items() if key != name}


def _replaced(plan: Plan, n: int, op: Operation) -> Plan:
    return plan.with_operations([*plan.operations[:n], op, *plan.operations[n + 1 :]])


def shrink(plan: Plan, fails: Fails, *, seconds: float = 10.0) -> Plan:
    """The smallest plan found for which `fails` still holds, within `seconds` of wall-clock time."""
    deadline = time.monotonic() + seconds
    seen: set[str] = {plan.digest}
    progress = True
    while progress:
        progress = False
        for step in (_fewer_clients, _fewer_faults, _fewer_operations, _smaller_values):
            smaller = _exhaust(plan, step, fails, seen, deadline)
            progress = progress or smaller is not plan
            plan = smaller
    return plan


def _exhaust(
    plan: Plan, step: Callable[[Plan], Iterator[Plan]], fails: Fails, seen: set[str], deadline: float
) -> Plan:
    """Apply one kind of step wherever it helps, once along the plan: what did not help before is not asked again."""
    place, found = 0, True
    while found:
        found = False
        for candidate in islice(step(plan), place, None):
            if time.monotonic() > deadline:
                return plan
            if candidate.digest not in seen and any(op["op"] in _ACTS for op in candidate.operations):
                seen.add(candidate.digest)
                if fails(candidate):
                    plan, found = candidate, True
                    break
            place += 1
    return plan
