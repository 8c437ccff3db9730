"""A walker over the compiled expressions of the spec (requirement triggers).

Responsible for giving an expression its value over an event's data and the entry as the model holds it. Not
responsible for parsing: expressions arrive as the syntax trees that the compiler put into the compiled spec.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, Final

__all__ = ["evaluate", "holds"]

_ABSENT: Final = object()
_COMPARE: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": lambda a, b: a // b,
}


def _path(scope: Mapping[str, Any], names: list[str]) -> Any:
    value: Any = scope
    for name in names:
        if not isinstance(value, Mapping) or name not in value:
            return _ABSENT
        value = value[name]  # pyright: ignore[reportUnknownVariableType]
    return value  # pyright: ignore[reportUnknownVariableType]


def evaluate(tree: list[Any], scope: Mapping[str, Any]) -> Any:
    """Value of `tree`, where `scope` maps `event`, `held` and so on to plain JSON. Raises `ValueError`."""
    kind, rest = tree[0], tree[1:]
    match kind:
        case "lit":
            return rest[0]
        case "path":
            return _path(scope, rest)
        case "has":
            return _path(scope, rest[0][1:] if rest and rest[0][0] == "path" else rest) is not _ABSENT
        case "&&" | "and":
            return all(evaluate(part, scope) for part in rest)
        case "||" | "or":
            return any(evaluate(part, scope) for part in rest)
        case "!" | "not":
            return not evaluate(rest[0], scope)
        case "implies":
            return not evaluate(rest[0], scope) or bool(evaluate(rest[1], scope))
        case "in":
            return evaluate(rest[0], scope) in evaluate(rest[1], scope)
        case "list":
            return [evaluate(part, scope) for part in rest]
        case _ if kind in _COMPARE:
            return _COMPARE[kind](evaluate(rest[0], scope), evaluate(rest[1], scope))
        case _:
            raise ValueError(f"no rule for {kind!r} in an expression")


def holds(tree: list[Any] | None, event: Mapping[str, Any], held: Mapping[str, Any]) -> bool:
    """Whether a trigger's `where` is true of an event; a trigger without one always is."""
    return tree is None or bool(evaluate(tree, {"event": event, "held": held}))
