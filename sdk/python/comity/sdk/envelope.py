"""The envelope of every message: its attributes, their patterns, and the stamps in them.

Responsible for reading attributes strictly, by `core#/$defs/Attributes`, and for building them. Not responsible for
data, signatures, or for what a receiver does about an envelope that it cannot read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from operator import itemgetter
from typing import Final, NamedTuple

from .address import parse_address
from .errors import ConfigError, RemoteProtocolError
from .lexical import MALFORMED

__all__ = ["REQUIRED", "Route", "answerable", "format_time", "parse_time", "read_envelope"]

_AGENT = r"did:key:z6Mk[1-9A-HJ-NP-Za-km-z]{44}"
_ID = r"[A-Za-z0-9._:-]{1,64}"
_TIME = (
    r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
    r"T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?Z"
)
REQUIRED: Final[Mapping[str, str]] = {
    "specversion": r"1\.0",
    "id": _ID,
    "source": _AGENT,
    "type": r"(?=[^\n]{1,128}(?:\n|\Z))comity\.[a-z][a-z0-9-]{0,31}\.v[1-9][0-9]{0,2}\.[A-Z][A-Za-z0-9]{0,63}",
    "time": _TIME,
    "datacontenttype": r"application/json",
    "sequence": r"[0-9]{16}",
    "comityversion": r"[1-9][0-9]{0,2}\.(?:0|[1-9][0-9]{0,3})",
    "comityaddress": r"[^\n]{1,1024}",
}
"""Required attributes (CORE-ENV-001) and the patterns of their values."""

_OPTIONAL: Final[Mapping[str, str]] = {
    "correlationid": _ID,
    "causationid": _ID,
    "expirytime": _TIME,
    "traceparent": r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}",
    "tracestate": r"(?s:.{0,512})",
    "partitionkey": r"(?s:.{0,256})",
    "comitycrit": r"(?=.{1,512}\Z)[A-Za-z_][A-Za-z0-9_]*(?: [A-Za-z_][A-Za-z0-9_]*)*",
    "comitykey": _AGENT,
    "comitysig": r"[A-Za-z0-9_-]{86}",
    "comityvia": rf"{_AGENT}(?: {_AGENT}){{0,7}}",
}
_EACH = {name: re.compile(pattern) for name, pattern in _OPTIONAL.items()}
# what stays the same from message to message of one source on one channel, and what differs with every one
_STANDING = ("specversion", "source", "type", "datacontenttype", "comityversion", "comityaddress")
_OWN = ("id", "time", "sequence")
_standing = itemgetter(*_STANDING)
_own = itemgetter(*_OWN)
# one match over several values, of which none admits the separator
_ALL_STANDING = re.compile("\n".join(f"(?:{REQUIRED[name]})" for name in _STANDING))
_ALL_OWN = re.compile("\n".join(f"(?:{REQUIRED[name]})" for name in _OWN))
_EXTENSION = re.compile(r"[a-z0-9]{1,20}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Route(NamedTuple):
    """What the standing attributes of a source say: the address's namespace and the version spoken."""

    namespace: str
    major: int
    minor: int


def read_envelope(attributes: Mapping[str, str]) -> tuple[Route, int, int | None]:
    """Check every attribute and read those that decide: route, time, and expiry where there is one (CORE-ENV-004).

    Times are Unix time in microseconds.

    Unknown extension attributes pass when their names are well formed (CORE-ENV-005). Raises `RemoteProtocolError`
    with `core.malformed` whose text names the offending attribute; attributes have no JSON pointer.
    """
    try:
        own = _own(attributes)
        route = _route(*_standing(attributes))
    except KeyError as missing:
        raise _malformed(str(missing.args[0]), "is missing") from None
    if _ALL_OWN.fullmatch("\n".join(own)) is None:
        raise _malformed(_culprit(zip(_OWN, own, strict=True)), "breaks its pattern")
    if len(attributes) > len(REQUIRED):
        _check_others(attributes)
    expiry = attributes.get("expirytime")
    expiry_us = None if expiry is None else parse_time(expiry, "expirytime")
    return route, parse_time(own[1], "time"), expiry_us


def answerable(attributes: Mapping[str, str]) -> bool:
    """Whether `source` and `id` can be read, so that there is somebody to answer and something to name."""
    source, event = attributes.get("source", ""), attributes.get("id", "")
    return re.fullmatch(_AGENT, source) is not None and re.fullmatch(_ID, event) is not None


def parse_time(text: str, name: str = "time") -> int:
    """Microseconds since 1970 of a stamp that matches the pattern. Raises `RemoteProtocolError` for 30 February."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _malformed(name, "is no date of the calendar") from None
    gone = moment - _EPOCH
    return (gone.days * 86400 + gone.seconds) * 1_000_000 + gone.microseconds


def format_time(wall: float) -> str:
    """The stamp of Unix time `wall` in seconds, to the microsecond."""
    seconds, micros = divmod(round(wall * 1_000_000), 1_000_000)
    return f"{_second(seconds)}.{micros:06d}Z"


@lru_cache(maxsize=64)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


@lru_cache(maxsize=4096)
def _route(*standing: str) -> Route:
    """Namespace, major and minor of well-formed standing attributes; remembered, as sources repeat them."""
    if _ALL_STANDING.fullmatch("\n".join(standing)) is None:
        raise _malformed(_culprit(zip(_STANDING, standing, strict=True)), "breaks its pattern")
    version, address = standing[4:]
    major, _, minor = version.partition(".")
    try:
        return Route(parse_address(address).namespace, int(major), int(minor))
    except ConfigError:
        raise _malformed("comityaddress", "is no address") from None


def _culprit(values: Iterable[tuple[str, str]]) -> str:
    return next(name for name, value in values if re.fullmatch(REQUIRED[name], value) is None)


def _check_others(attributes: Mapping[str, str]) -> None:
    for name in attributes.keys() - REQUIRED.keys():
        pattern = _EACH.get(name)
        if pattern is None:
            if _EXTENSION.fullmatch(name) is None:
                raise _malformed(name[:32], "is no attribute name")
        elif pattern.fullmatch(attributes[name]) is None:
            raise _malformed(name, "breaks its pattern")


def _malformed(name: str, why: str) -> RemoteProtocolError:
    return RemoteProtocolError(f"attribute {name} {why}", code=MALFORMED)
