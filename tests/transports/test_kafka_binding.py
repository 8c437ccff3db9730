"""The Kafka binding of CloudEvents: the example of its text, the CloudEvents SDK as the other side, and laws."""

from __future__ import annotations

import json

import pytest
from cloudevents.core.bindings.kafka import (
    KafkaMessage,
    from_kafka_event,
    to_binary_event,
    to_structured_event,
)
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given
from hypothesis import strategies as st

from comity.sdk.errors import LocalProtocolError, RemoteProtocolError
from comity.sdk.ports import Frame
from comity.transports.kafka_binding import decode, encode, encode_structured

EXAMPLE = {
    "specversion": "1.0",
    "type": "com.example.someevent",
    "source": "/mycontext/subcontext",
    "id": "1234-1234-1234",
    "time": "2018-04-05T03:56:24Z",
    "datacontenttype": "application/json",
    "subject": "Euro € 😀 100% \\",
    "comityaddress": "a.b.v1.c.d",
}
DATA = b'{"ue": "\xc3\xbc", "n": [1, null]}'

names = st.from_regex(r"\A[a-z0-9]{1,20}\Z")
values = st.text(st.characters(exclude_categories=["Cs"]))


def as_text(event: CloudEvent) -> dict[str, str]:
    """The attributes of the SDK's event in canonical text form."""
    time = event.get_time()
    assert time is not None
    return {**event.get_attributes(), "time": time.isoformat().replace("+00:00", "Z")}


def message(headers: list[tuple[str, bytes]], value: bytes) -> KafkaMessage:
    return KafkaMessage(headers=dict(headers), key=None, value=value)


def test_the_example_of_the_binding() -> None:
    headers, value = encode(Frame(EXAMPLE, DATA))
    assert dict(headers) == {
        "ce_specversion": b"1.0",
        "ce_type": b"com.example.someevent",
        "ce_source": b"/mycontext/subcontext",
        "ce_id": b"1234-1234-1234",
        "ce_time": b"2018-04-05T03:56:24Z",
        "content-type": b"application/json",
        "ce_subject": "Euro € 😀 100% \\".encode(),
        "ce_comityaddress": b"a.b.v1.c.d",
    }
    assert value == DATA


@pytest.mark.parametrize("write", [encode, encode_structured])
def test_the_sdk_reads_what_we_write(write: object) -> None:
    headers, value = (encode if write is encode else encode_structured)(Frame(EXAMPLE, DATA))
    event = from_kafka_event(message(headers, value))
    assert isinstance(event, CloudEvent)
    assert as_text(event) == EXAMPLE
    assert event.get_data() == json.loads(DATA)


@pytest.mark.parametrize("structured", [False, True])
def test_we_read_what_the_sdk_writes(structured: bool) -> None:
    headers, value = encode(Frame(EXAMPLE, DATA))
    event = from_kafka_event(message(headers, value))
    written = (to_structured_event if structured else to_binary_event)(event)
    frame = decode(written.headers.items(), written.value)
    assert frame.attributes == EXAMPLE
    data = json.loads(frame.data) if isinstance(frame.data, bytes) else frame.data
    assert data == json.loads(DATA)


def test_a_structured_record_comes_back() -> None:
    headers, value = encode_structured(Frame(EXAMPLE, b"\x00\xff"))
    assert decode(headers, value) == Frame(EXAMPLE, b"\x00\xff")


def test_header_names_are_case_insensitive_and_others_none_of_ours() -> None:
    headers = [("CE_Id", b"1"), ("Content-Type", b"text/plain"), ("traceparent", b"\xff"), ("ce_", b"x")]
    headers += [("ce_datacontenttype", b"text/html")]
    assert decode(headers, b"x") == Frame({"id": "1", "datacontenttype": "text/plain"}, b"x")


@pytest.mark.parametrize(
    ("headers", "value", "why"),
    [
        ([("ce_id", b"1"), ("ce_id", b"1")], b"", "twice"),
        ([("ce_id", b"1"), ("CE_ID", b"2")], b"", "twice"),
        ([("content-type", b"a/b"), ("Content-Type", b"a/b")], b"", "twice"),
        ([("ce_id", b"\xc0\xa0")], b"", "not UTF-8"),
        ([("ce_id", b"1")], None, "tombstone"),
        ([("content-type", b"application/cloudevents-batch+json")], b"[]", "not understood"),
        ([("content-type", b"application/cloudevents+avro")], b"", "not understood"),
        ([("content-type", b"application/cloudevents+json")], b"[]", "one JSON object"),
    ],
)
def test_what_is_no_event_is_refused(headers: list[tuple[str, bytes]], value: bytes | None, why: str) -> None:
    with pytest.raises(RemoteProtocolError, match=why):
        decode(headers, value)


@pytest.mark.parametrize("write", [encode, encode_structured])
@pytest.mark.parametrize(
    "frame",
    [
        Frame({"Id": "x"}, b""),
        Frame({"a" * 21: "x"}, b""),
        Frame({"subject": "\ud800"}, b""),
        Frame({"id": "1"}, float("nan")),
    ],
)
def test_what_cannot_be_written_is_refused(write: object, frame: Frame) -> None:
    with pytest.raises(LocalProtocolError):
        (encode if write is encode else encode_structured)(frame)


def test_data_that_would_be_taken_for_the_event_is_refused() -> None:
    with pytest.raises(LocalProtocolError, match="itself an event"):
        encode(Frame({"datacontenttype": "application/CloudEvents+json"}, b"{}"))


@given(st.dictionaries(names, values, max_size=8), st.binary(max_size=64))
def test_reading_is_the_inverse_of_writing(attributes: dict[str, str], data: bytes) -> None:
    assert decode(*encode(Frame(attributes, data))) == Frame(attributes, data)


@given(
    st.lists(st.tuples(st.text(max_size=12), st.none() | st.binary(max_size=12)), max_size=4),
    st.none() | st.binary(max_size=16),
)
def test_reading_refuses_by_rule_only(headers: list[tuple[str, bytes | None]], value: bytes | None) -> None:
    try:
        frame = decode(headers, value)
    except RemoteProtocolError:
        return
    assert frame.data == value
