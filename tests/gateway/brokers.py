"""Transports of a gateway under test: brokers in memory, and one that is broken on purpose.

Responsible for a transport that takes, refuses or keeps waiting as the test says, and records what it took. Not
responsible for any broker's real behaviour.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from typing import Any, Final

from comity.gateway import Gateway, Policy, Side
from comity.sdk.errors import TransportError
from comity.sdk.ports import Capabilities, Delivery, Frame, Guarantee, Ordering, Subscription, Transport
from comity.transports import connect

from .cases import GATEWAY, HOMES

__all__ = ["Faulty", "joined", "names", "opened"]

_NAMES: Final = count()


def names(*parts: str) -> list[str]:
    """URLs of brokers in memory that no other test uses."""
    number = next(_NAMES)
    return [f"memory://{part}-{number}" for part in parts]


@asynccontextmanager
async def opened(*urls: str) -> AsyncGenerator[list[Transport]]:
    """A connection to each."""
    async with AsyncExitStack() as stack:
        transports: list[Transport] = []
        for url in urls:
            transports.append(connect(url))
            await transports[-1].open()
            stack.push_async_callback(transports[-1].close)
        yield transports


class Faulty:
    """A broker without subscribers. `fate(attempt, frame)` returns to take a frame, or raises; `gate` holds all back."""

    def __init__(
        self, fate: Callable[[int, Frame], None] = lambda attempt, frame: None, *, sure: bool = True
    ) -> None:
        self.taken: list[tuple[str, Frame]] = []
        self.attempts = 0
        self.flushes = 0
        self.groups: list[str | None] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.gone = asyncio.Event()
        self._fate = fate
        least = frozenset(Guarantee) if sure else frozenset({Guarantee.AT_MOST_ONCE})
        self.capabilities = Capabilities(Ordering.KEY, least, durable=sure, replay=sure, groups=sure)

    def on_death(self, address: str, frame: Frame) -> None: ...
    async def open(self) -> None: ...
    async def close(self) -> None: ...

    async def publish(
        self, address: str, frame: Frame, *, guarantee: Guarantee = Guarantee.AT_MOST_ONCE
    ) -> None:
        assert guarantee in self.capabilities.guarantees
        self.attempts += 1
        await self.gate.wait()
        self._fate(self.attempts, frame)
        self.taken.append((address, frame))

    async def subscribe(
        self,
        pattern: str,
        on_delivery: Callable[[Delivery], None],
        *,
        group: str | None = None,
        since: float | None = None,
    ) -> Subscription:
        self.groups.append(group)
        return _Nothing()

    async def flush(self) -> None:
        self.flushes += 1
        await self.gate.wait()
        self._fate(-self.flushes, Frame({}, b""))

    async def lost(self) -> TransportError:
        await self.gone.wait()
        return TransportError("another client took over")

    @property
    def datas(self) -> list[object]:
        """What it took, in order."""
        return [frame.data for _, frame in self.taken]


class _Nothing:
    dropped = 0

    def pause(self) -> None: ...
    def resume(self) -> None: ...
    async def close(self) -> None: ...


@asynccontextmanager
async def joined(
    from_: Transport, to: Transport, homes: Mapping[str, Side] = HOMES, **options: Any
) -> AsyncGenerator[Gateway]:
    """A gateway between two connections."""
    policy = Policy(homes, GATEWAY)
    async with Gateway(policy, {Side.FROM: from_, Side.TO: to}, **options) as gateway:
        yield gateway
