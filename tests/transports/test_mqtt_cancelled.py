"""Who stops waiting for `mqtt://`, or waits beside others, leaves nothing behind that harms the rest."""

from __future__ import annotations

import asyncio

import pytest

from comity.sdk.errors import TransportError
from comity.sdk.ports import Delivery
from comity.transports import _mqtt_client, connect
from comity.transports.brokers import Broker
from tests.transports.connections import opened
from tests.transports.harness import Inbox, frame, until, until_only
from tests.transports.mqtt_servers import SURE, acknowledging, inside, says, served

pytestmark = pytest.mark.broker

CONNACK = b"\x20\x03\x00\x00\x00"


async def packet(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """The next one that a client sends, of less than 128 octets; nothing where it is gone."""
    head = await reader.read(2)
    return (head[0] >> 4, await reader.readexactly(head[1])) if head else (0, b"")


async def answer_once_all_ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A broker that answers nobody before eight have asked, and counts anew."""
    asked: list[bytes] = []
    await packet(reader)
    writer.write(CONNACK)
    while (got := await packet(reader))[0]:
        kind, body = got
        if kind in (8, 10):
            asked.append(bytes([0x90 + 0x20 * (kind == 10), 4]) + body[:2] + b"\x00\x01")
        if len(asked) == 8:
            writer.write(b"".join(asked))
            asked.clear()
        if kind == 12:
            writer.write(b"\xd0\x00")


async def test_subscriptions_do_not_wait_for_one_another() -> None:
    """Else a broker that hangs costs the timeout once for each."""
    async with served(answer_once_all_ask) as url, opened(url, timeout=10) as transport:
        asking = (transport.subscribe(f"a.b.v1.c{number}", Inbox()) for number in range(8))
        subscriptions = await asyncio.gather(*asking)
        await asyncio.gather(*(one.close() for one in subscriptions))
        assert inside(transport)._topics.identifiers == []


async def test_a_close_that_is_cancelled_while_another_subscribes_gives_up_the_share_of_its_group(
    mqtt_server: Broker, space: str
) -> None:
    address, stayer = f"{space}.test.v1.things", Inbox()
    async with opened(mqtt_server.url) as one, opened(mqtt_server.url) as other:
        leaving = await one.subscribe(address, Inbox(), group="g")
        await other.subscribe(address, acknowledging(stayer), group="g")
        asking = asyncio.create_task(one.subscribe(f"{space}.test.v1.others", Inbox()))
        await asyncio.sleep(0)
        closing = asyncio.create_task(leaving.close())
        await asyncio.sleep(0)
        closing.cancel()
        await asyncio.wait({asking, closing})
        await one.flush()
        for number in range(20):
            await other.publish(address, frame(b"%d" % number), guarantee=SURE)
        await stayer.expect(20)


async def test_a_subscription_that_fails_lets_go_of_what_it_was_given() -> None:
    """A broker may deliver before it says that it will."""
    topic, given = b"a/b/v1/c", list[Delivery]()

    async def early(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await packet(reader)
        writer.write(CONNACK)
        while (kind := (await packet(reader))[0]) != 0:
            for number in range(1, 5) if kind == 8 else ():
                body = len(topic).to_bytes(2) + topic + number.to_bytes(2) + b"\x02\x0b\x01{}"
                writer.write(b"\x32" + bytes([len(body)]) + body)

    async with served(early) as url, opened(url, window=4, timeout=0.5) as transport:
        with pytest.raises(TransportError, match="no answer"):
            await transport.subscribe("a.b.v1.c", given.append)
        assert len(given) == 4
        assert not inside(transport).in_hand.is_full


async def test_who_asks_while_all_identifiers_are_taken_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_mqtt_client, "_IDENTIFIERS", 8)
    async with served(says(CONNACK)) as url, opened(url, window=8, timeout=0.5) as transport:
        publishing = (transport.publish("a.b.v1.c", frame(), guarantee=SURE) for _ in range(8))
        assert {type(each) for each in await asyncio.gather(*publishing, return_exceptions=True)} == {
            TransportError
        }
        with pytest.raises(TransportError, match="8 messages wait for an answer, and no more can"):
            await transport.subscribe("a.b.v1.c", Inbox())


@pytest.mark.parametrize("turns", range(8))
async def test_a_close_that_is_cancelled_closes_all_the_same(
    mqtt_server: Broker, space: str, turns: int
) -> None:
    """Once or again, wherever it is: else the connection goes on to have its share of a group."""
    tasks = asyncio.all_tasks()
    transport = connect(mqtt_server.url)
    await transport.open()
    await transport.subscribe(f"{space}.test.v1.things", Inbox(), group="g")
    connection = inside(transport)
    link = connection._link
    closing = asyncio.create_task(transport.close())
    for more in (2 * turns + 1, turns % 4):
        for _ in range(more):
            await asyncio.sleep(0)
        closing.cancel()
    await until(lambda: connection._link is None and link._transport.is_closing())
    await until_only(tasks)
