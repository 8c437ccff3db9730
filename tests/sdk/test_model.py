"""The base of messages: strict, closed, absent is not null; `Value` and `Map` keep their limits."""

from __future__ import annotations

import json
from typing import Annotated, Any

import pytest
from pydantic import ValidationError

from comity.sdk.model import MAX_INTEGER, MISSING, Field, Map, Message, Record, Unique, Value, alias

Short = Annotated[str, Field(max_length=3, pattern="^[a-z]+$")]


class Inner(Record):
    n: Annotated[int, Field(ge=0, le=9)]


class Sample(Message):
    name: Short
    inner: Inner | MISSING = MISSING
    maybe: int | MISSING | None = MISSING
    open: Value | MISSING = MISSING
    map: Map | MISSING = MISSING
    many: Annotated[list[int], Field(max_length=3), Unique] | MISSING = MISSING
    schema_: Short | MISSING = alias("schema", required=False)


def accepts(**members: Any) -> bool:
    try:
        Sample.model_validate({"name": "a", **members})
    except ValidationError:
        return False
    return True


def nest(depth: int) -> Any:
    return [nest(depth - 1)] if depth else 1


def test_absent_is_missing_and_null_is_something_else() -> None:
    sample = Sample(name="a")
    assert sample.inner is MISSING
    assert sample.maybe is MISSING
    assert Sample(name="a", maybe=None).maybe is None
    assert not accepts(inner=None)


def test_dumping_leaves_absent_members_out_and_uses_wire_names() -> None:
    sample = Sample.model_validate({"name": "a", "maybe": None, "schema": "x", "open": [1, {"k": 0.5}]})
    wire = {"name": "a", "maybe": None, "open": [1, {"k": 0.5}], "schema": "x"}
    assert sample.model_dump(by_alias=True) == wire
    assert json.loads(sample.model_dump_json(by_alias=True)) == wire


@pytest.mark.parametrize(
    "members",
    [
        {"name": 1}, {"name": "abcd"}, {"name": "a\n"}, {"name": "A"}, {"other": 1}, {"inner": {"n": True}},
        {"inner": {"n": "1"}},
        {"inner": {"n": 10}}, {"inner": {"n": 1, "m": 1}}, {"inner": []}, {"many": [1, 1]}, {"many": [1, 2, 3, 4]},
        {"schema_": "a"},
    ],
)  # fmt: skip
def test_what_the_type_does_not_say_is_refused(members: dict[str, Any]) -> None:
    assert not accepts(**members)


@pytest.mark.parametrize(
    "value",
    [
        "", "x" * 4096, 0, -MAX_INTEGER, MAX_INTEGER, 0.5, True, [], {}, [1] * 256, {f"k{i}": i for i in range(64)},
        nest(8), {"a-b_C9": nest(7)}, {"a" * 64: 1},
    ],
    ids=lambda v: str(v)[:20],
)  # fmt: skip
def test_a_value_may_be(value: Any) -> None:
    assert accepts(open=value)
    assert accepts(map=value) == isinstance(value, dict)


@pytest.mark.parametrize(
    "value",
    [
        None, [None], {"a": None}, "x" * 4097, MAX_INTEGER + 1, -MAX_INTEGER - 1, 1e300, float("nan"), float("inf"),
        [1] * 257,
        {f"k{i}": i for i in range(65)}, nest(9), {"a": nest(8)}, {"": 1}, {"a b": 1}, {"a\n": 1}, {"é": 1}, {"a" * 65: 1},
        {1: 1}, (1,), b"x",
    ],
    ids=lambda v: str(v)[:20],
)  # fmt: skip
def test_a_value_may_not_be(value: Any) -> None:
    assert not accepts(open=value)
    assert not accepts(map=value)


def test_a_deep_value_is_refused_and_not_a_crash() -> None:
    value: Any = 1
    for _ in range(100_000):
        value = [value]
    assert not accepts(open=value)


def test_a_message_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Sample(name="a").name = "b"
