"""Two readers of JSON that share no code, the SDK's and the judge's, agree on every octet string."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity.conformance import wire
from comity.sdk.errors import RemoteProtocolError
from comity.sdk.lexical import dump, parse
from comity.sdk.ports import Json

FILE = Path(__file__).parents[2] / "spec/core/v1/vectors/lexical.json"
VECTORS: list[dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))["data"]
SNIPPETS = [
    "[",
    "]",
    "{",
    "}",
    ":",
    ",",
    '"',
    "\\",
    "\\u0061",
    "\\ud83d",
    "\\ude00",
    "a",
    "NaN",
    "Infinity",
    "true",
    "null",
    "0",
    "1",
    "-",
    ".",
    "e",
    "e400",
    "+",
    " ",
    "\n",
    "\ufeff",
    "é",
    "\x00",
    "/",
]

octets = st.binary(max_size=24) | st.lists(st.sampled_from(SNIPPETS), max_size=14).map(
    lambda parts: "".join(parts).encode()
)
values: st.SearchStrategy[Json] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("ab/é", max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)


def ours(data: bytes) -> str | None:
    """What the SDK reads, spelled out; None where it refuses."""
    try:
        return json.dumps(parse(data))
    except RemoteProtocolError:
        return None


def theirs(data: bytes) -> str | None:
    """The same for the judge."""
    try:
        return json.dumps(wire.parse(data))
    except wire.Lexical:
        return None


@pytest.mark.parametrize("row", VECTORS, ids=lambda row: row["name"])
def test_the_judge_reads_each_vector_alike(row: dict[str, Any]) -> None:
    data = bytes.fromhex(row["hex"])
    assert (theirs(data) is not None) is row["valid"]
    assert theirs(data) == ours(data)


def test_vectors_come_from_every_side_of_every_rule() -> None:
    assert len({row["name"] for row in VECTORS}) == len({row["hex"] for row in VECTORS}) == len(VECTORS)
    facts: Counter[str] = Counter()
    for row in VECTORS:
        try:
            wire.parse(bytes.fromhex(row["hex"]))
        except wire.Lexical as error:
            facts[error.fact] += 1
    assert facts.keys() == {"duplicate_name", "bad_number", "bad_text", "too_deep", "truncated"}
    assert all(count >= 6 for count in facts.values()), facts


@given(octets)
def test_they_agree_on_any_octets(data: bytes) -> None:
    assert ours(data) == theirs(data)


@given(values)
def test_they_agree_on_what_is_written(value: Json) -> None:
    text = dump({"a": value})
    assert ours(text) == theirs(text) == json.dumps({"a": value})


@given(values, st.data())
def test_neither_takes_a_beginning_for_the_whole(value: Json, data: st.DataObject) -> None:
    text = dump({"a": value})
    cut = text[: data.draw(st.integers(0, len(text) - 1))]
    assert ours(cut) is theirs(cut) is None


@given(values, st.binary(min_size=1, max_size=6).filter(lambda tail: tail.strip(b" \t\r\n") != b""))
def test_neither_lets_anything_but_space_follow(value: Json, tail: bytes) -> None:
    text = dump({"a": value}) + tail
    assert ours(text) is theirs(text) is None


@given(values, st.integers(1, 4), st.data())
def test_neither_overlooks_a_name_given_twice(value: Json, depth: int, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from([b'"k"', rb'"\u006b"', rb'"\u006B"']))
    text = b'{"k":%b,"x":1,%b:0}' % (dump(value), name)
    for _ in range(depth):
        text = data.draw(st.sampled_from([b"[%b]", b'{"in":%b}'])) % text
    assert ours(text) is theirs(text) is None
