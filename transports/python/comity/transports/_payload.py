"""What a frame may carry and the octets of its data, the same for every transport.

Responsible for refusing attributes that no binding can write, for serialising data that is a JSON value, and for reading
structured mode, which is the same in every binding. Not responsible for how a binding writes the rest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final

from comity.sdk.errors import LocalProtocolError, RemoteProtocolError
from comity.sdk.ports import Frame

__all__ = ["STRUCTURED", "check_attributes", "check_name", "data_bytes", "read_structured"]

STRUCTURED: Final = "application/cloudevents"
"""How the content type of every structured message begins."""

_ATTRIBUTE = re.compile(r"[a-z0-9]{1,20}")
_NAMES: set[str] = set()  # names that passed, of which a mesh uses few
_MOST_NAMES: Final = 256

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def data_bytes(frame: Frame) -> bytes:
    """The data as it travels: octets as they are, a JSON value compactly in UTF-8.

    Raises `LocalProtocolError` for a value that JSON cannot carry (NaN, infinity, a lone surrogate).
    """
    if isinstance(frame.data, bytes):
        return frame.data
    try:
        return _encode(frame.data).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise LocalProtocolError(f"the data is not JSON: {error}") from error


def check_attributes(attributes: Mapping[str, str]) -> None:
    """Raises `LocalProtocolError` for an attribute that binary mode cannot carry, so that no transport carries more
    than another."""
    for name, value in attributes.items():
        if name not in _NAMES:
            check_name(name)
        if type(value) is not str or not (value.isascii() or _is_text(value)):
            raise LocalProtocolError(f"attribute {name!r} is no text: {value!r}")


def check_name(name: str) -> None:
    """Raises `LocalProtocolError` for what is no name of an attribute: it would break the lines of a protocol."""
    if not _ATTRIBUTE.fullmatch(name):
        raise LocalProtocolError(f"{name!r} is no attribute: names are 1 to 20 of a-z and 0-9")
    if len(_NAMES) < _MOST_NAMES:
        _NAMES.add(name)


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def read_structured(content_type: str, payload: bytes) -> Frame:
    """The frame of a structured message. Raises `RemoteProtocolError` for a batch or any format but JSON."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind not in (STRUCTURED, f"{STRUCTURED}+json"):
        raise RemoteProtocolError(
            f"content type {kind!r} is not understood: send application/cloudevents+json"
        )
    from comity.sdk.codec import decode_structured  # imported late: binary mode needs no codec

    return decode_structured(payload)
