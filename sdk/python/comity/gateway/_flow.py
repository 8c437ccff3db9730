"""What arrives on one side of a gateway, on its way to where the policy sends it.

Responsible for order within each address, bounded memory with back-pressure, and for acknowledging a delivery only when
the broker that it was sent on to has taken it. Not responsible for what goes where: that is the policy's.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from comity.sdk.clock import Clock
from comity.sdk.errors import (
    CapabilityError,
    ConfigError,
    LocalProtocolError,
    PayloadTooLarge,
    TransportError,
)
from comity.sdk.fairness import FairQueue
from comity.sdk.ports import Delivery, Guarantee, Send, Subscription, Transport

from ._policy import Drop, Pass, Policy, Refuse, Side, Verdict

__all__ = ["Flow", "Tally"]

_log = logging.getLogger("comity.gateway")
_BATCH: Final = 64  # deliveries that are on their way at once
_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 2.0


@dataclass(slots=True)
class Tally:
    """What became of what arrived on one side; `repeated` counts attempts that failed and were made again."""

    passed: int = 0
    refused: int = 0
    dropped: int = 0
    repeated: int = 0


class _Parcel(NamedTuple):
    """A delivery and what is to be published for it, on which side."""

    delivery: Delivery
    to: Side
    send: Send


@dataclass(slots=True)
class Flow:
    """One direction: arrivals on `side`. `queue` bounds how many wait here; `timeout` one attempt, in seconds."""

    policy: Policy
    side: Side
    transports: Mapping[Side, Transport]
    clock: Clock
    queue: int
    timeout: float
    tally: Tally = field(default_factory=Tally)
    _waiting: FairQueue = field(init=False)
    _subscriptions: list[Subscription] = field(init=False, default_factory=list[Subscription])
    _signal: asyncio.Event = field(init=False, default_factory=asyncio.Event)
    _paused: bool = field(init=False, default=False)
    _stopping: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self._waiting = FairQueue(self.queue)

    async def listen(self) -> None:
        """Subscribe; on a broker that keeps what is missed, under a name that a later run of this gateway takes again."""
        transport = self.transports[self.side]
        offered = transport.capabilities
        group = f"gateway-{self.policy.agent[-16:]}" if offered.durable and offered.groups else None
        for pattern in self.policy.patterns(self.side):
            self._subscriptions.append(await transport.subscribe(pattern, self._arrived, group=group))

    async def run(self) -> None:
        """Carry what arrives until `drain` was called and nothing waits."""
        while not (self._stopping and not self._waiting):
            self._signal.clear()
            if not self._waiting:
                await self._signal.wait()
                continue
            batch = [self._waiting.take() for _ in range(min(_BATCH, len(self._waiting)))]
            await self._carry(batch)
            for delivery in batch:  # CORE-GTW-009
                delivery.ack()
            self._relax()
            await asyncio.sleep(0)

    def drain(self) -> None:
        """Take in nothing more; `run` returns when what was taken in is delivered."""
        self._stopping = True
        for subscription in self._subscriptions:
            subscription.pause()
        self._signal.set()

    async def close(self) -> None:
        """End the subscriptions; what was not acknowledged is left to the broker."""
        subscriptions, self._subscriptions = self._subscriptions, []
        for subscription in subscriptions:
            await subscription.close()

    @property
    def lost(self) -> int:
        """Deliveries that found no room here, on a broker that keeps none."""
        return sum(subscription.dropped for subscription in self._subscriptions)

    # ----------------------------------------------------------------- arrivals

    def _arrived(self, delivery: Delivery) -> None:
        self._waiting.put(delivery)
        self._signal.set()
        if self._waiting.full and not self._paused:
            self._paused = True
            for subscription in self._subscriptions:
                subscription.pause()

    def _relax(self) -> None:
        if self._paused and not self._stopping and self._waiting.relaxed:
            self._paused = False
            for subscription in self._subscriptions:
                subscription.resume()

    # --------------------------------------------------------------- departures

    async def _carry(self, batch: Iterable[Delivery]) -> None:
        now = self.clock.now()
        parcels: list[_Parcel] = []
        for delivery in batch:
            verdict = self.policy.judge(self.side, delivery.address, delivery.frame, now)
            parcels += self._parcels(delivery, verdict)
        for wave in _waves(parcels):
            await self._deliver(wave)

    def _parcels(self, delivery: Delivery, verdict: Verdict) -> list[_Parcel]:
        match verdict:
            case Pass(send):
                return [_Parcel(delivery, self.side.other, send)]
            case Refuse(send):
                return [_Parcel(delivery, self.side, send)]
            case Drop(reason):
                self._drop(delivery, reason)
                return []

    def _drop(self, delivery: Delivery, reason: str) -> None:
        self.tally.dropped += 1
        _log.debug("dropped on side %s: %s: %s", self.side, delivery.address, reason)

    async def _deliver(self, wave: Sequence[_Parcel]) -> None:
        """Publish until it is taken: a broker that is away is waited for, and holds up what comes behind."""
        pause = _FIRST_PAUSE
        while wave := await self._attempt(wave):
            self.tally.repeated += len(wave)
            await asyncio.sleep(pause * random.uniform(0.5, 1))
            pause = min(2 * pause, _LONGEST_PAUSE)
            wave = [parcel for parcel in wave if not self._expired(parcel)]

    def _expired(self, parcel: _Parcel) -> bool:
        expired = self.policy.expired(parcel.send.frame, self.clock.now())
        if expired:
            self._drop(parcel.delivery, "expired on the way")
        return expired

    async def _attempt(self, wave: Sequence[_Parcel]) -> list[_Parcel]:
        """Publish once; what is to be published next, because it was not taken or because it was refused for good."""
        left: list[_Parcel] = []
        for side in Side:
            parcels = [parcel for parcel in wave if parcel.to is side]
            if parcels:
                outcomes = await self._publish(self.transports[side], parcels)
                left += [again for pair in zip(parcels, outcomes, strict=True) for again in self._next(*pair)]
        return left

    async def _publish(
        self, transport: Transport, parcels: Sequence[_Parcel]
    ) -> Sequence[BaseException | None]:
        """Hand each over as surely as the broker can; what became of each."""
        sure = Guarantee.AT_LEAST_ONCE in transport.capabilities.guarantees
        guarantee = Guarantee.AT_LEAST_ONCE if sure else Guarantee.AT_MOST_ONCE

        async def one(send: Send) -> None:
            async with asyncio.timeout(self.timeout):
                await transport.publish(send.address, send.frame, guarantee=guarantee)

        outcomes = await asyncio.gather(*(one(p.send) for p in parcels), return_exceptions=True)
        if not sure:
            try:
                async with asyncio.timeout(self.timeout):
                    await transport.flush()
            except (TransportError, TimeoutError) as error:
                return [outcome or error for outcome in outcomes]
        return outcomes

    def _next(self, parcel: _Parcel, outcome: BaseException | None) -> list[_Parcel]:
        send = parcel.send
        match outcome:
            case None:
                self._count(parcel)
                return []
            case PayloadTooLarge() | LocalProtocolError() | ConfigError():
                _log.warning("%s cannot be sent on to side %s: %s", send.address, parcel.to, outcome)
                return self._given_up(parcel, outcome)
            case CapabilityError():
                raise outcome
            case TransportError() | TimeoutError():
                reason = str(outcome) or f"no answer within {self.timeout:g} s"
                _log.warning(
                    "%s is not taken on side %s and tried again: %s", send.address, parcel.to, reason
                )
                return [parcel]
            case _:
                raise outcome

    def _count(self, parcel: _Parcel) -> None:
        if parcel.to is self.side:
            self.tally.refused += 1
        else:
            self.tally.passed += 1

    def _given_up(self, parcel: _Parcel, error: Exception) -> list[_Parcel]:
        delivery = parcel.delivery
        if parcel.to is self.side:  # a refusal itself: nobody is left to tell
            self._drop(delivery, str(error))
            return []
        code = "core.too_large" if isinstance(error, PayloadTooLarge) else "core.malformed"
        verdict = self.policy.refuse(code, delivery.address, delivery.frame, self.clock.now())
        return self._parcels(delivery, verdict)


def _waves(parcels: Sequence[_Parcel]) -> list[list[_Parcel]]:
    """What may be on its way at once: in each wave an address occurs once, and in their order over the waves."""
    seen: Counter[tuple[Side, str]] = Counter()
    waves: list[list[_Parcel]] = []
    for parcel in parcels:
        key = (parcel.to, parcel.send.address)
        if seen[key] == len(waves):
            waves.append([])
        waves[seen[key]].append(parcel)
        seen[key] += 1
    return waves
