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
from typing import Final, NamedTuple, TypeGuard

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
        while wave := await self._attempt(wave, strikes):
            await asyncio.sleep(pause * random.uniform(0.5, 1))
            pause = min(2 * pause, _LONGEST_PAUSE)
            wave = [parcel for parcel in wave if not self._expired(parcel)]
            away = [side for side in {one.to for one in wave} if await self._flushed(self.transports[side])]
            given_up = strikes == _STRIKES  # then what is left is refusals, which have their own attempts
            strikes = 0 if away or given_up else strikes + 1

    def _expired(self, parcel: _Parcel) -> bool:
        expired = self.policy.expired(parcel.send.frame, self.clock.now())
        if expired:
            self._drop(parcel.delivery, "expired on the way")
        return expired

    async def _attempt(self, wave: Sequence[_Parcel], strikes: int) -> list[_Parcel]:
        """Publish once; what is to be published next: the same again, or a refusal where it will never be taken."""
        left: list[_Parcel] = []
        last = strikes == _STRIKES
        for side in Side:
            again: list[tuple[_Parcel, BaseException]] = []
            parcels = [one for one in wave if one.to is side]
            for parcel, outcome in await self._publish(side, parcels, apart=strikes > 0):
                if _may_pass(outcome) and not last:
                    again.append((parcel, outcome))
                else:
                    left += self._settle(parcel, outcome)
            left += self._repeat(again)
        return left

    def _repeat(self, failed: Sequence[tuple[_Parcel, BaseException]]) -> list[_Parcel]:
        if failed:
            self.tally.repeated += len(failed)
            (_, to, send), error = failed[0]
            _log.warning(
                "%d not taken on side %s, and tried again: %s: %s", len(failed), to, send.address, error
            )
        return [parcel for parcel, _ in failed]

    async def _publish(
        self, side: Side, parcels: Sequence[_Parcel], *, apart: bool
    ) -> list[tuple[_Parcel, BaseException | None]]:
        """Hand each over as surely as the broker can; what became of each.

        Where only a flush tells, it tells of all that went before: `apart`, each parcel has a flush of its own.
        """
        transport = self.transports[side]
        sure = Guarantee.AT_LEAST_ONCE in transport.capabilities.guarantees
        if apart and not sure and len(parcels) > 1:
            return [one for parcel in parcels for one in await self._publish(side, [parcel], apart=True)]
        guarantee = Guarantee.AT_LEAST_ONCE if sure else Guarantee.AT_MOST_ONCE

        async def one(send: Send) -> None:
            try:
                async with asyncio.timeout(self.timeout):
                    await transport.publish(send.address, send.frame, guarantee=guarantee)
            except TimeoutError as error:
                raise TransportError(f"no answer within {self.timeout:g} s") from error

        outcomes = await asyncio.gather(*(one(p.send) for p in parcels), return_exceptions=True)
        unsure = await self._flushed(transport) if parcels and not sure else None
        return [(parcel, outcome or unsure) for parcel, outcome in zip(parcels, outcomes, strict=True)]

    async def _flushed(self, transport: Transport) -> TransportError | None:
        """Why it is not sure that the broker has what was published; None where it is."""
        try:
            async with asyncio.timeout(self.timeout):
                await transport.flush()
        except TimeoutError:
            return TransportError(f"no answer within {self.timeout:g} s")
        except TransportError as error:
            return error
        return None

    def _settle(self, parcel: _Parcel, outcome: BaseException | None) -> list[_Parcel]:
        match outcome:
            case None:
                if parcel.to is self.side:
                    self.tally.refused += 1
                else:
                    self.tally.passed += 1
                return []
            case CapabilityError():
                raise outcome
            case PayloadTooLarge():
                return self._give_up(parcel, "core.too_large", outcome)
            case LocalProtocolError() | ConfigError():
                return self._give_up(parcel, "core.malformed", outcome)
            case TransportError():
                return self._give_up(parcel, "core.unavailable", outcome)
            case _:
                raise outcome

    def _give_up(self, parcel: _Parcel, code: str, error: Exception) -> list[_Parcel]:
        _log.warning("given up on side %s: %s: %s", parcel.to, parcel.send.address, error)
        delivery = parcel.delivery
        if parcel.to is self.side:  # a refusal itself: nobody is left to tell
            self._drop(delivery, str(error))
            return []
        verdict = self.policy.refuse(code, delivery.address, delivery.frame, self.clock.now())
        return self._parcels(delivery, verdict)


def _may_pass(outcome: BaseException | None) -> TypeGuard[TransportError]:
    """Whether what failed so may be taken another time."""
    never = PayloadTooLarge | CapabilityError
    return isinstance(outcome, TransportError) and not isinstance(outcome, never)


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
