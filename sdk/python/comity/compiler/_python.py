"""What Python source needs of a spec: names, annotations and expressions in Python.

Responsible for the translation of single types and expressions. Not responsible for whole modules.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from ._ir import Array, Ast, Boolean, Choice, Integer, Nullable, Number, Ref, Spec, Text, Type, Union

__all__ = ["annotation", "attribute", "constant", "docstring", "header", "literal", "python", "tuple_of"]

_TAKEN_BY_PYDANTIC = {
    "copy",
    "json",
    "dict",
    "schema",
    "schema_json",
    "construct",
    "validate",
    "from_orm",
} | {f"parse_{source}" for source in ("obj", "raw", "file")}
_TAKEN_BY_PYTHON = {"str", "int", "float", "bool", "list", "tuple"}


def attribute(name: str) -> str:
    """The Python attribute of a member: its name, with `_` behind what Python or Pydantic keeps for itself."""
    return f"{name}_" if name in _TAKEN_BY_PYDANTIC | _TAKEN_BY_PYTHON or name.startswith("model_") else name


def constant(name: str) -> str:
    """`EntryState` -> `ENTRY_STATE`, `stale-epoch` -> `STALE_EPOCH`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).replace("-", "_").replace(".", "_").upper()


def literal(value: Any) -> str:
    """A string, number or boolean as Python source, in double quotes."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def tuple_of(items: Iterable[str]) -> str:
    """Python source of a tuple of the given sources."""
    inner = list(items)
    return f"({inner[0]},)" if len(inner) == 1 else f"({', '.join(inner)})"


def docstring(text: str, indent: str = "") -> str:
    """`text` as a docstring, wrapped where it is long."""
    escaped = " ".join(text.split()).replace("\\", "\\\\").replace('"""', "'''")
    if escaped.endswith('"'):
        escaped += " "
    return f'{indent}"""{escaped}"""'


def header(spec: Spec, about: str) -> str:
    """Docstring and first lines of a generated module."""
    return (
        f'"""{about}\n\n'
        f"Generated from {spec.protocol} {spec.version}, source sha256:{spec.digest}.\n"
        f'Every edit is lost: change the spec and run `make gen`.\n"""\n\n'
        "from __future__ import annotations\n"
    )


def annotation(kind: Type) -> str:
    """`kind` as a type annotation that Pydantic, mypy and pyright read alike."""
    if isinstance(kind, Ref):
        return _reference(kind)
    if isinstance(kind, Nullable):
        return f"{annotation(kind.inner)} | None"
    if isinstance(kind, Boolean):
        return "bool"
    if isinstance(kind, Choice):
        return f"Literal[{', '.join(map(literal, kind.values))}]"
    if isinstance(kind, Text):
        bounds = [f"min_length={kind.min_length}"] if kind.min_length else []
        bounds.append(f"max_length={kind.max_length}")
        if kind.pattern is not None:
            bounds.append(f"pattern={literal(kind.pattern)}")
        return f"Annotated[str, _Field({', '.join(bounds)})]"
    if isinstance(kind, Integer | Number):
        base = "int" if isinstance(kind, Integer) else "float"
        return f"Annotated[{base}, _Field(ge={kind.minimum!r}, le={kind.maximum!r})]"
    if isinstance(kind, Array):
        return _array(kind)
    if isinstance(kind, Union):
        return _union(kind)
    raise AssertionError(kind)


def _reference(ref: Ref) -> str:
    if ref.family in ("", "comity"):
        return f"_{ref.name}" if ref.family else ref.name
    return f"_{ref.family.replace('-', '_')}.{ref.name}"


def _array(kind: Array) -> str:
    bounds = [f"min_length={kind.min_items}"] if kind.min_items else []
    unique = ", _Unique" if kind.unique else ""
    inner = annotation(kind.items)
    return f"Annotated[list[{inner}], _Field({', '.join([*bounds, f'max_length={kind.max_items}'])}){unique}]"


def _union(kind: Union) -> str:
    options = " | ".join(annotation(ref) for _, ref in kind.variants)
    if len(kind.variants) == 1:
        return options
    return f"Annotated[{options}, _Field(discriminator={literal(attribute(kind.tag))})]"


def python(tree: Ast, *, mapping: bool) -> str:
    """An expression as Python source over `event` and `it`.

    `mapping` says that `event` is a mapping (a command's arguments) and not a message.
    """
    source = _Renderer(mapping).render(tree)
    return source if tree[0] in ("lit", "list", "path", "call") else source[1:-1]


_OPERATORS = {"&&": "and", "||": "or", "/": "//", "in": "in"}


class _Renderer:
    def __init__(self, mapping: bool) -> None:
        self.mapping = mapping
        self.rules: dict[str, Callable[..., str]] = {
            "lit": literal,
            "list": self.listing,
            "path": self.path,
            "has": self.has,
            "armed": self.armed,
            "call": self.call,
            "!": self.negation,
            "neg": self.negative,
            "implies": self.implication,
        }

    def render(self, tree: Ast) -> str:
        rule = self.rules.get(tree[0])
        if rule is not None:
            return rule(*tree[1:])
        operator, left, right = tree
        return f"({self.render(left)} {_OPERATORS.get(operator, operator)} {self.render(right)})"

    def listing(self, *items: Ast) -> str:
        return tuple_of(map(self.render, items))

    def armed(self, timer: str) -> str:
        return f"({literal(timer)} in it.armed)"

    def negation(self, inner: Ast) -> str:
        return f"(not {self.render(inner)})"

    def negative(self, inner: Ast) -> str:
        return f"(-{self.render(inner)})"

    def implication(self, premise: Ast, conclusion: Ast) -> str:
        return f"(not {self.render(premise)} or {self.render(conclusion)})"

    def path(self, root: str, *names: str) -> str:
        if root == "state":
            return "it.state"
        if root == "context":
            return f'it.context["{names[0]}"]'
        return "event" + "".join(f'["{n}"]' if self.mapping else f".{attribute(n)}" for n in names)

    def has(self, path: Ast) -> str:
        _, *rest, last = path
        if self.mapping:
            return f'("{last}" in {self.path(*rest)})'
        return f"({self.path(*rest, last)} is not MISSING)"

    def call(self, name: str, *arguments: Ast) -> str:
        inner = "".join(f", {self.render(a)}" for a in arguments)
        return f'it.predicates["{name}"](event, it{inner})'
