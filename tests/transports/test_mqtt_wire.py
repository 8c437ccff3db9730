"""MQTT 5 packets: vectors from the text of the standard, and laws."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from comity.sdk.errors import LocalProtocolError, RemoteProtocolError
from comity.transports import _mqtt_wire as wire

LARGEST = 1 << 20
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def packets(*parts: bytes, largest: int = LARGEST) -> list[tuple[int, bytes]]:
    framer = wire.Framer(largest)
    return [packet for part in parts for packet in framer.feed(part)]


@pytest.mark.parametrize(
    ("value", "octets"),
    [
        (0, "00"),
        (127, "7f"),
        (128, "8001"),
        (16_383, "ff7f"),
        (16_384, "808001"),
        (2_097_151, "ffff7f"),
        (2_097_152, "80808001"),
        (268_435_455, "ffffff7f"),
    ],
)
def test_numbers_of_the_standard(value: int, octets: str) -> None:
    assert wire.number(value).hex() == octets
    with pytest.raises(LocalProtocolError, match="more than MQTT can carry"):
        wire.number(268_435_456)


def test_a_connect_octet_by_octet() -> None:
    connect = wire.Connect("me", 10, 300, 16, 1 << 24, "anna", "pw")
    assert connect.encode().hex(" ") == (
        "10 26 00 04 4d 51 54 54 05 c0 00 0a 0d 11 00 00 01 2c 21 00 10 27 01 00 00 00 "
        "00 02 6d 65 00 04 61 6e 6e 61 00 02 70 77"
    )
    assert "pw" not in repr(connect)


def test_a_connect_with_a_will_octet_by_octet() -> None:
    will = wire.Will(b"t", b"{}", "k", [("a", "b")], delay=5, retain=None)
    connect = wire.Connect("me", 10, 300, 16, 1 << 24, "anna", None, will)
    assert connect.encode().hex(" ") == (
        "10 3a 00 04 4d 51 54 54 05 8c 00 0a 0d 11 00 00 01 2c 21 00 10 27 01 00 00 00 00 02 6d 65 "
        "10 18 00 00 00 05 03 00 01 6b 26 00 01 61 00 01 62 00 01 74 00 02 7b 7d 00 04 61 6e 6e 61"
    )
    kept = wire.Will(b"t", b"{}", None, [], delay=0, retain=9).encode()
    assert kept.hex(" ") == "0a 18 00 00 00 00 02 00 00 00 09 00 01 74 00 02 7b 7d"
    assert will.flags | 0x20 == will._replace(retain=9).flags


def test_small_packets_octet_by_octet() -> None:
    assert wire.subscribe(10, 5, "a/+", 1, retained=False) == b"\x82\x0b\x00\x0a\x02\x0b\x05\x00\x03a/+\x21"
    assert wire.subscribe(10, 5, "a/+", 1, retained=True)[-1] == 1
    assert wire.unsubscribe(11, "a/+") == b"\xa2\x08\x00\x0b\x00\x00\x03a/+"
    assert wire.acknowledge(258) == b"\x40\x02\x01\x02"
    assert wire.disconnect() == b"\xe0\x07\x00\x05\x11\x00\x00\x00\x00"
    assert wire.publish(b"t", b"x", None, [], packet=0, retain=None) == b"\x30\x05\x00\x01t\x00x"
    again = wire.publish(b"t", b"x", "k", [("a", "b")], packet=7, retain=9, again=True)
    assert again == b"\x3b\x17\x00\x01t\x00\x07\x10\x02\x00\x00\x00\x09\x03\x00\x01k&\x00\x01a\x00\x01bx"


@given(
    texts,
    st.binary(max_size=300),
    st.none() | texts,
    st.lists(st.tuples(texts.filter(str.isascii), texts), max_size=5),
    st.integers(0, 65535),
    st.none() | st.integers(1, 1 << 31),
)
def test_a_publish_is_read_as_it_was_written(
    topic: str,
    payload: bytes,
    kind: str | None,
    user: list[tuple[str, str]],
    packet: int,
    retain: int | None,
) -> None:
    octets = wire.publish(topic.encode(), payload, kind, user, packet=packet, retain=retain)
    ((first, body),) = packets(octets)
    read = wire.read_publish(first, body)
    assert (read.topic, read.payload, read.packet, read.retained) == (
        topic,
        payload,
        packet,
        retain is not None,
    )
    assert (read.properties.text(wire.Property.CONTENT_TYPE), read.properties.user) == (kind, user)


@given(st.lists(st.binary(max_size=300), max_size=6), st.lists(st.integers(1, 40), min_size=1))
def test_packets_are_cut_alike_however_the_stream_is(payloads: list[bytes], steps: list[int]) -> None:
    stream = b"".join(wire.publish(b"t", payload, None, [], packet=0, retain=None) for payload in payloads)
    parts, at = list[bytes](), 0
    while at < len(stream):
        step = steps[len(parts) % len(steps)]
        parts.append(stream[at : at + step])
        at += step
    found = [wire.read_publish(*packet).payload for packet in packets(*parts)]
    assert found == payloads


@pytest.mark.parametrize("stream", [b"\x30\xff\xff\xff\xff\x01", b"\x30\xff\xff\xff\x7f"])
def test_a_length_that_is_none_or_too_large_is_refused(stream: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        packets(stream)


@given(st.integers(0x30, 0x3F), st.binary(max_size=40))
@example(0x30, b"\x00\x01t\x02\x03\x00")
@example(0x30, b"\x00\x01t\x02\x0b\x80")
@example(0x30, b"\x00\x01t\x01\x0b\x80\x01")
@example(0x30, b"\x00\x01t\x03\x26\x00\x09")
@example(0x30, b"\x00\x01t\x02\x63\x00")
@example(0x30, b"\x00\x01t\x05\x02\x00")
@example(0x30, b"\x00\x01\xff\x00")
@example(0x32, b"\x00\x01t\x00")
def test_a_malformed_publish_is_refused_by_rule_only(first: int, body: bytes) -> None:
    try:
        read = wire.read_publish(first, body)
        read.properties.text(wire.Property.CONTENT_TYPE)
    except RemoteProtocolError:
        return
    assert body.endswith(read.payload)


@pytest.mark.parametrize(
    ("first", "body"),
    [(0x30, b""), (0x30, b"\x00\x09t"), (0x32, b"\x00\x01t\x00"), (0x36, b"\x00\x01t\x00\x01\x00")],
)
def test_a_publish_that_ends_too_soon_is_refused(first: int, body: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        wire.read_publish(first, body)
