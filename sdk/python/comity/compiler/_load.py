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
from ._ir import Channel, Spec
from ._machines import read_machines
from ._profile import definitions, names, parse_type
from ._references import link
from ._rows import check_role, read_requirements, read_traces, shown
from ._shape import LANGUAGE, check_shape
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
        document = read_yaml(path, shown(path), self.log)
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
                self.log.add(shown(path), 1, "file.missing", f"a family needs {stem}.yaml")
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
        spec.requirements = read_requirements(spec, spec.documents["requirements"])
    if (path / "traces").is_dir():
        spec.traces = read_traces(spec, path / "traces", language)


def _check_head(spec: Spec) -> None:
    document = spec.documents["protocol"]
    for name, row in spec.head.get("parameters", {}).items():
        where: Where = ("parameters", name)
        check_role(spec, document, (*where, "role"), row["role"])
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


def _check_messages(spec: Spec, document: Document) -> None:
    for name, definition in spec.messages.items():
        meta = definition.message
        assert meta is not None
        where: Where = ("$defs", name, "x-message")
        for key, roles in (("from", meta.senders), ("to", meta.receivers)):
            for role in roles:
                check_role(spec, document, (*where, key), role)
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
                check_role(spec, document, (*where, key), role)
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


def _digest(spec: Spec) -> str:
    """SHA-256 over the YAML of this family and the digests of those it uses."""
    digest = hashlib.sha256(COMPILED.encode())
    for file in sorted([*spec.path.glob("*.yaml"), *spec.path.glob("traces/*.yaml")]):
        body = file.read_bytes()
        digest.update(f"\n{file.relative_to(spec.path).as_posix()} {len(body)}\n".encode() + body)
    for name, used in sorted(spec.uses.items()):
        digest.update(f"\nuses {name} {used.digest}".encode())
    return digest.hexdigest()
