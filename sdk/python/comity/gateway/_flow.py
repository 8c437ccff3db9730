"""What arrives on one side of a gateway, until it has left.

Responsible for subscriptions, for bounded memory with back-pressure, and for acknowledging a delivery only when it is
dealt with. Not responsible for dealing with it: `_outlet` is.
"""

from __future__ import annotations

import asyncio
from typing import Final

from comity.sdk.closing import close_all
from comity.sdk.fairness import FairQueue
from comity.sdk.ports import Delivery, Subscription

from ._outlet import Outlet

__all__ = ["Flow"]

_BATCH: Final = 64  # deliveries that are on their way at once


class Flow:
    """One direction: arrivals on the side of `outlet`, of which `queue` may wait here."""

    def __init__(self, outlet: Outlet, queue: int, *, lasting: bool = True) -> None:
        self.outlet = outlet
        self._lasting = lasting
        self._waiting = FairQueue(queue)
        self._subscriptions: list[Subscription] = []
        self._signal = asyncio.Event()
        self._paused = self._stopping = False
        self._lost = 0

    async def listen(self) -> None:
        """Subscribe; if `lasting`, and the broker keeps what is missed, under a name that a later run takes again."""
        policy, side = self.outlet.policy, self.outlet.side
        transport = self.outlet.transports[side]
        offered = transport.capabilities
        lasts = self._lasting and offered.durable and offered.replay and offered.groups
        group = f"gateway-{policy.agent[-16:]}" if lasts else None
        for pattern in policy.patterns(side):
            subscription = await transport.subscribe(pattern, self.arrive, group=group)
            if self._paused:  # what came meanwhile filled the queue
                subscription.pause()
            self._subscriptions.append(subscription)

    def arrive(self, delivery: Delivery) -> None:
        """Take a delivery in."""
        self._waiting.put(delivery)
        self._signal.set()
        if self._waiting.full and not self._paused:
            self._paused = True
            for subscription in self._subscriptions:
                subscription.pause()

    async def run(self) -> None:
        """Carry what arrives until `drain` was called and nothing waits."""
        while not (self._stopping and not self._waiting):
            self._signal.clear()
            if not self._waiting:
                await self._signal.wait()
                continue
            batch = [self._waiting.take() for _ in range(min(_BATCH, len(self._waiting)))]
            await self.outlet.carry(batch)
            for delivery in batch:  # CORE-GTW-009
                delivery.ack()
            self._relax()
            await asyncio.sleep(0)

    def drain(self) -> None:
        """Take in nothing more; `run` returns when what was taken in is dealt with."""
        self._stopping = True
        for subscription in self._subscriptions:
            subscription.pause()
        self._signal.set()

    async def close(self) -> None:
        """End the subscriptions; what was not acknowledged is left to the broker."""
        subscriptions, self._subscriptions = self._subscriptions, []
        self._lost += sum(subscription.dropped for subscription in subscriptions)
        await close_all(subscriptions)

    @property
    def lost(self) -> int:
        """Deliveries that found no room here, on a broker that keeps none."""
        return self._lost + sum(subscription.dropped for subscription in self._subscriptions)

    def _relax(self) -> None:
        if self._paused and not self._stopping and self._waiting.relaxed:
            self._paused = False
            for subscription in self._subscriptions:
                subscription.resume()
