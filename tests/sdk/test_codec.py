"""Structured documents and payloads: what is read, what is refused, and where the place is named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity.sdk._generated.registry_v1.messages import Query, Register
from comity.sdk.codec import (
    SmallFrame,
    decode_data,
    decode_structured,
    encode_data,
    encode_structured,
    json_pointer,
)
from comity.sdk.errors import RemoteProtocolError
from comity.sdk.lexical import dump
from comity.sdk.model import MISSING
from comity.sdk.ports import Frame, Json

from .support import AGENT, altered, document, register, request

GOOD: dict[str, Json] = {"agent": AGENT.agent_id, "capabilities": ["a.b"], "lease_ms": 1000}
names = st.from_regex(r"\A[a-z0-9]{1,20}\Z").filter(lambda name: name not in ("data", "database64"))
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@given(st.dictionaries(names, texts, max_size=6), st.binary(max_size=40))
def test_any_octets_survive_a_structured_document(attributes: dict[str, str], data: bytes) -> None:
    read = decode_structured(encode_structured(Frame(attributes, data)))
    assert read.attributes == attributes
    written = dump(read.data) if not isinstance(read.data, bytes) else read.data
    assert written == data or decode_structured(b'{"data":' + data + b"}").data == read.data


def test_payloads_stand_inline_and_signed_ones_as_octets() -> None:
    assert b'"data":{"agent"' in encode_structured(request())
    assert b'"data_base64":"' in encode_structured(request("signed"))


def test_octets_cannot_break_out_of_a_document() -> None:
    frame = altered(b'{}},"id":"forged","x":{"y":1')
    assert decode_structured(encode_structured(frame)) == frame


@pytest.mark.parametrize(
    "text",
    [b"", b"[]", b"7", b"null", b'"x"', b'{"id":"a","id":"a"}', b'{"data":{"a":1,"a":2}}', b"{", b"\xff"],
)
def test_what_is_no_event_is_not_read(text: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        decode_structured(text)


def test_attributes_that_are_no_texts_never_pass_for_texts() -> None:
    frame = decode_structured(
        document(request(), id=5, sequence=17, expirytime=5, time=None, zone=None, x=[1])
    )
    attributes = frame.attributes
    assert not attributes.keys() & {"id", "sequence", "time", "zone"}
    assert attributes["expirytime"] == "5"
    assert attributes["x"] == "[1]"


@pytest.mark.parametrize("encoded", ["%%%", "YQ", 5, "Y Q=="])
def test_data_that_cannot_be_read_are_empty(encoded: Json) -> None:
    frame = altered(b"")
    assert decode_structured(document(frame, data_base64=encoded)).data == b""
    assert decode_structured(document(request(), data_base64="e30=")).data == b""


def test_a_small_frame_loses_its_mark_when_it_is_changed() -> None:
    frame = decode_structured(encode_structured(request()))
    assert isinstance(frame, SmallFrame)
    assert type(frame._replace(data={})) is Frame
    assert type(decode_structured(encode_structured(altered(b"[1")))) is Frame


def test_messages_survive_their_payload() -> None:
    message = register(metadata={"a": [1, 2.5, {"b": True}]}, zone="eu-1")
    assert decode_data(encode_data(message), Register) == message
    assert "endpoint" not in encode_data(message).decode()


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"lease_ms": "1000"}, "/lease_ms"),
        ({"lease_ms": 1000.0}, "/lease_ms"),
        ({"lease_ms": True}, "/lease_ms"),
        ({"lease_ms": None}, "/lease_ms"),
        ({"lease_ms": 99}, "/lease_ms"),
        ({"lease_ms": 2**70}, "/lease_ms"),
        ({"capabilities": ["a.b", "A"]}, "/capabilities/1"),
        ({"capabilities": {}}, "/capabilities"),
        ({"zone": "eu-1\n"}, "/zone"),
        ({"un~known/one": 1}, "/un~0known~1one"),
        ({"agent": "did:key:z6Mk"}, "/agent"),
    ],
)
def test_the_offending_place_is_named(change: dict[str, Json], pointer: str) -> None:
    for data in ({**GOOD, **change}, dump({**GOOD, **change})):
        with pytest.raises(RemoteProtocolError) as caught:
            decode_data(data, Register)
        assert (caught.value.code, caught.value.pointer) == ("core.invalid", pointer)


def test_a_missing_member_is_named() -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        decode_data({"agent": AGENT.agent_id, "capabilities": []}, Register)
    assert caught.value.pointer == "/lease_ms"


def test_a_pointer_too_long_for_the_wire_is_left_out() -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        decode_data({**GOOD, "x" * 600: 1}, Register)
    assert (caught.value.code, caught.value.pointer) == ("core.invalid", None)


def test_integers_are_spelled_as_integers() -> None:
    for spelling in (b"1000.0", b"1e3", b"10.00E2"):
        text = dump(GOOD).replace(b"1000", spelling)
        with pytest.raises(RemoteProtocolError) as caught:
            decode_data(text, Register)
        assert caught.value.code == "core.invalid"


@pytest.mark.parametrize("place", [b'"metadata":{"a":1e400}', b'"unknown":-1e999', b'"lease_ms":1e309'])
def test_numbers_beyond_the_doubles_are_malformed_wherever_they_stand(place: bytes) -> None:
    text = dump(GOOD).replace(b'"lease_ms":1000', place)
    for newer in (False, True):
        with pytest.raises(RemoteProtocolError) as caught:
            decode_data(text, Register, newer=newer)
        assert caught.value.code == "core.malformed"


def test_a_higher_minor_may_add_members_everywhere_unless_they_are_critical() -> None:
    later: Json = {**GOOD, "added": {"x": 1}}
    assert decode_data(later, Register, newer=True).lease_ms == 1000
    query: Json = {
        "limit": 1,
        "consistency": "eventual",
        "where": {"all": [{"path": "zone", "op": "eq", "value": 1, "added": 2}]},
    }
    assert decode_data(query, Query, newer=True).where is not MISSING
    assert decode_data(later, Register, newer=True, critical=["lease_ms"])
    with pytest.raises(RemoteProtocolError) as caught:
        decode_data(later, Register, newer=True, critical=["lease_ms", "added"])
    assert caught.value.code == "core.not_understood"


def test_what_users_bring_is_bounded_in_octets() -> None:
    fits: Json = {**GOOD, "metadata": {f"k{n}": "x" * 4000 for n in range(4)}}
    assert decode_data(fits, Register)
    for extra in ("x" * 500, "é" * 250):
        big: Json = {**GOOD, "metadata": {"e": extra, **{f"k{n}": "x" * 4000 for n in range(4)}}}
        with pytest.raises(RemoteProtocolError) as caught:
            decode_data(big, Register)
        assert (caught.value.code, caught.value.pointer) == ("core.invalid", "/metadata")


def test_the_bound_holds_at_nested_places() -> None:
    values: list[Json] = ["x" * 4000] * 5
    criterion: Json = {"path": "zone", "op": "in", "value": values}
    query: Json = {"limit": 1, "consistency": "eventual", "where": {"any": [criterion]}}
    with pytest.raises(RemoteProtocolError) as caught:
        decode_data(query, Query)
    assert caught.value.pointer == "/where/any/0/value"


def test_pointers_leave_out_what_is_no_place() -> None:
    assert json_pointer(("outputs", 0, "send", "kind"), {"outputs": [{"kind": 1}]}) == "/outputs/0/kind"
    assert json_pointer((), {}) == ""
