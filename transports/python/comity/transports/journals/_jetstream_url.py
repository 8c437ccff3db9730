"""Where a JetStream journal is: its URL taken apart.

Responsible for the URL and its options. Not responsible for connecting.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlunsplit

from comity.sdk.errors import ConfigError
from comity.transports._nats_url import NUMBERS, TEXTS, settings
from comity.transports._urls import masked, options, positive, split_hosts

if TYPE_CHECKING:
    from comity.transports._nats_client import Settings

__all__ = ["Place", "place"]

_OWN: Final = {"replicas": 1, "patience": 30.0, "incarnation": 1}
_REMEMBERED: Final = 120  # seconds for which a stream knows the ids of its messages, unless told otherwise
_NAME = re.compile(r"[A-Za-z0-9_-]{1,48}")


@dataclass(frozen=True, slots=True)
class Place:
    """The servers, the journal's name there, and how many servers keep an entry; `patience` in seconds."""

    server: Settings
    name: str
    shown: str
    replicas: int
    patience: float
    incarnation: int


def place(url: str, overrides: Mapping[str, str | float]) -> Place:
    """Raises `ConfigError` for a wrong URL or option, or where nats-py is missing."""
    inner = url.partition(":")[2]
    parts, _ = split_hosts(inner)
    name = unquote(parts.path.strip("/"))
    if parts.scheme not in ("nats", "tls") or not _NAME.fullmatch(name):
        raise ConfigError(
            f"{masked(inner)!r} is no place for a journal: write jetstream:nats://HOST:PORT/NAME, "
            "NAME of letters, digits, - and _, several servers as HOST:PORT,HOST:PORT"
        )
    given = {**_OWN, **NUMBERS, **options(inner, (*_OWN, *NUMBERS, *TEXTS), overrides)}
    own = {key: given.pop(key) for key in _OWN}
    bare = urlunsplit(parts._replace(path="", query=""))
    replicas = int(positive(inner, "replicas", own["replicas"], whole=True))
    if replicas > 5 or replicas % 2 == 0:
        raise ConfigError(f"{masked(inner)}: replicas is 1, 3 or 5, not {replicas}")
    patience = positive(inner, "patience", own["patience"])
    if patience > _REMEMBERED / 2:
        raise ConfigError(
            f"{masked(inner)}: patience is at most {_REMEMBERED / 2:g} s, "
            f"since the server knows a repetition for {_REMEMBERED} s"
        )
    return Place(
        server=settings(bare, given),
        name=name,
        shown=masked(inner),
        replicas=replicas,
        patience=patience,
        incarnation=int(positive(inner, "incarnation", own["incarnation"], whole=True)),
    )
