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
from functools import lru_cache
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from comity.sdk.errors import LocalProtocolError, RemoteProtocolError
from comity.sdk.ports import Frame
from comity.transports._payload import STRUCTURED, check_name, data_bytes, read_structured

__all__ = ["Reader", "decode", "encode", "read_block"]

_PREFIX: Final = "ce-"
_PLAIN = re.compile(r"[!#$&-~]*")  # printable ASCII but space, quotation mark and percent sign
_SAFE: Final = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_QUOTED_PAIR = re.compile(r"\\(.)")
_SHAPES: Final = 256  # rows of names that are remembered, of which a mesh uses few
_LONG: Final = 1024  # characters of such a row, lest strangers fill the memory
_OFTEN: Final = 64
_KNOWN: dict[tuple[str, ...], tuple[str, ...] | None] = {}  # headers, and the attributes that they are


def encode(frame: Frame) -> tuple[dict[str, str], bytes]:
    """Headers and payload of `frame` in binary mode.

    Raises `LocalProtocolError` for an attribute or data that cannot be written.
    """
    attributes = frame.attributes
    headers = _headers(tuple(attributes))
    values = attributes.values()
    try:
        plain = _PLAIN.fullmatch("".join(values))
    except TypeError as error:
        raise LocalProtocolError(f"an attribute is no text: {error}") from error
    return dict(zip(headers, values if plain else map(_escape, values), strict=True)), data_bytes(frame)


def decode(headers: Mapping[str, str] | None, payload: bytes) -> Frame:
    """The frame of a message in either mode.

    Raises `RemoteProtocolError` for a batch, a repeated attribute or a value that is not percent-encoded UTF-8.
    """
    found = headers or {}
    shape = tuple(found)
    names = _KNOWN[shape] if shape in _KNOWN else _attributes(shape)
    if names is not None and _PLAIN.fullmatch("".join(found.values())):
        return Frame(dict(zip(names, found.values(), strict=True)), payload)
    return _decode_others(found, payload)


def read_block(block: bytes) -> dict[str, str]:
    """The headers in `block`, as NATS writes them. A second one of a name differs in case: who reads sees both."""
    found: dict[str, str] = {}
    first, *lines = block.decode("utf-8", "replace").split("\r\n")
    _, _, status = first.partition(" ")
    if status:
        found["Status"], _, found["Description"] = status.partition(" ")
    for line in lines:
        name, colon, text = line.partition(":")
        if colon:
            found[name if name not in found else name.swapcase()] = text.strip()
    return found


class Reader:
    """Reads messages from octets, by one match those whose headers have the names of those before."""

    def __init__(self) -> None:
        self._shape: tuple[str, ...] = ()
        self._in_a_row = 0
        self._pattern: re.Pattern[str] | None = None
        self._names: tuple[str, ...] = ()

    def read(self, block: bytes | None, payload: bytes) -> Frame:
        """See `decode`."""
        if block is None:
            return decode(None, payload)
        if self._pattern is not None and (match := self._pattern.fullmatch(block.decode("utf-8", "replace"))):
            return Frame(dict(zip(self._names, match.groups(), strict=True)), payload)
        headers = read_block(block)
        self._expect(tuple(headers))
        return decode(headers, payload)

    def _expect(self, shape: tuple[str, ...]) -> None:
        """Expect `shape` again once it has come so often in a row that a pattern costs less than was spent anyway."""
        if shape != self._shape:
            self._shape, self._in_a_row, self._pattern = shape, 0, None
        self._in_a_row += 1
        if self._in_a_row == _OFTEN and (names := _KNOWN.get(shape)):
            self._names, self._pattern = names, _pattern(shape)


def _pattern(headers: tuple[str, ...]) -> re.Pattern[str]:
    """Matches a block with those headers whose values stand for themselves."""
    lines = "".join(rf"{re.escape(header)}: ?({_PLAIN.pattern})\r\n" for header in headers)
    return re.compile(rf"NATS/1\.0\r\n{lines}\r\n")


def _decode_others(headers: Mapping[str, str], payload: bytes) -> Frame:
    attributes: dict[str, str] = {}
    for header, text in headers.items():
        name = _attribute(header)
        if name.startswith(":"):
            if name == ":content-type" and text.strip().lower().startswith(STRUCTURED):
                return read_structured(text, payload)
            continue
        if name in attributes:
            raise RemoteProtocolError(f"attribute {name!r} is given twice")
        attributes[name] = _unescape(name, text)
    return Frame(attributes, payload)


def _attributes(headers: tuple[str, ...]) -> tuple[str, ...] | None:
    """The attributes' names for `headers`, None where one is none or is given twice; remembered unless they are long."""
    names = tuple(_attribute(header) for header in headers)
    odd = len(set(names)) < len(names) or any(name.startswith(":") for name in names)
    if sum(map(len, headers)) <= _LONG:
        if len(_KNOWN) >= _SHAPES:
            del _KNOWN[next(iter(_KNOWN))]
        _KNOWN[headers] = None if odd else names
    return None if odd else names


def _attribute(header: str) -> str:
    """The attribute's name for `header`, or `:header` where it is none."""
    lower = header.lower()
    return lower[len(_PREFIX) :] if lower.startswith(_PREFIX) and len(lower) > len(_PREFIX) else f":{lower}"


@lru_cache(maxsize=_SHAPES)
def _headers(names: tuple[str, ...]) -> tuple[str, ...]:
    """The headers for attributes. A name that is none would break the lines of the protocol."""
    for name in names:
        check_name(name)
    return tuple(_PREFIX + name for name in names)


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
