"""Decides, where it is simple, whether guards exclude one another.

Responsible for a sound answer over atoms: a comparison of two terms is one three-valued atom (<, =, >), every
other test a two-valued one, and atoms are taken as independent. Independence makes "never" certain and
"at once" only likely, so overlaps are reported for a single atom only.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from enum import Enum, auto
from itertools import product
from typing import Any

from ._ir import Ast

__all__ = ["Verdict", "overlap"]

_LIMIT = 10
_ORDERS: dict[str, frozenset[int]] = {
    "==": frozenset({0}),
    "!=": frozenset({-1, 1}),
    "<": frozenset({-1}),
    "<=": frozenset({-1, 0}),
    ">": frozenset({1}),
    ">=": frozenset({0, 1}),
}
_LOGIC: dict[str, Callable[[bool, bool], bool]] = {
    "&&": lambda a, b: a and b,
    "||": lambda a, b: a or b,
    "implies": lambda a, b: not a or b,
}


class Verdict(Enum):
    DISJOINT = auto()
    SHADOWED = auto()
    OVERLAPS = auto()
    UNDECIDED = auto()


def overlap(earlier: list[Ast], guard: Ast) -> Verdict:
    """How `guard` stands to the guards before it, of which the first true one wins."""
    atoms = sorted({atom for tree in (*earlier, guard) for atom in _atoms(tree)})
    if len(atoms) > _LIMIT:
        return Verdict.UNDECIDED
    free = both = False
    for values in product(*((-1, 0, 1) if atom[0] else (0, 1) for atom in atoms)):
        world = dict(zip(atoms, values, strict=True))
        if _holds(guard, world):
            taken = any(_holds(tree, world) for tree in earlier)
            free |= not taken
            both |= taken
    if not free:
        return Verdict.SHADOWED
    if both:
        return Verdict.OVERLAPS if len(atoms) == 1 else Verdict.UNDECIDED
    return Verdict.DISJOINT


def _atom(tree: Ast) -> tuple[bool, str]:
    """The atom of a test: whether it is a comparison, and its terms in a fixed order."""
    if tree[0] in _ORDERS:
        return True, json.dumps(sorted(tree[1:], key=json.dumps))
    return False, json.dumps(tree)


def _atoms(tree: Ast) -> Iterator[tuple[bool, str]]:
    if tree[0] == "!" or tree[0] in _LOGIC:
        for inner in tree[1:]:
            yield from _atoms(inner)
    elif tree[0] != "lit":
        yield _atom(tree)


def _holds(tree: Ast, world: Mapping[tuple[bool, str], Any]) -> bool:
    if tree[0] == "lit":
        return bool(tree[1])
    if tree[0] == "!":
        return not _holds(tree[1], world)
    if tree[0] in _LOGIC:
        return _LOGIC[tree[0]](_holds(tree[1], world), _holds(tree[2], world))
    value = world[_atom(tree)]
    if tree[0] not in _ORDERS:
        return bool(value)
    swapped = json.dumps(tree[1]) > json.dumps(tree[2])
    return (-value if swapped else value) in _ORDERS[tree[0]]
