"""`memory://` keeps the contract of transports, and its own promises."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from comity.sdk.errors import ConfigError
from comity.sdk.ports import Guarantee, Subscription
from comity.transports import connect
from tests.transports.connections import opener
from tests.transports.contract import *  # noqa: F403
from tests.transports.harness import Inbox, MakeTransport, frame


@pytest_asyncio.fixture
async def make_transport(space: str) -> AsyncIterator[MakeTransport]:
    async with opener(f"memory://{space}") as make:
        yield make


@pytest.mark.parametrize(
    "url", ["memory:", "memory://", "memory://x/y", "memory://x?buffer=0", "memory://x?buffer=1&buffer=2"]
)
def test_a_wrong_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigError):
        connect(url)


async def test_names_are_apart_and_end_with_their_last_connection() -> None:
    inbox = Inbox()
    one, other = connect("memory://one"), connect("memory://other")
    await one.open()
    await other.open()
    await one.subscribe("a.b.v1.c", inbox)
    await other.publish("a.b.v1.c", frame())
    await one.publish("a.b.v1.c", frame(b"mine"))
    await inbox.expect(1)
    await one.close()
    await other.close()
    again = connect("memory://one")
    await again.open()
    assert await again.last_value("a.b.v1.c") is None  # type: ignore[attr-defined]
    await again.close()


async def test_forgotten_last_values_are_the_longest_unchanged(make_transport: MakeTransport) -> None:
    transport = await make_transport(retain=2)
    for key in ("a", "b", "a", "c"):
        await transport.publish(f"x.y.v1.z.{key}", frame(key.encode()))
    found = [await transport.last_value(f"x.y.v1.z.{key}") for key in "abc"]  # type: ignore[attr-defined]
    assert found == [frame(b"a"), None, frame(b"c")]


async def test_a_receiver_cannot_change_what_others_receive(make_transport: MakeTransport) -> None:
    transport, inbox = await make_transport(), Inbox()
    sent = frame(subject="mine")
    await transport.subscribe("a.b.v1.c", inbox)
    await transport.publish("a.b.v1.c", sent)
    sent.attributes["subject"] = "changed"  # type: ignore[index]
    (delivery,) = await inbox.expect(1)
    assert delivery.frame.attributes["subject"] == "mine"


async def test_many_waiting_publishers_are_freed_when_the_slow_one_leaves(
    make_transport: MakeTransport,
) -> None:
    sender, receiver = await make_transport(), await make_transport(buffer=3000)
    slow = await (await make_transport(buffer=1)).subscribe("a.b.v1.c", Inbox())
    slow.pause()
    quick = Inbox()
    await receiver.subscribe("a.b.v1.c", quick)
    sending = [
        asyncio.create_task(sender.publish("a.b.v1.c", frame(b"%d" % n), guarantee=Guarantee.AT_LEAST_ONCE))
        for n in range(2500)
    ]
    await quick.expect(1)
    await slow.close()
    await asyncio.gather(*sending)
    await quick.expect(2500)
    assert quick.datas == [b"%d" % n for n in range(2500)]


async def test_a_full_member_of_one_address_does_not_hold_up_another(make_transport: MakeTransport) -> None:
    transport = await make_transport(buffer=1)
    slow, quick = Inbox(), Inbox()
    (await transport.subscribe("a.b.v1.slow", slow)).pause()
    await transport.subscribe("a.b.v1.quick", quick)
    stuck = [
        asyncio.create_task(transport.publish("a.b.v1.slow", frame(), guarantee=Guarantee.AT_LEAST_ONCE))
        for _ in range(3)
    ]
    for _ in range(20):
        await transport.publish("a.b.v1.quick", frame(), guarantee=Guarantee.AT_LEAST_ONCE)
    await quick.expect(20)
    assert sum(task.done() for task in stuck) == 1
    await transport.close()
    await asyncio.gather(*stuck)


async def test_what_waits_for_a_leaving_member_goes_to_the_group(make_transport: MakeTransport) -> None:
    transport, leaver, stayer = await make_transport(), Inbox(), Inbox()
    leaving = await transport.subscribe("a.b.v1.c", leaver, group="g")
    staying = await transport.subscribe("a.b.v1.c", stayer, group="g")
    leaving.pause()
    staying.pause()
    for number in range(10):
        await transport.publish("a.b.v1.c", frame(b"%d" % number))
    await leaving.close()
    staying.resume()
    await stayer.expect(10)
    assert leaver == []


async def test_a_slow_subscriber_holds_up_only_those_who_publish_to_it(make_transport: MakeTransport) -> None:
    transport = await make_transport(buffer=1)
    slow, everything = Inbox(), Inbox()
    paused = await transport.subscribe("a.b.v1.c.slow", slow)
    paused.pause()
    await transport.subscribe("a.b.v1.c.>", everything)

    def publish(key: str, number: int) -> asyncio.Task[None]:
        message = frame(b"%d" % number)
        return asyncio.create_task(
            transport.publish(f"a.b.v1.c.{key}", message, guarantee=Guarantee.AT_LEAST_ONCE)
        )

    stuck = [publish("slow", number) for number in range(4)]
    await everything.expect(1)
    await asyncio.gather(*(publish("quick", number) for number in range(10, 20)))
    await transport.publish("a.b.v1.c.quick", frame(b"20"))
    await everything.expect(12)
    assert [task.done() for task in stuck] == [True, False, False, False]
    stuck[1].cancel()
    paused.resume()
    await asyncio.gather(*stuck[2:])
    await everything.expect(14)
    await slow.expect(3)
    assert slow.datas == [b"0", b"2", b"3"]
    assert everything.datas == [b"0", *(b"%d" % number for number in range(10, 21)), b"2", b"3"]


async def test_who_moves_from_one_full_buffer_to_another_keeps_its_place(
    make_transport: MakeTransport,
) -> None:
    transport, address = await make_transport(buffer=1), "a.b.v1.c.k"
    one, other = Inbox(), Inbox()
    first, second = await transport.subscribe(address, one), await transport.subscribe("a.b.v1.c.*", other)
    first.pause()
    second.pause()

    async def publish(data: bytes) -> None:
        await transport.publish(address, frame(data), guarantee=Guarantee.AT_LEAST_ONCE)

    async def take(subscription: Subscription) -> None:
        subscription.resume()
        await asyncio.sleep(0)
        subscription.pause()

    await publish(b"fills both")
    early = asyncio.create_task(publish(b"early"))
    await asyncio.wait([early], timeout=0)
    await take(first)  # early now waits for the second buffer
    await transport.publish(address, frame(b"fills the first"))
    late = asyncio.create_task(publish(b"late"))
    await asyncio.wait([late], timeout=0)
    await take(second)  # early waits for the first buffer again, before late
    first.resume()
    second.resume()
    await asyncio.gather(early, late)
    await one.expect(4)
    await other.expect(3)
    assert one.datas == [b"fills both", b"fills the first", b"early", b"late"]
    assert other.datas == [b"fills both", b"early", b"late"]
