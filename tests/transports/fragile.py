"""The contract of adapters that reconnect by themselves: an adapter's test module takes these with `from … import *`.

It provides the fixture `fragile`: a broker that the test may kill, and start again. Not responsible for networks that
fail, which are in `faulty.py`.
"""

from __future__ import annotations

import asyncio
import time

import pytest

from comity.sdk.errors import TransportError
from comity.sdk.ports import Guarantee
from comity.transports import connect
from comity.transports.brokers import Broker

from .connections import flood, opened
from .harness import Inbox, frame, halted, settle, until_only

__all__ = [
    "test_a_broker_killed_and_restarted_under_load",
    "test_a_broker_that_hangs_blocks_nobody_for_ever",
    "test_closing_while_disconnected_ends_in_time",
    "test_what_is_published_while_disconnected_is_kept_and_sent",
    "test_what_waits_while_disconnected_is_bounded",
]

SURE = Guarantee.AT_LEAST_ONCE


async def test_a_broker_killed_and_restarted_under_load(fragile: Broker) -> None:
    async with opened(fragile.url, timeout=4) as transport:
        inbox, address, sent = Inbox(), "a.b.v1.c", 0
        await transport.subscribe(address, inbox)

        async def load(seconds: float) -> None:
            nonlocal sent
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                await transport.publish(address, frame(b"%d" % sent))
                sent += 1
                await asyncio.sleep(0)

        await load(0.2)
        fragile.kill()
        await load(0.1)
        fragile.restart()
        await load(0.2)
        with pytest.raises(TransportError, match="may not have arrived"):
            await transport.flush()
        before = sent
        await load(0.1)
        await settle(transport)
        numbers = [int(data) for data in inbox.datas if isinstance(data, bytes)]
        assert numbers == sorted(set(numbers)), "in order, and nothing twice"
        assert set(range(before, sent)) <= set(numbers), "nothing that was flushed is missing"
        assert numbers[0] == 0


async def test_what_is_published_while_disconnected_is_kept_and_sent(fragile: Broker) -> None:
    async with opened(fragile.url, timeout=1) as transport:
        inbox, address = Inbox(), "a.b.v1.c"
        await transport.subscribe(address, inbox)
        fragile.kill()
        with pytest.raises(TransportError, match="no answer within 1 s"):
            await transport.flush()
        if SURE in transport.capabilities.guarantees:
            with pytest.raises(TransportError, match="nothing was sent"):
                await transport.publish(address, frame(b"never"), guarantee=SURE)
        for number in range(100):
            await transport.publish(address, frame(b"%d" % number))
        fragile.restart()
        await inbox.expect(100)
        assert inbox.datas == [b"%d" % number for number in range(100)]
        await transport.flush()


async def test_what_waits_while_disconnected_is_bounded(fragile: Broker) -> None:
    async with opened(fragile.url, outbox=20_000) as transport:
        fragile.kill()
        with pytest.raises(TransportError, match="publish again later"):
            await flood(transport, 1000)
        fragile.restart()
        inbox = Inbox()
        await transport.subscribe("a.b.v1.d", inbox)
        await transport.publish("a.b.v1.d", frame(b"after"))
        await inbox.expect(1)


async def test_a_broker_that_hangs_blocks_nobody_for_ever(fragile: Broker) -> None:
    async with opened(fragile.url, timeout=0.5, outbox=100_000) as transport, halted(fragile):
        with pytest.raises(TransportError, match=r"no answer within 0\.5 s"):
            await flood(transport, 10_000)
        with pytest.raises(TransportError, match="no answer"):
            await transport.flush()
        with pytest.raises(TransportError, match="no answer"):
            await transport.subscribe("a.b.v1.c", Inbox())
        if SURE in transport.capabilities.guarantees:
            with pytest.raises(TransportError, match="may have arrived all the same"):
                await transport.publish("a.b.v1.c", frame(), guarantee=SURE)


async def test_closing_while_disconnected_ends_in_time(fragile: Broker) -> None:
    transport = connect(fragile.url, timeout=1)
    tasks = asyncio.all_tasks()
    await transport.open()
    await transport.subscribe("a.b.v1.c", Inbox())
    await transport.publish("a.b.v1.c", frame())
    fragile.kill()
    async with asyncio.timeout(15):
        await transport.close()
    await until_only(tasks)
