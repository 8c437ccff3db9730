"""The octets of a frame's data, the same for every transport that carries octets.

Responsible for serialising data that is a JSON value. Not responsible for envelopes: a binding's module is.
"""

from __future__ import annotations

import json

from comity.sdk.errors import LocalProtocolError
from comity.sdk.ports import Frame

__all__ = ["data_bytes"]

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
