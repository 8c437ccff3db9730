"""CloudEvents and MQTT 5 messages, by the MQTT protocol binding 1.0.2: pure functions, no broker.

Responsible for both modes in both directions; a structured payload is written and read by `comity.sdk.codec`.
Not responsible for what the attributes mean.

In binary mode `datacontenttype` is the content type and every other attribute a user property of its own name.
What MQTT cannot carry so is written in structured mode: control characters and noncharacters, texts over 65,535
octets, data that are an event themselves. A message without any property, as MQTT 3.1.1 clients send it, is read
as a structured event where it is one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from comity.sdk.codec import decode_structured, encode_structured
from comity.sdk.errors import ComityError, RemoteProtocolError
from comity.sdk.ports import Frame
from comity.transports._payload import STRUCTURED as EVENT
from comity.transports._payload import check_attributes, data_bytes, read_structured

__all__ = ["STRUCTURED", "Native", "decode", "encode", "structured"]

STRUCTURED: Final = "application/cloudevents+json; charset=utf-8"
_MOST: Final = 65535 // 4  # characters that certainly fit
_ATTRIBUTE = re.compile(r"[a-z0-9]+")
_UNWRITABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\ufdd0-\ufdef"
    + "".join(chr(plane << 16 | low) for plane in range(17) for low in (0xFFFE, 0xFFFF))
    + "]"
)


class Native(NamedTuple):
    """An MQTT 5 application message, as far as the binding uses it."""

    content_type: str | None
    user: Sequence[tuple[str, str]]
    payload: bytes


def encode(frame: Frame) -> Native:
    """The message for `frame`, in binary mode where it can be.

    Raises `LocalProtocolError` for an attribute or data that cannot be written.
    """
    attributes = frame.attributes
    check_attributes(attributes)
    for value in attributes.values():
        if len(value) > _MOST or (
            not (value.isascii() and value.isprintable()) and _UNWRITABLE.search(value)
        ):
            return structured(frame)
    kind = attributes.get("datacontenttype")
    if kind is None:
        return Native(None, [*attributes.items()], data_bytes(frame))
    if kind.strip().lower().startswith(EVENT):
        return structured(frame)
    user = [item for item in attributes.items() if item[0] != "datacontenttype"]
    return Native(kind, user, data_bytes(frame))


def structured(frame: Frame) -> Native:
    """The message for `frame` in structured mode, as clients of MQTT 3.1.1 read it too.

    Raises `LocalProtocolError` for an attribute or data that cannot be written.
    """
    check_attributes(frame.attributes)
    return Native(STRUCTURED, [], encode_structured(frame))


def decode(message: Native) -> Frame:
    """The frame of a message in either mode.

    Raises `RemoteProtocolError` for a batch, an unknown event format or a repeated attribute.
    """
    kind = message.content_type
    if kind is not None and kind.strip().lower().startswith(EVENT):
        return read_structured(kind, message.payload)
    attributes = {} if kind is None else {"datacontenttype": kind}
    if kind is None and not message.user:
        return _plain(message.payload)
    for name, value in message.user:
        if name == "datacontenttype" and value == kind:
            continue  # as the SDK for JavaScript writes it, besides the content type
        if name in attributes:
            raise RemoteProtocolError(f"attribute {name!r} is given twice")
        if _ATTRIBUTE.fullmatch(name):
            attributes[name] = value
    return Frame(attributes, message.payload)


def _plain(payload: bytes) -> Frame:
    if payload.lstrip()[:1] == b"{":
        try:
            frame = decode_structured(payload)
        except ComityError:
            return Frame({}, payload)
        if "specversion" in frame.attributes:
            return frame
    return Frame({}, payload)
