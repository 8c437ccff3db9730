"""Resolves what one definition says of another: references and the discriminator of unions.

Responsible for dangling and endless references and for completing unions. Not responsible for the profile of
a single schema.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ._builtins import BUILTINS
from ._ir import Array, Choice, Definition, Nullable, Record, Ref, Spec, Type, Union
from ._yaml import Document, Where

__all__ = ["link", "references"]


def link(spec: Spec, document: Document) -> None:
    """Check every reference of `spec` and complete its unions, in place."""
    sound = True
    for name, definition in spec.definitions.items():
        for ref, where in references(definition.type, ("$defs", name)):
            sound &= _check(spec, document, ref, where)
    if sound and not _endless(spec, document):
        for name, definition in spec.definitions.items():
            if isinstance(definition.type, Union):
                spec.definitions[name] = _complete(spec, document, definition, definition.type)


def references(kind: Type, where: Where) -> Iterator[tuple[Ref, Where]]:
    """Every reference inside `kind` and where it stands."""
    if isinstance(kind, Ref):
        yield kind, where
    elif isinstance(kind, Nullable):
        yield from references(kind.inner, where)
    elif isinstance(kind, Array):
        yield from references(kind.items, (*where, "items"))
    elif isinstance(kind, Record):
        for field in kind.fields:
            yield from references(field.type, (*where, "properties", field.name))
    elif isinstance(kind, Union):
        for index, (_, ref) in enumerate(kind.variants):
            yield ref, (*where, "oneOf", index)


def _check(spec: Spec, document: Document, ref: Ref, where: Where) -> bool:
    if ref.family == "comity":
        known = ref.name in BUILTINS
    elif ref.family and ref.family not in spec.uses:
        document.report(where, "ref.dangling", f"protocol.yaml uses no family {ref.family!r}")
        return False
    else:
        known = ref.name in spec.owner(ref).definitions
    if not known:
        document.report(where, "ref.dangling", f"no definition {ref.name!r} in {ref.family or spec.protocol}")
    return known


def _endless(spec: Spec, document: Document) -> bool:
    found = False
    for name in spec.definitions:
        path: list[str] = []
        if _needs_itself(spec, Ref("", name), path):
            document.report(("$defs", name), "ref.endless", f"no finite value fits: {' → '.join(path)}")
            found = True
    return found


def _needs_itself(spec: Spec, ref: Ref, path: list[str]) -> bool:
    if ref.family:
        return False
    path.append(ref.name)
    if ref.name in path[:-1]:
        return True
    kind = spec.definitions[ref.name].type
    needed = [kind] if isinstance(kind, Ref) else []
    if isinstance(kind, Record):
        needed = [f.type for f in kind.fields if f.required and isinstance(f.type, Ref)]
    if any(_needs_itself(spec, inner, path) for inner in needed):
        return True
    path.pop()
    return False


def _complete(spec: Spec, document: Document, definition: Definition, union: Union) -> Definition:
    where: Where = ("$defs", definition.name)
    constants = [_constants(spec, ref) for _, ref in union.variants]
    tags = [tag for tag in constants[0] if all(tag in c for c in constants)]
    for tag in tags:
        values = [c[tag] for c in constants]
        if len(set(values)) == len(values):
            variants = tuple(zip(values, (ref for _, ref in union.variants), strict=True))
            return replace(definition, type=Union(tag, variants))
    document.report(
        where, "profile.union", "the variants share no required property with a distinct const each"
    )
    return definition


def _constants(spec: Spec, ref: Ref) -> dict[str, str]:
    kind, _ = spec.resolve(ref)
    if not isinstance(kind, Record):
        return {}
    return {
        f.name: f.type.values[0]
        for f in kind.fields
        if f.required and isinstance(f.type, Choice) and len(f.type.values) == 1
    }
