"""The MQTT binding of CloudEvents: vectors from the text of 1.0.2, and laws."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity.sdk.codec import encode_structured
from comity.sdk.errors import LocalProtocolError, RemoteProtocolError
from comity.sdk.ports import Frame
from comity.transports.mqtt_binding import STRUCTURED, Native, decode, encode, structured

EXAMPLE = {
    "specversion": "1.0",
    "type": "com.example.someevent",
    "time": "2018-04-05T03:56:24Z",
    "id": "1234-1234-1234",
    "source": "/mycontext/subcontext",
    "datacontenttype": "application/json; charset=utf-8",
}
CARRIED = ["Euro € 😀", "a b", 'say "hi"', "100%", "%20", "~!#$&'()*+,-./:;<=>?@[\\]^_`{|}", "", " x "]
NOT_CARRIED = ["\x01", "a\nb", "\x7f", "\x85", "\ufdd0", "\uffff", "\U0010fffe", "x" * 70_000, "€" * 30_000]

names = st.from_regex(r"\A[a-z0-9]{1,20}\Z").filter(lambda name: name not in ("data", "database64"))
values = st.text(st.characters(exclude_categories=["Cs"]))


def test_the_example_of_the_binding() -> None:
    message = encode(Frame(EXAMPLE, b'{"data": 1}'))
    assert message.content_type == "application/json; charset=utf-8"
    assert dict(message.user) == {
        "specversion": "1.0",
        "type": "com.example.someevent",
        "time": "2018-04-05T03:56:24Z",
        "id": "1234-1234-1234",
        "source": "/mycontext/subcontext",
    }
    assert message.payload == b'{"data": 1}'
    assert decode(message) == Frame(EXAMPLE, message.payload)


def test_the_structured_example_of_the_binding() -> None:
    message = structured(Frame(EXAMPLE, b'{"x":1}'))
    assert (message.content_type, list(message.user)) == ("application/cloudevents+json; charset=utf-8", [])
    assert json.loads(message.payload) == EXAMPLE | {"data": {"x": 1}}


@pytest.mark.parametrize("value", CARRIED)
def test_values_are_carried_as_they_are(value: str) -> None:
    message = encode(Frame({"specversion": "1.0", "subject": value}, b"x"))
    assert dict(message.user)["subject"] == value
    assert decode(message).attributes["subject"] == value


@pytest.mark.parametrize("value", NOT_CARRIED, ids=lambda value: ascii(value[:4]))
def test_what_mqtt_cannot_carry_travels_in_structured_mode(value: str) -> None:
    sent = Frame(EXAMPLE | {"subject": value}, b"\xff")
    message = encode(sent)
    assert message.content_type == STRUCTURED
    assert decode(message) == sent


@pytest.mark.parametrize("kind", ["application/cloudevents+json", "Application/CloudEvents-batch+json"])
def test_an_event_that_carries_an_event_is_not_taken_for_it(kind: str) -> None:
    sent = Frame({"specversion": "1.0", "id": "outer", "datacontenttype": kind}, b"\xff not read")
    assert decode(encode(sent)) == sent


@pytest.mark.parametrize(
    "kind",
    [
        "application/cloudevents+json",
        "application/cloudevents",
        "Application/CloudEvents+JSON; charset=utf-8",
        " application/cloudevents+json ;charset=UTF-8",
    ],
)
def test_structured_messages_are_read(kind: str) -> None:
    received = decode(Native(kind, [("other", "x")], encode_structured(Frame(EXAMPLE, b'{"x":1}'))))
    assert received.attributes == EXAMPLE
    data = received.data if not isinstance(received.data, bytes) else json.loads(received.data)
    assert data == {"x": 1}


@pytest.mark.parametrize("kind", ["application/cloudevents-batch+json", "application/cloudevents+avro"])
def test_other_event_formats_are_refused(kind: str) -> None:
    with pytest.raises(RemoteProtocolError, match="not understood"):
        decode(Native(kind, [], b"[]"))


def test_a_message_without_properties_is_an_event_where_it_reads_as_one() -> None:
    document = b' {"specversion":"1.0","id":"1","source":"/x","type":"T","data":{"n":1}}'
    assert decode(Native(None, [], document)).attributes["id"] == "1"
    for other in (b"bare", b"{}", b'{"temperature":21}', b"{", b"", b"[1]"):
        assert decode(Native(None, [], other)) == Frame({}, other)


@pytest.mark.parametrize(
    ("kind", "user"),
    [(None, [("id", "1"), ("id", "2")]), ("text/plain", [("datacontenttype", "text/html")])],
)
def test_a_repeated_attribute_is_refused(kind: str | None, user: list[tuple[str, str]]) -> None:
    with pytest.raises(RemoteProtocolError, match="twice"):
        decode(Native(kind, user, b""))


def test_a_content_type_given_twice_alike_is_one() -> None:
    """As the SDK for JavaScript writes it."""
    received = decode(Native("text/plain", [("datacontenttype", "text/plain"), ("id", "1")], b"x"))
    assert received == Frame({"id": "1", "datacontenttype": "text/plain"}, b"x")


def test_other_properties_are_none_of_ours() -> None:
    user = [("id", "1"), ("Id", "x"), ("trace-parent", "x"), ("", "x"), ("ü", "x")]
    assert decode(Native("text/plain", user, b"x")) == Frame(
        {"id": "1", "datacontenttype": "text/plain"}, b"x"
    )


@pytest.mark.parametrize("data", [float("nan"), float("inf"), "\ud800", {"a": ["\udfff"]}])
def test_data_that_json_cannot_carry_is_refused(data: object) -> None:
    with pytest.raises(LocalProtocolError, match="not JSON"):
        encode(Frame(EXAMPLE, data))  # type: ignore[arg-type]


@pytest.mark.parametrize("write", [encode, structured])
@pytest.mark.parametrize("name", ["", "Id", "ce-id", "x" * 21, "id\r\n", "ü"])
def test_what_is_no_attribute_name_is_refused(write: object, name: str) -> None:
    with pytest.raises(LocalProtocolError, match="no attribute"):
        write(Frame({name: "x"}, b""))  # type: ignore[operator]


@given(st.dictionaries(names, values, max_size=8), st.binary(max_size=64))
def test_reading_is_the_inverse_of_writing(attributes: dict[str, str], data: bytes) -> None:
    sent = Frame(
        {"specversion": "1.0", **attributes}, b"\xff" + data
    )  # no JSON, which would come back as a value
    message = encode(sent)
    assert all(text.isprintable() or not text.isascii() for pair in message.user for text in pair)
    assert decode(message) == sent


@given(
    st.none() | st.text(max_size=12),
    st.lists(st.tuples(st.text(max_size=12), st.text(max_size=12)), max_size=4),
    st.binary(max_size=16),
)
def test_reading_refuses_by_rule_only(kind: str | None, user: list[tuple[str, str]], payload: bytes) -> None:
    try:
        frame = decode(Native(kind, user, payload))
    except RemoteProtocolError:
        return
    assert frame.data == payload
