"""The lexical rules, octet by octet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity.sdk.errors import LocalProtocolError, RemoteProtocolError
from comity.sdk.lexical import dump, parse
from comity.sdk.ports import Json

FILE = Path(__file__).parents[2] / "spec/core/v1/vectors/lexical.json"
VECTORS: list[dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))["data"]

values: st.SearchStrategy[Json] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    # text that UTF-8 can carry
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text('ab"\\/é', max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize("row", VECTORS, ids=lambda row: row["name"])
def test_vector_is_judged_as_published(row: dict[str, Any]) -> None:
    data = bytes.fromhex(row["hex"])
    if row["valid"]:
        parse(data)
        return
    with pytest.raises(RemoteProtocolError) as caught:
        parse(data)
    assert caught.value.code == "core.malformed"


@given(values)
def test_what_is_written_is_read_back(value: Json) -> None:
    assert parse(dump(value)) == value


@given(values)
def test_another_writer_of_json_is_read_alike(value: Json) -> None:
    assert parse(json.dumps(value).encode()) == value
    assert parse(json.dumps(value, ensure_ascii=False).encode()) == value


@given(st.integers(0, 32), st.integers(33, 120))
def test_depth_is_exact(shallow: int, deep: int) -> None:
    parse(b"[" * shallow + b"1" + b"]" * shallow)
    with pytest.raises(RemoteProtocolError):
        parse(b"[" * deep + b"1" + b"]" * deep)
    with pytest.raises(RemoteProtocolError):
        parse(b'{"a":' * deep + b"[]" + b"}" * deep)


def test_ten_thousand_levels_end_no_stack() -> None:
    for text in (b"[" * 10_000, b"[" * 10_000 + b"]" * 10_000, b'{"a":' * 10_000 + b"1" + b"}" * 10_000):
        with pytest.raises(RemoteProtocolError):
            parse(text)


def test_a_number_of_a_million_digits_is_refused_at_once() -> None:
    with pytest.raises(RemoteProtocolError):
        parse(b"9" * 1_000_000)


def test_what_json_cannot_carry_is_not_written() -> None:
    with pytest.raises(LocalProtocolError):
        dump({"a": object()})
    with pytest.raises(LocalProtocolError):
        dump("\ud800")
