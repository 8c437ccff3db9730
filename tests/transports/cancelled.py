"""The part of every transport's contract that says what a cancellation leaves behind; `contract.py` takes it in.

Whoever is cancelled, at whichever of its waits: nothing goes on in its name, and the connection is as good as before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator
from itertools import chain, repeat
from typing import Any, Final

import pytest

from comity.sdk.errors import TransportError
from comity.sdk.ports import Transport

from .harness import Acking, Inbox, MakeTransport, best, frame, settle, until, until_only

__all__ = [
    "test_a_connection_whose_closing_was_cancelled_leaves_nothing_once_closed",
    "test_a_connection_whose_opening_was_cancelled_leaves_nothing",
    "test_a_publish_that_was_cancelled_holds_up_nobody",
    "test_a_subscription_whose_closing_was_cancelled_takes_nothing_once_closed",
    "test_a_subscription_whose_making_was_cancelled_takes_nothing",
    "test_what_is_under_way_when_the_connection_is_closed_ends",
]

MOMENTS: Final = (0, 1, 3, 8, 34, 610)
GROUPS: Final = pytest.mark.parametrize("group", [None, "g"], ids=["all", "group"])


class Attempts:
    """The same thing begun again and again, and cancelled ever later, until it is done before it is cancelled."""

    def __init__(self) -> None:
        self._done = False

    def __iter__(self) -> Iterator[int]:
        for turns in chain(MOMENTS, repeat(1_000_000)):
            if self._done:
                return
            yield turns

    async def at(self, turns: int, work: Awaitable[Any]) -> Any:
        """What `work` gives where it is done in so many turns of the loop; None where it was cancelled then."""
        task = asyncio.ensure_future(work)
        while turns and not task.done():
            turns -= 1
            await asyncio.sleep(0)
        self._done = task.done()
        task.cancel()
        async with asyncio.timeout(10):
            await asyncio.wait({task})
        return None if task.cancelled() else task.result()


async def exchange(sender: Transport, address: str, *inboxes: Inbox) -> None:
    """Publish twenty, of which these get all, between them or each."""
    for number in range(20):
        await sender.publish(address, frame(b"%d" % number), guarantee=best(sender))
    await until(lambda: {one for inbox in inboxes for one in inbox.datas} >= {b"%d" % n for n in range(20)})


@GROUPS
async def test_a_subscription_whose_making_was_cancelled_takes_nothing(
    make_transport: MakeTransport, space: str, group: str | None
) -> None:
    transport, other, attempts = await make_transport(), await make_transport(), Attempts()
    for turns in attempts:
        address, inbox, heir = f"{space}.test.v1.things.k{turns}", Inbox(), Acking()
        its = group and f"{group}{turns}"
        subscription = await attempts.at(turns, transport.subscribe(address, inbox, group=its))
        if subscription is not None:
            await subscription.close()
        await transport.subscribe(address, heir, group=its)
        await exchange(other, address, heir)
        await settle(other, transport)
        assert inbox == []
        assert len(heir) == 20


@GROUPS
async def test_a_subscription_whose_closing_was_cancelled_takes_nothing_once_closed(
    make_transport: MakeTransport, space: str, group: str | None
) -> None:
    transport, other, attempts = await make_transport(), await make_transport(), Attempts()
    for turns in attempts:
        address, inbox, heir = f"{space}.test.v1.things.k{turns}", Inbox(), Acking()
        its = group and f"{group}{turns}"
        subscription = await transport.subscribe(address, inbox, group=its)
        await other.subscribe(address, heir, group=its)
        subscribing = asyncio.create_task(transport.subscribe(f"{space}.test.v1.others.k{turns}", Inbox()))
        await attempts.at(turns, subscription.close())
        await subscribing
        await subscription.close()
        await exchange(other, address, heir)
        assert inbox == []


@GROUPS
async def test_a_connection_whose_closing_was_cancelled_leaves_nothing_once_closed(
    make_transport: MakeTransport, space: str, group: str | None
) -> None:
    other, attempts, address = await make_transport(), Attempts(), f"{space}.test.v1.things.k"
    heir, inbox = Acking(), Inbox()
    await other.subscribe(address, heir, group=group)

    async def begin() -> Transport:
        transport = await make_transport()
        await transport.subscribe(address, inbox, group=group)
        await transport.publish(f"{space}.test.v1.others", frame())
        return transport

    await (await begin()).close()  # what connections share is there now
    tasks = asyncio.all_tasks()
    for turns in attempts:
        transport = await begin()
        await attempts.at(turns, transport.close())
        await transport.close()
        await until_only(tasks)
        heir.clear()
        await exchange(other, address, heir)
        assert inbox == []


async def test_a_connection_whose_opening_was_cancelled_leaves_nothing(make_transport: MakeTransport) -> None:
    await make_transport()
    tasks, attempts = asyncio.all_tasks(), Attempts()
    for turns in attempts:
        transport = await attempts.at(turns, make_transport())
        if transport is not None:
            await transport.close()
        await until_only(tasks)


async def test_a_publish_that_was_cancelled_holds_up_nobody(
    make_transport: MakeTransport, space: str
) -> None:
    sender, receiver, attempts = await make_transport(), await make_transport(), Attempts()
    for turns in attempts:
        address, inbox = f"{space}.test.v1.things.k{turns}", Acking()
        await receiver.subscribe(address, inbox)
        await attempts.at(turns, sender.publish(address, frame(b"gone"), guarantee=best(sender)))
        await exchange(sender, address, inbox)
        assert [data for data in inbox.datas if data != b"gone"] == [b"%d" % number for number in range(20)]
        assert inbox.datas.count(b"gone") <= 1


async def test_what_is_under_way_when_the_connection_is_closed_ends(
    make_transport: MakeTransport, space: str
) -> None:
    await make_transport()
    loop = asyncio.get_running_loop()

    async def close_after(turns: int) -> None:
        transport, new = await make_transport(), f"{space}.test.v1.new{turns}"
        under_way: list[asyncio.Task[Any]] = [
            loop.create_task(transport.publish(f"{new}a.k", frame(), guarantee=best(transport))),
            loop.create_task(transport.publish(f"{new}b.k", frame())),
            loop.create_task(transport.subscribe(f"{new}b.k", Inbox())),
            loop.create_task(transport.subscribe(f"{new}c.k", Inbox(), group="g")),
            loop.create_task(transport.flush()),
        ]
        for _ in range(turns):
            await asyncio.sleep(0)
        async with asyncio.timeout(20):
            await transport.close()
            outcomes = await asyncio.gather(*under_way, return_exceptions=True)
        for outcome in outcomes:
            assert not isinstance(outcome, BaseException) or isinstance(outcome, TransportError)

    await close_after(max(MOMENTS) + 1)  # what connections share is there now
    tasks = asyncio.all_tasks()
    for turns in MOMENTS:
        await close_after(turns)
        await until_only(tasks)
