"""`mqtt://` keeps the contract of adapters that reconnect, and what a broker that dies, hangs or forgets has confirmed."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator

import pytest

from comity.sdk.errors import TransportError
from comity.sdk.ports import Delivery
from comity.transports import connect
from comity.transports.brokers import Broker
from tests.conftest import broker_or_policy
from tests.transports.connections import opened
from tests.transports.fragile import *  # noqa: F403
from tests.transports.harness import Inbox, frame, settle, until
from tests.transports.mqtt_servers import SURE, served

pytestmark = pytest.mark.broker


@pytest.fixture
def fragile() -> Iterator[Broker]:
    """A broker that the test may kill; what it has confirmed is on disk before it reads on."""
    with broker_or_policy("mqtt", "autosave_on_changes true") as broker:
        yield broker


async def test_what_was_confirmed_arrives_though_the_broker_is_killed(fragile: Broker) -> None:
    async with opened(fragile.url, timeout=5) as sender, opened(fragile.url, timeout=5) as receiver:
        address, confirmed = "a.b.v1.c", list[bytes]()
        arrived: set[object] = set()

        def acknowledge(delivery: Delivery) -> None:
            arrived.add(delivery.frame.data)
            delivery.ack()

        subscription = await receiver.subscribe(address, acknowledge)
        subscription.pause()

        async def send(first: int) -> None:
            for number in range(first, first + 100):
                await sender.publish(address, frame(b"%d" % number), guarantee=SURE)
                confirmed.append(b"%d" % number)

        await send(0)
        sending = asyncio.create_task(send(100))
        await until(lambda: len(confirmed) > 120)
        fragile.kill()
        fragile.restart()
        await sending
        subscription.resume()
        await until(lambda: arrived >= set(confirmed))
        assert len(confirmed) == 200


async def test_who_waits_while_disconnected_is_told_why(fragile: Broker) -> None:
    async with opened(fragile.url, timeout=0.5) as transport:
        fragile.kill()
        with pytest.raises(TransportError, match=r"no answer within 0\.5 s \(.*see whether the broker is up"):
            await transport.flush()


@pytest.mark.parametrize(
    ("own", "theirs"), [(10, [1]), (1, [0, 600])], ids=["the broker asks for it", "the broker does not care"]
)
async def test_a_connection_on_which_nothing_is_heard_is_given_up(own: int, theirs: list[int]) -> None:
    connections = 0

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.read(1000)
        keep_alive = theirs[(connections - 1) % len(theirs)]
        writer.write(b"\x20\x06\x00\x00\x03\x13" + keep_alive.to_bytes(2))
        while await reader.read(1000):
            pass

    async with served(mute) as url:
        transport = connect(url, timeout=0.5, keepalive=own)
        await transport.open()
        await until(lambda: connections > len(theirs))
        with pytest.raises(TransportError, match="no answer"):
            await transport.flush()
        await transport.close()


async def test_what_was_not_acknowledged_comes_again_flagged(fragile: Broker) -> None:
    address, held = "a.b.v1.c", list[Delivery]()
    async with opened(fragile.url, timeout=5) as receiver, opened(fragile.url) as sender:
        await receiver.subscribe(address, held.append)
        for number in range(3):
            await sender.publish(address, frame(b"%d" % number), guarantee=SURE)
        await until(lambda: len(held) == 3)
        held[0].ack()
        await receiver.flush()
        fragile.kill()
        fragile.restart()
        await until(lambda: len(held) >= 5)
        held[1].ack()  # of a connection that is gone: it confirms nothing
        assert [(each.frame.data, each.redelivered) for each in held[3:]] == [(b"1", True), (b"2", True)]
        for each in held[3:]:
            each.ack()
        await receiver.flush()
        await sender.publish(address, frame(b"3"), guarantee=SURE)
        await until(lambda: len(held) > 5)
        assert [each.frame.data for each in held[5:]] == [b"3"]


async def test_a_session_left_behind_is_ended(mqtt_server: Broker, space: str) -> None:
    address, client = f"{space}.test.v1.things", f"client-{space}"
    script = (
        "import asyncio, os, sys\n"
        "from comity.transports import connect\n"
        "async def main():\n"
        "    transport = connect(sys.argv[1], client=sys.argv[2])\n"
        "    await transport.open()\n"
        "    await transport.subscribe(sys.argv[3], print)\n"
        "    os._exit(0)\n"
        "asyncio.run(main())\n"
    )
    arguments = [sys.executable, "-c", script, mqtt_server.url, client, address]
    assert await (await asyncio.create_subprocess_exec(*arguments)).wait() == 0
    async with opened(mqtt_server.url) as sender:
        await sender.publish(address, frame(b"missed"), guarantee=SURE)
        async with opened(mqtt_server.url, client=client) as receiver:
            inbox = Inbox()
            await receiver.subscribe(address, inbox)
            await sender.publish(address, frame(b"new"), guarantee=SURE)
            await settle(receiver)
            assert inbox.datas == [b"new"]
