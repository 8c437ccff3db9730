"""The part of every transport's contract that says what a broker keeps; `contract.py` takes it in.

What is sent at least once waits for room, and comes again where it was refused; what was published before is
replayed; the last value and the notice of a death are remembered. What an adapter lacks is asserted to be refused.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Protocol, runtime_checkable

import pytest

from comity.sdk.errors import CapabilityError, ConfigError, PayloadTooLarge, TransportError
from comity.sdk.ports import Delivery, Frame, Guarantee

from .harness import Inbox, MakeTransport, frame, settle, until, until_only

__all__ = [
    "test_a_death_notice_is_published_once_and_only_after_death_or_is_refused",
    "test_a_refused_delivery_comes_again_flagged",
    "test_at_least_once_waits_for_room_there_or_here_or_is_refused",
    "test_the_last_value_is_remembered_or_refused",
    "test_what_a_subscriber_raised_on_counts_as_taken",
    "test_what_is_always_refused_is_no_flood_and_holds_up_nobody",
    "test_what_was_published_before_is_replayed_or_refused",
]


@runtime_checkable
class Mortal(Protocol):
    """A transport that can end as if its process were killed."""

    def abort(self) -> None: ...


async def test_at_least_once_waits_for_room_there_or_here_or_is_refused(
    make_transport: MakeTransport, space: str
) -> None:
    sender, receiver = await make_transport(), await make_transport(buffer=8)
    address, inbox = f"{space}.test.v1.things", Inbox()
    if Guarantee.AT_LEAST_ONCE not in sender.capabilities.guarantees:
        with pytest.raises(CapabilityError, match="at-least-once"):
            await sender.publish(address, frame(), guarantee=Guarantee.AT_LEAST_ONCE)
        return
    subscription = await receiver.subscribe(address, inbox)
    subscription.pause()
    sent = 0

    async def send() -> None:
        nonlocal sent
        for number in range(50):
            await sender.publish(address, frame(b"%d" % number), guarantee=Guarantee.AT_LEAST_ONCE)
            sent += 1

    sending = asyncio.create_task(send())
    if sender.capabilities.publisher_waits:
        await settle(sender, receiver)
        assert not sending.done()
        assert sent <= 9
    else:
        await sending
        await settle(sender, receiver)
        assert inbox == []
    subscription.resume()
    await inbox.expect(50)
    await sending
    assert inbox.datas == [b"%d" % number for number in range(50)]
    assert subscription.dropped == 0


async def test_a_refused_delivery_comes_again_flagged(make_transport: MakeTransport, space: str) -> None:
    transport, address = await make_transport(), f"{space}.test.v1.things"
    if Guarantee.AT_LEAST_ONCE not in transport.capabilities.guarantees:
        with pytest.raises(CapabilityError):
            await transport.publish(address, frame(), guarantee=Guarantee.AT_LEAST_ONCE)
        return
    inbox = Inbox()

    def refuse_first(delivery: Delivery) -> None:
        inbox(delivery)
        (delivery.ack if delivery.redelivered else delivery.nack)()

    await transport.subscribe(address, refuse_first)
    await transport.publish(address, frame(b"again"), guarantee=Guarantee.AT_LEAST_ONCE)
    await inbox.expect(2)
    await settle(transport)
    assert [(each.frame.data, each.redelivered) for each in inbox] == [(b"again", False), (b"again", True)]


async def test_what_a_subscriber_raised_on_counts_as_taken(make_transport: MakeTransport, space: str) -> None:
    """It comes neither to it again nor to who goes on in its place."""
    transport, address = await make_transport(), f"{space}.test.v1.things"
    if Guarantee.AT_LEAST_ONCE not in transport.capabilities.guarantees:
        return
    first, second = Inbox(), Inbox()

    def raise_and_refuse_one(delivery: Delivery) -> None:
        first(delivery)
        if delivery.frame.data == b"refused" and not delivery.redelivered:
            delivery.nack()
        raise ZeroDivisionError("a defect of the subscriber")

    def take(delivery: Delivery) -> None:
        second(delivery)
        delivery.ack()

    leaving = await transport.subscribe(address, raise_and_refuse_one, group="g")
    for data in (b"raised", b"refused"):
        await transport.publish(address, frame(data), guarantee=Guarantee.AT_LEAST_ONCE)
    await first.expect(3)
    assert first.datas == [b"raised", b"refused", b"refused"]
    await leaving.close()
    await transport.subscribe(address, take, group="g")
    await transport.publish(address, frame(b"after"), guarantee=Guarantee.AT_LEAST_ONCE)
    await second.expect(1)
    assert second.datas == [b"after"]


@pytest.mark.parametrize("group", [None, "g"])
async def test_what_is_always_refused_is_no_flood_and_holds_up_nobody(
    make_transport: MakeTransport, space: str, group: str | None
) -> None:
    """Pauses of 0.05 s that double up to 5 s leave room for eight deliveries in ten seconds."""
    tasks = asyncio.all_tasks()
    transport, address = await make_transport(), f"{space}.test.v1.things.k"
    offered = transport.capabilities
    if Guarantee.AT_LEAST_ONCE not in offered.guarantees or (group and not offered.groups):
        return  # which other tests assert to be refused
    refused, others = Inbox(), Inbox()

    def take(delivery: Delivery) -> None:
        wanted = delivery.frame.data != b"refused"
        (others if wanted else refused)(delivery)
        (delivery.ack if wanted else delivery.nack)()

    await transport.subscribe(address, take, group=group)
    async with asyncio.timeout(10):
        await transport.publish(address, frame(b"refused"), guarantee=Guarantee.AT_LEAST_ONCE)
        await until(lambda: len(refused) >= 3)
        for number in range(20):
            await transport.publish(address, frame(b"%d" % number), guarantee=Guarantee.AT_LEAST_ONCE)
            await others.expect(number + 1)
    assert len(refused) <= 8
    assert [one.redelivered for one in refused] == [False] + [True] * (len(refused) - 1)
    await transport.close()
    await until_only(tasks)


@pytest.mark.parametrize("group", [None, "g"])
async def test_what_was_published_before_is_replayed_or_refused(
    make_transport: MakeTransport, space: str, group: str | None
) -> None:
    transport, inbox, address = await make_transport(), Inbox(), f"{space}.test.v1.things.k"
    if not transport.capabilities.replay:
        with pytest.raises(CapabilityError, match="replay"):
            await transport.subscribe(address, inbox, group=group, since=0)
        return

    async def send(*datas: bytes) -> None:
        for data in datas:
            await transport.publish(address, frame(data), guarantee=Guarantee.AT_LEAST_ONCE)

    await send(b"1", b"2")
    before = time.time()
    await until(lambda: time.time() > before + 0.02)
    since = before + 0.01
    await send(b"3", b"4")
    await transport.subscribe(address, inbox, group=group, since=since)
    await send(b"5")
    await inbox.expect(3)
    assert inbox.datas == [b"3", b"4", b"5"]
    everything = Inbox()
    await transport.subscribe(f"{space}.test.v1.things.>", everything, since=since - 60)
    await everything.expect(5)
    assert everything.datas == [b"1", b"2", b"3", b"4", b"5"]


async def test_the_last_value_is_remembered_or_refused(make_transport: MakeTransport, space: str) -> None:
    transport, address = await make_transport(), f"{space}.test.v1.things.k"
    ask: Callable[[str], Awaitable[Frame | None]] = getattr(transport, "last_value")  # noqa: B009
    if not transport.capabilities.last_value:
        with pytest.raises(CapabilityError, match="last value"):
            await ask(address)
        return
    assert await ask(address) is None
    for data in (b"old", b"new"):
        await transport.publish(address, frame(data))
    await transport.publish(f"{space}.test.v1.things.other", frame(b"other"))
    assert await ask(address) == frame(b"new")


async def test_a_death_notice_is_published_once_and_only_after_death_or_is_refused(
    make_transport: MakeTransport, space: str
) -> None:
    witness, address = await make_transport(), f"{space}.test.v1.deaths.k"
    if not witness.capabilities.death_notice:
        with pytest.raises(CapabilityError, match="death notice"):
            witness.on_death(address, frame())
        return
    inbox = Inbox()
    await witness.subscribe(f"{space}.test.v1.deaths.*", inbox)
    crashing, orderly = await make_transport(), await make_transport()
    with pytest.raises(TransportError, match="already open"):
        crashing.on_death(address, frame())
    for number, transport in enumerate((crashing, orderly)):
        await transport.close()
        with pytest.raises(ConfigError):
            transport.on_death("things", frame())
        with pytest.raises(PayloadTooLarge):
            transport.on_death(address, frame(b"x" * (transport.capabilities.max_payload + 1)))
        transport.on_death(address, frame(b"replaced"))
        transport.on_death(address, frame(b"%d" % number, subject="Euro €", datacontenttype="text/plain"))
        await transport.open()
    await orderly.close()
    await settle(witness)
    assert inbox == []
    assert isinstance(crashing, Mortal)
    crashing.abort()
    crashing.abort()
    (delivery,) = await inbox.expect(1)
    assert delivery.address == address
    assert delivery.frame == frame(b"0", subject="Euro €", datacontenttype="text/plain")
    await witness.publish(address, frame(b"marker"))
    await inbox.expect(2)
    with pytest.raises(TransportError, match="not open"):
        await crashing.publish(address, frame())
