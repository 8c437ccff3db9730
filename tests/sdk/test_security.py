"""The signed form, by vectors, and what breaks a signed event."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity.sdk.codec import decode_structured, encode_structured
from comity.sdk.errors import LocalProtocolError, RemoteProtocolError
from comity.sdk.identity import verify
from comity.sdk.ports import Frame
from comity.sdk.security import COVERED, pre_authentication, sign_frame, verify_frame

from .support import AGENT, OTHER, request

FILE = Path(__file__).parents[2] / "spec/core/v1/vectors/signatures.json"
VECTORS: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("row", VECTORS["events"], ids=lambda row: row["name"])
def test_signed_octets_are_the_published_ones(row: dict[str, Any]) -> None:
    signed = pre_authentication(row["attributes"], row["data"].encode())
    assert signed == row["signed"].encode()
    assert verify(VECTORS["agent"], signed, bytes.fromhex(row["signature"]))


def test_a_signed_frame_verifies_and_survives_structured_mode() -> None:
    frame = request("signed")
    verify_frame(frame)
    again = decode_structured(encode_structured(frame))
    assert again == frame
    verify_frame(again)


@pytest.mark.parametrize("name", COVERED)
def test_every_covered_attribute_is_protected(name: str) -> None:
    attributes = dict(request().attributes)
    if name not in attributes:
        attributes[name] = "x"
    frame = sign_frame(Frame(attributes, b"{}"), AGENT)
    verify_frame(frame)
    changed = {**frame.attributes, name: OTHER.agent_id if name == "source" else frame.attributes[name] + "x"}
    removed = {other: value for other, value in frame.attributes.items() if other != name}
    for broken in [changed] if name == "source" else [changed, removed]:
        with pytest.raises(RemoteProtocolError):
            verify_frame(Frame(broken, frame.data))


@given(st.integers(0, 10_000), st.integers(0, 7))
def test_no_bit_of_signed_data_may_change(place: int, bit: int) -> None:
    frame = request("signed")
    assert isinstance(frame.data, bytes)
    data = bytearray(frame.data)
    data[place % len(data)] ^= 1 << bit
    with pytest.raises(RemoteProtocolError):
        verify_frame(Frame(frame.attributes, bytes(data)))


@given(st.lists(st.tuples(st.sampled_from(COVERED), st.text(max_size=8)), max_size=4), st.binary(max_size=20))
def test_different_events_have_different_signed_octets(pairs: list[tuple[str, str]], data: bytes) -> None:
    attributes = dict(pairs)
    try:
        signed = pre_authentication(attributes, data)
    except UnicodeEncodeError:
        return
    shifted = {name: value + "1:a" for name, value in attributes.items()}
    assert pre_authentication(attributes, data + b"1:a") != signed
    assert not attributes or pre_authentication(shifted, data) != signed


def test_another_spelling_of_the_same_signature_is_refused() -> None:
    frame = request("signed")
    text = frame.attributes["comitysig"]
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    slack = letters[letters.index(text[-1]) + 1]  # the last letter carries two bits, four are slack
    with pytest.raises(RemoteProtocolError, match="canonical"):
        verify_frame(Frame({**frame.attributes, "comitysig": text[:-1] + slack}, frame.data))


def test_only_the_source_signs_and_only_octets() -> None:
    with pytest.raises(LocalProtocolError):
        sign_frame(request(), OTHER)
    with pytest.raises(LocalProtocolError):
        sign_frame(Frame(request().attributes, {"a": 1}), AGENT)
