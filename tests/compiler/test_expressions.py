"""Expressions: what the grammar reads, and that the generated Python means what the tree says."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity.compiler._expression import ExpressionError, parse
from comity.compiler._guards import Verdict, overlap
from comity.compiler._python import python


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("event.a == 3", ["==", ["path", "event", "a"], ["lit", 3]]),
        ("a || b && !c", ["||", ["path", "a"], ["&&", ["path", "b"], ["!", ["path", "c"]]]]),
        ("a implies b implies c", ["implies", ["path", "a"], ["implies", ["path", "b"], ["path", "c"]]]),
        ("1 - 2 - 3", ["-", ["-", ["lit", 1], ["lit", 2]], ["lit", 3]]),
        ("1 + 2 * -3", ["+", ["lit", 1], ["*", ["lit", 2], ["neg", ["lit", 3]]]]),
        ('x in [\'a\', "b\\""]', ["in", ["path", "x"], ["list", ["lit", "a"], ["lit", 'b"']]]),
        ("has(event.a.b) && armed(t)", ["&&", ["has", ["path", "event", "a", "b"]], ["armed", "t"]]),
        (
            "kept(event.a, 1) || f()",
            ["||", ["call", "kept", ["path", "event", "a"], ["lit", 1]], ["call", "f"]],
        ),
        ("(true)", ["lit", True]),
    ],
)
def test_the_grammar_reads(text: str, tree: list[Any]) -> None:
    assert parse(text) == tree


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a b",
        "a &&",
        "a & b",
        "1 < 2 < 3",
        "a.",
        "(a",
        "a)",
        "in",
        "has(1)",
        "armed('t')",
        "'a",
        "a = b",
        "f(,)",
        "[1",
    ],
)
def test_what_is_no_expression_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse(text)


VARIABLES = st.sampled_from(["p", "q", "r"])
BOOLEANS = st.recursive(
    st.booleans().map(lambda b: ["lit", b]) | VARIABLES.map(lambda v: ["path", "context", v]),
    lambda inner: (
        inner.map(lambda a: ["!", a])
        | st.tuples(st.sampled_from(["&&", "||", "implies"]), inner, inner).map(list)
    ),
    max_leaves=8,
)
NUMBERS = st.recursive(
    st.integers(0, 9).map(lambda n: ["lit", n]) | VARIABLES.map(lambda v: ["path", "context", v]),
    lambda inner: (
        st.tuples(st.sampled_from(["+", "-", "*"]), inner, inner).map(list) | inner.map(lambda a: ["neg", a])
    ),
    max_leaves=6,
)
COMPARISONS = st.tuples(st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), NUMBERS, NUMBERS).map(list)


def evaluate(tree: list[Any], world: dict[str, Any]) -> Any:
    """An independent reading of a tree: no Python source, no precedence."""
    match tree:
        case ["lit", value]:
            return value
        case ["path", "context", name]:
            return world[name]
        case ["!", a]:
            return not evaluate(a, world)
        case ["neg", a]:
            return -evaluate(a, world)
        case ["&&", a, b]:
            return evaluate(a, world) and evaluate(b, world)
        case ["||", a, b]:
            return evaluate(a, world) or evaluate(b, world)
        case ["implies", a, b]:
            return evaluate(b, world) if evaluate(a, world) else True
        case [operator, a, b]:
            x, y = evaluate(a, world), evaluate(b, world)
            return {"==": x == y, "!=": x != y, "<": x < y, "<=": x <= y, ">": x > y, ">=": x >= y}.get(
                operator, {"+": x + y, "-": x - y, "*": x * y}.get(operator)
            )
        case _:
            raise AssertionError(tree)


def show(tree: list[Any]) -> str:
    """A tree as text, with a parenthesis around everything."""
    match tree:
        case ["lit", value]:
            return str(value).lower()
        case ["path", *names]:
            return ".".join(names)
        case ["!", a]:
            return f"!({show(a)})"
        case ["neg", a]:
            return f"-({show(a)})"
        case [operator, a, b]:
            return f"({show(a)}) {operator} ({show(b)})"
        case _:
            raise AssertionError(tree)


@given(BOOLEANS | COMPARISONS)
def test_text_reads_back_as_the_tree(tree: list[Any]) -> None:
    assert parse(show(tree)) == tree


@given(BOOLEANS, st.fixed_dictionaries({v: st.booleans() for v in "pqr"}))
def test_python_source_of_logic_means_the_tree(tree: list[Any], world: dict[str, Any]) -> None:
    assert bool(run(tree, world)) == evaluate(tree, world)


@given(COMPARISONS, st.fixed_dictionaries({v: st.integers(0, 9) for v in "pqr"}))
def test_python_source_of_arithmetic_means_the_tree(tree: list[Any], world: dict[str, Any]) -> None:
    assert run(tree, world) == evaluate(tree, world)


def run(tree: list[Any], world: dict[str, Any]) -> Any:
    return eval(python(tree, mapping=False), {"it": SimpleNamespace(context=world)})


@given(BOOLEANS, BOOLEANS)
def test_a_shadowed_guard_never_holds_alone(first: list[Any], second: list[Any]) -> None:
    worlds = [{"p": p, "q": q, "r": r} for p in (False, True) for q in (False, True) for r in (False, True)]
    free = any(evaluate(second, w) and not evaluate(first, w) for w in worlds)
    assert (overlap([first], second) is Verdict.SHADOWED) == (not free)


@given(
    st.sampled_from(["==", "!=", "<", "<=", ">", ">="]),
    st.sampled_from(["==", "!=", "<", "<=", ">", ">="]),
    st.booleans(),
)
def test_comparisons_of_the_same_terms_are_decided(first: str, second: str, swap: bool) -> None:
    a, b = ["path", "context", "p"], ["path", "context", "q"]
    one, two = [first, a, b], [second, b, a] if swap else [second, a, b]
    worlds = [{"p": p, "q": q} for p in range(3) for q in range(3)]
    both = any(evaluate(one, w) and evaluate(two, w) for w in worlds)
    free = any(evaluate(two, w) and not evaluate(one, w) for w in worlds)
    wanted = Verdict.SHADOWED if not free else Verdict.OVERLAPS if both else Verdict.DISJOINT
    assert overlap([one], two) is wanted
