"""Which event goes where: the whole of a gateway's law, as a function of the event, its address, its side and the time.

Responsible for what is listened to on each side, for direction, loops, expiry, signatures and refusals. Not responsible
for moving anything. It keeps no state, neither to deduplicate nor to know who asked: a gateway that was killed has
forgotten nothing, and a repetition reaches whom the first attempt was meant for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Final, NamedTuple, TypeAlias

from comity.sdk.address import Address, parse_address
from comity.sdk.envelope import answerable, read_envelope
from comity.sdk.errors import ConfigError, RemoteProtocolError, SpecError
from comity.sdk.family import Family, load_family
from comity.sdk.identity import Identity
from comity.sdk.inbox import Profile
from comity.sdk.model import Channel
from comity.sdk.outbox import Outbox
from comity.sdk.ports import Frame, Now, Send
from comity.sdk.security import verify_frame

__all__ = ["MAX_HOPS", "Drop", "Pass", "Policy", "Refuse", "Side", "Verdict"]

MAX_HOPS: Final = 8
"""Gateways that an event may pass (CORE-GTW-006)."""
_VIA: Final = "comityvia"
_FAMILIES: Final = ("registry",)


class Side(StrEnum):
    """The two brokers of a gateway, by the names that its operator gives them."""

    FROM = "from"
    TO = "to"

    @property
    def other(self) -> Side:
        """The broker across."""
        return Side.TO if self is Side.FROM else Side.FROM


class Pass(NamedTuple):
    """Publish `send` on the other side."""

    send: Send


class Refuse(NamedTuple):
    """Publish `send`, a refusal, on the side that the request came from."""

    send: Send


class Drop(NamedTuple):
    """Do nothing; `reason` is for logs and never for the wire."""

    reason: str


Verdict: TypeAlias = Pass | Refuse | Drop


class _Way(NamedTuple):
    """One channel of one family; `inward` where it carries requests, which travel home."""

    family: Family
    channel: Channel
    inward: bool


class Policy:
    """What a gateway does with what arrives. `homes` says, by namespace, on which side it is at home.

    The gateway signs its refusals as `identity`; under the profile `signed` it verifies all that it sends on. `families`
    are those whose channels it carries. Raises `ConfigError` for a namespace that is none, and where there is none.
    """

    def __init__(
        self,
        homes: Mapping[str, Side],
        identity: Identity,
        *,
        profile: Profile = "open",
        families: Iterable[str] = _FAMILIES,
    ) -> None:
        if not homes:
            raise ConfigError("a gateway needs a namespace that is at home on one of its sides")
        self.agent = identity.agent_id
        self.homes = dict(homes)
        self._signed = profile == "signed"
        self._ways = {(way.family.name, way.channel.name): way for way in _ways(map(load_family, families))}
        self._patterns = {side: tuple(self._listened(side)) for side in Side}
        self._outboxes = {
            (namespace, way.family.name): Outbox(
                way.family, identity, namespace=namespace, profile=profile, entropy=b""
            )
            for namespace in homes
            for way in self._ways.values()
        }

    def patterns(self, side: Side) -> Sequence[str]:
        """What to subscribe to on `side`: what services send where they are at home, what is asked where they are not."""
        return self._patterns[side]

    def judge(self, side: Side, address: str, frame: Frame, now: Now) -> Verdict:
        """What to do with `frame`, which arrived at `address` on `side`. Never raises on bad input."""
        where, attributes = parse_address(address), frame.attributes
        way, home = self._ways.get((where.family, where.channel)), self.homes.get(where.namespace)
        if way is None or home is None or where.major != way.family.major:
            return Drop("nothing that this gateway carries")
        if way.inward == (side is home):  # CORE-GTW-005
            return Drop("against the direction of its namespace")
        if way.channel.key == "source" and where.keys != (attributes.get("source"),):  # CORE-GTW-008
            return Drop("keyed by another than its source")
        try:
            expiry = read_envelope(attributes)[2]
        except RemoteProtocolError as error:  # CORE-ENV-004
            return self._refuse("core.malformed", way, where, attributes, now, str(error))
        flaw = self._flaw(address, frame, expiry, now)
        if flaw is not None:
            return Drop(flaw)
        code = _objection(way, attributes["type"])
        if code is not None:
            return self._refuse(code, way, where, attributes, now)
        via = attributes.get(_VIA)
        marked = {**attributes, _VIA: self.agent if via is None else f"{via} {self.agent}"}
        return Pass(Send(address, Frame(marked, frame.data)))  # CORE-GTW-001, CORE-GTW-006

    def refuse(self, code: str, address: str, frame: Frame, now: Now) -> Refuse | Drop:
        """The answer to what was let pass and cannot be delivered; what is no request is dropped."""
        where = parse_address(address)
        return self._refuse(code, self._ways[where.family, where.channel], where, frame.attributes, now)

    @staticmethod
    def expired(frame: Frame, now: Now) -> bool:
        """Whether what was let pass has expired since (CORE-GTW-007)."""
        return _expired(read_envelope(frame.attributes)[2], now)

    def _listened(self, side: Side) -> Iterator[str]:
        for namespace, home in self.homes.items():
            for family, channel, inward in self._ways.values():
                if inward != (side is home):
                    yield f"{Address(namespace, family.name, family.major, channel.name)}.>"

    def _flaw(self, address: str, frame: Frame, expiry: int | None, now: Now) -> str | None:
        attributes = frame.attributes
        if attributes["comityaddress"] != address:  # CORE-GTW-008
            return "addressed to another place than it was sent to"
        if _expired(expiry, now):  # CORE-GTW-007
            return "expired"
        passed = attributes.get(_VIA, "").split()
        if self.agent in passed or len(passed) >= MAX_HOPS:  # CORE-GTW-006
            return "passed before" if self.agent in passed else f"passed {MAX_HOPS} gateways"
        if self._signed:
            try:
                verify_frame(frame)
            except RemoteProtocolError as error:  # CORE-GTW-010
                return str(error)
        return None

    def _refuse(
        self, code: str, way: _Way, where: Address, request: Mapping[str, str], now: Now, detail: str = ""
    ) -> Refuse | Drop:
        """Requests are refused; what answers something, and what names nobody to answer, is dropped (CORE-ENV-006)."""
        if not way.inward or not answerable(request):
            return Drop(f"{code}: {detail}")
        message = way.family.messages["Refused"].model_validate({"code": code})
        return Refuse(self._outboxes[where.namespace, way.family.name].reply(request, message, now))


def _expired(expiry: int | None, now: Now) -> bool:
    return expiry is not None and expiry < round(now.wall * 1_000_000)


def _ways(families: Iterable[Family]) -> Iterator[_Way]:
    for family in families:
        for channel in family.channels.values():
            requests = [family.messages[name].KIND == "request" for name in channel.messages]
            if any(requests) != all(requests):
                raise SpecError(
                    f"{family.name}: channel {channel.name} mixes requests with others: no gateway carries it"
                )
            yield _Way(family, channel, inward=all(requests))


def _objection(way: _Way, kind: str) -> str | None:
    """The code with which a message of that type is refused on this way, if any.

    A request of a type that is not known here may write, so it is not let through. Answers and events of a newer minor
    version are, as their readers ignore what they do not know.
    """
    message = way.family.by_type.get(kind)
    if message is None:
        return "core.unknown_type" if way.inward else None
    if message.__name__ not in way.channel.messages:
        return "core.unknown_type"
    return None if message.SAFE or not way.inward else "core.read_only"  # CORE-GTW-003, CORE-GTW-004
