"""Events as bytes: what the suite writes and how the judge reads, independently of the SDK's codec.

Responsible for structured-mode documents, the lexical rules on data, timestamps, addresses and `did:key`. Not
responsible for what a message means, nor for signatures.
"""

from __future__ import annotations

import base64
import binascii
import calendar
import json
import math
import re
import time
from functools import lru_cache
from typing import Any, cast

__all__ = [
    "MAX_DEPTH",
    "Lexical",
    "NotAnEvent",
    "address",
    "agent_id",
    "data_of",
    "document",
    "dump",
    "items_of",
    "members_of",
    "millis",
    "namespace_of",
    "parse",
    "public_key",
    "stamp",
]

MAX_DEPTH = 32
_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_:-")


class NotAnEvent(ValueError):
    """The bytes are no structured-mode event."""


class Lexical(ValueError):
    """Data that break a lexical rule; `fact` names which, as the core family's facts do."""

    def __init__(self, fact: str, detail: str) -> None:
        super().__init__(detail)
        self.fact = fact


def members_of(value: object) -> dict[str, Any] | None:
    """A JSON object with its type known; None for anything else."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def items_of(value: object) -> list[Any] | None:
    """A JSON array with its type known; None for anything else."""
    return value if isinstance(value, list) else None  # pyright: ignore[reportUnknownVariableType]


def dump(value: object) -> str:
    """Compact JSON text; the same value always gives the same text."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


# -------------------------------------------------------------------- lexical rules


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Lexical("duplicate_name", "a member is named twice")
    return found


def _constant(text: str) -> float:
    raise Lexical("bad_number", f"{text} is not JSON")


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise Lexical("bad_number", f"{text} is beyond the finite doubles")
    return value


def _integer(text: str) -> int | float:
    return _float(text) if len(text) > 300 else int(text)


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_constant, parse_float=_float, parse_int=_integer
)


_TOKENS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[][{}]', re.DOTALL)


def _deep(text: str) -> bool:
    """Whether brackets outside of strings nest deeper than allowed."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return False
    depth = 0
    for token in _TOKENS.findall(text):
        if token in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif token in "]}":
            depth -= 1
    return False


def _surrogate(value: Any) -> bool:
    if isinstance(value, str):
        return any("\ud800" <= char <= "\udfff" for char in value)
    members = members_of(value)
    if members is not None:
        return any(_surrogate(key) or _surrogate(item) for key, item in members.items())
    return any(_surrogate(item) for item in items_of(value) or ())


def parse(data: bytes) -> Any:
    """Read JSON by the lexical rules. Raises `Lexical` (CORE-LEX-001 to 005)."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Lexical("bad_text", "not UTF-8") from error
    if text.startswith("\ufeff"):
        raise Lexical("bad_text", "begins with a byte-order mark")
    if _deep(text):
        raise Lexical("too_deep", f"nests deeper than {MAX_DEPTH}")
    try:
        value: Any = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise Lexical("truncated", str(error)) from error
    if "\\u" in text and _surrogate(value):
        raise Lexical("bad_text", "has a lone surrogate")
    return value


# ------------------------------------------------------------------------ documents


def document(frame: bytes) -> dict[str, Any]:
    """Read a structured-mode document. Raises `NotAnEvent`."""
    try:
        found = members_of(parse(frame))
    except Lexical as error:
        raise NotAnEvent(str(error)) from error
    if found is None or "specversion" not in found:
        raise NotAnEvent("not an object with specversion")
    return found


def data_of(doc: dict[str, Any]) -> Any:
    """The data of an event as a JSON value. Raises `Lexical`."""
    if "data_base64" not in doc:
        if "data" not in doc:
            raise Lexical("truncated", "there is no data")
        return doc["data"]
    try:
        raw = base64.b64decode(doc["data_base64"], validate=True)
    except (binascii.Error, TypeError, ValueError) as error:
        raise Lexical("truncated", "data_base64 is not base64") from error
    return parse(raw)


# --------------------------------------------------------------- time and addresses


@lru_cache(maxsize=4096)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def stamp(wall_ms: int) -> str:
    """Unix milliseconds as an RFC 3339 timestamp."""
    return f"{_second(wall_ms // 1000)}.{wall_ms % 1000:03d}Z"


@lru_cache(maxsize=4096)
def millis(text: str) -> float | None:
    """An RFC 3339 timestamp as Unix milliseconds; None where it names no instant."""
    head, _, fraction = text.rstrip("Z").partition(".")
    try:
        seconds = calendar.timegm(time.strptime(head, "%Y-%m-%dT%H:%M:%S"))
    except ValueError:
        return None
    return seconds * 1000 + (float("0." + fraction) * 1000 if fraction else 0.0)


def address(namespace: str, family: str, major: int, channel: str, key: str) -> str:
    """Canonical text form of an address with one key."""
    level = key
    if not _PLAIN.issuperset(key):
        level = "".join(c if c in _PLAIN else "".join(f"%{b:02X}" for b in c.encode()) for c in key)
    return f"{namespace}.{family}.v{major}.{channel}.{level}"


def namespace_of(text: str) -> str:
    return text.partition(".")[0]


# -------------------------------------------------------------------------- did:key


def agent_id(public: bytes) -> str:
    """`did:key` of a 32-byte Ed25519 public key."""
    number = int.from_bytes(b"\xed\x01" + public, "big")
    digits = ""
    while number:
        number, rest = divmod(number, 58)
        digits = _ALPHABET[rest] + digits
    return "did:key:z" + digits


@lru_cache(maxsize=1024)
def public_key(agent: str) -> bytes | None:
    """The 32 bytes behind a `did:key`; None where it is none of Ed25519."""
    number = 0
    for char in agent.removeprefix("did:key:z"):
        place = _ALPHABET.find(char)
        if place < 0:
            return None
        number = number * 58 + place
    raw = number.to_bytes(max(34, (number.bit_length() + 7) // 8), "big")
    return raw[2:] if raw[:2] == b"\xed\x01" and len(raw) == 34 else None
