"""The subset of regular expressions that ECMA, Rust and Python read alike, as a small syntax tree.

Responsible for refusing what the three read differently, and for examples of what a pattern matches. Not
responsible for matching: each binding's own engine does that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["Alternatives", "Chars", "PatternError", "Repeat", "Sequence", "parse_pattern", "samples"]

_ESCAPABLE = frozenset("^$\\.*+?()[]{}|/-")
_SPECIAL = frozenset("^$.*+?()[]{}|")
_COUNT_LIMIT = 10_000


class PatternError(ValueError):
    """A pattern outside the subset; the text says which construct."""


@dataclass(frozen=True, slots=True)
class Chars:
    """One character out of inclusive code point ranges, or outside of them."""

    ranges: tuple[tuple[int, int], ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Repeat:
    node: Node
    low: int
    high: int | None


@dataclass(frozen=True, slots=True)
class Sequence:
    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Alternatives:
    options: tuple[Node, ...]


Node: TypeAlias = Chars | Repeat | Sequence | Alternatives


def parse_pattern(pattern: str) -> Node:
    """Parse an anchored pattern. Raises `PatternError` for anything outside the common subset."""
    if not (pattern.startswith("^") and pattern.endswith("$") and not pattern.endswith("\\$")):
        raise PatternError("must be anchored with ^ and $")
    parser = _Parser(pattern[1:-1])
    node = parser.alternatives()
    if parser.rest:
        raise PatternError("has an unmatched )")
    if isinstance(node, Alternatives):
        raise PatternError(
            "needs a group around top-level alternatives, or the anchors bind to one of them only"
        )
    return node


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    @property
    def rest(self) -> str:
        return self.text[self.at :]

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def take(self) -> str:
        char = self.peek()
        if not char:
            raise PatternError("ends too early")
        self.at += 1
        return char

    def alternatives(self) -> Node:
        options = [self.sequence()]
        while self.peek() == "|":
            self.take()
            options.append(self.sequence())
        return options[0] if len(options) == 1 else Alternatives(tuple(options))

    def sequence(self) -> Node:
        nodes: list[Node] = []
        while self.peek() not in ("", "|", ")"):
            nodes.append(self.repeated(self.atom()))
        return Sequence(tuple(nodes))

    def atom(self) -> Node:
        char = self.take()
        if char == "(":
            return self.group()
        if char == "[":
            return self.char_class()
        if char == "\\":
            return _one(self.escape())
        if char == ".":
            raise PatternError("uses `.`, which ECMA and Python read differently; write a class")
        if char in _SPECIAL:
            raise PatternError(f"uses {char!r} where a character is expected")
        return _one(char)

    def group(self) -> Node:
        if self.peek() == "?":
            if not self.rest.startswith("?:"):
                raise PatternError("uses a group with ?, and only (?: is common to all engines")
            self.at += 2
        node = self.alternatives()
        if self.peek() != ")":
            raise PatternError("has an unmatched (")
        self.take()
        return node

    def escape(self) -> str:
        char = self.take()
        if char == "x":
            digits = self.text[self.at : self.at + 2]
            if len(digits) != 2 or any(d not in "0123456789abcdefABCDEF" for d in digits):
                raise PatternError(r"uses \x without two hexadecimal digits")
            self.at += 2
            return chr(int(digits, 16))
        if char not in _ESCAPABLE:
            raise PatternError(f"uses \\{char}, which engines read differently; write a class")
        return char

    def char_class(self) -> Node:
        negated = self.peek() == "^"
        if negated:
            self.take()
        ranges: list[tuple[int, int]] = []
        while self.peek() != "]":
            low = self.class_char()
            high = low
            if self.peek() == "-" and self.rest[1:2] not in ("]", ""):
                self.take()
                high = self.class_char()
            if ord(low) > ord(high):
                raise PatternError(f"has the empty range {low}-{high}")
            ranges.append((ord(low), ord(high)))
        self.take()
        if not ranges:
            raise PatternError("has an empty class")
        return Chars(tuple(ranges), negated)

    def class_char(self) -> str:
        char = self.take()
        if char == "\\":
            return self.escape()
        if char == "[" or (self.rest[:1] == char and char in "&~-"):
            raise PatternError(f"uses an unescaped {char!r} in a class, which Rust reads as a set operation")
        return char

    def repeated(self, node: Node) -> Node:
        char = self.peek()
        bounds: tuple[int, int | None]
        if char and char in "*+?":
            self.take()
            bounds = {"*": (0, None), "+": (1, None), "?": (0, 1)}[char]
        elif char == "{":
            self.take()
            bounds = self.count()
        else:
            return node
        if self.peek() and self.peek() in "*+?{":
            raise PatternError("stacks quantifiers; lazy and possessive ones are not common to all engines")
        return Repeat(node, *bounds)

    def count(self) -> tuple[int, int | None]:
        body, brace, _ = self.rest.partition("}")
        low, comma, high = body.partition(",")
        if not brace or not low.isdecimal() or not (high.isdecimal() or not high):
            raise PatternError("has a malformed {n,m}")
        self.at += len(body) + 1
        top = int(low) if not comma else int(high) if high else None
        if max(int(low), top or 0) > _COUNT_LIMIT or (top is not None and top < int(low)):
            raise PatternError("has a {n,m} out of range")
        return int(low), top


def _one(char: str) -> Chars:
    return Chars(((ord(char), ord(char)),))


def samples(node: Node, low: int, high: int) -> list[str]:
    """A few different strings of `low` to `high` characters that `node` matches, shortest first; deterministic."""
    found: list[str] = []
    for variant in range(low + 4):
        text = _sample(node, variant)
        if low <= len(text) <= high and text not in found:
            found.append(text)
        if len(found) == 4 or len(text) > 2 * high + 100:
            break
    return found


def _sample(node: Node, variant: int) -> str:
    if isinstance(node, Chars):
        return _pick(node, variant)
    if isinstance(node, Sequence):
        return "".join(_sample(item, variant) for item in node.nodes)
    if isinstance(node, Alternatives):
        return _sample(node.options[variant % len(node.options)], variant)
    count = node.low + variant if node.high is None else min(node.low + variant, node.high)
    return _sample(node.node, variant) * count


def _pick(chars: Chars, variant: int) -> str:
    if not chars.negated:
        low, high = chars.ranges[variant % len(chars.ranges)]
        return chr(min(low + variant, high))
    excluded = chars.ranges
    outside = (c for c in range(ord("a"), 0x10000) if not any(low <= c <= high for low, high in excluded))
    found = [next(outside) for _ in range(variant + 1)]
    return chr(found[-1])
