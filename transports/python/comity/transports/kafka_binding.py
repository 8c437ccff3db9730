"""CloudEvents and Kafka records, by the Kafka protocol binding 1.0.2: pure functions, no broker.

Responsible for binary and structured mode in both directions; structured documents are read and written by
`comity.sdk.codec`. Not responsible for topics and record keys (`comity.sdk.address`), nor for what the attributes
mean.

In binary mode every attribute is a header `ce_NAME` in UTF-8, but `datacontenttype`, which is the header
`content-type`. A `content-type` of `application/cloudevents` marks the structured records.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from comity.sdk.errors import LocalProtocolError, RemoteProtocolError
from comity.sdk.ports import Frame
from comity.transports._payload import STRUCTURED, check_attributes, check_name, data_bytes, read_structured

__all__ = ["decode", "encode", "encode_structured"]

_PREFIX: Final = "ce_"
_CONTENT_TYPE: Final = "content-type"
_DOCUMENT: Final = ((_CONTENT_TYPE, b"application/cloudevents+json; charset=UTF-8"),)
_NAMES: dict[str, str] = {}  # header name to attribute name, for the few that a mesh uses
_HEADERS: dict[str, str] = {"datacontenttype": _CONTENT_TYPE}  # the other way round
_MOST_NAMES: Final = 256


def encode(frame: Frame) -> tuple[list[tuple[str, bytes]], bytes]:
    """Headers and value of `frame` in binary mode.

    Raises `LocalProtocolError` for an attribute or data that cannot be written.
    """
    headers: list[tuple[str, bytes]] = []
    for name, value in frame.attributes.items():
        octets = value.encode() if type(value) is str and value.isascii() else _octets(name, value)
        headers.append((_HEADERS.get(name) or _header(name), octets))
    if frame.attributes.get("datacontenttype", "").lower().startswith(STRUCTURED):
        raise LocalProtocolError("data that is itself an event would be read in place of this one")
    return headers, data_bytes(frame)


def encode_structured(frame: Frame) -> tuple[list[tuple[str, bytes]], bytes]:
    """Headers and value of `frame` in structured mode, a JSON document.

    Raises `LocalProtocolError` for an attribute or data that cannot be written.
    """
    from comity.sdk.codec import encode_structured as document  # imported late: binary mode needs no codec

    check_attributes(frame.attributes)
    data_bytes(frame)
    return list(_DOCUMENT), document(frame)


def decode(headers: Iterable[tuple[str, bytes | None]], value: bytes | None) -> Frame:
    """The frame of a record in either mode.

    Raises `RemoteProtocolError` for a tombstone, a batch, a repeated attribute or one that is not UTF-8.
    """
    if value is None:
        raise RemoteProtocolError("a record without a value is a tombstone and no event")
    attributes: dict[str, str] = {}
    name: str | None = None
    try:
        for header, octets in headers:
            name = _NAMES.get(header)
            if name is None:
                name = _attribute(header)
            if not name:
                continue
            if name in attributes:
                raise RemoteProtocolError(f"attribute {name!r} is given twice")
            attributes[name] = octets.decode() if octets else ""
    except UnicodeDecodeError as error:
        raise RemoteProtocolError(f"attribute {name!r} is not UTF-8") from error
    kind = attributes.get("datacontenttype", "").strip().lower()
    return read_structured(kind, value) if kind.startswith(STRUCTURED) else Frame(attributes, value)


def _attribute(header: str) -> str:
    """The attribute's name for `header`, empty where it is none; remembered."""
    lower = header.lower()
    name = lower[len(_PREFIX) :] if lower.startswith(_PREFIX) else ""
    if lower == _CONTENT_TYPE:
        name = "datacontenttype"
    elif name == "datacontenttype":
        name = ""  # the binding has another header for it
    if len(_NAMES) < _MOST_NAMES:
        _NAMES[header] = name
    return name


def _header(name: str) -> str:
    """The header for attribute `name`; remembered."""
    check_name(name)
    if len(_HEADERS) < _MOST_NAMES:
        _HEADERS[name] = _PREFIX + name
    return _PREFIX + name


def _octets(name: str, value: str) -> bytes:
    if type(value) is not str:
        raise LocalProtocolError(f"attribute {name!r} is no text: {value!r}")
    try:
        return value.encode()
    except UnicodeEncodeError as error:
        raise LocalProtocolError(f"attribute {name!r} is no text: {value!r}") from error
