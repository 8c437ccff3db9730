"""The receive path of a signed message against the bare Ed25519 verification of the same octets."""

from __future__ import annotations

from nacl.signing import VerifyKey

from comity.sdk._generated.registry_v1.messages import Register
from comity.sdk.family import load_family
from comity.sdk.identity import Identity, public_key
from comity.sdk.inbox import Accepted, Inbox
from comity.sdk.outbox import Outbox
from comity.sdk.ports import Now
from comity.sdk.security import pre_authentication, verify_frame
from tests.benchmarks.common import Row, emit, interleaved

NOW = Now(1.0, 1_790_000_000.25)
FAMILY = load_family("registry")
IDENTITY = Identity.from_seed(bytes(range(32)))
OUTBOX = Outbox(FAMILY, IDENTITY, namespace="plant", profile="signed", entropy=b"bench")
MESSAGE = Register(
    agent=IDENTITY.agent_id,
    capabilities=["ml.inference@1.2", "text.summary"],
    lease_ms=30_000,
    metadata={"zone": "eu-1", "load": 0.25, "tags": ["a", "b"]},
    health="healthy",
)
FRAME = OUTBOX.request(MESSAGE, NOW).frame
INBOX = Inbox(FAMILY, accepts=FAMILY.channels["requests"].messages, namespace="plant", profile="signed")
assert isinstance(FRAME.data, bytes)
SIGNED = pre_authentication(FRAME.attributes, FRAME.data)
SIGNATURE = IDENTITY.sign(SIGNED)
KEY = VerifyKey(public_key(IDENTITY.agent_id) or b"")


def receive() -> object:
    return INBOX.receive(FRAME, NOW)


def check() -> None:
    verify_frame(FRAME)


def verify() -> bytes:
    return KEY.verify(SIGNED, SIGNATURE)


def rows() -> list[Row]:
    assert isinstance(receive(), Accepted)
    times = interleaved({"receive": receive, "check": check, "bare": verify}, inner=300)
    bare = times["bare"]
    octets = f"{len(SIGNED)} signed octets"
    return [
        _row(
            "signed message, receive path",
            times["receive"],
            bare,
            f"{octets}; every check of the receiver included",
        ),
        _row(
            "its signature alone",
            times["check"],
            bare,
            f"{octets}; encoding, base64 and the strict rule included",
        ),
    ]


def _row(name: str, ours: float, bare: float, note: str) -> Row:
    ratio = ours / bare
    return Row(
        name, ours * 1e6, "µs", "≤ 1.25 ×", ratio <= 1.25, "bare PyNaCl verify", bare * 1e6, ratio, note
    )


if __name__ == "__main__":
    emit(rows())
