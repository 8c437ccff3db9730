"""What `mqtt://` asks of the broker over each new connection."""

from __future__ import annotations

import asyncio

import pytest

from comity.sdk.ports import Delivery
from comity.transports.brokers import Broker
from tests.transports.connections import opened
from tests.transports.harness import Inbox, frame, until
from tests.transports.mqtt_servers import SURE, acknowledging, cut, inside, served
from tests.transports.proxy import Faults, proxied

pytestmark = pytest.mark.broker


async def test_many_subscriptions_come_back_over_a_long_line(mqtt_server: Broker, space: str) -> None:
    """All are asked for at once: one round trip after another would not fit the timeout."""
    port, inbox = int(mqtt_server.url.rsplit(":", 1)[1]), Inbox()
    with proxied(port) as proxy:
        async with opened(f"mqtt://127.0.0.1:{proxy.port}", timeout=2) as transport:
            for number in range(150):
                await transport.subscribe(f"{space}.test.v1.things.k{number}", acknowledging(inbox))
            proxy.harm(Faults(delay=0.05))
            await until(cut(transport), 10)
            await transport.publish(f"{space}.test.v1.things.k149", frame(), guarantee=SURE)
            await inbox.expect(1)


async def test_a_subscription_that_is_refused_at_a_reconnection_ends_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    connections, withdrawn = 0, list[bytes]()

    async def revoke(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.read(1000)
        writer.write(b"\x20\x03" + bytes([connections > 1]) + b"\x00\x00")
        while first := await reader.read(1):
            body = await reader.readexactly((await reader.readexactly(1))[0])
            if first == b"\x82":
                code = b"\x87" if connections == 2 and b"revoked" in body and not withdrawn else b"\x01"
                writer.write(b"\x90\x04" + body[:2] + b"\x00" + code)
            elif first == b"\xa2":
                withdrawn.append(body[5:])
                writer.write(b"\xb0\x04" + body[:2] + b"\x00\x00")
            elif first == b"\xc0":
                writer.write(b"\xd0\x00")

    async with served(revoke) as url, opened(url, timeout=2) as transport:
        refused = await transport.subscribe("a.b.v1.revoked", Inbox())
        await transport.subscribe("a.b.v1.granted", Inbox())
        await until(cut(transport))
        assert "subscription to 'a/b/v1/revoked': code 0x87: not permitted" in caplog.text
        await transport.flush()
        assert withdrawn == [b"a/b/v1/revoked"], "the session may have it still"
        await refused.close()
        await transport.subscribe("a.b.v1.revoked", Inbox())
        assert connections == 2
        assert len(inside(transport)._topics.identifiers) == 2


async def test_each_flush_under_way_hears_that_the_connection_broke(mqtt_server: Broker) -> None:
    """What one of them stands for may be lost, whichever is asked first."""
    async with opened(mqtt_server.url) as transport:
        for _ in range(2):
            await transport.publish("a.b.v1.c", frame())
        flushing = [asyncio.create_task(transport.flush()) for _ in range(2)]
        await asyncio.sleep(0)
        is_up = cut(transport)
        for outcome in await asyncio.gather(*flushing, return_exceptions=True):
            assert "may not have arrived" in str(outcome)
        await until(is_up)
        await transport.flush()


async def test_what_a_flush_has_confirmed_is_in_doubt_no_more(mqtt_server: Broker) -> None:
    """Also where it was published without a connection."""
    async with opened(mqtt_server.url) as transport:
        await until(cut(transport))
        is_up = cut(transport)
        await until(lambda: not inside(transport)._up.is_set())
        await transport.publish("a.b.v1.c", frame())
        await transport.flush()
        assert is_up()
        await until(cut(transport))
        await transport.flush()


async def test_what_was_refused_outlives_a_broker_that_forgot_it_and_the_next_break() -> None:
    """The second broker resumes a session that has never heard of it, so nobody else can deliver it."""
    topic, connections, taken = b"a/b/v1/c", 0, Inbox()

    async def forget(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        own = connections
        await reader.read(1000)
        writer.write(b"\x20\x03" + bytes([own == 3]) + b"\x00\x00")
        while packet := await reader.read(1000):
            if packet[0] in (0x82, 0xA2):
                answer = b"\x90\x04" if packet[0] == 0x82 else b"\xb0\x04"
                writer.write(answer + packet[2:4] + b"\x00\x01")
            elif packet[0] == 0xC0:
                writer.write(b"\xd0\x00")
            if packet[0] == 0x82 and own == 1:
                body = len(topic).to_bytes(2) + topic + b"\x00\x01\x02\x0b\x01{}"
                writer.write(b"\x32" + bytes([len(body)]) + body)

    def refuse(delivery: Delivery) -> None:
        taken(delivery)
        if len(taken) < 5:
            delivery.nack()

    async with served(forget) as url, opened(url, timeout=2) as transport:
        await transport.subscribe("a.b.v1.c", refuse)
        await until(lambda: len(taken) == 4)
        for _ in range(2):
            await until(cut(transport))
        assert connections == 3
        await taken.expect(5)
