"""The `signed` profile: which bytes of an event are signed, and how a signature travels.

Responsible for the exact signed form and for binding it to the event's source. Not responsible for keys and curves
(see `identity`), for trust, or for what a receiver does about an unsigned event.

Signed is the DSSE pre-authentication encoding `"DSSEv1" SP LEN(type) SP type SP LEN(body) SP body`, lengths as ASCII
decimals, with the payload type `application/vnd.comity.event.v1`. With LP(x) = length of x in octets as ASCII decimal,
a colon, and x, the body is LP(name) LP(value) for each covered attribute present, in bytewise order of names, and
then LP(data). Values are the canonical CloudEvents strings in UTF-8, data the octets as they travelled.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Final

from .errors import LocalProtocolError, RemoteProtocolError
from .identity import Identity, verify
from .lexical import MALFORMED
from .ports import Frame

__all__ = ["COVERED", "PAYLOAD_TYPE", "pre_authentication", "sign_frame", "verify_frame"]

PAYLOAD_TYPE: Final = "application/vnd.comity.event.v1"
COVERED: Final = (
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
)
"""Covered attributes in bytewise order: what names, types and steers an event (CORE-SIG-004)."""
_NAMED: Final = tuple((name, f"{len(name)}:{name}") for name in COVERED)
_HEAD: Final = b"DSSEv1 %d %b " % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode())


def pre_authentication(attributes: Mapping[str, str], data: bytes) -> bytes:
    """The exact octets that a signature over an event with `attributes` and `data` signs."""
    parts: list[str] = []
    for name, prefix in _NAMED:
        value = attributes.get(name)
        if value is not None:
            octets = len(value) if value.isascii() else len(value.encode())
            parts.append(f"{prefix}{octets}:{value}")
    parts.append(f"{len(data)}:")
    head = "".join(parts).encode()
    return b"%b%d %b%b" % (_HEAD, len(head) + len(data), head, data)


def sign_frame(frame: Frame, identity: Identity) -> Frame:
    """`frame` with `comitykey` and `comitysig` by `identity` (CORE-SIG-001).

    Raises `LocalProtocolError` where the source is not `identity` or the data are no bytes.
    """
    if frame.attributes.get("source") != identity.agent_id:
        raise LocalProtocolError("an event is signed by its own source and nobody else")
    if not isinstance(frame.data, bytes):
        raise LocalProtocolError("only data bytes can be signed: a re-serialised value never is")
    signature = identity.sign(pre_authentication(frame.attributes, frame.data))
    text = urlsafe_b64encode(signature)[:-2].decode()
    return Frame({**frame.attributes, "comitykey": identity.agent_id, "comitysig": text}, frame.data)


def verify_frame(frame: Frame) -> None:
    """Return where `frame` carries a good signature of its source; raise `RemoteProtocolError` where it does not.

    The text says which rule failed: CORE-SIG-002 (none), CORE-SIG-005 (another key), CORE-SIG-003, CORE-SIG-004 and
    CORE-SIG-006 (does not verify). `comitykey` and `comitysig` must already match their patterns.
    """
    attributes, data = frame
    text = attributes.get("comitysig")
    if text is None or not isinstance(data, bytes):
        raise RemoteProtocolError("not signed", code=MALFORMED)
    source = attributes["source"]
    if attributes.get("comitykey", source) != source:
        raise RemoteProtocolError("signed by another key than its source's", code=MALFORMED)
    signature = urlsafe_b64decode(f"{text}==")
    if len(text) != 86 or urlsafe_b64encode(signature)[:-2].decode() != text:
        raise RemoteProtocolError("the signature is not canonical base64url", code=MALFORMED)
    try:
        signed = pre_authentication(attributes, data)
    except UnicodeEncodeError:
        raise RemoteProtocolError("a covered attribute is no text", code=MALFORMED) from None
    if not verify(source, signed, signature):
        raise RemoteProtocolError("the signature does not verify", code=MALFORMED)
