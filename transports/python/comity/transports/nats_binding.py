"""CloudEvents and NATS messages, by the NATS protocol binding 1.0.3-wip: pure functions, no broker.

Responsible for binary mode in both directions and for telling structured messages apart; a structured payload
is read by `comity.sdk.codec`. Not responsible for what the attributes mean.

The released binding (1.0.2) knows structured mode only; binary mode is that of the working draft, in which
every attribute, `datacontenttype` included, is a header `ce-NAME` with a percent-encoded value, and a
`Content-Type` of `application/cloudevents` marks the structured messages.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from comity.sdk.errors import LocalProtocolError, RemoteProtocolError
from comity.sdk.ports import Frame
from comity.transports._payload import STRUCTURED, check_name, data_bytes, read_structured

__all__ = ["decode", "encode"]

_PREFIX: Final = "ce-"
_PLAIN = re.compile(r"[!#$&-~]*")  # printable ASCII but space, quotation mark and percent sign
_SAFE: Final = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_QUOTED_PAIR = re.compile(r"\\(.)")
_NAMES: dict[str, str] = {}  # header name to attribute name, for the few names that a mesh uses
_HEADERS: dict[str, str] = {}  # the other way round
_MOST_NAMES: Final = 256


def encode(frame: Frame) -> tuple[dict[str, str], bytes]:
    """Headers and payload of `frame` in binary mode.

    Raises `LocalProtocolError` for an attribute or data that cannot be written.
    """
    headers: dict[str, str] = {}
    for name, value in frame.attributes.items():
        if type(value) is not str:
            raise LocalProtocolError(f"attribute {name!r} is no text: {value!r}")
        headers[_HEADERS.get(name) or _header(name)] = value if _PLAIN.fullmatch(value) else _escape(value)
    return headers, data_bytes(frame)


def decode(headers: Mapping[str, str] | None, payload: bytes) -> Frame:
    """The frame of a message in either mode.

    Raises `RemoteProtocolError` for a batch, a repeated attribute or a value that is not percent-encoded UTF-8.
    """
    attributes: dict[str, str] = {}
    for header, text in (headers or {}).items():
        name = _NAMES.get(header) or _attribute(header)
        if name.startswith(":"):
            if name == ":content-type" and text.strip().lower().startswith(STRUCTURED):
                return read_structured(text, payload)
            continue
        if name in attributes:
            raise RemoteProtocolError(f"attribute {name!r} is given twice")
        attributes[name] = text if _PLAIN.fullmatch(text) else _unescape(name, text)
    return Frame(attributes, payload)


def _attribute(header: str) -> str:
    """The attribute's name for `header`, or `:header` where it is none; remembered."""
    lower = header.lower()
    name = lower[len(_PREFIX) :] if lower.startswith(_PREFIX) and len(lower) > len(_PREFIX) else f":{lower}"
    if len(_NAMES) < _MOST_NAMES:
        _NAMES[header] = name
    return name


def _header(name: str) -> str:
    """The header for attribute `name`; remembered. A name that is none would break the lines of the protocol."""
    check_name(name)
    if len(_HEADERS) < _MOST_NAMES:
        _HEADERS[name] = _PREFIX + name
    return _PREFIX + name


def _escape(value: str) -> str:
    try:
        return quote(value, safe=_SAFE)
    except UnicodeEncodeError as error:
        raise LocalProtocolError(f"an attribute is no text: {value!r}") from error


def _unescape(name: str, text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] == '"':  # older senders quoted instead of escaping
        text = _QUOTED_PAIR.sub(r"\1", text[1:-1])
    if not text.isascii() or _BAD_ESCAPE.search(text):
        raise RemoteProtocolError(f"attribute {name!r} is not percent-encoded")
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError as error:
        raise RemoteProtocolError(f"attribute {name!r} is not UTF-8") from error
