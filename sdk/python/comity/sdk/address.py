"""Addresses and patterns, and their mappings to the names that brokers use.

Responsible for the canonical text `{namespace}.{family}.v{major}.{channel}[.{key}…]`, for its validity and for
the pure, injective and reversible mappings to NATS subjects, MQTT topics and Kafka topics with record keys.
Not responsible for who may publish where, nor for any I/O.

A key is any non-empty Unicode text of at most 256 octets of UTF-8. Each level is escaped by itself: the octets
of `A-Z a-z 0-9 _ : -` stand for themselves, every other octet is written `%XX` in upper case. Nothing else is
canonical, so that two texts are the same address exactly when they are the same string.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from comity.sdk.errors import ConfigError

__all__ = [
    "MAX_KEY",
    "MAX_TEXT",
    "Address",
    "Pattern",
    "from_kafka",
    "from_mqtt",
    "from_nats",
    "parse_address",
    "parse_pattern",
    "to_kafka",
    "to_mqtt",
    "to_nats",
]

MAX_KEY: Final = 256
"""Octets of UTF-8 that one key may have."""
MAX_TEXT: Final = 1024
"""Octets of the canonical text: what `comityaddress` admits."""

_NAME = r"[a-z][a-z0-9-]{0,31}"
_STEM = re.compile(rf"({_NAME})\.({_NAME})\.v([1-9][0-9]{{0,3}})\.({_NAME})(?:\.|\Z)")
_NAME_ONLY = re.compile(_NAME)
_SAFE = "_:-"
_SEPARATOR = b"\xff"  # occurs in no UTF-8 text, so joined keys never meet


@dataclass(frozen=True, slots=True)
class Address:
    """Where a message goes. `str(address)` is the canonical text; `keys` are unescaped.

    Raises `ConfigError` when a part is not valid.
    """

    namespace: str
    family: str
    major: int
    channel: str
    keys: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for what, name in (("namespace", self.namespace), ("family", self.family), ("channel", self.channel)):
            if not _NAME_ONLY.fullmatch(name):
                raise ConfigError(f"{what} {name!r} is not [a-z][a-z0-9-]{{0,31}}")
        if not 1 <= self.major <= 9999:
            raise ConfigError(f"major version {self.major} is not between 1 and 9999")
        for key in self.keys:
            _check_key(key)
        if len(str(self)) > MAX_TEXT:
            raise ConfigError(f"the address is longer than {MAX_TEXT} octets")

    def __str__(self) -> str:
        return ".".join((self.stem, *map(_escape, self.keys)))

    @property
    def stem(self) -> str:
        """The text without keys: the channel itself, and the Kafka topic."""
        return f"{self.namespace}.{self.family}.v{self.major}.{self.channel}"

    @classmethod
    def parse(cls, text: str) -> Address:
        """The address that `text` is the canonical form of. Raises `ConfigError` for anything else."""
        return parse_address(text)


@dataclass(frozen=True, slots=True)
class Pattern:
    """What a subscription asks for: a channel, and levels of which `*` stands for any one key.

    `levels` are escaped keys or `*`; with `tail`, written `>`, one or more further keys follow. Wildcards stand
    at key levels only: a subscription never reaches across channels, families or namespaces.
    """

    stem: str
    levels: tuple[str, ...] = ()
    tail: bool = False

    def __str__(self) -> str:
        return ".".join((self.stem, *self.levels, *((">",) if self.tail else ())))

    @property
    def literal(self) -> bool:
        """Whether it matches one address only."""
        return not self.tail and "*" not in self.levels

    @classmethod
    def parse(cls, text: str) -> Pattern:
        """Read a pattern. Raises `ConfigError` where it is none."""
        return parse_pattern(text)

    def matches(self, address: str) -> bool:
        """Whether the canonical text `address` is one that this pattern asks for."""
        levels = address.split(".")
        own = 4 + len(self.levels)
        if len(levels) <= own if self.tail else len(levels) != own:
            return False
        if ".".join(levels[:4]) != self.stem:
            return False
        return all(want in ("*", level) for want, level in zip(self.levels, levels[4:], strict=False))


@lru_cache(maxsize=16384)
def parse_address(text: str) -> Address:
    """The address that `text` is the canonical form of; remembered, as receive paths ask again and again.

    Raises `ConfigError` for anything that is not canonical.
    """
    stem, levels = _split(text)
    keys = tuple(_unescape(level) for level in levels)
    return Address(stem[1], stem[2], int(stem[3]), stem[4], keys)


@lru_cache(maxsize=1024)
def parse_pattern(text: str) -> Pattern:
    """Read `{stem}[.{key}|.*]…[.>]`. Raises `ConfigError` where it is none."""
    stem, levels = _split(text)
    tail = bool(levels) and levels[-1] == ">"
    levels = levels[:-1] if tail else levels
    for level in levels:
        if level != "*":
            _unescape(level)
    return Pattern(text[: stem.end(4)], tuple(levels), tail)


def to_nats(address: Address | Pattern) -> str:
    """The NATS subject: the canonical text itself; wildcards mean the same there."""
    return str(address)


def from_nats(subject: str) -> Address:
    """The address of a NATS subject. Raises `ConfigError` where it is none."""
    return parse_address(subject)


def to_mqtt(address: Address) -> str:
    """The MQTT topic: the same levels, separated by `/`."""
    return str(address).replace(".", "/")


def from_mqtt(topic: str) -> Address:
    """The address of an MQTT topic. Raises `ConfigError` where it is none."""
    if "." in topic:
        raise ConfigError(f"MQTT topic {topic!r} is no address: a dot stands unescaped")
    return parse_address(topic.replace("/", "."))


def to_kafka(address: Address) -> tuple[str, bytes | None]:
    """The Kafka topic and record key: keys raw, joined by the octet FF; no record key without keys."""
    return address.stem, _SEPARATOR.join(key.encode() for key in address.keys) if address.keys else None


def from_kafka(topic: str, key: bytes | None) -> Address:
    """The address of a Kafka record. Raises `ConfigError` where it is none."""
    stem, levels = _split(topic)
    if levels:
        raise ConfigError(f"Kafka topic {topic!r} has more than four levels")
    try:
        keys = tuple(part.decode() for part in key.split(_SEPARATOR)) if key is not None else ()
    except UnicodeDecodeError as error:
        raise ConfigError("the Kafka record key is not UTF-8") from error
    return Address(stem[1], stem[2], int(stem[3]), stem[4], keys)


def _split(text: str) -> tuple[re.Match[str], list[str]]:
    if len(text) > MAX_TEXT:
        raise ConfigError(f"the address is longer than {MAX_TEXT} octets")
    stem = _STEM.match(text)
    if stem is None:
        raise ConfigError(f"{text!r} does not begin with namespace.family.vN.channel")
    return stem, text[stem.end(4) + 1 :].split(".") if len(text) > stem.end(4) else []


def _check_key(key: str) -> None:
    try:
        size = len(key.encode())
    except UnicodeEncodeError as error:
        raise ConfigError(f"key {key!r} holds a lone surrogate, which UTF-8 cannot carry") from error
    if not 1 <= size <= MAX_KEY:
        raise ConfigError(f"a key has 1 to {MAX_KEY} octets, this one {size}")


def _escape(key: str) -> str:
    text = quote(key, safe=_SAFE)
    return text.replace(".", "%2E").replace("~", "%7E")


def _unescape(level: str) -> str:
    try:
        key = unquote_to_bytes(level).decode()
    except UnicodeError as error:
        raise ConfigError(f"key level {level!r} is not UTF-8 once unescaped") from error
    _check_key(key)
    if _escape(key) != level:
        raise ConfigError(f"key level {level!r} is not canonical: write {_escape(key)!r}")
    return key
