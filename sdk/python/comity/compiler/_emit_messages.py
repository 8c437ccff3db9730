"""Emits `messages.py`: Pydantic models of a family's definitions, and its channels as data.

Responsible for the order of definitions in the module. Not responsible for strictness, which the base class in
`comity.sdk.model` has.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ._ir import Channel, Definition, Field, Record, Spec
from ._python import annotation, attribute, docstring, header, literal, tuple_of
from ._references import references

__all__ = ["messages_module"]


def messages_module(spec: Spec) -> str:
    """Source of `messages.py` for `spec`."""
    body = "\n".join(_definitions(spec))
    messages = "\n".join(f'    "{name}": {name},' for name in spec.messages)
    channels = "\n".join(_channel(c) for c in spec.channels.values())
    tables = (
        f"\n\nMESSAGES: Final[Mapping[str, type[_Message]]] = {{\n{messages}\n}}\n"
        f"CHANNELS: Final[Mapping[str, _Channel]] = {{\n{channels}\n}}\n"
    ).replace("{\n\n}", "{}")
    exported = sorted([*spec.definitions, "MESSAGES", "CHANNELS"], key=str)
    names = "".join(f'    "{name}",\n' for name in exported)
    about = f"Messages of {spec.title}."
    return f"{header(spec, about)}\n{_imports(spec, body)}\n__all__ = [\n{names}]\n\n\n{body}{tables}"


_TYPING = ("Annotated", "ClassVar", "Final", "Literal", "TypeAlias")
_MODEL = ("Channel", "Field", "Map", "Message", "Record", "Unique", "Value", "alias")


def _imports(spec: Spec, body: str) -> str:
    """Imports of what `body` uses; run-time names get a `_`, so that no definition can collide with them."""
    typing = [name for name in _TYPING if name in body or name == "Final"]
    model = [n for n in _MODEL if re.search(rf"\b_{n}\b", body) or n in ("Channel", "Message")]
    sentinel = ["MISSING"] if "| MISSING" in body else []
    lines = [
        "from collections.abc import Mapping",
        f"from typing import {', '.join(typing)}",
        "",
        *(f"from comity.sdk.model import {name}" for name in sentinel),
        *(f"from comity.sdk.model import {name} as _{name}" for name in model),
    ]
    families = sorted({ref.family for d in spec.definitions.values() for ref, _ in references(d.type, ())})
    others = [f for f in families if f not in ("", "comity")]
    lines += [""] if others else []
    lines += [f"from ..{spec.uses[f].slug} import messages as _{f.replace('-', '_')}" for f in others]
    return "\n".join(lines) + "\n"


def _definitions(spec: Spec) -> Iterator[str]:
    """Aliases of scalars, then classes (whose annotations are read late), then aliases that name classes."""
    records = {name for name, d in spec.definitions.items() if isinstance(d.type, Record)}
    late = {name for name in spec.definitions if name not in records and _names_class(spec, name)}
    early = [name for name in spec.definitions if name not in records | late]
    for name in _sorted(spec, early):
        yield _alias(spec.definitions[name])
    for definition in spec.definitions.values():
        if isinstance(definition.type, Record):
            yield _class(spec, definition, definition.type)
    for name in _sorted(spec, [n for n in spec.definitions if n in late]):
        yield _alias(spec.definitions[name])


def _names_class(spec: Spec, name: str) -> bool:
    refs = [ref for ref, _ in references(spec.definitions[name].type, ()) if not ref.family]
    return any(isinstance(spec.definitions[r.name].type, Record) or _names_class(spec, r.name) for r in refs)


def _sorted(spec: Spec, names: list[str]) -> list[str]:
    """`names` with every alias behind those that it names, otherwise in the order of the file."""
    done: list[str] = []

    def visit(name: str) -> None:
        if name in done:
            return
        for ref, _ in references(spec.definitions[name].type, ()):
            if not ref.family and ref.name in names:
                visit(ref.name)
        done.append(name)

    for name in names:
        visit(name)
    return done


def _alias(definition: Definition) -> str:
    comment = f"\n{docstring(definition.description)}" if definition.description else ""
    return f"{definition.name}: TypeAlias = {annotation(definition.type)}{comment}\n"


def _class(spec: Spec, definition: Definition, kind: Record) -> str:
    meta = definition.message
    lines = ["", f"class {definition.name}({'_Message' if meta else '_Record'}):"]
    lines += [docstring(definition.description or definition.name, "    "), ""]
    if meta:
        lines += [
            f'    TYPE: ClassVar[str] = "{spec.type_name(definition.name)}"',
            f'    FAMILY: ClassVar[str] = "{spec.protocol}"',
            f"    MAJOR: ClassVar[int] = {spec.major}",
            f'    KIND: ClassVar[Literal["request", "reply", "event"]] = "{meta.kind}"',
            f"    WRITE: ClassVar[bool] = {meta.write}",
            f"    SAFE: ClassVar[bool] = {meta.safe}",
            f"    REPLIES: ClassVar[tuple[str, ...]] = {tuple_of(map(literal, meta.replies))}",
            "",
        ]
    required = [f for f in kind.fields if f.required]
    lines += [_field(f) for f in [*required, *(f for f in kind.fields if not f.required)]]
    if lines[-1] == "":
        lines.pop()
    return "\n".join([*lines, ""])


def _field(field: Field) -> str:
    name = attribute(field.name)
    kind = annotation(field.type) + ("" if field.required else " | MISSING")
    if name != field.name:
        return f'    {name}: {kind} = _alias("{field.name}", required={field.required})'
    return f"    {name}: {kind}" if field.required else f"    {name}: {kind} = MISSING"


def _channel(channel: Channel) -> str:
    values = [
        literal(channel.name),
        *(tuple_of(map(literal, t)) for t in (channel.senders, channel.receivers, channel.messages)),
        *map(literal, (channel.key, channel.order, channel.guarantee, channel.max_bytes, channel.group)),
    ]
    names = ("name", "senders", "receivers", "messages", "key", "order", "guarantee", "max_bytes", "group")
    inner = "".join(f"        {n}={v},\n" for n, v in zip(names, values, strict=True))
    return f"    {literal(channel.name)}: _Channel(\n{inner}    ),"
