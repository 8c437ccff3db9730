"""Judges a sound spec: what can be compiled and still cannot be right.

Responsible for the rules named `lint.*`, over the whole family. Not responsible for machines' inner shape
(`_lint_machines`) or for errors that stop compilation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ._diagnostics import Diagnostic
from ._ir import Requirement, Spec
from ._json import is_list, is_map
from ._lint_machines import lint_machine
from ._yaml import Document, Where

__all__ = ["lint"]

_KEYWORD = re.compile(
    r"\b(MUST(?: NOT)?|SHALL(?: NOT)?|SHOULD(?: NOT)?|REQUIRED|RECOMMENDED|NOT RECOMMENDED|MAY|OPTIONAL)\b"
)
_LEVELS = {"MUST": ("MUST", "SHALL"), "SHOULD": ("SHOULD", "RECOMMENDED"), "MAY": ("MAY", "OPTIONAL")}
_OBSERVABLE = 0.95


def lint(spec: Spec) -> list[Diagnostic]:
    """Every complaint about `spec` itself, in file and line order; families it uses are judged on their own."""
    found = [*_messages(spec), *_channels(spec), *_rows(spec), *_traces(spec), *_prose(spec)]
    for machine in spec.machines.values():
        found += lint_machine(machine, spec.documents["machines"])
    return sorted(set(found))


def _at(document: Document, where: Where, rule: str, message: str) -> Diagnostic:
    return Diagnostic(document.file, document.line(where), rule, message)


# ------------------------------------------------------------------ messages


def _messages(spec: Spec) -> Iterator[Diagnostic]:
    document = spec.documents["messages"]
    replies = {reply for d in spec.messages.values() if d.message for reply in d.message.replies}
    ids = {row.id for family in spec.families() for row in family.requirements}
    for name, definition in spec.messages.items():
        meta = definition.message
        assert meta is not None
        where: Where = ("$defs", name)
        if meta.kind == "request" and not meta.replies:
            yield _at(document, where, "lint.request-without-reply", f"nothing answers {name}")
        if meta.kind == "reply" and name not in replies:
            yield _at(document, where, "lint.reply-to-nothing", f"{name} answers no request")
        for row in definition.requirements:
            if row not in ids:
                yield _at(
                    document, (*where, "x-requirement"), "lint.unknown-requirement", f"no requirement {row!r}"
                )
        yield from _roles(spec, document, name)


def _roles(spec: Spec, document: Document, name: str) -> Iterator[Diagnostic]:
    """A role with a machine or a channel must do with a message what the message says it does."""
    meta = spec.messages[name].message
    assert meta is not None
    sent = {
        m.role
        for m in spec.machines.values()
        for t in m.transitions
        for a in t.actions
        if (a.kind, a.name) == ("send", name)
    }
    handled = {m.role for m in spec.machines.values() for t in m.transitions if t.when == name}
    channels = [c for c in spec.channels.values() if name in c.messages]
    if spec.machines and not (sent or any(set(c.senders) & set(meta.senders) for c in channels)):
        yield _at(document, ("$defs", name), "lint.never-sent", f"no machine or channel sends {name}")
    if spec.machines and not (handled or any(set(c.receivers) & set(meta.receivers) for c in channels)):
        yield _at(document, ("$defs", name), "lint.never-received", f"no machine or channel receives {name}")
    for roles, allowed, verb in ((sent, meta.senders, "send"), (handled, meta.receivers, "receive")):
        for role in sorted(roles - set(allowed)):
            yield _at(
                document, ("$defs", name), "lint.wrong-role", f"a machine of {role} would {verb} {name}"
            )


def _channels(spec: Spec) -> Iterator[Diagnostic]:
    if "channels" not in spec.documents:
        return
    document = spec.documents["channels"]
    home: dict[str, str] = {}
    for channel in spec.channels.values():
        for index, name in enumerate(channel.messages):
            where: Where = ("channels", channel.name, "messages", index)
            if name in home:
                yield _at(document, where, "lint.two-channels", f"{name} is in channel {home[name]} already")
            home.setdefault(name, channel.name)
            meta = spec.messages[name].message
            assert meta is not None
            if not (
                set(meta.senders) <= set(channel.senders) and set(meta.receivers) <= set(channel.receivers)
            ):
                yield _at(
                    document, where, "lint.wrong-role", f"{name} does not travel the way of this channel"
                )
    for name in spec.messages.keys() - home.keys():
        yield _at(spec.documents["messages"], ("$defs", name), "lint.no-channel", f"{name} is in no channel")


# -------------------------------------------------------------- requirements


def _rows(spec: Spec) -> Iterator[Diagnostic]:
    if "requirements" not in spec.documents:
        return
    document = spec.documents["requirements"]
    seen: set[str] = set()
    prefix = spec.requirements[0].id.partition("-")[0] if spec.requirements else ""
    for row in spec.requirements:
        if row.id in seen:
            yield _at(document, (*row.where, "id"), "lint.duplicate-id", f"{row.id} is taken")
        seen.add(row.id)
        if row.id.partition("-")[0] != prefix:
            yield _at(
                document, (*row.where, "id"), "lint.id-prefix", f"{row.id} does not begin with {prefix}-"
            )
        if row.observe == "wire" and row.trigger is None:
            yield _at(
                document, row.where, "lint.no-trigger", f"{row.id} is observed on the wire and has no trigger"
            )
        yield from _level(document, row)
    for machine in spec.machines.values():
        for key in machine.invariants.keys() - seen:
            where = ("machines", machine.name, "invariants", key)
            yield _at(
                spec.documents["machines"], where, "lint.unknown-requirement", f"no requirement {key!r}"
            )
        for transition in machine.transitions:
            for key in set(transition.requirements) - seen:
                yield _at(
                    spec.documents["machines"],
                    transition.where,
                    "lint.unknown-requirement",
                    f"no requirement {key!r}",
                )
    yield from _observability(spec, document)


def _level(document: Document, row: Requirement) -> Iterator[Diagnostic]:
    words = {match.removesuffix(" NOT") for match in _KEYWORD.findall(row.text)}
    if not words & set(_LEVELS[row.level]):
        yield _at(
            document,
            (*row.where, "text"),
            "lint.level",
            f"{row.id} is a {row.level} and its text has no {row.level}",
        )
    stronger = [
        w for level in list(_LEVELS)[: list(_LEVELS).index(row.level)] for w in _LEVELS[level] if w in words
    ]
    if stronger:
        yield _at(
            document,
            (*row.where, "text"),
            "lint.level",
            f"{row.id} is a {row.level} and its text says {stronger[0]}",
        )


def _observability(spec: Spec, document: Document) -> Iterator[Diagnostic]:
    musts = [row for row in spec.requirements if row.level == "MUST"]
    hidden = [row for row in musts if row.observe == "api"]
    if musts and len(hidden) > (1 - _OBSERVABLE) * len(musts):
        share = 100 * (len(musts) - len(hidden)) / len(musts)
        names = ", ".join(row.id for row in hidden)
        message = f"{share:.1f} % of the MUST rows can be observed on the wire, below 95 %: not {names}"
        yield _at(document, hidden[0].where, "lint.observability", message)


def _traces(spec: Spec) -> Iterator[Diagnostic]:
    seen: set[str] = set()
    for trace in spec.traces:
        if trace.id in seen:
            yield _at(trace.document, ("trace",), "lint.duplicate-id", f"trace {trace.id} is taken")
        seen.add(trace.id)
        if not trace.covers:
            yield _at(
                trace.document, ("covers",), "lint.covers-nothing", f"trace {trace.id} covers no requirement"
            )


# --------------------------------------------------------------------- prose


def _prose(spec: Spec) -> Iterator[Diagnostic]:
    """RFC 2119 words bind, so they stand in rows only: there they have an id and a level."""
    for stem, document in spec.documents.items():
        if stem != "requirements":
            yield from _prose_in(document, document.data, ())
    for trace in spec.traces:
        yield from _prose_in(trace.document, trace.data, ())
    readme = spec.path / "README.md"
    if readme.is_file():
        shown = spec.documents["protocol"].file.removesuffix("protocol.yaml") + "README.md"
        for number, line in enumerate(readme.read_text(encoding="utf-8").splitlines(), 1):
            for word in _KEYWORD.findall(re.sub(r"`[^`]*`", "", line)):
                yield Diagnostic(
                    shown, number, "lint.keyword-in-prose", f"{word} binds; it belongs into a requirement row"
                )


_PROSE_KEYS = {"description", "summary", "title", "text", "note"}
_GLOSSARIES = {"effects", "predicates", "facts", "signals"}


def _prose_in(document: Document, value: Any, where: Where) -> Iterator[Diagnostic]:
    if is_map(value):
        for key, item in value.items():
            yield from _prose_in(document, item, (*where, key))
    elif is_list(value):
        for index, item in enumerate(value):
            yield from _prose_in(document, item, (*where, index))
    elif (
        isinstance(value, str)
        and where
        and (where[-1] in _PROSE_KEYS or (len(where) > 1 and where[-2] in _GLOSSARIES))
    ):
        for word in _KEYWORD.findall(value):
            yield _at(
                document, where, "lint.keyword-in-prose", f"{word} binds; it belongs into a requirement row"
            )
