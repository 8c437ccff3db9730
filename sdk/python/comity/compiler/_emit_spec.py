"""Emits `spec.json`: the compiled family as data, complete in itself.

Responsible for the form that tools, judges and other languages read. Not responsible for its meaning.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ._ir import Action, Channel, Definition, Expression, Machine, Requirement, Spec, Transition
from ._jsonschema import DIALECT, closure

__all__ = ["compiled", "dump"]

FORMAT = "comity-spec/1"


def dump(data: Any) -> str:
    """JSON as all generated files have it: indented, in the given order, with a final newline."""
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def compiled(spec: Spec) -> dict[str, Any]:
    """The compiled form of `spec`."""
    channel_of = {message: c.name for c in spec.channels.values() for message in c.messages}
    return {
        "format": FORMAT,
        "protocol": spec.protocol,
        "version": spec.version,
        "title": spec.title,
        "summary": spec.summary,
        "digest": spec.digest,
        "uses": {name: {"version": used.version, "digest": used.digest} for name, used in spec.uses.items()},
        **{key: spec.head.get(key, {}) for key in ("roles", "parameters", "features")},
        **{key: _glossary(spec, key) for key in ("facts", "effects", "predicates")},
        "errors": [row for family in spec.families() for row in family.errors],
        "channels": {name: _channel(c) for name, c in spec.channels.items()},
        "messages": {n: _message(spec, d, channel_of.get(n)) for n, d in spec.messages.items()},
        "schema": {
            "$schema": DIALECT,
            "$id": f"urn:comity:{spec.protocol}:{spec.version}",
            "$defs": closure(spec, spec.definitions),
        },
        "machines": {name: _machine(m) for name, m in spec.machines.items()},
        "requirements": [_requirement(r) for r in spec.requirements],
        "traces": [t.data for t in spec.traces],
    }


def _glossary(spec: Spec, key: str) -> Mapping[str, str]:
    """Own and used names, since triggers may start with a fact of a used family."""
    return {name: text for family in spec.families() for name, text in family.head.get(key, {}).items()}


def _channel(channel: Channel) -> dict[str, Any]:
    return {
        "summary": channel.summary,
        "from": channel.senders,
        "to": channel.receivers,
        "messages": channel.messages,
        "key": channel.key,
        "order": channel.order,
        "guarantee": channel.guarantee,
        "max_bytes": channel.max_bytes,
        "group": channel.group,
    }


def _message(spec: Spec, definition: Definition, channel: str | None) -> dict[str, Any]:
    meta = definition.message
    assert meta is not None
    return {
        "type": spec.type_name(definition.name),
        "from": meta.senders,
        "to": meta.receivers,
        "kind": meta.kind,
        "write": meta.write,
        "safe": meta.safe,
        "replies": meta.replies,
        "channel": channel,
        "requirements": definition.requirements,
    }


def _machine(machine: Machine) -> dict[str, Any]:
    return {
        "role": machine.role,
        "summary": machine.summary,
        "context": {
            name: {"type": kind, "initial": value} for name, (kind, value) in machine.context.items()
        },
        "timers": machine.timers,
        "signals": machine.signals,
        "states": {name: {"final": name in machine.final} for name in machine.states},
        "initial": machine.initial,
        "unexpected": machine.unexpected,
        "transitions": [_transition(t) for t in machine.transitions],
        "invariants": {key: _expression(e) for key, e in machine.invariants.items()},
    }


def _transition(transition: Transition) -> dict[str, Any]:
    return {
        "id": transition.id,
        "from": transition.sources,
        "when": transition.when,
        "if": _expression(transition.guard),
        "to": transition.target,
        "do": [_action(a) for a in transition.actions],
        "requirements": transition.requirements,
    }


def _action(action: Action) -> dict[str, Any]:
    if action.kind == "set":
        return {"set": {name: _expression(value) for name, value in action.values}}
    row: dict[str, Any] = {action.kind: action.name}
    return {**row, "after": _expression(action.value)} if action.value else row


def _expression(expression: Expression | None) -> dict[str, Any] | None:
    return {"source": expression.source, "ast": expression.ast} if expression else None


def _requirement(row: Requirement) -> dict[str, Any]:
    trigger = None
    if row.trigger is not None:
        trigger = {"source": row.trigger, "on": row.trigger_on, "where": _expression(row.trigger_where)}
    return {
        "id": row.id,
        "level": row.level,
        "role": row.role,
        "profile": row.profile,
        "text": row.text,
        "observe": row.observe,
        "trigger": trigger,
        "since": row.since,
        "deprecated": row.deprecated,
        "why": row.why,
        "source": row.source,
    }
