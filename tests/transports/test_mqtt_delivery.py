"""Acknowledgements, windows, last values and who gets what over `mqtt://`."""

from __future__ import annotations

import asyncio

import pytest

from comity.sdk.errors import TransportError
from comity.sdk.ports import Delivery
from comity.transports.brokers import Broker
from tests.transports.connections import opened
from tests.transports.harness import Inbox, frame, settle, until
from tests.transports.mqtt_servers import SURE, acknowledging, served

pytestmark = pytest.mark.broker


async def test_the_window_holds_back_what_is_not_acknowledged(mqtt_server: Broker, space: str) -> None:
    address, held = f"{space}.test.v1.things", list[Delivery]()
    async with opened(mqtt_server.url, window=5) as receiver, opened(mqtt_server.url) as sender:
        await receiver.subscribe(address, held.append)
        for number in range(20):
            await sender.publish(address, frame(b"%d" % number), guarantee=SURE)
        await settle(sender, receiver)
        assert len(held) == 5, "the broker keeps the rest"
        done = 0
        while done < 20:
            await until(lambda at=done: len(held) > at)  # type: ignore[misc]
            held[done].ack()
            held[done].ack()
            done += 1
        assert [each.frame.data for each in held] == [b"%d" % number for number in range(20)]


async def test_a_paused_subscriber_is_sent_no_more_than_the_window(mqtt_server: Broker, space: str) -> None:
    address = f"{space}.test.v1.things"
    async with opened(mqtt_server.url, window=8) as receiver, opened(mqtt_server.url) as sender:
        inbox, other = Inbox(), Inbox()
        subscription = await receiver.subscribe(address, acknowledging(inbox))
        subscription.pause()
        async with opened(mqtt_server.url) as quick:
            await quick.subscribe(address, acknowledging(other))
            for number in range(100):
                await sender.publish(address, frame(b"%d" % number), guarantee=SURE)
            await other.expect(100)
        await settle(receiver)
        assert len(subscription._messages) == 8  # type: ignore[attr-defined]
        subscription.resume()
        await inbox.expect(100)
        assert (inbox.datas, subscription.dropped) == ([b"%d" % number for number in range(100)], 0)


async def test_publishing_surely_keeps_to_the_window_of_the_broker() -> None:
    unconfirmed: list[bytes] = []
    gate = asyncio.Event()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(b"\x20\x06\x00\x00\x03\x21\x00\x03")
        while first := await reader.read(1):
            length = (await reader.readexactly(1))[0]
            body = await reader.readexactly(length)
            if first[0] >> 4 == 3:
                at = 2 + int.from_bytes(body[:2])
                unconfirmed.append(body[at : at + 2])
                if gate.is_set():
                    writer.write(b"\x40\x02" + unconfirmed.pop())
            elif first[0] >> 4 == 12:
                writer.write(b"\xd0\x00")
                if gate.is_set():
                    while unconfirmed:
                        writer.write(b"\x40\x02" + unconfirmed.pop())

    async with served(slow) as url, opened(url) as transport:
        sending = [
            asyncio.create_task(transport.publish("a.b.v1.c", frame(), guarantee=SURE)) for _ in range(8)
        ]
        await transport.flush()
        assert len(unconfirmed) == 3
        sending[4].cancel()
        await asyncio.wait({sending[4]})
        gate.set()
        await transport.flush()
        await asyncio.gather(*sending[:4], *sending[5:])
        assert sending[4].cancelled()


async def test_two_subscriptions_to_one_pattern_both_have_all(mqtt_server: Broker, space: str) -> None:
    address, inboxes = f"{space}.test.v1.things", [Inbox(), Inbox()]
    async with opened(mqtt_server.url, retain=60) as transport:
        first, _ = [await transport.subscribe(address, inbox) for inbox in inboxes]
        await transport.publish(address, frame(b"1"), guarantee=SURE)
        for inbox in inboxes:
            await inbox.expect(1)
        await first.close()
        await transport.publish(address, frame(b"2"))
        await inboxes[1].expect(2)
        assert len(inboxes[0]) == 1


async def test_a_tail_does_not_bring_its_parent(mqtt_server: Broker, space: str) -> None:
    async with opened(mqtt_server.url) as transport:
        inbox = Inbox()
        await transport.subscribe(f"{space}.test.v1.things.>", inbox)
        await transport.publish(f"{space}.test.v1.things", frame(b"parent"), guarantee=SURE)
        await transport.publish(f"{space}.test.v1.things.k", frame(b"child"), guarantee=SURE)
        await settle(transport)
        assert inbox.datas == [b"child"]


async def test_asking_for_the_last_value_disturbs_no_subscription(mqtt_server: Broker, space: str) -> None:
    address = f"{space}.test.v1.things"
    async with opened(mqtt_server.url, retain=60) as transport:
        inbox = Inbox()
        await transport.subscribe(address, inbox)
        for number in range(3):
            await transport.publish(address, frame(b"%d" % number))
            assert await transport.last_value(address) == frame(b"%d" % number)  # type: ignore[attr-defined]
            asking: asyncio.Task[object] = asyncio.create_task(transport.last_value(address))  # type: ignore[attr-defined]
            await asyncio.wait({asking}, timeout=0)
            asking.cancel()
            await asyncio.wait({asking})
        await settle(transport)
        assert inbox.datas == [b"0", b"1", b"2"]


async def test_a_last_value_is_found_though_the_window_is_held(mqtt_server: Broker, space: str) -> None:
    """Or it is said that it cannot be; never that there is none."""
    address, other, held = f"{space}.test.v1.last", f"{space}.test.v1.things", list[Delivery]()
    async with (
        opened(mqtt_server.url, retain=60, window=2) as transport,
        opened(mqtt_server.url, retain=60) as sender,
    ):
        await sender.publish(address, frame(b"last"), guarantee=SURE)
        await transport.subscribe(other, held.append)
        for _ in range(3):
            await sender.publish(other, frame(), guarantee=SURE)
        await until(lambda: len(held) == 2)
        assert await transport.last_value(address) == frame(b"last")  # type: ignore[attr-defined]
        await transport.subscribe(address, acknowledging(Inbox()))
        with pytest.raises(TransportError, match="the window is held: acknowledge what was delivered"):
            await transport.last_value(address)  # type: ignore[attr-defined]
        for number in range(3):
            await until(lambda at=number: len(held) > at)  # type: ignore[misc]
            held[number].ack()
        await settle(transport)
        assert await transport.last_value(address) == frame(b"last")  # type: ignore[attr-defined]


async def test_an_empty_last_value_is_remembered_too(mqtt_server: Broker, space: str) -> None:
    async with opened(mqtt_server.url, retain=60) as transport:
        address = f"{space}.test.v1.things"
        await transport.publish(address, frame(b"full"))
        await transport.publish(address, frame(b""))
        found = await transport.last_value(address)  # type: ignore[attr-defined]
        assert found == frame(b"")
