"""Where `mqtt://` cannot connect, or to something that offers less: a clear error, in time."""

from __future__ import annotations

import asyncio

import pytest

from comity.sdk.errors import CapabilityError, ConfigError, PayloadTooLarge, TransportError
from comity.sdk.ports import Guarantee, Transport
from comity.transports import connect
from comity.transports.brokers import Broker
from tests.conftest import broker_or_policy
from tests.transports.connections import opened, refused
from tests.transports.harness import Inbox, frame, until
from tests.transports.mqtt_servers import SURE, free_port, inside, says, served

pytestmark = pytest.mark.broker


async def test_nobody_listens() -> None:
    """At once, and not after the timeout."""
    nobody = r"mqtt://127\.0\.0\.1:1: .*nobody listens there: start a broker"
    await refused("mqtt://127.0.0.1:1", nobody, timeout=60)


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
        "mqtt://h?retain=4294967296",
        "mqtt://h?grace=4294967296",
        "mqtt://h?session=4294967296",
    ],
)
def test_a_wrong_url_is_refused(bad: str) -> None:
    with pytest.raises(ConfigError):
        connect(bad)


async def test_the_mqtt_listener_of_nats_server_is_of_an_older_version() -> None:
    port = free_port()
    config = f"server_name: ours\nmqtt {{ listen: '127.0.0.1:{port}' }}"
    with broker_or_policy("nats", config):
        await refused(f"mqtt://127.0.0.1:{port}", "speaks no MQTT 5: use one that does")


async def test_two_clients_of_one_name_do_not_fight_for_ever(mqtt_server: Broker, space: str) -> None:
    """One of them gives up, though this mosquitto tells neither why it was cut off."""
    address, client, inbox = f"{space}.test.v1.things", f"client-{space}", Inbox()

    def is_over(transport: Transport) -> bool:
        return bool(inside(transport)._over)

    async with (
        opened(mqtt_server.url, client=client) as one,
        opened(mqtt_server.url, client=client) as other,
    ):
        await until(lambda: is_over(one) or is_over(other), 20)
        loser, winner = (one, other) if is_over(one) else (other, one)
        for attempt in (
            loser.publish(address, frame()),
            loser.publish(address, frame(), guarantee=SURE),
            loser.subscribe(address, Inbox()),
            loser.flush(),
        ):
            with pytest.raises(TransportError, match=r"is over .*another client use the same \?client="):
                await attempt
        await winner.subscribe(address, inbox)
        await winner.publish(address, frame(), guarantee=SURE)
        await inbox.expect(1)
        assert not is_over(winner)


async def test_a_session_that_was_taken_over_is_given_up() -> None:
    connections = 0

    async def take_over(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.read(1000)
        writer.write(b"\x20\x03\x00\x00\x00")
        while not (await reader.read(1000)).startswith(b"\x32"):
            pass
        writer.write(b"\xe0\x01\x8e")

    async with served(take_over) as url, opened(url) as transport:
        with pytest.raises(TransportError, match="another client took over this session"):
            await transport.publish("a.b.v1.c", frame(), guarantee=SURE)
        with pytest.raises(TransportError, match=r"is over .*another client took over this session"):
            await transport.publish("a.b.v1.c", frame())
        assert "another client took over this session" in str(await transport.lost())
    assert connections == 1
