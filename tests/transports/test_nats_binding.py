"""The NATS binding of CloudEvents: vectors from the text of the working draft 1.0.3, and laws."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity.sdk.codec import encode_structured
from comity.sdk.errors import LocalProtocolError, RemoteProtocolError
from comity.sdk.ports import Frame
from comity.transports.nats_binding import Reader, decode, encode, read_block

EXAMPLE = {
    "specversion": "1.0",
    "type": "com.example.someevent",
    "time": "2018-04-05T03:56:24Z",
    "id": "1234-1234-1234",
    "source": "/mycontext/subcontext",
    "datacontenttype": "application/json",
}

# value, its header (3.1.3.2)
WRITTEN = [
    ("Euro € 😀", "Euro%20%E2%82%AC%20%F0%9F%98%80"),
    ("a b", "a%20b"),
    ('say "hi"', "say%20%22hi%22"),
    ("100%", "100%25"),
    ("%20", "%2520"),
    ("~!#$&'()*+,-./:;<=>?@[\\]^_`{|}", "~!#$&'()*+,-./:;<=>?@[\\]^_`{|}"),
    ("\x01\x7f", "%01%7F"),
]
# header, the value it stands for: what receivers accept although senders do not write it
READ = [
    ("%e2%82%ac", "€"),
    ("%41", "A"),
    ('"quoted text"', "quoted text"),
    ('"an \\"inner\\" one"', 'an "inner" one'),
    ('"back\\\\slash"', "back\\slash"),
    ('"quoted%20and%20escaped"', "quoted and escaped"),
    ('"', '"'),
]
REFUSED = ["%C0%A0", "%FF", "%ED%A0%80", "%", "%4", "%GG", "€", "a\ufffd"]

names = st.from_regex(r"\A[a-z0-9]{1,20}\Z")
values = st.text(st.characters(exclude_categories=["Cs"]))


def test_the_example_of_the_binding() -> None:
    headers, payload = encode(Frame(EXAMPLE, b'{"data": 1}'))
    assert headers == {
        "ce-specversion": "1.0",
        "ce-type": "com.example.someevent",
        "ce-time": "2018-04-05T03:56:24Z",
        "ce-id": "1234-1234-1234",
        "ce-source": "/mycontext/subcontext",
        "ce-datacontenttype": "application/json",
    }
    assert payload == b'{"data": 1}'
    assert decode(headers, payload) == Frame(EXAMPLE, payload)


@pytest.mark.parametrize(("value", "header"), WRITTEN)
def test_values_are_percent_encoded(value: str, header: str) -> None:
    assert encode(Frame({"subject": value}, b""))[0] == {"ce-subject": header}
    assert decode({"ce-subject": header}, b"").attributes == {"subject": value}


@pytest.mark.parametrize(("header", "value"), READ)
def test_older_and_needless_encodings_are_read(header: str, value: str) -> None:
    assert decode({"ce-subject": header}, b"").attributes == {"subject": value}


@pytest.mark.parametrize("header", REFUSED)
def test_what_is_not_percent_encoded_utf8_is_refused(header: str) -> None:
    with pytest.raises(RemoteProtocolError, match="subject"):
        decode({"ce-subject": header}, b"")


def test_header_names_are_case_insensitive() -> None:
    assert decode({"CE-Id": "1", "Ce-Source": "/x"}, b"").attributes == {"id": "1", "source": "/x"}


def test_a_repeated_attribute_is_refused() -> None:
    with pytest.raises(RemoteProtocolError, match="twice"):
        decode({"ce-id": "1", "CE-ID": "2"}, b"")


def test_other_headers_are_none_of_ours() -> None:
    headers = {
        "ce-id": "1",
        "Nats-Msg-Id": "x",
        "traceparent": "00",
        "ce-": "x",
        "Content-Type": "application/json",
    }
    assert decode(headers, b"x") == Frame({"id": "1"}, b"x")


def test_no_headers_are_no_attributes() -> None:
    assert decode(None, b"x") == Frame({}, b"x")


@pytest.mark.parametrize(
    "kind",
    [
        "application/cloudevents+json",
        "application/cloudevents",
        "Application/CloudEvents+JSON; charset=utf-8",
    ],
)
@pytest.mark.parametrize("name", ["Content-Type", "content-type"])
def test_structured_messages_are_read(kind: str, name: str) -> None:
    sent = Frame(EXAMPLE, b'{"x":1}')
    received = decode({name: kind}, encode_structured(sent))
    assert received.attributes == EXAMPLE
    data = received.data if not isinstance(received.data, bytes) else json.loads(received.data)
    assert data == {"x": 1}


@pytest.mark.parametrize("kind", ["application/cloudevents-batch+json", "application/cloudevents+avro"])
def test_other_event_formats_are_refused(kind: str) -> None:
    with pytest.raises(RemoteProtocolError, match="not understood"):
        decode({"content-type": kind}, b"[]")


@pytest.mark.parametrize("data", [float("nan"), float("inf"), "\ud800", {"a": ["\udfff"]}])
def test_data_that_json_cannot_carry_is_refused(data: object) -> None:
    with pytest.raises(LocalProtocolError, match="not JSON"):
        encode(Frame(EXAMPLE, data))  # type: ignore[arg-type]


def test_an_attribute_that_utf8_cannot_carry_is_refused() -> None:
    with pytest.raises(LocalProtocolError, match="is no text"):
        encode(Frame({"subject": "\ud800"}, b""))


@pytest.mark.parametrize("name", ["", "Id", "ce-id", "x" * 21, "id\r\nPUB x 0", "id: 1", "ü"])
def test_what_is_no_attribute_name_is_refused(name: str) -> None:
    with pytest.raises(LocalProtocolError, match="no attribute"):
        encode(Frame({name: "x"}, b""))


@given(st.dictionaries(names, values, max_size=8), st.binary(max_size=64))
def test_reading_is_the_inverse_of_writing(attributes: dict[str, str], data: bytes) -> None:
    headers, payload = encode(Frame(attributes, data))
    assert all(name.isascii() and text.isascii() and " " not in text for name, text in headers.items())
    assert all(text.isprintable() for text in headers.values())
    assert decode(headers, payload) == Frame(attributes, data)


@given(st.dictionaries(st.text(max_size=12), st.text(max_size=12), max_size=4), st.binary(max_size=16))
def test_reading_refuses_by_rule_only(headers: dict[str, str], payload: bytes) -> None:
    try:
        frame = decode(headers, payload)
    except RemoteProtocolError:
        return
    assert frame.data == payload


def block(headers: dict[str, str]) -> bytes:
    lines = "".join(f"{name}: {text}\r\n" for name, text in headers.items())
    return f"NATS/1.0\r\n{lines}\r\n".encode()


OFTEN = [block(encode(Frame({**EXAMPLE, "id": str(number)}, b""))[0]) for number in range(100)]
ODD = [
    block({**encode(Frame(EXAMPLE, b""))[0], "ce-id": "a b %41"}),
    block({**encode(Frame(EXAMPLE, b""))[0], "Ce-Id": "twice"}),
    block({"Content-Type": "application/cloudevents+json"}),
    block({"ce-id": "1", "other": "2"}),
    b"NATS/1.0 503\r\n\r\n",
    b"NATS/1.0 100 Idle\r\nce-id:1\r\n\r\n",
    b"NATS/1.0\r\nce-id:  1 \r\nce-id: 2\r\n\r\n",
    b"NATS/1.0\r\nce-id: \xff\r\n\r\n",
    b"",
]


@given(st.lists(st.sampled_from(OFTEN + ODD), max_size=8))
def test_a_reader_reads_octets_as_their_headers_are_read(blocks: list[bytes]) -> None:
    reader = Reader()
    for one in [*OFTEN, *blocks, *OFTEN, *blocks]:  # it knows the shape of the many, then meets others
        assert outcome(reader.read, one) == outcome(decode, read_block(one))


def outcome(read: Callable[[Any, bytes], Frame], headers: object) -> Frame | str:
    try:
        return read(headers, b"{}")
    except RemoteProtocolError as error:
        return str(error)


def test_a_message_without_headers_has_no_attributes() -> None:
    assert Reader().read(None, b"x") == decode(None, b"x")
