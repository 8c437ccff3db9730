"""What bites users of MQTT clients and brokers elsewhere, each held not to bite here.

Responsible for the pitfalls that were seen in aiomqtt, gmqtt, paho and small brokers. Not responsible for the rest of
what `mqtt://` promises.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from comity.sdk.errors import TransportError
from comity.sdk.ports import Delivery
from comity.transports.brokers import Broker
from tests.conftest import broker_or_policy
from tests.transports.connections import opened
from tests.transports.harness import Inbox, frame, settle, until
from tests.transports.mqtt_servers import SURE, acknowledging, cut, inside, served

pytestmark = pytest.mark.broker


@pytest.fixture
def fragile() -> Iterator[Broker]:
    """A broker that the test may kill; what it has confirmed is on disk before it reads on."""
    with broker_or_policy("mqtt", "autosave_on_changes true") as broker:
        yield broker


async def test_acknowledgements_are_not_sent_when_a_message_is_put_into_a_buffer(
    mqtt_server: Broker, space: str
) -> None:
    """Else what a consumer has not done when its connection breaks is lost."""
    address, held = f"{space}.test.v1.things", Inbox()
    async with opened(mqtt_server.url) as receiver, opened(mqtt_server.url) as sender:
        await receiver.subscribe(address, held)
        for number in range(20):
            await sender.publish(address, frame(b"%d" % number), guarantee=SURE)
        await held.expect(20)
        await until(cut(receiver))
        await held.expect(40)
        assert held.datas[20:] == held.datas[:20]
        assert [delivery.redelivered for delivery in held] == [False] * 20 + [True] * 20


async def test_no_message_at_qos_1_is_dropped_for_want_of_room(mqtt_server: Broker, space: str) -> None:
    """Not here, where a client drops beyond its queue of 100, nor there, where mosquitto does beyond 1,000."""
    address, inbox = f"{space}.test.v1.things", Inbox()
    async with opened(mqtt_server.url, window=10, buffer=1) as receiver, opened(mqtt_server.url) as sender:
        subscription = await receiver.subscribe(address, acknowledging(inbox))
        subscription.pause()
        await asyncio.gather(
            *(sender.publish(address, frame(b"%d" % number), guarantee=SURE) for number in range(1500))
        )
        subscription.resume()
        await inbox.expect(1500)
        assert inbox.datas == [b"%d" % number for number in range(1500)]
        assert subscription.dropped == 0


async def test_more_than_a_hundred_last_values_are_remembered(mqtt_server: Broker, space: str) -> None:
    """Where a broker sends the first hundred retained messages only."""
    async with opened(mqtt_server.url, retain=60) as transport:
        addresses = [f"{space}.test.v1.things.k{number}" for number in range(150)]
        for address in addresses:
            await transport.publish(address, frame(address.encode()), guarantee=SURE)
        for address in addresses:
            found = await transport.last_value(address)  # type: ignore[attr-defined]
            assert found == frame(address.encode())


async def test_retained_messages_are_no_deliveries(mqtt_server: Broker, space: str) -> None:
    """Where a broker ignores that a subscriber asked for none, or sends them as if they were new."""
    address, early, late = f"{space}.test.v1.things.k", Inbox(), Inbox()
    async with opened(mqtt_server.url, retain=60) as transport:
        await transport.subscribe(address, early)
        await transport.publish(address, frame(b"1"), guarantee=SURE)
        await early.expect(1)
        await transport.subscribe(f"{space}.test.v1.things.*", late)
        await transport.publish(address, frame(b"2"), guarantee=SURE)
        await early.expect(2)
        await late.expect(1)


async def test_what_is_published_while_down_keeps_its_order(fragile: Broker) -> None:
    """Where a client sends what it kept after what is newer."""
    address, inbox = "a.b.v1.c", Inbox()
    async with opened(fragile.url, timeout=10) as transport:
        await transport.subscribe(address, acknowledging(inbox))
        fragile.kill()
        await until(lambda: not inside(transport)._up.is_set())
        waiting = [
            asyncio.create_task(transport.publish(address, frame(b"%d" % number), guarantee=SURE))
            for number in range(50)
        ]
        await asyncio.sleep(0)
        fragile.restart()
        await waiting[0]
        for number in range(50, 100):
            await transport.publish(address, frame(b"%d" % number), guarantee=SURE)
        await asyncio.gather(*waiting)
        await until(lambda: len(set(inbox.datas)) == 100)
        fresh = [delivery.frame.data for delivery in inbox if not delivery.redelivered]
        assert fresh == [b"%d" % number for number in range(100)]


async def test_a_publish_that_failed_is_not_sent_later(fragile: Broker) -> None:
    """Where a client raises and keeps the message all the same."""
    address, inbox = "a.b.v1.c", Inbox()
    async with opened(fragile.url, timeout=0.3) as transport:
        await transport.subscribe(address, acknowledging(inbox))
        fragile.kill()
        with pytest.raises(TransportError, match="no answer within"):
            await transport.publish(address, frame(b"failed"), guarantee=SURE)
        fragile.restart()
        await until(lambda: inside(transport)._up.is_set())
        await transport.publish(address, frame(b"new"), guarantee=SURE)
        await inbox.expect(1)
        await settle(transport)
        assert inbox.datas == [b"new"]


async def test_a_message_of_nobody_reaches_nobody() -> None:
    """Where a broker sends what belongs to another subscription, as one leaks its retained messages."""

    async def leak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(b"\x20\x03\x00\x00\x00")
        while packet := await reader.read(1000):
            if packet.startswith(b"\x82"):
                writer.write(b"\x90\x04" + packet[2:4] + b"\x00\x01" + b"\x30\x0d\x00\x08a/b/v1/c\x00{}")
            elif packet.startswith(b"\xa2"):
                writer.write(b"\xb0\x04" + packet[2:4] + b"\x00\x00")
            elif packet.startswith(b"\xc0"):
                writer.write(b"\xd0\x00")

    async with served(leak) as url, opened(url, timeout=2) as transport:
        inbox = Inbox()
        await transport.subscribe("a.b.v1.other", inbox)
        await transport.flush()
        assert inbox == []


async def test_a_subscriber_that_never_acknowledges_keeps_nobody_else_waiting(
    mqtt_server: Broker, space: str
) -> None:
    """At QoS 0, and on other connections at QoS 1: its window is its own."""
    address, held, other = f"{space}.test.v1.things", list[Delivery](), Inbox()
    async with (
        opened(mqtt_server.url, window=3) as stuck,
        opened(mqtt_server.url) as free,
        opened(mqtt_server.url) as sender,
    ):
        await stuck.subscribe(address, held.append)
        await free.subscribe(address, acknowledging(other))
        for number in range(50):
            await sender.publish(address, frame(b"%d" % number), guarantee=SURE)
        await other.expect(50)
        await settle(stuck)
        assert len(held) == 3
        await sender.publish(address, frame(b"unsure"))
        await other.expect(51)
        await until(lambda: held[-1].frame.data == b"unsure")
