"""Where `mqtt://` cannot connect, or to something that offers less: a clear error, in time."""

from __future__ import annotations

import asyncio
import time

import pytest

from comity.sdk.errors import CapabilityError, ConfigError, PayloadTooLarge
from comity.sdk.ports import Guarantee
from comity.transports import connect
from tests.transports.connections import refused
from tests.transports.contract import Inbox, frame
from tests.transports.mqtt_servers import SURE, says, served

pytestmark = pytest.mark.broker


async def test_nobody_listens() -> None:
    began = time.monotonic()
    await refused("mqtt://127.0.0.1:1", r"mqtt://127\.0\.0\.1:1: .*nobody listens there: start a broker")
    assert time.monotonic() - began < 1, "refused at once, not after the timeout"


async def test_a_host_that_does_not_exist() -> None:
    await refused("mqtt://nowhere.invalid", "cannot be reached")


async def test_a_server_that_says_nothing() -> None:
    async with served(says(b"")) as url:
        await refused(url, "no answer in time", timeout=0.3)


@pytest.mark.parametrize(
    "greeting", [b"220 mail.example.com ESMTP\r\n" * 3, b"HTTP/1.1 400 Bad Request\r\n\r\n" * 9, b"\xff" * 9]
)
async def test_something_that_is_no_broker(greeting: bytes) -> None:
    async with served(says(greeting)) as url:
        await refused(url, "check that an MQTT broker listens there")


@pytest.mark.parametrize("answer", [b"\x20\x02\x00\x01", b"\x20\x03\x00\x84\x00"])
async def test_a_broker_of_an_older_version_is_named(answer: bytes) -> None:
    async with served(says(answer)) as url:
        await refused(url, "speaks no MQTT 5")


async def test_a_broker_that_hangs_up_at_version_5() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)

    async with served(hang_up) as url:
        await refused(url, "hung up: it may speak no MQTT 5")


async def test_what_a_broker_does_not_offer_is_refused() -> None:
    offers = b"\x24\x00" + b"\x25\x00" + b"\x2a\x00" + b"\x27" + (20_000).to_bytes(4)
    async with served(says(b"\x20" + bytes([3 + len(offers), 0, 0, len(offers)]) + offers)) as url:
        transport = connect(url, retain=5, timeout=0.2)
        await transport.open()
        able = transport.capabilities
        assert not able.groups
        assert not able.last_value
        assert able.guarantees == frozenset({Guarantee.AT_MOST_ONCE})
        assert able.max_payload == 20_000 - 8192
        with pytest.raises(CapabilityError, match="groups"):
            await transport.subscribe("a.b.v1.c", Inbox(), group="g")
        with pytest.raises(CapabilityError, match="at-least-once"):
            await transport.publish("a.b.v1.c", frame(), guarantee=SURE)
        with pytest.raises(PayloadTooLarge, match="limit of 11808"):
            await transport.publish("a.b.v1.c", frame(b"x" * 11_809))
        with pytest.raises(PayloadTooLarge, match="limit of 20000"):
            await transport.publish("a.b.v1.c", frame(one="x" * 12_000, two="x" * 9_000))
        await transport.close()


async def test_a_broker_without_subscription_identifiers_is_refused() -> None:
    async with served(says(b"\x20\x05\x00\x00\x02\x29\x00")) as url:
        await refused(url, "no subscription identifiers")


@pytest.mark.parametrize(
    "bad",
    [
        "mqtt:",
        "mqtt://",
        "mqtt://h/path",
        "mqtt://h?timeout=0",
        "mqtt://h?timeout=x",
        "mqtt://h?ca=x",
        "mqtts://h?key=x",
        "mqtt://h?window=65536",
        "mqtt://h?mode=avro",
        "mqtt://h?retain=0",
    ],
)
def test_a_wrong_url_is_refused(bad: str) -> None:
    with pytest.raises(ConfigError):
        connect(bad)
