"""Loads a family: its files, what it uses, and everything that must hold before it can be compiled.

Responsible for `load`, which either gives a sound `Spec` or raises with every error found. Not responsible
for lint, which judges sound specs.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from ._diagnostics import Log
from ._ir import Channel, Expression, Ref, Requirement, Spec, Trace
from ._machines import expression, read_machines
from ._profile import definitions, names, parse_type
from ._references import link
from ._shape import LANGUAGE, check_shape
from ._typing import ANY, BOOLEAN, Kind, Scope
from ._values import faults
from ._yaml import Document, Where, read_yaml

__all__ = ["load"]

_OPTIONAL = ("channels", "machines", "requirements")
COMPILED = "comity-spec/1"


def load(path: str | Path, *, language: Path = LANGUAGE) -> Spec:
    """Load the family in directory `path` and all it uses.

    `language` holds the JSON Schemas of the file formats. Raises `CompilerError` with every error found, each
    with file and line.
    """
    log = Log()
    spec = _Loader(log, language).family(Path(path), ())
    log.check()
    assert spec is not None
    return spec


class _Loader:
    def __init__(self, log: Log, language: Path) -> None:
        self.log = log
        self.language = language
        self.loaded: dict[Path, Spec | None] = {}

    def family(self, path: Path, chain: tuple[Path, ...]) -> Spec | None:
        """The family in `path`, or None when its head cannot be read."""
        key = path.resolve()
        if key not in self.loaded:
            self.loaded[key] = self.read(path, (*chain, key))
        return self.loaded[key]

    def document(self, path: Path, schema: str) -> Document | None:
        document = read_yaml(path, _shown(path), self.log)
        sound = document.data is not None and check_shape(document, schema, self.language)
        return document if sound else None

    def read(self, path: Path, chain: tuple[Path, ...]) -> Spec | None:
        documents: dict[str, Document] = {}
        for stem in ("protocol", "messages", *_OPTIONAL):
            file = path / f"{stem}.yaml"
            if file.is_file():
                document = self.document(file, stem)
                if document is not None:
                    documents[stem] = document
            elif stem not in _OPTIONAL:
                self.log.add(_shown(path), 1, "file.missing", f"a family needs {stem}.yaml")
        if "protocol" not in documents:
            return None
        spec = self.head(path, documents)
        self.uses(spec, chain)
        _fill(spec, path, self.language)
        spec.digest = _digest(spec)
        return spec

    def head(self, path: Path, documents: dict[str, Document]) -> Spec:
        head: dict[str, Any] = documents["protocol"].data
        return Spec(
            path=path.resolve(),
            protocol=head["protocol"],
            version=head["version"],
            type_prefix=head.get("type_prefix", "comity"),
            title=head["title"].strip(),
            summary=head["summary"].strip(),
            head=head,
            log=self.log,
            documents=documents,
        )

    def uses(self, spec: Spec, chain: tuple[Path, ...]) -> None:
        document = spec.documents["protocol"]
        for name, target in spec.head.get("uses", {}).items():
            where: Where = ("uses", name)
            path = spec.path / str(target)
            if path.resolve() in chain:
                document.report(where, "include.cycle", f"{name} leads back to {spec.protocol}: {target}")
            elif not (path / "protocol.yaml").is_file():
                document.report(where, "include.missing", f"no protocol.yaml in {target}")
            else:
                used = self.family(Path(os.path.relpath(path)), chain)
                if used is not None:
                    spec.uses[name] = used
                    if used.protocol != name:
                        document.report(where, "include.name", f"{target} is the family {used.protocol!r}")


def _fill(spec: Spec, path: Path, language: Path) -> None:
    _check_head(spec)
    if "messages" in spec.documents:
        spec.definitions = definitions(spec.documents["messages"])
        link(spec, spec.documents["messages"])
        _check_messages(spec, spec.documents["messages"])
    messages = spec.documents.get("messages")
    if messages is None or any(d.file == messages.file for d in spec.log.diagnostics):
        return  # whatever refers to broken messages would only be blamed for their errors
    if "channels" in spec.documents:
        spec.channels = _channels(spec, spec.documents["channels"])
    if "machines" in spec.documents:
        spec.machines = read_machines(spec, spec.documents["machines"])
    if "requirements" in spec.documents:
        spec.requirements = _requirements(spec, spec.documents["requirements"])
    if (path / "traces").is_dir():
        spec.traces = _traces(spec, path / "traces", language)


def _check_head(spec: Spec) -> None:
    document = spec.documents["protocol"]
    for name, row in spec.head.get("parameters", {}).items():
        where: Where = ("parameters", name)
        _role(spec, document, (*where, "role"), row["role"])
        before = len(spec.log.diagnostics)
        kind = parse_type(document, (*where, "schema"), row["schema"])
        if len(spec.log.diagnostics) == before:
            for _, message in faults(spec, kind, row["default"]):
                document.report((*where, "default"), "shape.value", f"the default of {name!r} {message}")
    rows = spec.errors
    for index, row in enumerate(rows):
        for key in ("code", "number"):
            if any(row[key] == other[key] for other in rows[:index]):
                document.report(
                    ("errors", index, key), "lint.duplicate-id", f"error {key} {row[key]} is taken"
                )
        if row["code"].partition(".")[0] != spec.protocol:
            document.report(
                ("errors", index, "code"),
                "lint.error-prefix",
                f"code {row['code']} must begin with {spec.protocol}.",
            )


def _role(spec: Spec, document: Document, where: Where, role: str) -> None:
    if role not in spec.head.get("roles", {}):
        document.report(where, "ref.role", f"protocol.yaml has no role {role!r}")


def _check_messages(spec: Spec, document: Document) -> None:
    for name, definition in spec.messages.items():
        meta = definition.message
        assert meta is not None
        where: Where = ("$defs", name, "x-message")
        for key, roles in (("from", meta.senders), ("to", meta.receivers)):
            for role in roles:
                _role(spec, document, (*where, key), role)
        for reply in meta.replies:
            target = spec.messages.get(reply)
            if target is None or target.message is None:
                document.report(
                    (*where, "replies"), "ref.message", f"no message {reply!r} in {spec.protocol}"
                )
            elif target.message.kind != "reply":
                document.report(
                    (*where, "replies"), "ref.message", f"{reply} is of kind {target.message.kind}, not reply"
                )


def _channels(spec: Spec, document: Document) -> dict[str, Channel]:
    found: dict[str, Channel] = {}
    for name, row in document.data["channels"].items():
        where: Where = ("channels", name)
        for key in ("from", "to"):
            for role in names(row[key]):
                _role(spec, document, (*where, key), role)
        for index, message in enumerate(row["messages"]):
            if message not in spec.messages:
                document.report(
                    (*where, "messages", index), "ref.message", f"no message {message!r} in {spec.protocol}"
                )
        found[name] = Channel(
            name,
            row["summary"].strip(),
            names(row["from"]),
            names(row["to"]),
            tuple(row["messages"]),
            row["key"],
            row["order"],
            row["guarantee"],
            row["max_bytes"],
            row.get("group", False),
        )
    return found


def _requirements(spec: Spec, document: Document) -> list[Requirement]:
    rows: list[Requirement] = []
    for index, row in enumerate(document.data["requirements"]):
        where: Where = ("requirements", index)
        _role(spec, document, (*where, "role"), row["role"])
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


def _traces(spec: Spec, directory: Path, language: Path) -> list[Trace]:
    found: list[Trace] = []
    for file in sorted(directory.glob("*.yaml")):
        document = read_yaml(file, _shown(file), spec.log)
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


def _digest(spec: Spec) -> str:
    """SHA-256 over the YAML of this family and the digests of those it uses."""
    digest = hashlib.sha256(COMPILED.encode())
    for file in sorted([*spec.path.glob("*.yaml"), *spec.path.glob("traces/*.yaml")]):
        body = file.read_bytes()
        digest.update(f"\n{file.relative_to(spec.path).as_posix()} {len(body)}\n".encode() + body)
    for name, used in sorted(spec.uses.items()):
        digest.update(f"\nuses {name} {used.digest}".encode())
    return digest.hexdigest()


def _shown(path: Path) -> str:
    """The path as people would type it: relative to where they stand, if it lies below."""
    absolute = Path(os.path.normpath(Path.cwd() / path))
    here = Path.cwd()
    return (absolute.relative_to(here) if absolute.is_relative_to(here) else absolute).as_posix()
