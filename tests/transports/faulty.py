"""The contract of every transport over a network that fails: an adapter's test module takes these with `from … import *`.

It provides three fixtures: `proxy`, a `Proxy` in front of the broker; `behind`, each call of which opens a connection
through it; and `make_transport` and `space` as in `contract.py`. Each fault is drawn from the seed in the test's name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import count

import pytest

from comity.sdk.errors import TransportError
from comity.sdk.ports import Delivery, Guarantee, Transport

from .harness import Inbox, MakeTransport, best, frame, settle, until
from .proxy import Faults, Proxy
from .scripted_cuts import test_whatever_is_done_and_cut_off_what_was_promised_arrives

__all__ = [
    "test_a_half_open_connection_is_given_up",
    "test_each_flush_under_way_hears_what_the_others_hear",
    "test_octets_that_come_singly_and_late_are_put_together",
    "test_what_was_published_arrives_though_the_publisher_is_cut_off",
    "test_whatever_is_done_and_cut_off_what_was_promised_arrives",
    "test_who_is_cut_off_while_subscribed_goes_on",
]

PATIENCE = 60


async def surely(transport: Transport, address: str, datas: list[bytes]) -> None:
    """Publish until the transport says that it arrived: what cannot be known is published again."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                for data in datas:
                    await transport.publish(address, frame(data), guarantee=best(transport))
                await transport.flush()
            except TransportError:
                continue
            return


def acknowledging(inbox: Inbox) -> Callable[[Delivery], None]:
    """Into the inbox, and acknowledge."""

    def take(delivery: Delivery) -> None:
        inbox(delivery)
        delivery.ack()

    return take


def firsts(inbox: Inbox) -> list[object]:
    """What arrived, without repetitions."""
    return list(dict.fromkeys(inbox.datas))


@pytest.mark.parametrize("seed", range(2))
async def test_what_was_published_arrives_though_the_publisher_is_cut_off(
    make_transport: MakeTransport, behind: MakeTransport, proxy: Proxy, space: str, seed: int
) -> None:
    address, inbox = f"{space}.test.v1.things", Inbox()
    receiver, sender = await make_transport(), await behind(timeout=2)
    await receiver.subscribe(address, acknowledging(inbox))
    proxy.harm(Faults(seed, cut_within=20_000))
    proxy.cut()
    datas = [b"%d %s" % (number, b"x" * 500) for number in range(200)]
    for start in range(0, 200, 10):
        await surely(sender, address, datas[start : start + 10])
    await until(lambda: len(firsts(inbox)) == 200, PATIENCE)
    assert sorted(map(str, firsts(inbox))) == sorted(map(str, datas))
    assert proxy.accepted > 2, "nothing was cut"


@pytest.mark.parametrize("seed", range(2))
async def test_who_is_cut_off_while_subscribed_goes_on(
    make_transport: MakeTransport, behind: MakeTransport, proxy: Proxy, space: str, seed: int
) -> None:
    address, inbox = f"{space}.test.v1.things", Inbox()
    receiver, sender = await behind(timeout=2), await make_transport()
    await receiver.subscribe(address, acknowledging(inbox))
    proxy.harm(Faults(seed, cut_within=20_000))
    proxy.cut()
    numbers = count()
    async with asyncio.timeout(PATIENCE):
        while proxy.accepted < 8:
            for number in [next(numbers) for _ in range(10)]:
                await sender.publish(address, frame(b"%d %s" % (number, b"x" * 500)), guarantee=best(sender))
            await sender.flush()
            await asyncio.sleep(0.01)
    proxy.harm(Faults())
    proxy.cut()
    last = next(numbers)
    if best(sender) is Guarantee.AT_LEAST_ONCE:
        await surely(sender, address, [b"%d last" % last])
        await until(lambda: len(firsts(inbox)) == last + 1, PATIENCE)
        return
    async with asyncio.timeout(PATIENCE):
        while b"%d last" % last not in inbox.datas:
            await surely(sender, address, [b"%d last" % last])
            await settle(sender)
    received = [int(str(data, "ascii").split()[0]) for data in firsts(inbox) if isinstance(data, bytes)]
    assert received == sorted(received)


@pytest.mark.parametrize(
    "faults", [Faults(fragment=1), Faults(seed=1, fragment=64, delay=0.001)], ids=["singly", "late"]
)
async def test_octets_that_come_singly_and_late_are_put_together(
    behind: MakeTransport, proxy: Proxy, space: str, faults: Faults
) -> None:
    proxy.harm(faults)
    address, inbox = f"{space}.test.v1.things", Inbox()
    transport = await behind(timeout=20)
    await transport.subscribe(address, acknowledging(inbox))
    datas = [bytes(range(256)) * (number % 3 + 1) for number in range(20)]
    for data in datas:
        await transport.publish(address, frame(data), guarantee=best(transport))
    await until(lambda: len(inbox) == 20, PATIENCE)
    assert inbox.datas == datas


async def test_each_flush_under_way_hears_what_the_others_hear(
    behind: MakeTransport, proxy: Proxy, space: str
) -> None:
    """What each of them stands for may be lost, or none of it."""
    transport = await behind(timeout=20)
    await transport.publish(f"{space}.test.v1.things", frame(b"first"))
    await transport.flush()
    proxy.silence()
    await transport.publish(f"{space}.test.v1.things", frame(b"second"))
    flushing = [asyncio.create_task(transport.flush()) for _ in range(3)]
    await asyncio.sleep(0)
    proxy.cut()
    proxy.speak()
    outcomes = await asyncio.gather(*flushing, return_exceptions=True)
    assert len({type(outcome) for outcome in outcomes}) == 1
    await transport.flush()


async def test_a_half_open_connection_is_given_up(
    make_transport: MakeTransport, behind: MakeTransport, proxy: Proxy, space: str
) -> None:
    address, inbox = f"{space}.test.v1.things", Inbox()
    transport, sender = await behind(timeout=1), await make_transport()
    await transport.subscribe(address, acknowledging(inbox))
    await surely(sender, address, [b"before"])
    await until(lambda: b"before" in inbox.datas)
    proxy.half_open()
    async with asyncio.timeout(20):
        try:
            await transport.publish(address, frame(b"meanwhile"), guarantee=best(transport))
            await transport.flush()
        except TransportError:
            pass
    async with asyncio.timeout(PATIENCE):
        while b"after" not in inbox.datas:
            await surely(sender, address, [b"after"])
            await asyncio.sleep(0.1)
    await surely(transport, address, [b"and from here"])
    await until(lambda: b"and from here" in inbox.datas)
