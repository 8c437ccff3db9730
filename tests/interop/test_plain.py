"""Clients that know nothing of CloudEvents read us, and write what we read: mosquitto's, kafkajs, nats.js, nats-py."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from urllib.parse import quote, unquote

import nats as nats_py
import pytest

from comity.sdk.address import parse_address, to_mqtt
from comity.sdk.errors import ConfigError
from comity.sdk.ports import Frame
from comity.transports import connect
from comity.transports.brokers import Broker

from ..conftest import not_had
from .events import CASES, TEXT, frame
from .peer import octets
from .sides import ADDRESS, Side, listening

pytestmark = [pytest.mark.broker, pytest.mark.slow, pytest.mark.xdist_group("kafka")]

LATER = f"{ADDRESS}.k%E2%82%ACy"
TOPIC = to_mqtt(parse_address(ADDRESS))


def split(sent: Frame) -> tuple[dict[str, str], str | None, bytes]:
    """Attributes without the content type, the content type, the octets."""
    attributes = dict(sent.attributes)
    assert isinstance(sent.data, bytes)
    return attributes, attributes.pop("datacontenttype", None), sent.data


def mosquitto(program: str, url: str, *arguments: str) -> str:
    """What a client of mosquitto prints, in MQTT 5."""
    found = shutil.which(program)
    if found is None:
        not_had(ConfigError(f"no {program} here (on Debian: apt-get install mosquitto-clients)"))
    host, _, port = url.removeprefix("mqtt://").rpartition(":")
    command = [found, "-V", "5", "-h", host, "-p", port, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    return done.stdout


@pytest.mark.parametrize("case", ["every core attribute", "texts"])  # an empty payload is not retained
async def test_mosquitto_sub_reads_us(mqtt_server: Broker, case: str, mark: str) -> None:
    sent = frame(case, mark)
    transport = connect(mqtt_server.url, retain=60)  # kept for who comes later
    await transport.open()
    await transport.publish(f"{ADDRESS}.{mark}", sent)
    await transport.flush()
    await transport.close()
    listen = ["-t", f"{TOPIC}/{mark}", "-F", "%j", "-C", "1", "-W", "20"]
    got = json.loads(await asyncio.to_thread(mosquitto, "mosquitto_sub", mqtt_server.url, *listen))
    attributes, kind, data = split(sent)
    assert got["properties"]["user-properties"] == attributes
    assert got["properties"].get("content-type") == kind
    assert got["payload"].encode() == data


@pytest.mark.parametrize("case", [case for case in CASES if case != "octets"])
async def test_we_read_mosquitto_pub(mqtt_server: Broker, case: str, mark: str) -> None:
    sent = frame(case, mark)
    attributes, kind, data = split(sent)
    properties = [("user-property", *pair) for pair in attributes.items()]
    properties += [("content-type", kind)] if kind else []  # type: ignore[list-item]
    given = [text for each in properties for text in ("-D", "publish", *each)]
    said = ["-m", data.decode()] if data else ["-n"]
    async with listening(mqtt_server.url) as (_, arrived):
        await asyncio.to_thread(mosquitto, "mosquitto_pub", mqtt_server.url, "-t", TOPIC, *said, *given)
        assert await arrived(mark) == sent


@pytest.mark.parametrize("case", CASES)
async def test_kafkajs_reads_us_and_we_read_it(kafka: Side, case: str, mark: str) -> None:
    sent = frame(case, mark)
    attributes, kind, data = split(sent)
    expected = {f"ce_{name}": value for name, value in attributes.items()}
    expected |= {"content-type": kind} if kind else {}
    async with listening(kafka.url) as (transport, arrived):
        await transport.publish(ADDRESS, sent)
        await transport.flush()
        native = kafka.receive(mark)["native"]
        assert native["headers"] == expected
        assert octets(native["payload"]) == data
        kafka.plain(data, expected | {"ce_id": f"{mark}-back", "trace": "none of ours"})
        back = await arrived(f"{mark}-back")
    assert back == sent._replace(attributes={**sent.attributes, "id": f"{mark}-back"})


@pytest.mark.parametrize("case", CASES)
async def test_nats_js_reads_us_and_we_read_it(nats: Side, case: str, mark: str) -> None:
    sent = frame(case, mark)
    assert isinstance(sent.data, bytes)
    async with listening(nats.url) as (transport, arrived):
        await transport.publish(ADDRESS, sent)
        await transport.flush()
        native = nats.receive(mark)["native"]
        read = {name.removeprefix("ce-"): unquote(value) for name, value in native["headers"].items()}
        assert read == sent.attributes
        assert octets(native["payload"]) == sent.data
        given = {f"ce-{name}": quote(value) for name, value in sent.attributes.items()}
        nats.plain(sent.data, given | {"ce-id": f"{mark}-back", "Nats-Msg-Id": mark})
        back = await arrived(f"{mark}-back")
    assert back == sent._replace(attributes={**sent.attributes, "id": f"{mark}-back"})


async def test_nats_py_reads_us(nats_server: Broker, mark: str) -> None:
    client = await nats_py.connect(nats_server.url)  # pyright: ignore[reportUnknownMemberType]
    try:
        subscription = await client.subscribe(ADDRESS)  # pyright: ignore[reportUnknownMemberType]
        await client.flush()
        await client.flush()  # one PING may overtake the SUB before it
        async with listening(nats_server.url) as (transport, _):
            await transport.publish(ADDRESS, frame("texts", mark))
            message = await subscription.next_msg(timeout=20)
    finally:
        await client.close()
    assert message.headers is not None
    assert message.headers["ce-id"] == mark
    assert unquote(message.headers["ce-subject"]) == TEXT


async def test_a_key_stands_in_the_topic_the_subject_and_the_record(
    kafka: Side, mqtt_server: Broker, mark: str
) -> None:
    """Where a plain client looks for the key of an address."""
    async with listening(kafka.url) as (transport, _):
        await transport.publish(LATER, frame("no data", mark))
        await transport.flush()
        assert octets(kafka.receive(mark)["native"]["key"]) == "k€y".encode()
    transport = connect(mqtt_server.url, retain=60)
    await transport.open()
    await transport.publish(LATER, frame("no data", mark))
    await transport.flush()
    await transport.close()
    listen = ["-t", f"{TOPIC}/k%E2%82%ACy", "-F", "%t", "-C", "1", "-W", "20"]
    printed = await asyncio.to_thread(mosquitto, "mosquitto_sub", mqtt_server.url, *listen)
    assert printed.strip() == f"{TOPIC}/k%E2%82%ACy"
