"""Projects definitions to self-contained JSON Schema: local references only, built-ins expanded.

Responsible for one `$defs` that needs no other file. Not responsible for checking the profile.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ._builtins import builtin_schemas
from ._ir import Ref, Spec
from ._json import is_list, is_map
from ._references import references

__all__ = ["DIALECT", "closure", "document"]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_DROPPED = ("x-message", "x-requirement")


def document(spec: Spec, name: str) -> dict[str, Any]:
    """A standalone JSON Schema for one message."""
    defs = closure(spec, [name])
    top = defs.pop(name)
    return {
        "$schema": DIALECT,
        "$id": f"urn:comity:{spec.protocol}:{spec.version}:{name}",
        "title": spec.type_name(name),
        **top,
        **({"$defs": defs} if defs else {}),
    }


def closure(spec: Spec, names: Iterable[str]) -> dict[str, Any]:
    """The schemas of `names` and of all they refer to, by local name, sorted."""
    found: dict[str, Any] = {}
    _collect(spec, "", names, found)
    if any(name.startswith("comity.") for name in found):
        found.update(builtin_schemas())
    return dict(sorted(found.items()))


def _collect(spec: Spec, prefix: str, names: Iterable[str], found: dict[str, Any]) -> None:
    for name in names:
        if prefix + name in found:
            continue
        definition = spec.definitions[name]
        found[prefix + name] = _rewrite(definition.schema, prefix)
        for ref, _ in references(definition.type, ()):
            if ref.family == "comity":
                found[f"comity.{ref.name}"] = None
            else:
                _collect(spec.owner(ref), _prefix(ref, prefix), [ref.name], found)


def _prefix(ref: Ref, prefix: str) -> str:
    return f"{ref.family}." if ref.family else prefix


def _rewrite(schema: Any, prefix: str) -> Any:
    """A copy of `schema` whose references point into one local `$defs`."""
    if is_list(schema):
        return [_rewrite(item, prefix) for item in schema]
    if not is_map(schema):
        return schema
    result = {key: _rewrite(value, prefix) for key, value in schema.items() if key not in _DROPPED}
    if isinstance(result.get("$ref"), str):
        family, _, name = result["$ref"].partition("#/")
        name = name.removeprefix("$defs/")
        result["$ref"] = f"#/$defs/{f'{family}.' if family else prefix}{name}"
    return result
