"""Signatures as the judge makes and checks them, by its own call into the crypto library.

Responsible for the key pairs of the suite's clients, the bytes that a signature covers, signing, and the strict
verification rule. Not responsible for what an unsigned or forged event means.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from functools import lru_cache
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from .wire import agent_id, public_key

__all__ = ["COVERED", "KeyPair", "overspelt", "sign", "verify", "weak_signature"]

COVERED: Final = [
    "causationid",
    "comityaddress",
    "comityversion",
    "correlationid",
    "datacontenttype",
    "expirytime",
    "id",
    "sequence",
    "source",
    "specversion",
    "subject",
    "time",
    "type",
]
_TYPE: Final = b"application/vnd.comity.event.v1"
_P: Final = 2**255 - 19
_ORDER: Final = 2**252 + 27742317777372353535851937790883648493
# y coordinates of the points whose order divides 8
_SMALL: Final = frozenset(
    {
        0,
        1,
        _P - 1,
        2707385501144840649318225287225658788936804267575313519463743609750303402022,
        55188659117513257062467267217118295137698188065244968500265048394206261417927,
    }
)


class KeyPair:
    """One Ed25519 key pair and the agent id made from it."""

    def __init__(self, seed: bytes) -> None:
        self.seed = seed
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = self._private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.agent = agent_id(self.public)

    def sign(self, payload: bytes) -> bytes:
        return self._private.sign(payload)


def _covered(doc: dict[str, Any]) -> bytes:
    raw = base64.b64decode(doc["data_base64"], validate=True)
    parts: list[bytes] = []
    for name in COVERED:
        if name in doc:
            parts += [name.encode(), str(doc[name]).encode()]
    parts.append(raw)
    body = b"".join(b"%d:%s" % (len(part), part) for part in parts)
    return b"DSSEv1 %d %s %d %s" % (len(_TYPE), _TYPE, len(body), body)


def _text(signature: bytes) -> str:
    return base64.urlsafe_b64encode(signature).rstrip(b"=").decode()


def sign(doc: dict[str, Any], key: KeyPair) -> dict[str, Any]:
    """The document with `comitykey` and `comitysig`; its data have to be `data_base64` already."""
    return {**doc, "comitykey": key.agent, "comitysig": _text(key.sign(_covered(doc)))}


def overspelt(signature: str) -> str:
    """The same signature with S + L for S: it satisfies the equation where nobody asks for the canonical form."""
    raw = base64.urlsafe_b64decode(signature + "==")
    s = int.from_bytes(raw[32:], "little") + _ORDER
    return _text(raw[:32] + s.to_bytes(32, "little"))


def weak_signature(seed: bytes) -> tuple[str, str]:
    """A small-order agent id and a signature that fits any message under it where nobody looks at the order."""
    scalar = bytearray(hashlib.sha512(seed).digest()[:32])
    scalar[0] &= 248
    scalar[31] = scalar[31] & 127 | 64
    s = int.from_bytes(scalar, "little") % _ORDER
    return agent_id(b"\x01" + bytes(31)), _text(KeyPair(seed).public + s.to_bytes(32, "little"))


@lru_cache(maxsize=256)
def _key(agent: str) -> Ed25519PublicKey | None:
    raw = public_key(agent)
    if raw is None or not _good_point(raw):
        return None
    return Ed25519PublicKey.from_public_bytes(raw)


def _good_point(raw: bytes) -> bool:
    y = int.from_bytes(raw, "little") & ~(1 << 255)
    return y < _P and y not in _SMALL


def verify(doc: dict[str, Any]) -> str | None:
    """None where the event is well signed by its source; otherwise the core fact that it is an instance of."""
    if "comitysig" not in doc:
        return "unsigned"
    source = str(doc.get("source"))
    raw = public_key(source)
    if raw is not None and not _good_point(raw):
        return "weak_key"
    if doc.get("comitykey", source) != source:
        return "other_key"
    key = _key(source)
    try:
        signature = base64.urlsafe_b64decode(str(doc["comitysig"]) + "==")
        if key is None or len(signature) != 64 or not _good_point(signature[:32]):
            return "forged"
        if int.from_bytes(signature[32:], "little") >= _ORDER:
            return "forged"
        key.verify(signature, _covered(doc))
    except (InvalidSignature, KeyError, ValueError, binascii.Error):
        return "forged"
    return None
