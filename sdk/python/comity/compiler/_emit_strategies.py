"""Emits Hypothesis strategies: for each message valid data and near-misses, built from our own types.

Responsible for the expressions that put `_shapes` together. Not responsible for the parts themselves, which
stand in `_templates/shapes.py.txt`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ._builtins import BUILTINS
from ._examples import leaf_misses, open_misses, texts
from ._ir import Array, Boolean, Choice, Integer, Nullable, Number, Record, Ref, Spec, Text, Type, Union
from ._json import is_list, is_map
from ._python import header, literal, tuple_of

__all__ = ["shapes_module", "strategies_module"]

_TEMPLATE = Path(__file__).parent / "_templates" / "shapes.py.txt"
_SHORT = 80


def shapes_module() -> str:
    """Source of the parts that every strategies module uses, with the near-misses of the open types."""
    source = _TEMPLATE.read_text(encoding="utf-8")
    for name in BUILTINS:
        source = source.replace(f"@{name.upper()}@", _misses(open_misses(name)).replace("[]", "_EMPTY"))
    return source


def strategies_module(spec: Spec) -> str:
    """Source of the strategies of `spec`: `valid(message)` and `near_miss(message)`."""
    functions = "\n\n".join(_function(spec, name) for name in spec.definitions)
    table = "\n".join(f'    "{name}": {name},' for name in spec.messages)
    families = sorted({family for family in spec.uses if f"s.lazy({_module(family)}." in functions})
    imports = [f"from . import {spec.uses[f].slug}_strategies as {_module(f)}" for f in families]
    pieces = [
        header(spec, f"Strategies for the messages of {spec.title}."),
        "from collections.abc import Callable, Mapping",
        "from functools import cache",
        "from typing import Any, Final",
        "",
        "from hypothesis import strategies as st",
        "",
        *imports,
        "from . import _shapes as s",
        "",
        '__all__ = ["MESSAGES", "near_miss", "valid"]',
        "",
        "",
        "def valid(message: str) -> st.SearchStrategy[dict[str, Any]]:",
        '    """Data of `message` that conform to its schema."""',
        "    return MESSAGES[message]().valid",
        "",
        "",
        "def near_miss(message: str) -> st.SearchStrategy[tuple[Any, str]]:",
        '    """Pairs of data of `message` that break one rule, and the name of that rule."""',
        "    return MESSAGES[message]().near",
        "",
        "",
        functions,
        "",
        "",
        f"MESSAGES: Final[Mapping[str, Callable[[], s.Shape]]] = {{\n{table}\n}}".replace("{\n\n}", "{}"),
    ]
    return "\n".join(pieces) + "\n"


def _module(family: str) -> str:
    return family.replace("-", "_")


def _function(spec: Spec, name: str) -> str:
    body = _shape(spec, spec.definitions[name].type, "    ")
    return f"@cache\ndef {name}() -> s.Shape:\n    return {body}"


def _shape(spec: Spec, kind: Type, indent: str) -> str:
    if isinstance(kind, Ref):
        return _reference(kind)
    broken = _misses(leaf_misses(spec, kind))
    if isinstance(kind, Nullable):
        return f"s.nullable({_shape(spec, kind.inner, indent)}, {broken})"
    if isinstance(kind, Record):
        return _record(spec, kind, broken, indent)
    if isinstance(kind, Array):
        unique = ", unique=True" if kind.unique else ""
        return f"s.array({_shape(spec, kind.items, indent)}, {kind.min_items}, {kind.max_items}, {broken}{unique})"
    if isinstance(kind, Union):
        variants = ", ".join(f"{literal(tag)}: {_reference(ref)}" for tag, ref in kind.variants)
        return f"s.union({literal(kind.tag)}, {{{variants}}}, {broken})"
    return _leaf(kind, broken)


def _leaf(kind: Type, broken: str) -> str:
    if isinstance(kind, Text):
        samples = tuple_of(_source(text) for text in dict.fromkeys(texts(kind)))
        pattern = "None" if kind.pattern is None else literal(kind.pattern[:-1] + "\\Z")
        return f"s.text({kind.min_length}, {kind.max_length}, {pattern}, {samples}, {broken})"
    if isinstance(kind, Choice):
        return f"s.choice({tuple_of(map(literal, kind.values))}, {broken})"
    if isinstance(kind, Integer | Number):
        name = "integer" if isinstance(kind, Integer) else "number"
        return f"s.{name}({kind.minimum!r}, {kind.maximum!r}, {broken})"
    assert isinstance(kind, Boolean)
    return f"s.boolean({broken})"


def _reference(ref: Ref) -> str:
    if ref.family == "comity":
        return f"s.open_{ref.name.lower()}()"
    return f"s.lazy({_module(ref.family)}.{ref.name})" if ref.family else f"s.lazy({ref.name})"


def _record(spec: Spec, kind: Record, broken: str, indent: str) -> str:
    inner = indent + "    "
    parts: list[str] = []
    for required in (True, False):
        fields = [f for f in kind.fields if f.required is required]
        rows = "".join(f"{inner}    {literal(f.name)}: {_shape(spec, f.type, inner)},\n" for f in fields)
        parts.append(f"{{\n{rows}{inner}}}" if rows else "{}")
    return f"s.record(\n{inner}{parts[0]},\n{inner}{parts[1]},\n{inner}{broken},\n{indent})"


def _misses(broken: list[tuple[str, Any]]) -> str:
    return tuple_of(f"({literal(rule)}, {_source(value)})" for rule, value in broken)


def _source(value: Any) -> str:
    """Source of a JSON value; a long run of one character or item is written as a product."""
    if isinstance(value, str) and len(value) > _SHORT:
        for width in range(1, 65):
            if len(value) % width == 0 and value == value[:width] * (len(value) // width):
                return f"{literal(value[:width])} * {len(value) // width}"
    if is_list(value) and len(value) > _SHORT:
        return f"[{_source(value[0])}] * {len(value)}"
    if is_list(value):
        return f"[{', '.join(map(_source, value))}]"
    if is_map(value) and len(value) > 60:
        return f'{{f"k{{i}}": i for i in range({len(value)})}}'
    if is_map(value):
        return f"{{{', '.join(f'{literal(k)}: {_source(v)}' for k, v in value.items())}}}"
    return literal(value)
