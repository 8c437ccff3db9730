"""JSON text by the lexical rules: what two parsers could read differently is no JSON here.

Responsible for bytes -> Python value and back: UTF-8 without byte-order mark, no duplicate names, no lone surrogate, no
NaN or infinity, nesting at most 32, one complete value and nothing behind it. Not responsible for which
values a message may have: that is the schema's business, and the codec's to ask.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any, Final

from jiter import from_json
from pydantic_core import PydanticSerializationError, to_json

from .errors import LocalProtocolError, RemoteProtocolError

if TYPE_CHECKING:
    from .ports import Json

__all__ = ["MALFORMED", "MAX_DEPTH", "check_depth", "check_finite", "dump", "parse", "read"]

MALFORMED: Final = "core.malformed"
MAX_DEPTH: Final = 32


def parse(data: bytes) -> Json:
    """The value of `data` by every lexical rule. Raises `RemoteProtocolError` with `core.malformed`."""
    value: Json = read(data)
    check_depth(value, data)
    check_finite(value)
    return value


def read(data: bytes) -> Any:
    """Parse once, by all rules but depth beyond `MAX_DEPTH` and numbers beyond the finite doubles.

    Those two need a look at the value and are told apart so that a reader pays for them only where they can occur.
    """
    try:
        return from_json(data, allow_inf_nan=False, catch_duplicate_keys=True)
    except ValueError as error:
        raise RemoteProtocolError(f"not JSON by the lexical rules: {error}", code=MALFORMED) from None


def check_depth(value: Json, text: bytes) -> None:
    """Refuse nesting beyond 32 (CORE-LEX-004). `text` spells `value`: as few brackets cannot nest deeper."""
    if text.count(b"{") + text.count(b"[") > MAX_DEPTH and _deeper(value, MAX_DEPTH):
        raise RemoteProtocolError(f"nested deeper than {MAX_DEPTH}", code=MALFORMED)


def check_finite(value: Json) -> None:
    """Refuse numbers beyond the finite doubles (CORE-LEX-002), which the parser reads as infinite or as long integers."""
    pending: list[Json] = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)
        elif isinstance(item, int | float) and not _finite(item):
            raise RemoteProtocolError("a number lies beyond the finite doubles", code=MALFORMED)


def dump(value: object) -> bytes:
    """Compact JSON. Raises `LocalProtocolError` for what JSON cannot carry."""
    try:
        return to_json(value, inf_nan_mode="constants")
    except (PydanticSerializationError, ValueError) as error:
        raise LocalProtocolError(f"cannot be written as JSON: {error}") from error


def _finite(number: float) -> bool:
    try:
        return isfinite(number)
    except OverflowError:
        return False


def _deeper(value: Json, limit: int) -> bool:
    level: list[Json] = [value]
    for _ in range(limit + 1):
        level = [child for item in level if isinstance(item, dict | list) for child in _children(item)]
    return bool(level)


def _children(item: dict[str, Json] | list[Json]) -> list[Json]:
    # an empty container still is a level: a stand-in child keeps it in sight
    return list(item.values() if isinstance(item, dict) else item) or [None]
