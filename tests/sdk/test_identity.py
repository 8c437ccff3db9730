"""Identities and the one verification rule: our vectors, the published borderline cases, and laws."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity.sdk.errors import ConfigError
from comity.sdk.identity import Identity, agent_id, public_key, verify, verify_key

ROOT = Path(__file__).parents[2]
VECTORS: dict[str, Any] = json.loads(
    (ROOT / "spec/core/v1/vectors/signatures.json").read_text(encoding="utf-8")
)
PUBLISHED = Path(os.environ.get("COMITY_VECTORS", ROOT.parent / "shared/vectors")) / "ed25519"


@pytest.mark.parametrize("row", VECTORS["verification"], ids=lambda row: row["name"])
def test_vector_is_judged_as_published(row: dict[str, Any]) -> None:
    key, message, signature = (bytes.fromhex(row[name]) for name in ("public_key", "message", "signature"))
    assert verify_key(key, message, signature) is row["valid"]


def _published(name: str) -> Any:
    file = PUBLISHED / name
    if not file.is_file():
        text = f"{file} is absent: set COMITY_VECTORS to the folder of published vectors"
        if os.environ.get("COMITY_REQUIRE_ALL") == "1":
            pytest.fail(text)
        pytest.skip(f"NOT RUN: {text}")
    return json.loads(file.read_text(encoding="utf-8"))


def test_only_the_fourth_borderline_case_is_good() -> None:
    cases = _published("speccheck-cases.json")
    fields = [[bytes.fromhex(case[n]) for n in ("pub_key", "message", "signature")] for case in cases]
    assert [n for n, (key, message, sig) in enumerate(fields) if verify_key(key, message, sig)] == [3]


def test_wycheproof_agrees() -> None:
    groups = _published("wycheproof-ed25519.json")["testGroups"]
    judged = [
        (test["tcId"], test["result"] == "valid", bytes.fromhex(group["publicKey"]["pk"]), test)
        for group in groups
        for test in group["tests"]
    ]
    assert len(judged) > 100
    for number, valid, key, test in judged:
        assert verify_key(key, bytes.fromhex(test["msg"]), bytes.fromhex(test["sig"])) is valid, number


def test_did_key_is_the_published_form() -> None:
    assert Identity.from_seed(bytes.fromhex(VECTORS["seed"])).agent_id == VECTORS["agent"]


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=200), st.integers(0, 511))
def test_a_signature_holds_until_one_bit_differs(seed: bytes, payload: bytes, bit: int) -> None:
    identity = Identity.from_seed(seed)
    signature = identity.sign(payload)
    assert verify(identity.agent_id, payload, signature)
    flipped = bytearray(signature)
    flipped[bit // 8] ^= 1 << bit % 8
    assert not verify(identity.agent_id, payload, bytes(flipped))
    assert not verify(identity.agent_id, payload + b"x", signature)


@given(st.binary(min_size=32, max_size=32))
def test_an_agent_id_names_one_key(seed: bytes) -> None:
    identity = Identity.from_seed(seed)
    key = public_key(identity.agent_id)
    assert key is not None
    assert agent_id(key) == identity.agent_id


@given(st.text(max_size=60) | st.text("123abcXYZ", max_size=60).map("did:key:z6Mk".__add__))
def test_no_text_makes_a_key_reader_raise(text: str) -> None:
    key = public_key(text)
    assert key is None or agent_id(key) == text


def test_weak_keys_are_no_keys() -> None:
    weak = [row for row in VECTORS["verification"] if row["name"].startswith("public key of small order")]
    assert len(weak) == 8
    for row in weak:
        assert public_key(agent_id(bytes.fromhex(row["public_key"]))) is None


def test_the_seed_is_not_shown_and_has_its_length() -> None:
    identity = Identity.generate()
    assert identity.seed.hex() not in repr(identity)
    assert Identity.generate().agent_id != identity.agent_id
    with pytest.raises(ConfigError, match="32 octets"):
        Identity.from_seed(b"short")
