"""Events as they may reach a gateway, each known to be in order or to have certain flaws.

Responsible for making them from what the test chose, without asking the gateway. Not responsible for what is right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hypothesis import strategies as st

from comity.gateway import Policy, Side, Verdict
from comity.sdk.address import Address
from comity.sdk.envelope import format_time
from comity.sdk.identity import Identity
from comity.sdk.inbox import Profile
from comity.sdk.ports import Frame, Now
from comity.sdk.security import sign_frame

__all__ = ["ELSEWHERE", "GATEWAY", "HOMES", "NOW", "SAFE", "SENDER", "Case", "cases", "event"]

GATEWAY: Final = Identity.from_seed(b"\x03" * 32)
SENDER: Final = Identity.from_seed(b"\x01" * 32)
OTHERS: Final = [Identity.from_seed(bytes([n]) * 32).agent_id for n in range(4, 13)]
NOW: Final = Now(100.0, 1_790_000_000.0)
HOMES: Final = {"edge": Side.FROM, "core": Side.TO}
ELSEWHERE: Final = "moon"

SAFE: Final = ("Lookup", "Query", "List", "Count", "Watch", "Unwatch")
UNSAFE: Final = ("Register", "Update", "Renew", "Deregister")
ANSWERS: Final = ("Registered", "Updated", "Renewed", "Found", "Page", "Counted", "Watching", "Refused")
EVENTS: Final = ("Changes",)
_PROFILES: Final[tuple[Profile, ...]] = ("open", "signed")
_FLAWS: Final = ("key", "address", "looped", "full", "expired", "unsigned", "altered", "malformed")


@dataclass(frozen=True)
class Case:
    """An event of type `message` of `namespace`, delivered at `address` on `side` of a gateway of `profile`."""

    message: str
    namespace: str
    side: Side
    profile: Profile
    flaws: frozenset[str]
    address: str
    frame: Frame

    @property
    def request(self) -> bool:
        return self.message in SAFE + UNSAFE

    @property
    def astray(self) -> bool:
        """Whether it came on the side that its kind does not come from."""
        return (HOMES[self.namespace] is self.side) == self.request

    @property
    def good(self) -> bool:
        """Whether nothing is wrong with it, so that only its kind decides."""
        harmless = {"unsigned", "altered"} if self.profile == "open" else set[str]()
        return not self.astray and not self.flaws - harmless

    def judged(self) -> Verdict:
        """What the reference does with it."""
        policy = Policy(HOMES, GATEWAY, profile=self.profile)
        return policy.judge(self.side, self.address, self.frame, NOW)


def event(
    message: str, namespace: str, key: str = SENDER.agent_id, *, number: int = 1, **more: str
) -> tuple[str, Frame]:
    """An unsigned event of the registry family and where it is sent to."""
    channel = "requests" if message in SAFE + UNSAFE else "changes" if message in EVENTS else "replies"
    address = str(Address(namespace, "registry", 1, channel, (key,)))
    attributes = {
        "specversion": "1.0",
        "id": f"e{number}",
        "source": SENDER.agent_id,
        "type": f"comity.registry.v1.{message}",
        "time": format_time(NOW.wall),
        "datacontenttype": "application/json",
        "sequence": f"{number:016d}",
        "comityversion": "1.0",
        "comityaddress": address,
    }
    return address, Frame({**attributes, **more}, b'{"n":%d}' % number)


_SIDES = st.sampled_from(Side)
_NAMESPACES = st.sampled_from(list(HOMES))
_MESSAGES = st.sampled_from(SAFE + UNSAFE + ANSWERS + EVENTS)
_FLAWED = st.one_of(
    st.just(frozenset[str]()),
    st.sampled_from(_FLAWS).map(lambda flaw: frozenset({flaw})),
    st.frozensets(st.sampled_from(_FLAWS), max_size=2),
)
_PASSED = st.lists(st.sampled_from(OTHERS), max_size=3, unique=True)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Cases of every kind, many of them without flaws or with one."""
    message, namespace, side = draw(_MESSAGES), draw(_NAMESPACES), draw(_SIDES)
    profile, flaws = draw(st.sampled_from(_PROFILES)), draw(_FLAWED)
    number = draw(st.integers(0, 7))  # in its bits, which of the harmless differences it has
    key = OTHERS[0] if "key" in flaws or (message not in SAFE + UNSAFE and number & 1) else SENDER.agent_id
    address, frame = event(message, namespace, key, number=number)
    attributes = dict(frame.attributes)
    if number & 2 or "expired" in flaws:
        attributes["expirytime"] = format_time(NOW.wall + (-0.001 if "expired" in flaws else 60))
    if "address" in flaws:
        attributes["comityaddress"] = str(Address(namespace, "registry", 1, "replies", ("elsewhere",)))
    if "malformed" in flaws:
        attributes["time"] = "noon"
    signed = sign_frame(Frame(attributes, frame.data), SENDER)
    attributes = dict(attributes if "unsigned" in flaws else signed.attributes)
    if "altered" in flaws:
        attributes["sequence"] = "9" * 16
    via = draw(_PASSED)
    via = [*via, GATEWAY.agent_id] if "looped" in flaws else via
    via = OTHERS[:8] if "full" in flaws else via
    if via:
        attributes["comityvia"] = " ".join(via)
    if number & 4:
        attributes["xroute"] = "7"
    return Case(message, namespace, side, profile, flaws, address, Frame(attributes, frame.data))
