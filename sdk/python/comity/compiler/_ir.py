"""The compiled form of a family inside the compiler: types, messages, machines, requirements, traces.

Responsible for the shapes that every emitter reads. Not responsible for reading YAML or for judging it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from ._diagnostics import Log
from ._yaml import Document, Where

__all__ = [
    "Action",
    "Array",
    "Ast",
    "Boolean",
    "Channel",
    "Choice",
    "Definition",
    "Expression",
    "Field",
    "Integer",
    "Machine",
    "MessageMeta",
    "Nullable",
    "Number",
    "Record",
    "Ref",
    "Requirement",
    "Spec",
    "Text",
    "Trace",
    "Transition",
    "Type",
    "Union",
]

Ast: TypeAlias = list[Any]


@dataclass(frozen=True, slots=True)
class Text:
    """A string of `min_length` to `max_length` code points."""

    min_length: int
    max_length: int
    pattern: str | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few strings; a `const` is a choice of one."""

    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Integer:
    minimum: int
    maximum: int


@dataclass(frozen=True, slots=True)
class Number:
    minimum: float
    maximum: float


@dataclass(frozen=True, slots=True)
class Boolean:
    pass


@dataclass(frozen=True, slots=True)
class Array:
    items: Type
    min_items: int
    max_items: int
    unique: bool = False


@dataclass(frozen=True, slots=True)
class Field:
    """One member of an object. `number` is its Protobuf field number."""

    name: str
    type: Type
    number: int
    required: bool
    description: str = ""
    since: str | None = None
    deprecated: str | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """A closed object; `fields` stand in the order of their numbers."""

    fields: tuple[Field, ...]

    def field(self, name: str) -> Field | None:
        return next((f for f in self.fields if f.name == name), None)


@dataclass(frozen=True, slots=True)
class Union:
    """Objects told apart by the constant member `tag`."""

    tag: str
    variants: tuple[tuple[str, Ref], ...]


@dataclass(frozen=True, slots=True)
class Ref:
    """A definition by name; `family` is "" for the own family, "comity" for `Value` and `Map`."""

    family: str
    name: str


@dataclass(frozen=True, slots=True)
class Nullable:
    inner: Type


Type: TypeAlias = Text | Choice | Integer | Number | Boolean | Array | Record | Union | Ref | Nullable


@dataclass(frozen=True, slots=True)
class Expression:
    """A checked expression: its text and its syntax tree as plain lists."""

    source: str
    ast: Ast


@dataclass(frozen=True, slots=True)
class MessageMeta:
    """Who sends a message to whom, and what answers it."""

    senders: tuple[str, ...]
    receivers: tuple[str, ...]
    kind: str
    write: bool
    safe: bool
    replies: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Definition:
    """One entry of `$defs`: its JSON Schema as written and the type it means."""

    name: str
    type: Type
    schema: Mapping[str, Any]
    description: str
    message: MessageMeta | None
    requirements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Channel:
    name: str
    summary: str
    senders: tuple[str, ...]
    receivers: tuple[str, ...]
    messages: tuple[str, ...]
    key: str
    order: str
    guarantee: str
    max_bytes: int
    group: bool


@dataclass(frozen=True, slots=True)
class Action:
    """One item of `do`. `value` is the delay of `arm`; `values` are the assignments of `set`."""

    kind: str
    name: str
    value: Expression | None = None
    values: tuple[tuple[str, Expression], ...] = ()


@dataclass(frozen=True, slots=True)
class Transition:
    id: str
    sources: tuple[str, ...]
    when: str
    guard: Expression | None
    target: str | None
    actions: tuple[Action, ...]
    summary: str
    requirements: tuple[str, ...]
    where: Where


@dataclass(frozen=True, slots=True)
class Machine:
    name: str
    role: str
    summary: str
    context: Mapping[str, tuple[str, int | str | bool]]
    timers: tuple[str, ...]
    signals: Mapping[str, str]
    states: tuple[str, ...]
    final: frozenset[str]
    initial: str
    unexpected: str
    transitions: tuple[Transition, ...]
    invariants: Mapping[str, Expression]


@dataclass(frozen=True, slots=True)
class Requirement:
    """One normative sentence. `trigger_on` is a message or fact, `trigger_where` narrows it."""

    id: str
    level: str
    role: str
    profile: str
    text: str
    observe: str
    trigger: str | None
    trigger_on: str | None
    trigger_where: Expression | None
    since: str
    deprecated: str | None
    why: str
    source: tuple[str, ...]
    where: Where


@dataclass(frozen=True, slots=True)
class Trace:
    id: str
    title: str
    covers: tuple[str, ...]
    data: Mapping[str, Any]
    document: Document


@dataclass
class Spec:
    """One family, compiled. `documents` are its files by stem, for diagnostics about what spans several."""

    path: Path
    protocol: str
    version: str
    type_prefix: str
    title: str
    summary: str
    head: Mapping[str, Any]
    log: Log
    documents: dict[str, Document]
    uses: dict[str, Spec] = field(default_factory=lambda: {})
    definitions: dict[str, Definition] = field(default_factory=lambda: {})
    channels: dict[str, Channel] = field(default_factory=lambda: {})
    machines: dict[str, Machine] = field(default_factory=lambda: {})
    requirements: list[Requirement] = field(default_factory=lambda: [])
    traces: list[Trace] = field(default_factory=lambda: [])
    digest: str = ""

    @property
    def major(self) -> int:
        return int(self.version.partition(".")[0])

    @property
    def slug(self) -> str:
        """Name of the family and major as an identifier: `mesh_memory_v1`."""
        return f"{self.protocol.replace('-', '_')}_v{self.major}"

    @property
    def messages(self) -> dict[str, Definition]:
        return {name: d for name, d in self.definitions.items() if d.message}

    def type_name(self, message: str) -> str:
        """The CloudEvents type of a message: `comity.registry.v1.Register`."""
        return f"{self.type_prefix}.{self.protocol}.v{self.major}.{message}"

    def owner(self, ref: Ref) -> Spec:
        """The family that a reference points into."""
        return self.uses[ref.family] if ref.family else self

    def resolve(self, kind: Type) -> tuple[Type, Spec]:
        """Follow references to what they mean, and say in whose family that stands. Built-ins stay references."""
        spec = self
        while isinstance(kind, Ref) and kind.family != "comity":
            spec = spec.owner(kind)
            kind = spec.definitions[kind.name].type
        return kind, spec

    def families(self) -> Iterator[Spec]:
        """This family and all that it uses, each once, used ones first."""
        seen: dict[Path, Spec] = {}
        for used in self.uses.values():
            for spec in used.families():
                seen.setdefault(spec.path, spec)
        yield from seen.values()
        yield self

    @property
    def errors(self) -> list[Mapping[str, Any]]:
        """Rows of the own error registry."""
        return list(self.head.get("errors", []))
