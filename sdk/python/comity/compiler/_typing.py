"""Checks the types of an expression against the message schema, the machine's context and the predicates.

Responsible for saying before run time what an evaluator would trip over: unknown names, operands of different
types, and a member used without `has()` though it may be absent. Not responsible for syntax.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from ._ir import Array, Ast, Boolean, Choice, Integer, Nullable, Number, Record, Ref, Spec, Text, Type, Union

__all__ = ["ANY", "BOOLEAN", "NUMBER", "Kind", "Scope", "TypingError", "check"]


@dataclass(frozen=True, slots=True)
class Kind:
    """The type of an expression: a name, the allowed strings of an enum, or the type of a message part."""

    name: str
    values: tuple[str, ...] | None = None
    type: Type | None = None
    spec: Spec | None = None


ANY, BOOLEAN, NUMBER, STRING = Kind("any"), Kind("boolean"), Kind("number"), Kind("string")

Known: TypeAlias = frozenset[tuple[str, ...]]


class TypingError(ValueError):
    """An expression that cannot be evaluated on every input it will meet."""


@dataclass(frozen=True)
class Scope:
    """What an expression may name: the roots of paths, timers and predicates; `known` members are surely there."""

    roots: Mapping[str, Kind] = field(default_factory=lambda: {})
    context: Mapping[str, Kind] = field(default_factory=lambda: {})
    timers: frozenset[str] = frozenset()
    predicates: frozenset[str] = frozenset()
    known: Known = frozenset()

    def given(self, guard: Ast) -> Scope:
        """This scope where `guard` holds: members that it tests with `has()` are there."""
        return replace(self, known=self.known | _established(guard, True))


def check(tree: Ast, scope: Scope, wanted: Kind) -> None:
    """Raise `TypingError` unless `tree` has the type `wanted` in `scope`."""
    found = _Checker(scope).kind(tree, scope.known)
    if ANY.name not in (found.name, wanted.name) and found.name != wanted.name:
        raise TypingError(f"is {_an(found.name)} where {_an(wanted.name)} is needed")


def _an(name: str) -> str:
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


class _Checker:
    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.rules: dict[str, Callable[[Ast, Known], Kind]] = {
            "lit": self.literal,
            "list": self.listing,
            "path": self.path,
            "has": self.has,
            "armed": self.armed,
            "call": self.call,
            "!": self.negation,
            "neg": self.arithmetic,
            "in": self.membership,
            **dict.fromkeys(("&&", "||", "implies"), self.logic),
            **dict.fromkeys(("+", "-", "*", "/"), self.arithmetic),
            **dict.fromkeys(("==", "!=", "<", "<=", ">", ">="), self.comparison),
        }

    def kind(self, tree: Ast, known: Known) -> Kind:
        return self.rules[tree[0]](tree, known)

    def literal(self, tree: Ast, known: Known) -> Kind:
        value = tree[1]
        if isinstance(value, bool):
            return BOOLEAN
        return NUMBER if isinstance(value, int) else Kind("string", values=(value,))

    def listing(self, tree: Ast, known: Known) -> Kind:
        kinds = [self.kind(item, known) for item in tree[1:]]
        if len({k.name for k in kinds} - {"any"}) > 1:
            raise TypingError("has a list of values of different types")
        return Kind("list", type=None)

    def path(self, tree: Ast, known: Known) -> Kind:
        root, *rest = tree[1:]
        if root == "context":
            return self.variable(rest)
        if root not in self.scope.roots:
            raise TypingError(
                f"knows no {root!r} here; {', '.join(['context', *self.scope.roots])} can be named"
            )
        kind = self.scope.roots[root]
        for depth, name in enumerate(rest):
            kind, may_miss = _member(kind, name, ".".join(tree[1 : depth + 2]))
            if may_miss and tuple(tree[1 : depth + 3]) not in known:
                place = ".".join(tree[1 : depth + 3])
                raise TypingError(f"uses {place}, which may be absent, without has({place}) before it")
        return kind

    def variable(self, rest: list[str]) -> Kind:
        if len(rest) != 1 or rest[0] not in self.scope.context:
            known = ", ".join(self.scope.context) or "nothing"
            raise TypingError(f"knows no context.{'.'.join(rest)}; the context has {known}")
        return self.scope.context[rest[0]]

    def has(self, tree: Ast, known: Known) -> Kind:
        path = tree[1]
        if len(path) < 3:
            raise TypingError(f"has({path[1]}) names no member")
        self.path(path, known | {tuple(path[1:])})
        return BOOLEAN

    def armed(self, tree: Ast, known: Known) -> Kind:
        if tree[1] not in self.scope.timers:
            raise TypingError(f"knows no timer {tree[1]!r}")
        return BOOLEAN

    def call(self, tree: Ast, known: Known) -> Kind:
        if tree[1] not in self.scope.predicates:
            raise TypingError(f"knows no predicate {tree[1]!r}; protocol.yaml lists them")
        for argument in tree[2:]:
            self.kind(argument, known)
        return BOOLEAN

    def negation(self, tree: Ast, known: Known) -> Kind:
        self.need(tree[1], BOOLEAN, known, "!")
        return BOOLEAN

    def logic(self, tree: Ast, known: Known) -> Kind:
        operator, left, right = tree
        self.need(left, BOOLEAN, known, operator)
        self.need(right, BOOLEAN, known | _established(left, operator != "||"), operator)
        return BOOLEAN

    def arithmetic(self, tree: Ast, known: Known) -> Kind:
        for operand in tree[1:]:
            self.need(operand, NUMBER, known, "-" if tree[0] == "neg" else tree[0])
        return NUMBER

    def comparison(self, tree: Ast, known: Known) -> Kind:
        operator, left, right = tree
        a, b = self.kind(left, known), self.kind(right, known)
        if operator not in ("==", "!="):
            self.need(left, NUMBER, known, operator)
            self.need(right, NUMBER, known, operator)
        _comparable(a, b, operator)
        return BOOLEAN

    def membership(self, tree: Ast, known: Known) -> Kind:
        _, left, right = tree
        a = self.kind(left, known)
        if right[0] == "list":
            self.kind(right, known)
            for item in right[1:]:
                _comparable(a, self.kind(item, known), "in")
            return BOOLEAN
        b = self.kind(right, known)
        if isinstance(b.type, Array) and b.spec:
            _comparable(a, _of_type(b.type.items, b.spec), "in")
        elif b.name != "any":
            raise TypingError(f"looks with `in` into {_an(b.name)}, not into a list")
        return BOOLEAN

    def need(self, tree: Ast, wanted: Kind, known: Known, operator: str) -> None:
        found = self.kind(tree, known)
        if found.name not in (wanted.name, "any"):
            raise TypingError(f"has {_an(found.name)} beside {operator!r}, which needs {_an(wanted.name)}")


def _comparable(a: Kind, b: Kind, operator: str) -> None:
    if "any" in (a.name, b.name):
        return
    if a.name != b.name:
        raise TypingError(f"compares {_an(a.name)} with {_an(b.name)} ({operator})")
    if a.values and b.values and not set(a.values) & set(b.values):
        raise TypingError(f"compares {'|'.join(a.values)} with {'|'.join(b.values)}, which never agree")


def _established(tree: Ast, truth: bool) -> Known:
    """The members that are known to be there when `tree` is `truth`."""
    if tree[0] == "has" and truth:
        return frozenset({tuple(tree[1][1:])})
    if tree[0] == "!":
        return _established(tree[1], not truth)
    if tree[0] == ("&&" if truth else "||"):
        return _established(tree[1], truth) | _established(tree[2], truth)
    return frozenset()


def _member(kind: Kind, name: str, place: str) -> tuple[Kind, bool]:
    """The kind of a member, and whether it may be absent."""
    if kind == ANY:
        return ANY, False
    if kind.type is None or kind.spec is None:
        raise TypingError(f"looks for {name!r} inside {place}, which is {_an(kind.name)}")
    resolved, spec = kind.spec.resolve(kind.type)
    if isinstance(resolved, Ref):
        raise TypingError(f"looks for {name!r} inside {place}, whose members are open")
    if isinstance(resolved, Union):
        variants = [spec.resolve(ref) for _, ref in resolved.variants]
        members = [_member(Kind("object", type=t, spec=s), name, place) for t, s in variants]
        same = len({m.name for m, _ in members}) == 1
        return (members[0][0] if same else ANY), any(missing for _, missing in members)
    member = resolved.field(name) if isinstance(resolved, Record) else None
    if member is None:
        raise TypingError(f"finds no {name!r} in {place}")
    return _of_type(member.type, spec), not member.required


def _of_type(kind: Type, spec: Spec) -> Kind:
    resolved, owner = spec.resolve(kind)
    if isinstance(resolved, Nullable | Ref):
        return Kind("any", type=resolved, spec=owner)
    if isinstance(resolved, Choice):
        return Kind("string", values=resolved.values)
    if isinstance(resolved, Text):
        return STRING
    if isinstance(resolved, Integer | Number):
        return NUMBER
    if isinstance(resolved, Boolean):
        return BOOLEAN
    return Kind("list" if isinstance(resolved, Array) else "object", type=resolved, spec=owner)
