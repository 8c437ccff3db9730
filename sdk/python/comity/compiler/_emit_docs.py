"""Emits documentation: the requirement index, and diagrams of machines and message flow.

Responsible for Markdown and Mermaid. Not responsible for prose, which each family's README has.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ._ir import Action, Machine, Requirement, Spec, Transition

__all__ = ["flow_diagram", "machine_diagram", "machines_page", "requirement_index", "requirements_page"]


def requirements_page(specs: Iterable[Spec]) -> str:
    """`requirements.md`: every row of every family, with an anchor per id."""
    families = list(specs)
    rows = [row for spec in families for row in spec.requirements]
    lines = [
        "# Requirements",
        "",
        f"{len(rows)} rows, generated from `spec/`. Each id is stable: it is never reused and never renumbered.",
        "",
        "| family | MUST | SHOULD | MAY | on the wire |",
        "|---|---|---|---|---|",
        *(_summary(spec) for spec in families),
    ]
    for spec in families:
        lines += ["", f"## {spec.title} {spec.version}", "", spec.summary]
        for area, group in _areas(spec).items():
            lines += ["", f"### {area}"]
            for row in group:
                lines += ["", *_row(row)]
    return "\n".join(lines) + "\n"


def _summary(spec: Spec) -> str:
    count = {
        level: sum(row.level == level for row in spec.requirements) for level in ("MUST", "SHOULD", "MAY")
    }
    wire = sum(row.level == "MUST" and row.observe != "api" for row in spec.requirements)
    share = f"{100 * wire / count['MUST']:.0f} % of MUST" if count["MUST"] else "–"
    return f"| {spec.protocol} {spec.version} | {' | '.join(map(str, count.values()))} | {share} |"


def _areas(spec: Spec) -> dict[str, list[Requirement]]:
    areas: dict[str, list[Requirement]] = {}
    for row in spec.requirements:
        areas.setdefault(row.id.rpartition("-")[0], []).append(row)
    return areas


def _row(row: Requirement) -> Iterator[str]:
    facts = [row.level, f"role `{row.role}`", f"profile `{row.profile}`", f"observed by {row.observe}"]
    facts += [f"trigger `{row.trigger}`"] if row.trigger else []
    facts += [f"since {row.since}"] + ([f"deprecated {row.deprecated}"] if row.deprecated else [])
    yield f'<a id="{row.id}"></a>**{row.id}** — {row.text}'
    yield ""
    yield f"*{row.why}*  " if row.why else ""
    yield f"<small>{' · '.join(facts)}</small>"


def requirement_index(specs: Iterable[Spec]) -> dict[str, Any]:
    """`requirements.json`: the same index as data."""
    families = list(specs)
    return {
        "format": "comity-requirements/1",
        "families": {spec.protocol: {"version": spec.version, "digest": spec.digest} for spec in families},
        "requirements": [
            {
                "id": row.id,
                "family": spec.protocol,
                "level": row.level,
                "role": row.role,
                "profile": row.profile,
                "observe": row.observe,
                "since": row.since,
                "text": row.text,
                "source": row.source,
            }
            for spec in families
            for row in spec.requirements
        ],
    }


def machines_page(spec: Spec) -> str:
    """`machines/<family>.md`: a diagram and a table per machine, and the flow of messages between the roles."""
    lines = [f"# {spec.title} {spec.version}: machines and messages", "", "Generated from `spec/`.", ""]
    lines += ["## Messages", "", "```mermaid", *flow_diagram(spec), "```"]
    for machine in spec.machines.values():
        lines += ["", f"## {machine.name}", "", f"Role `{machine.role}`. {machine.summary}", ""]
        lines += ["```mermaid", *machine_diagram(machine), "```", "", *_table(machine)]
        if machine.invariants:
            lines += ["", "Always true:", ""]
            lines += [
                f"- [{key}](../requirements.md#{key}): `{e.source}`" for key, e in machine.invariants.items()
            ]
    return "\n".join(lines) + "\n"


def flow_diagram(spec: Spec) -> Iterator[str]:
    """Mermaid sequence diagram: each request with its answers, then the events."""
    yield "sequenceDiagram"
    for role in spec.head.get("roles", {}):
        yield f"    participant {role}"
    for name, definition in spec.messages.items():
        meta = definition.message
        if meta and meta.kind != "reply":
            yield f"    {meta.senders[0]}->>{meta.receivers[0]}: {name}"
            if meta.replies:
                yield f"    {meta.receivers[0]}-->>{meta.senders[0]}: {' | '.join(meta.replies)}"


def machine_diagram(machine: Machine) -> Iterator[str]:
    """Mermaid state diagram of `machine`."""
    yield "stateDiagram-v2"
    yield f"    [*] --> {machine.initial}"
    for transition in machine.transitions:
        for source in transition.sources:
            yield f"    {source} --> {transition.target or source}: {_label(transition)}"
    for state in machine.states:
        if state in machine.final:
            yield f"    {state} --> [*]"


def _label(transition: Transition) -> str:
    return f"{transition.when} ({transition.id})" if transition.guard else transition.when


def _table(machine: Machine) -> Iterator[str]:
    yield "| transition | from | when | if | to | does |"
    yield "|---|---|---|---|---|---|"
    for t in machine.transitions:
        guard = f"`{t.guard.source}`".replace("|", "\\|") if t.guard else ""
        does = ", ".join(filter(None, map(_action, t.actions)))
        yield f"| {t.id} | {', '.join(t.sources)} | `{t.when}` | {guard} | {t.target or 'stays'} | {does} |"


def _action(action: Action) -> str:
    if action.kind == "set":
        return ", ".join(f"set {name} = `{value.source}`" for name, value in action.values)
    after = f" after `{action.value.source}` ms" if action.value else ""
    return f"{action.kind} {action.name}{after}"
