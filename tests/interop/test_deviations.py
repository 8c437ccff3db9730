"""Where a foreign library does otherwise than the spec says, in the version pinned: what it does, and what we make of it.

Each test is a fact about somebody else's release; one that fails after an upgrade says which note in `docs/interop.md`
is out of date.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka_event

from comity.sdk.address import parse_address, to_kafka
from comity.sdk.ports import Frame
from comity.transports import kafka_binding

from .events import MINIMAL, frame, plain
from .peer import octets
from .sides import ADDRESS, Side, listening

pytestmark = [pytest.mark.broker, pytest.mark.slow, pytest.mark.xdist_group("kafka")]

LOCK = Path(__file__).parent / "js" / "package-lock.json"


def test_the_versions_that_these_facts_are_about() -> None:
    packages = json.loads(LOCK.read_text(encoding="utf-8"))["packages"]
    pinned = {
        name: packages[f"node_modules/{name}"]["version"]
        for name in ("cloudevents", "kafkajs", "mqtt", "nats")
    }
    assert pinned == {"cloudevents": "10.0.0", "kafkajs": "2.2.4", "mqtt": "5.16.0", "nats": "2.29.3"}
    assert version("cloudevents").startswith("2.")


async def test_javascript_on_kafka_names_the_content_type_twice(kafka: Side, mark: str) -> None:
    """`ce_datacontenttype` stands beside `content-type`; the binding has the latter only, and so have we."""
    async with listening(kafka.url) as (_, arrived):
        written = kafka.publish("binary", plain(frame("octets", mark)))["headers"]
        got = await arrived(mark)
    assert written["ce_datacontenttype"] == written["content-type"] == "application/octet-stream"
    assert got.attributes["datacontenttype"] == "application/octet-stream"


async def test_javascript_on_kafka_writes_an_event_without_data_as_a_tombstone(
    kafka: Side, mark: str
) -> None:
    """Log compaction deletes such a record; we take it for no event, and what comes behind it is read."""
    async with listening(kafka.url) as (_, arrived):
        kafka.publish("binary", plain(frame("no data", mark)))
        kafka.publish("binary", plain(frame("octets", f"{mark}-2")))
        await arrived(f"{mark}-2")
        with pytest.raises(TimeoutError):
            await arrived(mark, seconds=0)
    assert octets(kafka.receive(mark)["native"]["payload"]) == b""


def test_javascript_on_kafka_wants_a_time_in_structured_mode(kafka: Side, mark: str) -> None:
    """`time` is optional in CloudEvents. Every message of a mesh has one, so this meets other events only."""
    sent = frame("no data", mark)
    kafka.document(sent._replace(attributes={**sent.attributes, "time": ""}))
    assert kafka.receive(mark)["error"] == "RangeError: Invalid time value"


async def test_javascript_on_mqtt_writes_the_content_type_among_the_user_properties(
    mqtt: Side, mark: str
) -> None:
    """The binding maps it to the Content Type alone. Given twice alike it is read; given twice differently it is not."""
    async with listening(mqtt.url) as (_, arrived):
        written = mqtt.publish("binary", plain(frame("octets", mark)))
        got = await arrived(mark)
        other = {**written["headers"], "id": f"{mark}-2", "datacontenttype": "text/plain"}
        mqtt.plain(b"", other, "application/octet-stream")
        mqtt.publish("binary", plain(frame("octets", f"{mark}-3")))
        await arrived(f"{mark}-3")
        with pytest.raises(TimeoutError):
            await arrived(f"{mark}-2", seconds=0)
    assert written["headers"]["datacontenttype"] == written["contentType"] == "application/octet-stream"
    assert got.attributes["datacontenttype"] == "application/octet-stream"


async def test_javascript_on_mqtt_does_not_read_the_content_type(mqtt: Side, mark: str) -> None:
    """So its event has no `datacontenttype`, and JSON data stays octets; the client has the Content Type."""
    sent = frame("every core attribute", mark)
    async with listening(mqtt.url) as (transport, _):
        await transport.publish(ADDRESS, sent)
        await transport.flush()
        got = mqtt.receive(mark)
    assert got["native"]["contentType"] == "application/json"
    assert "datacontenttype" not in got["event"]["attributes"]
    assert list(got["event"]["data"]) == ["base64"]


def test_python_on_kafka_reads_a_record_key_as_text() -> None:
    """Keys of several levels are joined by the octet FF, which is no UTF-8: its reader has to be given no key."""
    headers, value = kafka_binding.encode(Frame({**MINIMAL, "id": "1"}, b""))
    _, key = to_kafka(parse_address("a.b.v1.c.one.two"))
    assert key == b"one\xfftwo"
    with pytest.raises(UnicodeDecodeError):
        from_kafka_event(KafkaMessage(dict(headers), key, value))
    event = from_kafka_event(KafkaMessage(dict(headers), None, value))
    assert event.get_id() == "1"
