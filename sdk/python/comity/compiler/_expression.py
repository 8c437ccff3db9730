"""Parses the expressions of guards, triggers and invariants into syntax trees of plain lists.

Responsible for the grammar in `spec/language/expressions.ebnf`. Not responsible for types or evaluation.

Trees: ["lit", v] · ["list", e…] · ["path", root, name…] · ["has", path] · ["armed", timer] ·
["call", predicate, e…] · ["!", e] · ["neg", e] · [operator, left, right].
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from ._ir import Ast

__all__ = ["ExpressionError", "parse"]

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>[0-9]+)
    | (?P<string>"(?:[^"\\\n]|\\["\\])*"|'(?:[^'\\\n]|\\['\\])*')
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<symbol>&&|\|\||==|!=|<=|>=|[!<>+\-*/().,\[\]])
    )""",
    re.VERBOSE,
)
_LEVELS: tuple[tuple[str, ...], ...] = (
    ("implies",),
    ("||",),
    ("&&",),
    ("==", "!=", "<", "<=", ">", ">=", "in"),
    ("+", "-"),
    ("*", "/"),
)
_COMPARISON = 3
_WORDS = frozenset({"true", "false", "in", "implies", "has", "armed"})
_DEPTH = 64


class ExpressionError(ValueError):
    """Text that is not an expression; the message names the place."""


class _Token(NamedTuple):
    kind: str
    text: str
    at: int


def parse(text: str) -> Ast:
    """Parse `text`. Raises `ExpressionError`."""
    parser = _Parser(_tokens(text))
    tree = parser.level(0)
    parser.expect("", "end of expression")
    return tree


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    at = 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            rest = text[at:].strip()
            raise ExpressionError(f"cannot read {rest[:12]!r}")
        tokens.append(_Token(match.lastgroup, match[match.lastgroup], match.start(match.lastgroup) + 1))
        at = match.end()
    return [*tokens, _Token("end", "", len(text) + 1)]


class _Parser:
    def __init__(self, tokens: list[_Token]) -> None:
        self.tokens = tokens
        self.at = 0
        self.depth = 0

    @property
    def token(self) -> _Token:
        return self.tokens[self.at]

    def take(self) -> _Token:
        self.at += 1
        return self.tokens[self.at - 1]

    def fail(self, wanted: str) -> ExpressionError:
        found = repr(self.token.text) if self.token.text else "the end"
        return ExpressionError(f"expected {wanted} at column {self.token.at}, found {found}")

    def expect(self, text: str, wanted: str = "") -> None:
        if self.token.text != text or self.token.kind == "string":
            raise self.fail(wanted or repr(text))
        self.at += 1

    def level(self, number: int) -> Ast:
        """One level of precedence; `implies` groups to the right, comparisons do not chain."""
        if number == len(_LEVELS):
            return self.unary()
        left = self.level(number + 1)
        while self.token.text in _LEVELS[number] and self.token.kind in ("symbol", "name"):
            operator = self.take().text
            right = self.level(number if operator == "implies" else number + 1)
            left = [operator, left, right]
            if number == _COMPARISON:
                break
        return left

    def unary(self) -> Ast:
        if self.token.kind != "symbol" or self.token.text not in ("!", "-"):
            return self.primary()
        operator = self.take().text
        inner = self.nested(self.unary)
        return ["!", inner] if operator == "!" else ["neg", inner]

    def nested(self, rule: Callable[[], Ast]) -> Ast:
        self.depth += 1
        if self.depth > _DEPTH:
            raise ExpressionError(f"nests deeper than {_DEPTH}")
        tree = rule()
        self.depth -= 1
        return tree

    def primary(self) -> Ast:
        token = self.take()
        if token.kind == "number":
            return ["lit", int(token.text)]
        if token.kind == "string":
            return ["lit", re.sub(r"\\(.)", r"\1", token.text[1:-1])]
        if token.text == "(":
            tree = self.nested(lambda: self.level(0))
            self.expect(")")
            return tree
        if token.text == "[":
            return ["list", *self.sequence("]")]
        if token.kind == "name":
            return self.named(token.text)
        self.at -= 1
        raise self.fail("a value")

    def named(self, name: str) -> Ast:
        if name in ("true", "false"):
            return ["lit", name == "true"]
        if name in ("has", "armed"):
            return self.special(name)
        if name in _WORDS:
            self.at -= 1
            raise self.fail("a value")
        if self.token.text == "(":
            self.take()
            return ["call", name, *self.sequence(")")]
        return self.path(name)

    def special(self, name: str) -> Ast:
        self.expect("(")
        if self.token.kind != "name":
            raise self.fail("a path" if name == "has" else "a timer")
        inner = self.take().text
        tree = [name, self.path(inner)] if name == "has" else [name, inner]
        self.expect(")")
        return tree

    def path(self, root: str) -> Ast:
        tree: Ast = ["path", root]
        while self.token.text == ".":
            self.take()
            if self.token.kind != "name":
                raise self.fail("a name")
            tree.append(self.take().text)
        return tree

    def sequence(self, end: str) -> list[Ast]:
        items: list[Ast] = []
        while self.token.text != end or self.token.kind == "string":
            items.append(self.nested(lambda: self.level(0)))
            if self.token.text != ",":
                break
            self.take()
        self.expect(end)
        return items
