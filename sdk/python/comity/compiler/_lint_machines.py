"""Judges one machine: reachability, sinks, timers, and edges that no input can take.

Responsible for what the graph and the guards show without running anything. Not responsible for roles and
messages across machines.
"""

from __future__ import annotations

from collections.abc import Iterator

from ._diagnostics import Diagnostic
from ._guards import Verdict, overlap
from ._ir import Machine, Transition
from ._yaml import Document, Where

__all__ = ["lint_machine"]


def lint_machine(machine: Machine, document: Document) -> Iterator[Diagnostic]:
    """Every complaint about `machine`, whose source is `document`."""
    where: Where = ("machines", machine.name)

    def at(place: Where, rule: str, message: str) -> Diagnostic:
        inside = (*where, *place)
        return Diagnostic(document.file, document.line(inside), rule, f"{machine.name}: {message}")

    reached = _reachable(machine)
    for state in machine.states:
        outgoing = [t for t in machine.transitions if state in t.sources]
        leaves = any(t.target not in (None, state) for t in outgoing)
        if state not in reached:
            yield at(("states", state), "lint.unreachable-state", f"nothing leads to {state}")
        if not leaves and state not in machine.final and len(machine.states) > 1:
            yield at(("states", state), "lint.sink", f"nothing leaves {state}, and it is not final")
        if outgoing and state in machine.final:
            yield at(("states", state), "lint.final-with-edges", f"{state} is final and has transitions")
    for timer in machine.timers:
        armed = any(a.kind == "arm" and a.name == timer for t in machine.transitions for a in t.actions)
        handled = any(t.when == f"timer.{timer}" for t in machine.transitions)
        if armed and not handled:
            yield at(("timers",), "lint.timer-not-handled", f"timer {timer} is armed and nothing handles it")
        if not armed:
            yield at(("timers",), "lint.timer-never-armed", f"nothing arms timer {timer}")
    seen: set[str] = set()
    for transition in machine.transitions:
        if transition.id in seen:
            yield at(transition.where[2:], "lint.duplicate-id", f"transition {transition.id} is taken")
        seen.add(transition.id)
    for edge, rule, message in _conflicts(machine):
        yield at(edge.where[2:], rule, message)


def _reachable(machine: Machine) -> set[str]:
    reached = {machine.initial}
    while True:
        more = {
            t.target for t in machine.transitions if t.target and reached.intersection(t.sources)
        } - reached
        if not more:
            return reached
        reached |= more


def _conflicts(machine: Machine) -> Iterator[tuple[Transition, str, str]]:
    """Edges of one state and trigger of which one can never fire, or of which two surely can at once."""
    for state in machine.states:
        triggers: dict[str, list[Transition]] = {}
        for transition in machine.transitions:
            if state in transition.sources:
                triggers.setdefault(transition.when, []).append(transition)
        for edges in triggers.values():
            for index, edge in enumerate(edges):
                yield from _conflict(state, edges[:index], edge)


def _conflict(
    state: str, earlier: list[Transition], edge: Transition
) -> Iterator[tuple[Transition, str, str]]:
    guard = edge.guard.ast if edge.guard else ["lit", True]
    before = [e.guard.ast if e.guard else ["lit", True] for e in earlier]
    verdict = overlap(before, guard)
    names = ", ".join(e.id for e in earlier)
    if verdict is Verdict.SHADOWED:
        if names:
            yield edge, "lint.shadowed-edge", f"{edge.id} can never fire in {state}, behind {names}"
        else:
            yield edge, "lint.shadowed-edge", f"the guard of {edge.id} is never true"
    elif verdict is Verdict.OVERLAPS and edge.guard:
        yield edge, "lint.overlapping-guards", f"{edge.id} and {names} can be enabled at once in {state}"
