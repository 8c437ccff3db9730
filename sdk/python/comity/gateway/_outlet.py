"""What leaves a gateway for what arrived on one of its sides: published until a broker has taken it.

Responsible for order within each address, for trying again, and for what a broker that is there never takes. Not
responsible for what goes where, which is the policy's, nor for acknowledging what arrived.
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
from comity.sdk.ports import Delivery, Guarantee, Send, Transport

from ._policy import Drop, Pass, Policy, Refuse, Side, Verdict

__all__ = ["Outlet", "Tally"]

_log = logging.getLogger("comity.gateway")
_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 2.0
_STRIKES: Final = 10


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
class Outlet:
    """Carries out the policy's verdicts on what arrived on `side`. `timeout` bounds one attempt, in seconds."""

    policy: Policy
    side: Side
    transports: Mapping[Side, Transport]
    clock: Clock
    timeout: float
    tally: Tally = field(default_factory=Tally)

    async def carry(self, batch: Iterable[Delivery]) -> None:
        """Return when all of `batch` is dealt with: taken by a broker, or dropped by rule."""
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
        """A broker that is away is waited for, and holds up what comes behind; one that is there is not."""
        pause, strikes = _FIRST_PAUSE, 0
        while wave := await self._attempt(wave, last=strikes == _STRIKES):
            await asyncio.sleep(pause * random.uniform(0.5, 1))
            pause = min(2 * pause, _LONGEST_PAUSE)
            wave = [parcel for parcel in wave if not self._expired(parcel)]
            strikes = strikes + 1 if await self._reachable({parcel.to for parcel in wave}) else 0

    async def _reachable(self, sides: Iterable[Side]) -> bool:
        """Whether every broker answers, so that it is the messages that are refused."""
        try:
            async with asyncio.timeout(self.timeout):
                for side in sides:
                    await self.transports[side].flush()
        except (TransportError, TimeoutError):
            return False
        return True

    def _expired(self, parcel: _Parcel) -> bool:
        expired = self.policy.expired(parcel.send.frame, self.clock.now())
        if expired:
            self._drop(parcel.delivery, "expired on the way")
        return expired

    async def _attempt(self, wave: Sequence[_Parcel], *, last: bool) -> list[_Parcel]:
        """Publish once; what is to be published next: the same again, or a refusal where it will never be taken."""
        left: list[_Parcel] = []
        for side in Side:
            parcels = [parcel for parcel in wave if parcel.to is side]
            if parcels:
                outcomes = await self._publish(self.transports[side], parcels)
                for parcel, outcome in zip(parcels, outcomes, strict=True):
                    left += self._next(parcel, outcome, last=last)
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

    def _next(self, parcel: _Parcel, outcome: BaseException | None, *, last: bool) -> list[_Parcel]:
        match outcome:
            case None:
                if parcel.to is self.side:
                    self.tally.refused += 1
                else:
                    self.tally.passed += 1
                return []
            case PayloadTooLarge():
                return self._give_up(parcel, "core.too_large", outcome)
            case LocalProtocolError() | ConfigError():
                return self._give_up(parcel, "core.malformed", outcome)
            case TransportError() | TimeoutError() if not isinstance(outcome, CapabilityError):
                if last:
                    return self._give_up(parcel, "core.unavailable", outcome)
                self.tally.repeated += 1
                reason = str(outcome) or f"no answer within {self.timeout:g} s"
                _log.warning(
                    "not taken on side %s, and tried again: %s: %s", parcel.to, parcel.send.address, reason
                )
                return [parcel]
            case _:
                raise outcome

    def _give_up(self, parcel: _Parcel, code: str, error: Exception) -> list[_Parcel]:
        _log.error("cannot be sent on to side %s: %s: %s", parcel.to, parcel.send.address, error)
        delivery = parcel.delivery
        if parcel.to is self.side:  # a refusal itself: nobody is left to tell
            self._drop(delivery, str(error))
            return []
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
