"""Runs a gateway's policy between two transports.

Responsible for both directions, their beginning and an orderly end. Not responsible for any decision, nor for opening
or closing the transports: whoever made them does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from comity.sdk.clock import Clock, SystemClock
from comity.sdk.errors import LocalProtocolError
from comity.sdk.ports import Transport

from ._flow import Flow
from ._outlet import Outlet, Tally
from ._policy import Policy, Side

__all__ = ["Gateway"]


class Gateway:
    """Carries between `transports`, which are open; use it as an async context manager.

    `queue` bounds what waits in each direction; `timeout` is how long one attempt to publish may take and `drain` how
    long the end may, in seconds. What could not be delivered by then is left unacknowledged. `lasting`: it comes
    again under this identity, so that brokers which can are to keep what it misses.
    """

    def __init__(
        self,
        policy: Policy,
        transports: Mapping[Side, Transport],
        *,
        clock: Clock | None = None,
        queue: int = 4096,
        timeout: float = 10.0,
        drain: float = 5.0,
        lasting: bool = True,
    ) -> None:
        self.policy = policy
        self._drain = drain
        clock = clock or SystemClock()
        self._flows = [
            Flow(Outlet(policy, side, transports, clock, timeout), queue, lasting=lasting) for side in Side
        ]
        self._transports = transports
        self._tasks: list[asyncio.Task[None]] = []
        self._watching: list[asyncio.Task[None]] = []

    @property
    def tallies(self) -> dict[Side, Tally]:
        """What became of what arrived, by side."""
        return {flow.outlet.side: flow.outlet.tally for flow in self._flows}

    @property
    def lost(self) -> int:
        """Deliveries that found no room, on brokers that keep none."""
        return sum(flow.lost for flow in self._flows)

    async def wait(self) -> None:
        """Raise what ended the gateway; it does not end by itself."""
        tasks = [*self._tasks, *self._watching]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    async def __aenter__(self) -> Self:
        """Carry from now on: when it returns the subscriptions of both sides are in force."""
        if self._tasks:
            raise LocalProtocolError("this gateway was started before")
        try:
            for flow in self._flows:
                await flow.listen()
        except BaseException:
            await self._close()
            raise
        self._tasks = [
            asyncio.create_task(flow.run(), name=f"comity-gateway-{flow.outlet.side}") for flow in self._flows
        ]
        self._watching = [asyncio.create_task(_watch(one)) for one in self._transports.values()]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Deliver what was taken in, as far as `drain` allows, and end. Raises what ended the gateway before."""
        tasks = [*self._tasks, *self._watching]
        for flow in self._flows:
            flow.drain()
        try:
            await asyncio.wait(self._tasks, timeout=self._drain)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            await self._close()
        failures = [failure for task in tasks if not task.cancelled() and (failure := task.exception())]
        if failures and error is None:
            raise failures[0]

    async def _close(self) -> None:
        async with AsyncExitStack() as closing:
            for flow in self._flows:
                closing.push_async_callback(flow.close)


async def _watch(transport: Transport) -> None:
    raise await transport.lost()
