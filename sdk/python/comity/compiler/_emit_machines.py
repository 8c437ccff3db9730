"""Emits `machines.py`: one table per machine, guards and updates as small functions, effects as data.

Responsible for the flat table `(state, trigger) -> edges` in document order. Not responsible for running it.
"""

from __future__ import annotations

from collections.abc import Iterator

from ._ir import Expression, Machine, Spec, Transition
from ._python import constant, docstring, header, literal, python, tuple_of

__all__ = ["machines_module"]

_EFFECTS = ("send", "persist", "append", "notify", "effect", "refuse")


def machines_module(spec: Spec) -> str:
    """Source of `machines.py` for `spec`."""
    body = "\n".join(part for m in spec.machines.values() for part in _machine(m))
    exported = sorted(
        [*(f"{constant(m)}" for m in spec.machines), *(f"{m}State" for m in spec.machines), "MACHINES"]
    )
    table = "\n".join(f'    "{m}": {constant(m)},' for m in spec.machines)
    names = "".join(f'    "{name}",\n' for name in exported)
    machine = [
        n for n in ("Edge", "Effect", "Instance", "Machine", "Table") if f"{n}" in body or n == "Machine"
    ]
    imports = ["from collections.abc import Mapping"]
    imports += ["from enum import StrEnum"] if spec.machines else []
    imports += ["from typing import Any, Final" if spec.machines else "from typing import Final", ""]
    imports += [f"from comity.sdk.machine import {', '.join(machine)}"]
    imports += ["from comity.sdk.model import MISSING"] if "MISSING" in body else []
    joined = "\n".join(imports)
    return (
        f"{header(spec, f'State machines of {spec.title}.')}\n{joined}\n\n__all__ = [\n{names}]\n{body}\n\n"
        f"MACHINES: Final[Mapping[str, Machine]] = {{\n{table}\n}}\n"
    ).replace("{\n\n}", "{}")


def _machine(machine: Machine) -> Iterator[str]:
    name = machine.name
    states = "\n".join(f'    {constant(s)} = "{s}"' for s in machine.states)
    yield f"\n\nclass {name}State(StrEnum):\n{docstring(machine.summary, '    ')}\n\n{states}\n"
    for transition in machine.transitions:
        yield from _functions(machine, transition)
    for key, invariant in machine.invariants.items():
        yield _function(f"_{name}_{_slug(key)}", f"return {python(invariant.ast, mapping=True)}", invariant)
    yield f"\n_{name}_TABLE: Final[Table] = {{\n{_table(machine)}\n}}"
    yield _instance(machine)


def _functions(machine: Machine, transition: Transition) -> Iterator[str]:
    mapping = "." in transition.when
    stem = f"_{machine.name}_{_slug(transition.id)}"
    if transition.guard:
        yield _function(
            f"{stem}_guard",
            f"return {python(transition.guard.ast, mapping=mapping)}",
            transition.guard,
        )
    lines = list(_updates(transition, mapping))
    if lines:
        body = "\n    ".join(lines)
        yield f"\ndef {stem}_update(event: Any, it: Instance, now: float) -> None:\n    {body}\n"


def _function(name: str, body: str, source: Expression) -> str:
    return f"\ndef {name}(event: Any, it: Instance) -> object:\n    # {source.source}\n    {body}\n"


def _updates(transition: Transition, mapping: bool) -> Iterator[str]:
    """Statements for `set`, `arm` and `disarm`; one `set` reads the context as it was before it."""
    for action in transition.actions:
        if action.kind == "set":
            values = ", ".join(python(value.ast, mapping=mapping) for _, value in action.values)
            yield f"{', '.join(f'it.context[{literal(n)}]' for n, _ in action.values)} = {values}"
        elif action.kind == "arm" and action.value:
            yield f"it.arm({literal(action.name)}, now, {python(action.value.ast, mapping=mapping)})"
        elif action.kind == "disarm":
            yield f"it.armed.pop({literal(action.name)}, None)"


def _table(machine: Machine) -> str:
    lines: list[str] = []
    for state in machine.states:
        triggers: dict[str, list[str]] = {}
        for transition in machine.transitions:
            if state in transition.sources:
                triggers.setdefault(transition.when, []).append(_edge(machine, transition, state))
        lines += [f"    # {state}"] if triggers else []
        for trigger, edges in triggers.items():
            inner = "".join(f"        {edge},\n" for edge in edges)
            lines.append(f"    ({machine.name}State.{constant(state)}, {literal(trigger)}): (\n{inner}    ),")
    return "\n".join(lines)


def _edge(machine: Machine, transition: Transition, state: str) -> str:
    stem = f"_{machine.name}_{_slug(transition.id)}"
    parts = [literal(transition.id), f"{machine.name}State.{constant(transition.target or state)}"]
    if transition.guard:
        parts.append(f"guard={stem}_guard")
    if any(a.kind in ("set", "arm", "disarm") for a in transition.actions):
        parts.append(f"update={stem}_update")
    effects = [
        f"Effect({literal(a.kind)}, {literal(a.name)})" for a in transition.actions if a.kind in _EFFECTS
    ]
    if effects:
        parts.append(f"effects={tuple_of(effects)}")
    return f"Edge({', '.join(parts)})"


def _instance(machine: Machine) -> str:
    final = ", ".join(f"{machine.name}State.{constant(s)}" for s in machine.states if s in machine.final)
    context = ", ".join(f"{literal(k)}: {literal(initial)}" for k, (_, initial) in machine.context.items())
    checks = ", ".join(f"{literal(key)}: _{machine.name}_{_slug(key)}" for key in machine.invariants)
    lines = [
        f"name={literal(machine.name)}",
        f"role={literal(machine.role)}",
        f"initial={machine.name}State.{constant(machine.initial)}",
        f"final=frozenset[str]({f'{{{final}}}' if final else ''})",
        f"context={{{context}}}",
        f"timers={tuple_of(map(literal, machine.timers))}",
        f"unexpected={literal(machine.unexpected)}",
        f"table=_{machine.name}_TABLE",
        f"invariants={{{checks}}}",
    ]
    inner = "".join(f"    {line},\n" for line in lines)
    return f"\n{constant(machine.name)}: Final = Machine(\n{inner})"


def _slug(name: str) -> str:
    return name.lower().replace("-", "_")
