"""Groups over `mqtt://`: what a member holds when it leaves, on a broker that hands nothing on by itself."""

from __future__ import annotations

import asyncio

import pytest

from comity.sdk.errors import TransportError
from comity.sdk.ports import Delivery, Guarantee, Transport
from comity.transports import connect
from comity.transports.brokers import Broker
from tests.transports.connections import opened
from tests.transports.harness import Inbox, frame, settle, until, until_only
from tests.transports.mqtt_servers import SURE, acknowledging, cut, inside

pytestmark = pytest.mark.broker


async def send(transport: Transport, address: str, count: int, guarantee: Guarantee = SURE) -> None:
    for number in range(count):
        await transport.publish(address, frame(b"%d" % number), guarantee=guarantee)


def numbers(*inboxes: Inbox) -> list[int]:
    return sorted(int(data) for inbox in inboxes for data in inbox.datas if isinstance(data, bytes))


async def test_closing_waits_until_the_member_has_acknowledged(mqtt_server: Broker, space: str) -> None:
    tasks, address, held = asyncio.all_tasks(), f"{space}.test.v1.things", list[Delivery]()
    leaver = connect(mqtt_server.url)
    await leaver.open()
    await leaver.subscribe(address, held.append, group="g")
    async with opened(mqtt_server.url) as sender:
        await send(sender, address, 3)
        await until(lambda: len(held) == 3)
        closing = asyncio.create_task(leaver.close())
        await settle(sender)
        assert not closing.done()
        with pytest.raises(TransportError, match="still closing"):
            await leaver.open()
        for delivery in held:
            delivery.ack()
        await closing
        await leaver.open()
        await leaver.close()
    await until_only(tasks)


async def test_closing_waits_for_no_delivery_of_a_connection_that_is_gone(
    mqtt_server: Broker, space: str
) -> None:
    address, held = f"{space}.test.v1.things", list[Delivery]()
    async with opened(mqtt_server.url, timeout=30) as leaver, opened(mqtt_server.url) as sender:
        await leaver.subscribe(address, held.append, group="g")
        await send(sender, address, 3)
        await until(lambda: len(held) == 3)
        await until(cut(leaver))
        await until(lambda: len(held) == 6)
        for delivery in held[3:]:
            assert delivery.redelivered
            delivery.ack()
        await asyncio.wait_for(leaver.close(), 10)


async def test_what_a_member_on_the_same_connection_leaves_the_others_have(
    mqtt_server: Broker, space: str
) -> None:
    address, stayer = f"{space}.test.v1.things", Inbox()
    async with opened(mqtt_server.url) as transport:
        held: list[Delivery] = []
        holding = await transport.subscribe(address, held.append, group="g")
        await send(transport, address, 5)
        await until(lambda: len(held) == 5)
        holding.pause()
        for number in range(5, 10):
            await transport.publish(address, frame(b"%d" % number), guarantee=SURE)
        await settle(transport)
        await transport.subscribe(address, acknowledging(stayer), group="g")
        await holding.close()
        await stayer.expect(10)
        for delivery in held:
            delivery.nack()
        await settle(transport)
        assert numbers(stayer) == [*range(10)]
        assert sum(delivery.redelivered for delivery in stayer) == len(held) == 5


async def test_a_member_that_closes_while_down_has_no_share_any_more(mqtt_server: Broker, space: str) -> None:
    """Else the resumed session is given half, which nobody has."""
    address, stayer = f"{space}.test.v1.things", Inbox()
    async with opened(mqtt_server.url) as one, opened(mqtt_server.url) as other:
        leaving = await one.subscribe(address, Inbox(), group="g")
        await other.subscribe(address, acknowledging(stayer), group="g")
        is_up = cut(one)
        await until(lambda: not inside(one)._up.is_set())
        await leaving.close()
        assert not inside(one)._up.is_set()
        await until(is_up)
        await send(other, address, 20)
        await stayer.expect(20)


async def test_the_last_member_on_a_connection_has_what_is_on_its_way_while_it_closes(
    mqtt_server: Broker, space: str
) -> None:
    address, leaver, stayer = f"{space}.test.v1.things", Inbox(), Inbox()
    async with opened(mqtt_server.url) as one, opened(mqtt_server.url) as other:
        leaving = await one.subscribe(address, acknowledging(leaver), group="g")
        await other.subscribe(address, acknowledging(stayer), group="g")
        sending = asyncio.gather(
            *(other.publish(address, frame(b"%d" % number), guarantee=SURE) for number in range(3000))
        )
        await until(lambda: len(leaver) > 300)
        await leaving.close()
        taken = len(leaver)
        await sending
        await until(lambda: len(leaver) + len(stayer) == 3000)
        assert numbers(leaver, stayer) == [*range(3000)]
        assert len(leaver) == taken, "nothing after it has closed"


