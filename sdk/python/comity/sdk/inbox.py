"""The receiver's checks: every rule of core between a frame and a message that one may act on.

Responsible for the normative order of checks, for refusing and dropping by rule, and for holding what is stamped ahead.
Not responsible for deduplication: that is replicated state, decided when a journal entry is applied; nor for answering.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from heapq import heappop, heappush
from typing import Final, Literal, NamedTuple, TypeAlias

from .codec import SMALL, SmallFrame, data_size, decode_data, decode_value, head_size
from .envelope import answerable, read_envelope
from .errors import RemoteProtocolError, SpecError
from .family import Family
from .model import MISSING, Message
from .ports import Frame, Now
from .security import verify_frame

__all__ = ["Accepted", "Dropped", "Held", "Inbox", "Outcome", "Profile", "Rejected"]

Profile: TypeAlias = Literal["open", "signed"]
_AHEAD_US: Final = 500_000
_HELD_IN_ALL: Final = 4096
_HELD_OCTETS: Final = 16 << 20


class Accepted(NamedTuple):
    """A message to act on. `expired`: a write that came after its `expirytime`, to be refused with `core.expired`
    unless it repeats one that was acted on (CORE-CLK-003)."""

    message: Message
    attributes: Mapping[str, str]
    frame: Frame
    expired: bool = False


class Rejected(NamedTuple):
    """A request to be refused with `code`; `pointer` names the offending place in its data, `detail` is for logs."""

    code: str
    pointer: str | None
    attributes: Mapping[str, str]
    detail: str = ""


class Dropped(NamedTuple):
    """Not for us, not readable or not to be answered; `reason` is for logs and never for the wire."""

    reason: str


class Held(NamedTuple):
    """Stamped ahead of the clock; `Inbox.release` gives it back, at the Unix time `until_us` in microseconds."""

    until_us: int


Outcome: TypeAlias = Accepted | Rejected | Dropped | Held


class Inbox:
    """Checks what arrives for one role of one family in one namespace.

    `accepts` are the short names of the messages that this role receives; `max_held` bounds, per source, the events
    held because their stamp lies ahead. 4096 are held in all, and 16 MiB, whatever their sources; beyond, `core.busy`.
    """

    def __init__(
        self,
        family: Family,
        *,
        accepts: Collection[str],
        namespace: str,
        profile: Profile = "open",
        max_held: int = 64,
    ) -> None:
        self._family = family
        self._accepts = {family.messages[name].TYPE: family.messages[name] for name in accepts}
        self._answers = any(family.messages[name].KIND == "request" for name in accepts)
        self._limits = {family.messages[name].TYPE: family.limit([name]) for name in accepts}
        self._limit = family.limit(accepts)
        if min(self._limits.values(), default=SMALL) < SMALL:
            raise SpecError(f"{family.name}: a channel admits less than {SMALL} octets")
        self._namespace = namespace
        self._signed = profile == "signed"
        self._max_held = max_held
        self._held: list[tuple[int, int, Accepted]] = []
        self._per_source: Counter[str] = Counter()
        self._arrivals = 0
        self._held_octets = 0
        self._now = Now(0.0, 0.0)

    def receive(self, frame: Frame, now: Now) -> Outcome:
        """What to do about `frame`; never raises on bad input. The order of checks is normative."""
        self._now = now
        attributes = frame.attributes
        if type(frame) is not SmallFrame and (limit := self._over(frame)):  # CORE-LEX-006
            return self._refuse("core.too_large", attributes, f"larger than {limit} octets")
        try:
            route, time_us, expiry_us = read_envelope(attributes)
        except RemoteProtocolError as error:
            return self._refuse(error.code, attributes, str(error))  # CORE-ENV-004
        if route.namespace != self._namespace:  # CORE-ADR-001
            return Dropped("addressed to another namespace")
        if self._signed:
            try:
                verify_frame(frame)
            except RemoteProtocolError as error:  # CORE-SIG-002 to CORE-SIG-006
                return Dropped(str(error))
        if route.major != self._family.major:  # CORE-VER-001
            return self._refuse("core.unsupported_version", attributes)
        message = self._accepts.get(attributes["type"])
        if message is None:  # CORE-SCH-002
            return self._refuse("core.unknown_type", attributes)
        try:  # CORE-LEX-001 to CORE-LEX-005, CORE-VER-002 to CORE-VER-004, CORE-SCH-001
            decoded = self._decode(frame, message, route.minor > self._family.minor)
        except RemoteProtocolError as error:
            return self._refuse(error.code, attributes, str(error), error.pointer)
        if message.WRITE and getattr(decoded, "agent", MISSING) not in (attributes["source"], MISSING):
            return self._refuse("core.forbidden", attributes, "a write for another agent", "/agent")
        return self._date(Accepted(decoded, attributes, frame), time_us, expiry_us, now)

    def release(self, now: Now) -> list[Accepted]:
        """Those held whose time has come within 500 ms of the clock (CORE-CLK-001), in the order of their stamps."""
        self._now = now
        wall_us = round(now.wall * 1_000_000)
        released: list[Accepted] = []
        while self._held and self._held[0][0] <= wall_us:
            accepted = heappop(self._held)[2]
            source = accepted.attributes["source"]
            self._held_octets -= data_size(accepted.frame)
            self._per_source[source] -= 1
            if not self._per_source[source]:
                del self._per_source[source]
            released.append(accepted)
        return released

    def next_deadline(self) -> float | None:
        """Monotonic second at which the next held event comes due, by the clocks as last seen."""
        if not self._held:
            return None
        wall_us = round(self._now.wall * 1_000_000)
        return self._now.mono + max(0, self._held[0][0] - wall_us) / 1_000_000

    def _over(self, frame: Frame) -> int:
        """The limit that `frame` is over, 0 where it is not."""
        limit = self._limits.get(frame.attributes.get("type", ""), self._limit)
        return limit if head_size(frame.attributes) + data_size(frame) > limit else 0

    @staticmethod
    def _decode(frame: Frame, message: type[Message], newer: bool) -> Message:
        attributes, data = frame
        critical = attributes["comitycrit"].split() if "comitycrit" in attributes else ()
        decode = decode_value if type(frame) is SmallFrame else decode_data
        return decode(data, message, newer=newer, critical=critical)

    def _date(self, accepted: Accepted, time_us: int, expiry_us: int | None, now: Now) -> Outcome:
        wall_us = round(now.wall * 1_000_000)
        if expiry_us is not None and expiry_us < wall_us:  # CORE-CLK-003
            if accepted.message.WRITE:
                return accepted._replace(expired=True)
            return self._refuse("core.expired", accepted.attributes)
        if time_us - wall_us > _AHEAD_US:
            return self._hold(accepted, time_us - _AHEAD_US)
        return accepted

    def _hold(self, accepted: Accepted, until_us: int) -> Outcome:
        source = accepted.attributes["source"]
        if self._per_source[source] >= self._max_held:  # CORE-CLK-002
            return self._refuse("core.clock_ahead", accepted.attributes)
        if len(self._held) >= _HELD_IN_ALL or self._held_octets >= _HELD_OCTETS:
            return self._refuse("core.busy", accepted.attributes)
        self._per_source[source] += 1
        self._arrivals += 1
        self._held_octets += data_size(accepted.frame)
        heappush(self._held, (until_us, self._arrivals, accepted))
        return Held(until_us)

    def _refuse(
        self, code: str, attributes: Mapping[str, str], detail: str = "", pointer: str | None = None
    ) -> Rejected | Dropped:
        """Requests are refused; what answers something, and what names nobody to answer, is dropped (CORE-ENV-006)."""
        known = self._family.by_type.get(attributes.get("type", ""))
        to_answer = self._answers and (known is None or known.KIND == "request")
        if to_answer and answerable(attributes):
            return Rejected(code, pointer, attributes, detail)
        return Dropped(f"{code}: {detail}")
