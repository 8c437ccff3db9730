"""The judge's own reading of bytes, keys, filters and expressions."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity.conformance.expression import evaluate, holds
from comity.conformance.judge._filters import matches, place, satisfies, sort_key
from comity.conformance.plan import identity
from comity.conformance.signature import sign, verify, weak_signature
from comity.conformance.wire import (
    Lexical,
    agent_id,
    dump,
    items_of,
    members_of,
    millis,
    parse,
    public_key,
    stamp,
)
from tests.conformance.toy import test as toy_matches

_JSON: st.SearchStrategy[Any] = st.recursive(
    st.booleans() | st.integers(-5, 5) | st.floats(-3, 3).filter(lambda x: x == x) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("abc", min_size=1, max_size=2), inner, max_size=3)
    ),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("text", "fact"),
    [(b'{"a":1,"a":2}', "duplicate_name"), (b'{"a":NaN}', "bad_number"), (b'{"a":1e999}', "bad_number"),
     (b"-Infinity", "bad_number"), (b'\xef\xbb\xbf{}', "bad_text"), (b'"\\ud800"', "bad_text"), (b'"\xff"', "bad_text"),
     (b"[" * 33 + b"]" * 33, "too_deep"), (b"[" * 10000, "too_deep"), (b'{"a":1', "truncated"), (b"{}x", "truncated"),
     (b"", "truncated")],
)  # fmt: skip
def test_each_lexical_rule_is_told_by_name(text: bytes, fact: str) -> None:
    with pytest.raises(Lexical) as caught:
        parse(text)
    assert caught.value.fact == fact


def test_brackets_in_strings_do_not_nest() -> None:
    assert parse(dump("[" * 100).encode()) == "[" * 100
    assert parse(b"[" * 32 + b"]" * 32) is not None


@given(_JSON)
def test_what_is_written_reads_back(value: Any) -> None:
    assert parse(dump(value).encode()) == value


@given(st.binary(min_size=32, max_size=32))
def test_did_keys_are_reversible(key: bytes) -> None:
    assert public_key(agent_id(key)) == key


@given(st.integers(0, 4_000_000_000_000))
def test_stamps_are_reversible(ms: int) -> None:
    assert millis(stamp(ms)) == pytest.approx(ms, abs=0.001)


def test_a_signature_binds_source_key_and_covered_attributes() -> None:
    key, other = identity("a"), identity("b")
    doc = {"id": "1", "source": key.agent, "sequence": "1", "data_base64": "e30="}
    assert verify(doc) == "unsigned"
    assert verify(sign(doc, key)) is None
    assert verify({**sign(doc, key), "sequence": "2"}) == "forged"
    assert verify({**sign(doc, key), "expirytime": "x"}) == "forged"
    assert verify(sign(doc, other)) == "other_key"
    agent, signature = weak_signature(key.seed)
    assert verify({**doc, "source": agent, "comitykey": agent, "comitysig": signature}) == "weak_key"


_OPS = st.sampled_from(["eq", "ne", "gt", "gte", "lt", "lte", "in", "not_in", "contains", "prefix", "exists"])


@given(st.dictionaries(st.sampled_from(["n", "s"]), _JSON, max_size=2), _OPS, _JSON)
def test_two_readings_of_the_operators_agree(metadata: dict[str, Any], op: str, value: Any) -> None:
    if op in ("in", "not_in"):
        value = items_of(value) or [value]
    entry: dict[str, Any] = {"agent": "a", "capabilities": [], "metadata": metadata}
    criterion = {"path": "metadata.n", "op": op, "value": value}
    if not _nested_booleans(value) and not _nested_booleans(metadata):
        assert satisfies(entry, criterion) == toy_matches(entry, criterion, set())


def _nested_booleans(value: Any) -> bool:
    """Where the toy, which compares as Python does, takes true for 1."""
    members = members_of(value)
    inner = items_of(value) or [] if members is None else members.values()
    return any(isinstance(v, (bool, list, dict)) for v in inner)


def test_a_filter_joins_all_and_any() -> None:
    entry = {"agent": "a", "zone": "x", "capabilities": ["ml@1.0"]}
    zone, bare = (
        {"path": "zone", "op": "eq", "value": "x"},
        {"path": "capabilities", "op": "contains", "value": "ml"},
    )
    wrong = {"path": "zone", "op": "eq", "value": "y"}
    assert matches(entry, {"all": [zone, bare]})
    assert matches(entry, {"any": [wrong, bare]})
    assert matches(entry, {})
    assert not matches(entry, {"all": [zone], "any": [wrong]})


@given(st.lists(_JSON, max_size=6), st.booleans())
def test_missing_values_come_last_in_either_direction(values: list[Any], descending: bool) -> None:
    order = [{"path": "metadata.n", "descending": descending}]
    by_agent = {f"a{n}": value for n, value in enumerate(values)}
    entries: list[dict[str, Any]] = [{"agent": a, "metadata": {"n": v}} for a, v in by_agent.items()]
    entries.append({"agent": "a", "metadata": {}})
    key = sort_key(order)
    ranked = sorted(entries, key=lambda entry: key(place(entry, order)))
    assert ranked[-1]["agent"] == "a"
    kinds = [_rank(by_agent[entry["agent"]]) for entry in ranked[:-1]]
    assert kinds == sorted(kinds, reverse=descending)


def _rank(value: Any) -> int:
    if isinstance(value, bool):
        return 0
    return (
        1
        if isinstance(value, (int, float))
        else 2
        if isinstance(value, str)
        else 3
        if isinstance(value, list)
        else 4
    )


def test_expressions_are_walked_as_the_compiler_writes_them() -> None:
    tree: list[Any] = [
        "&&",
        ["has", ["path", "event", "x"]],
        [">", ["path", "event", "x"], ["path", "held", "y"]],
    ]
    assert holds(tree, {"x": 3}, {"y": 2})
    assert not holds(tree, {"x": 1}, {"y": 2})
    assert not holds(tree, {}, {"y": 2})
    assert holds(["!", ["has", ["path", "event", "x"]]], {}, {})
    assert holds(None, {}, {})
    with pytest.raises(ValueError, match="no rule"):
        evaluate(["xor", ["lit", 1]], {})
