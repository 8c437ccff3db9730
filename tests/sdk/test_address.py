"""Addresses: the published vectors, and the laws that every mapping keeps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity.sdk.address import (
    MAX_KEY,
    Address,
    Pattern,
    from_kafka,
    from_mqtt,
    from_nats,
    to_kafka,
    to_mqtt,
    to_nats,
)
from comity.sdk.errors import ConfigError

FILE = Path(__file__).parents[2] / "spec/core/v1/vectors/addresses.json"
VECTORS: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))

names = st.from_regex(r"\A[a-z][a-z0-9-]{0,31}\Z")
keys = st.text(min_size=1, max_size=40).filter(lambda key: len(key.encode("utf-8", "ignore")) <= MAX_KEY)
utf8_keys = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
addresses = st.builds(
    Address, names, names, st.integers(1, 9999), names, st.lists(utf8_keys, max_size=4).map(tuple)
)


@pytest.mark.parametrize("row", VECTORS["valid"], ids=lambda row: row["name"])
def test_vector_is_reproduced(row: dict[str, Any]) -> None:
    address = Address(row["namespace"], row["family"], row["major"], row["channel"], tuple(row["keys"]))
    topic, key = to_kafka(address)
    assert str(address) == row["address"]
    assert to_nats(address) == row["nats"]
    assert to_mqtt(address) == row["mqtt"]
    assert (topic, None if key is None else key.hex()) == (row["kafka"]["topic"], row["kafka"]["key_hex"])
    assert Address.parse(row["address"]) == from_nats(row["nats"]) == from_mqtt(row["mqtt"]) == address
    assert from_kafka(topic, key) == address


@pytest.mark.parametrize("row", VECTORS["invalid"], ids=lambda row: row["reason"])
def test_invalid_vector_is_refused(row: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Address.parse(row["address"])


@pytest.mark.parametrize("row", VECTORS["patterns"], ids=lambda row: f"{row['pattern']} {row['address']}")
def test_pattern_vector(row: dict[str, Any]) -> None:
    assert Pattern.parse(row["pattern"]).matches(row["address"]) is row["matches"]


@pytest.mark.parametrize("row", VECTORS["invalid_patterns"], ids=lambda row: row["reason"])
def test_invalid_pattern_is_refused(row: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Pattern.parse(row["pattern"])


def test_vectors_keep_every_form_apart() -> None:
    for form in ("address", "nats", "mqtt"):
        assert len({row[form] for row in VECTORS["valid"]}) == len(VECTORS["valid"])
    assert len({json.dumps(row["kafka"]) for row in VECTORS["valid"]}) == len(VECTORS["valid"])


@given(addresses)
def test_mappings_are_reversible(address: Address) -> None:
    assert Address.parse(str(address)) == address
    assert from_nats(to_nats(address)) == address
    assert from_mqtt(to_mqtt(address)) == address
    assert from_kafka(*to_kafka(address)) == address


@given(addresses, addresses)
def test_mappings_are_injective(one: Address, other: Address) -> None:
    for mapping in (str, to_nats, to_mqtt, to_kafka):
        assert (mapping(one) == mapping(other)) is (one == other)


@given(
    st.lists(utf8_keys, min_size=1, max_size=4).map(tuple),
    st.lists(utf8_keys, min_size=1, max_size=4).map(tuple),
)
def test_keys_never_meet(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    left, right = Address("a", "b", 1, "c", one), Address("a", "b", 1, "c", other)
    assert (to_mqtt(left) == to_mqtt(right)) is (to_kafka(left) == to_kafka(right)) is (one == other)


@given(addresses)
def test_no_broker_sees_a_special_character_in_a_key(address: Address) -> None:
    levels = str(address).split(".")
    assert len(levels) == 4 + len(address.keys)
    assert all(level.isascii() and not set(level) & set("*>+#/$~ \x7f") for level in levels)
    assert all(character.isprintable() for character in str(address))


@given(st.text(max_size=80))
def test_text_is_refused_or_canonical(text: str) -> None:
    try:
        address = Address.parse(f"a.b.v1.c.{text}")
    except ConfigError:
        return
    assert str(address) == f"a.b.v1.c.{text}"


@given(keys)
def test_lone_surrogates_are_the_only_text_refused(key: str) -> None:
    lone = any(0xD800 <= ord(character) <= 0xDFFF for character in key)
    try:
        Address("a", "b", 1, "c", (key,))
    except ConfigError:
        assert lone or len(key.encode("utf-8", "ignore")) > MAX_KEY
    else:
        assert not lone


@given(addresses)
def test_patterns_ask_for_what_they_say(address: Address) -> None:
    stem, count = address.stem, len(address.keys)
    assert Pattern.parse(str(address)).matches(str(address))
    assert Pattern.parse(".".join([stem, *["*"] * count])).matches(str(address))
    assert not Pattern.parse(".".join([stem, *["*"] * (count + 1)])).matches(str(address))
    assert Pattern.parse(f"{stem}.>").matches(str(address)) is (count > 0)


@given(addresses)
def test_pattern_text_is_reversible(address: Address) -> None:
    for text in (str(address), f"{address}.*", f"{address}.>", f"{address.stem}.*.>"):
        if len(text) <= 1024:
            assert str(Pattern.parse(text)) == text
