"""The signed form and the verification rule, worked out again from the spec's own words and from arithmetic.

Three parties that share no code have to agree with the published vectors: this file, the SDK and the judge.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode, urlsafe_b64encode
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from comity.conformance import signature as judge
from comity.conformance.wire import public_key as did_key
from comity.sdk.identity import Identity, agent_id, public_key, verify_key
from comity.sdk.ports import Frame
from comity.sdk.security import COVERED, pre_authentication, sign_frame, verify_frame

from .edwards import ORDER, ZERO, Point, point, strict, times, weak
from .support import AGENT, request

CORE = Path(__file__).parents[2] / "spec/core/v1"
VECTORS: dict[str, Any] = json.loads((CORE / "vectors/signatures.json").read_text(encoding="utf-8"))
SENTENCE = re.search(r"^Covered are (.*?)\.", (CORE / "README.md").read_text(encoding="utf-8"), re.S | re.M)


def covered() -> list[str]:
    """The covered attributes as the spec's prose lists them."""
    assert SENTENCE is not None
    return sorted(re.findall(r"`([a-z]+)`", SENTENCE[1]), key=str.encode)


def signed_octets(attributes: dict[str, str], data: bytes) -> bytes:
    """The pre-authentication encoding, from the prose of the spec."""
    parts = [part.encode() for name in covered() if name in attributes for part in (name, attributes[name])]
    body = b"".join(str(len(part)).encode() + b":" + part for part in [*parts, data])
    kind = b"application/vnd.comity.event.v1"
    return b" ".join([b"DSSEv1", str(len(kind)).encode(), kind, str(len(body)).encode(), body])


def text(octets: bytes) -> str:
    return urlsafe_b64encode(octets).rstrip(b"=").decode()


def test_the_prose_and_the_code_cover_the_same() -> None:
    assert covered() == list(COVERED) == judge.COVERED


@pytest.mark.parametrize("row", VECTORS["events"], ids=lambda row: row["name"])
def test_a_vector_holds_by_the_prose_and_another_library(row: dict[str, Any]) -> None:
    octets = signed_octets(row["attributes"], row["data"].encode())
    assert octets == row["signed"].encode()
    raw = did_key(row["attributes"]["source"])
    assert raw is not None
    Ed25519PublicKey.from_public_bytes(raw).verify(bytes.fromhex(row["signature"]), octets)
    seed = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(VECTORS["seed"]))
    assert seed.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw) == raw


@pytest.mark.parametrize("row", VECTORS["events"], ids=lambda row: row["name"])
def test_receiver_and_judge_take_the_event_and_no_altered_one(row: dict[str, Any]) -> None:
    signature = {"comitykey": row["attributes"]["source"], "comitysig": text(bytes.fromhex(row["signature"]))}
    attributes, data = {**row["attributes"], **signature}, row["data"].encode()
    verify_frame(Frame(attributes, data))
    assert judge.verify({**attributes, "data_base64": b64encode(data).decode()}) is None
    altered = {**attributes, "data_base64": b64encode(data + b" ").decode()}
    assert judge.verify(altered) == "forged"


@pytest.mark.parametrize("row", VECTORS["verification"], ids=lambda row: row["name"])
def test_a_verdict_holds_by_arithmetic(row: dict[str, Any]) -> None:
    key, message, signature = (bytes.fromhex(row[name]) for name in ("public_key", "message", "signature"))
    assert strict(key, message, signature) is row["valid"] is verify_key(key, message, signature)


@settings(max_examples=10, deadline=None)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=64), st.integers(0, 511))
def test_library_and_arithmetic_agree_on_any_signature(seed: bytes, message: bytes, bit: int) -> None:
    identity = Identity.from_seed(seed)
    key = public_key(identity.agent_id)
    assert key is not None
    good = identity.sign(message)
    bad = bytearray(good)
    bad[bit // 8] ^= 1 << bit % 8
    assert strict(key, message, good)
    assert verify_key(key, message, bytes(bad)) is strict(key, message, bytes(bad)) is False


def test_every_point_of_small_order_is_weak() -> None:
    """The eight points are the multiples of one of order 8, which is found by search."""
    generator = next(found for found in map(_torsion, range(2, 200)) if found is not None)
    points = {times(n, generator) for n in range(8)}
    assert len(points) == 8
    for x, y in points:
        octets = (y | (x & 1) << 255).to_bytes(32, "little")
        assert point(octets) == (x, y)
        assert weak((x, y))
        assert public_key(agent_id(octets)) is None


def test_what_the_sdk_signs_the_judge_and_another_library_verify() -> None:
    frame = sign_frame(request(), AGENT)
    assert isinstance(frame.data, bytes)
    assert pre_authentication(frame.attributes, frame.data) == signed_octets(
        dict(frame.attributes), frame.data
    )
    document = {**frame.attributes, "data_base64": b64encode(frame.data).decode()}
    assert judge.verify(document) is None
    key = judge.KeyPair(AGENT.seed)
    assert key.agent == AGENT.agent_id
    theirs = judge.sign(document, key)
    verify_frame(Frame({**frame.attributes, "comitysig": theirs["comitysig"]}, frame.data))


def _torsion(y: int) -> Point | None:
    """A point of order 8, from the part of a point that the large subgroup does not hold."""
    start = point(y.to_bytes(32, "little"))
    part = ZERO if start is None else times(ORDER, start)
    return part if times(4, part) != ZERO else None
