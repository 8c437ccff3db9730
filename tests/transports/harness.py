"""What tests of transports share: an inbox, a small event, and waiting for what is under way.

Not responsible for connections, which `connections.py` makes, nor for what is promised, which is in `contract.py`.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol, runtime_checkable

from comity.sdk.ports import Delivery, Frame, Guarantee, Transport
from comity.transports.brokers import Broker

__all__ = ["Acking", "Inbox", "MakeTransport", "best", "frame", "halted", "settle", "until", "until_only"]


class MakeTransport(Protocol):
    """Opens a connection."""

    def __call__(self, **options: str | float) -> Awaitable[Transport]: ...


@runtime_checkable
class Settling(Protocol):
    """A transport that can say when all that the broker has was handed out."""

    async def settled(self) -> None: ...


class Inbox(list[Delivery]):
    """Collects deliveries; `expect` waits for a number of them, ten seconds at most."""

    def __init__(self) -> None:
        super().__init__()
        self._arrived = asyncio.Event()

    def __call__(self, delivery: Delivery) -> None:
        self.append(delivery)
        self._arrived.set()

    async def expect(self, count: int) -> Inbox:
        """Return once there are `count`; fails after ten seconds, and where there are more."""
        async with asyncio.timeout(10):
            while len(self) < count:
                self._arrived.clear()
                await self._arrived.wait()
        assert len(self) == count
        return self

    @property
    def datas(self) -> list[object]:
        """What arrived, in order."""
        return [delivery.frame.data for delivery in self]


class Acking(Inbox):
    """What is delivered is acknowledged."""

    def __call__(self, delivery: Delivery) -> None:
        super().__call__(delivery)
        delivery.ack()


def frame(data: bytes = b"{}", **attributes: str) -> Frame:
    """A small event."""
    return Frame({"specversion": "1.0", "id": "1", "source": "/test", "type": "Test"} | attributes, data)


def best(transport: Transport) -> Guarantee:
    """The most that it promises."""
    sure = Guarantee.AT_LEAST_ONCE
    return sure if sure in transport.capabilities.guarantees else Guarantee.AT_MOST_ONCE


async def settle(*transports: Transport) -> None:
    """Return once everything published on these connections has been handed to those who subscribed on them."""
    for _ in range(2):
        for transport in transports:
            await transport.flush()
            if isinstance(transport, Settling):  # it fetches, so that a round trip says nothing of deliveries
                await transport.settled()
    for _ in range(10):
        await asyncio.sleep(0)


async def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Return once `condition` holds; fails after `seconds`."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for sets no event
            await asyncio.sleep(0.001)


async def until_only(tasks: set[asyncio.Task[object]]) -> None:
    """Fail unless, within two seconds, those that are there now have ended but these, or others that do the same."""
    before, there = Counter(map(_work, tasks)), asyncio.all_tasks()
    await until(lambda: not Counter(_work(task) for task in there if not task.done()) - before, 2)


def _work(task: asyncio.Task[object]) -> str:
    return getattr(task.get_coro(), "__qualname__", "")


@asynccontextmanager
async def halted(broker: Broker) -> AsyncGenerator[None]:
    """Stop the process as a debugger does, and let it run again.

    The block begins when all threads stand still, which a signal does not wait for, and is left when it serves again:
    of Kafka, who was frozen is not a member of its own cluster at first.
    """
    os.kill(broker.now.pid, signal.SIGSTOP)
    try:
        threads = Path(f"/proc/{broker.now.pid}/task")
        await until(lambda: all(_is_stopped(thread / "stat") for thread in threads.iterdir()))
        yield
    finally:
        os.kill(broker.now.pid, signal.SIGCONT)
    async with asyncio.timeout(30):
        while not await asyncio.to_thread(lambda: broker.serves):  # noqa: ASYNC110 - it sets no event
            await asyncio.sleep(0.1)


def _is_stopped(stat: Path) -> bool:
    return stat.read_text(encoding="ascii").rpartition(")")[2].split()[0] == "T"
