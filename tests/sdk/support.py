"""What the tests of the SDK share: two identities, a clock reading, and events made from plain values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from comity.sdk._generated.registry_v1.messages import Register
from comity.sdk.codec import encode_structured
from comity.sdk.family import load_family
from comity.sdk.identity import Identity
from comity.sdk.inbox import Inbox, Profile
from comity.sdk.outbox import Outbox
from comity.sdk.ports import Frame, Json, Now

FAMILY = load_family("registry")
AGENT = Identity.from_seed(b"\x01" * 32)
OTHER = Identity.from_seed(b"\x02" * 32)
NOW = Now(100.0, 1_790_000_000.0)
REQUESTS = FAMILY.channels["requests"].messages
ANSWERS = (*FAMILY.channels["replies"].messages, *FAMILY.channels["changes"].messages)


def outbox(identity: Identity = AGENT, profile: Profile = "open") -> Outbox:
    return Outbox(FAMILY, identity, namespace="plant", profile=profile, entropy=b"test")


def inbox(profile: Profile = "open", *, requests: bool = True, max_held: int = 64) -> Inbox:
    accepts = REQUESTS if requests else ANSWERS
    return Inbox(FAMILY, accepts=accepts, namespace="plant", profile=profile, max_held=max_held)


def register(**members: Any) -> Register:
    given: dict[str, Any] = {"agent": AGENT.agent_id, "capabilities": ["a.b"], "lease_ms": 1000, **members}
    return Register(**given)


def request(profile: Profile = "open", now: Now = NOW) -> Frame:
    """A good request, as its sender made it."""
    return outbox(profile=profile).request(register(), now).frame


def altered(data: bytes | Json | None = None, /, **attributes: str | None) -> Frame:
    """A good request with other data, other attributes, and without those that are None."""
    frame = request()
    changed = {**frame.attributes, **attributes}
    kept = {name: value for name, value in changed.items() if value is not None}
    return Frame(kept, frame.data if data is None else data)


def document(frame: Frame, **members: Json) -> bytes:
    """A structured document with members replaced by arbitrary JSON."""
    from comity.sdk.lexical import dump, parse

    parsed = parse(encode_structured(frame))
    assert isinstance(parsed, Mapping)
    return dump({**parsed, **members})
