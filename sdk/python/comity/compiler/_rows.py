"""Reads requirement rows and normative traces: triggers checked, covered rows known, data conforming.

Responsible for what these files say of messages and facts. Not responsible for judging wording (see `_lint`).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ._ir import Expression, Ref, Requirement, Spec, Trace
from ._machines import expression
from ._shape import check_shape
from ._typing import ANY, BOOLEAN, Kind, Scope
from ._values import faults
from ._yaml import Document, Where, read_yaml

__all__ = ["check_role", "read_requirements", "read_traces", "shown"]


def read_requirements(spec: Spec, document: Document) -> list[Requirement]:
    rows: list[Requirement] = []
    for index, row in enumerate(document.data["requirements"]):
        where: Where = ("requirements", index)
        check_role(spec, document, (*where, "role"), row["role"])
        feature = row["profile"].partition(":")[2]
        features = {name for family in spec.families() for name in family.head.get("features", {})}
        if feature and feature not in features:
            document.report((*where, "profile"), "ref.feature", f"protocol.yaml lists no feature {feature!r}")
        on, condition = _trigger(spec, document, (*where, "trigger"), row.get("trigger"))
        rows.append(
            Requirement(
                id=row["id"],
                level=row["level"],
                role=row["role"],
                profile=row["profile"],
                text=" ".join(row["text"].split()),
                observe=row["observe"],
                trigger=row.get("trigger"),
                trigger_on=on,
                trigger_where=condition,
                since=row["since"],
                deprecated=row.get("deprecated"),
                why=" ".join(row.get("why", "").split()),
                source=tuple(row.get("source", ())),
                where=where,
            )
        )
    return rows


def _trigger(
    spec: Spec, document: Document, where: Where, text: str | None
) -> tuple[str | None, Expression | None]:
    if text is None:
        return None, None
    on, space, rest = text.strip().partition(" ")
    facts = {fact for family in spec.families() for fact in family.head.get("facts", {})}
    event = Kind("object", type=Ref("", on), spec=spec) if on in spec.messages else ANY
    if on not in spec.messages and on not in facts:
        document.report(where, "ref.trigger", f"{on!r} is neither a message nor a fact of {spec.protocol}")
    if not space:
        return on, None
    word, _, condition = rest.strip().partition(" ")
    if word != "where":
        document.report(where, "expr.syntax", f"`{text}`: expected `where` behind {on}")
        return on, None
    predicates = frozenset(p for family in spec.families() for p in family.head.get("predicates", {}))
    scope = Scope({"event": event, "held": ANY}, predicates=predicates)
    return on, expression(document, where, condition, scope, BOOLEAN)


def read_traces(spec: Spec, directory: Path, language: Path) -> list[Trace]:
    found: list[Trace] = []
    for file in sorted(directory.glob("*.yaml")):
        document = read_yaml(file, shown(file), spec.log)
        if document.data is None or not check_shape(document, "trace", language):
            continue
        data = document.data
        ids = {row.id for family in spec.families() for row in family.requirements}
        for index, covered in enumerate(data["covers"]):
            if covered not in ids:
                document.report(("covers", index), "ref.requirement", f"no requirement {covered!r}")
        for index, step in enumerate(data["steps"]):
            _step(spec, document, ("steps", index), step)
        found.append(Trace(data["trace"], data["title"], tuple(data["covers"]), data, document))
    return found


def _step(spec: Spec, document: Document, where: Where, step: dict[str, Any]) -> None:
    kind = "send" if "send" in step else "see"
    name = step.get(kind)
    if name is None:
        return
    if name not in spec.messages:
        document.report((*where, kind), "ref.message", f"no message {name!r} in {spec.protocol}")
        return
    _codes(spec, document, (*where, "data"), step.get("data", {}))
    data = step.get("data", {})
    bound = kind == "see" or any(isinstance(v, str) and v.startswith("$") for v in data.values())
    for place, message in faults(spec, Ref("", name), data, partial=bound):
        document.report((*where, "data", *place), "trace.data", f"{name}: {message}")


def _codes(spec: Spec, document: Document, where: Where, data: dict[str, Any]) -> None:
    code = data.get("code")
    known = {row["code"] for family in spec.families() for row in family.errors}
    if isinstance(code, str) and not code.startswith("$") and known and code not in known:
        document.report(
            (*where, "code"), "ref.error", f"no error code {code!r} in {spec.protocol} or what it uses"
        )


def check_role(spec: Spec, document: Document, where: Where, role: str) -> None:
    """Report a role that protocol.yaml does not have."""
    if role not in spec.head.get("roles", {}):
        document.report(where, "ref.role", f"protocol.yaml has no role {role!r}")


def shown(path: Path) -> str:
    """The path as people would type it: relative to where they stand, if it lies below."""
    absolute = Path(os.path.normpath(Path.cwd() / path))
    here = Path.cwd()
    return (absolute.relative_to(here) if absolute.is_relative_to(here) else absolute).as_posix()