async def test_what_the_last_member_on_a_connection_had_in_hand_is_lost_to_the_group_and_said_so(
    mqtt_server: Broker, space: str, caplog: pytest.LogCaptureFixture
) -> None:
    address, held = f"{space}.test.v1.things", list[Delivery]()
    async with opened(mqtt_server.url, timeout=30) as transport:
        member = await transport.subscribe(address, held.append, group="g")
        await send(transport, address, 3)
        await until(lambda: len(held) == 3)
        held[0].ack()
        await member.close()
        assert "2 messages that a member held are lost to the group" in caplog.text
        await asyncio.wait_for(transport.close(), 10)


async def test_what_the_broker_had_queued_for_a_member_that_closed_is_dropped_and_said_so(
    mqtt_server: Broker, space: str, caplog: pytest.LogCaptureFixture
) -> None:
    """And it keeps no place in the window."""
    address, after = f"{space}.test.v1.things", Inbox()
    async with opened(mqtt_server.url, window=4) as one, opened(mqtt_server.url) as other:
        leaving = await one.subscribe(address, Inbox(), group="g")
        leaving.pause()
        await send(other, address, 12)
        await settle(other, one)
        await leaving.close()
        await one.subscribe(f"{space}.test.v1.others", acknowledging(after))
        await send(other, f"{space}.test.v1.others", 10)
        await after.expect(10)
        assert "4 messages that a member held are lost to the group" in caplog.text
        assert "dropped what came for a subscription that has ended, 8 messages by now" in caplog.text


async def test_what_the_last_member_on_a_connection_held_is_lost_to_the_group_and_said_so(
    mqtt_server: Broker, space: str, caplog: pytest.LogCaptureFixture
) -> None:
    address, stayer = f"{space}.test.v1.things", Inbox()
    async with opened(mqtt_server.url) as one, opened(mqtt_server.url) as other:
        leaving = await one.subscribe(address, Inbox(), group="g")
        leaving.pause()
        await other.subscribe(address, acknowledging(stayer), group="g")
        await send(other, address, 10)
        await settle(other, one)
        await leaving.close()
        assert "5 messages that a member held are lost to the group" in caplog.text
        await settle(one, other)
        assert len(stayer) == 5


@pytest.mark.parametrize("guarantee", list(Guarantee))
async def test_a_member_that_crashes_has_its_share_until_its_session_ends(
    mqtt_server: Broker, space: str, guarantee: Guarantee
) -> None:
    address, stayer, held = f"{space}.test.v1.things", Inbox(), list[Delivery]()
    async with opened(mqtt_server.url) as other:
        crashing = connect(mqtt_server.url, session=60)
        await crashing.open()
        await crashing.subscribe(address, held.append, group="g")
        await other.subscribe(address, acknowledging(stayer), group="g")
        await send(other, address, 10)
        await until(lambda: len(held) + len(stayer) == 10)
        crashing.abort()  # type: ignore[attr-defined]
        await send(other, address, 10, guarantee)
        await settle(other)
        assert (len(held), len(stayer)) == (5, 10), "mosquitto sends half to a session that nobody is behind"


async def test_a_member_of_a_name_that_comes_back_ends_its_former_share(
    mqtt_server: Broker, space: str
) -> None:
    address, client, stayer = f"{space}.test.v1.things", f"client-{space}", Inbox()
    async with opened(mqtt_server.url) as other:
        crashing = connect(mqtt_server.url, client=client)
        await crashing.open()
        await crashing.subscribe(address, Inbox(), group="g")
        await other.subscribe(address, acknowledging(stayer), group="g")
        crashing.abort()  # type: ignore[attr-defined]
        async with opened(mqtt_server.url, client=client) as back:
            await send(other, address, 10)
            await stayer.expect(10)
            await back.subscribe(address, returned := Inbox(), group="g")
            await send(other, address, 10)
            await until(lambda: len(stayer) + len(returned) == 20)
            assert len(returned) == 5
            for delivery in returned:
                delivery.ack()
