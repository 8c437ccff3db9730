"""Where a Kafka journal is: its URL taken apart.

Responsible for the journal's name and its own options. Not responsible for how to reach the cluster: the transport
reads that, so that both always take the same URLs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from comity.sdk.errors import ConfigError
from comity.transports._urls import masked, options, positive
from comity.transports.kafka import KafkaTransport

if TYPE_CHECKING:
    from comity.transports._kafka_client import Settings

__all__ = ["Place", "place"]

_OWN: Final = {"replicas": 1, "patience": 30.0, "incarnation": 1}
_FOREIGN: Final = ("buffer", "partitions", "retention")  # of the transport; a journal has no use for them
_NAME = re.compile(r"[A-Za-z0-9_-]{1,48}")


@dataclass(frozen=True, slots=True)
class Place:
    """The cluster, the journal's name there, and how many brokers keep an entry; `patience` in seconds."""

    settings: Settings
    name: str
    shown: str
    replicas: int
    patience: float
    incarnation: int


def place(url: str, overrides: Mapping[str, str | float]) -> Place:
    """Raises `ConfigError` for a wrong URL or option, or where aiokafka is missing."""
    inner = url.partition(":")[2]
    bare, name, query = _parts(inner)
    own = urlencode([(key, value) for key, value in query if key in _OWN])
    rest = [(key, value) for key, value in query if key not in _OWN]
    for key, _ in [*rest, *overrides.items()]:
        if key in _FOREIGN:
            raise ConfigError(
                f"{masked(inner)}: unknown option {key!r}: a journal keeps and reads everything"
            )
    given = {**_OWN, **options(f"kafka:{name}?{own}", _OWN, _among(overrides, own=True))}
    server = KafkaTransport(f"{bare}?{urlencode(rest)}" if rest else bare, **_among(overrides, own=False))
    return Place(
        settings=replace(server.settings, shown=masked(inner)),
        name=name,
        shown=masked(inner),
        replicas=int(positive(inner, "replicas", given["replicas"], whole=True)),
        patience=positive(inner, "patience", given["patience"]),
        incarnation=int(positive(inner, "incarnation", given["incarnation"], whole=True)),
    )


def _parts(inner: str) -> tuple[str, str, list[tuple[str, str]]]:
    """The URL of the cluster without options, the journal's name, and the options."""
    try:
        parts = urlsplit(inner)
    except ValueError as error:
        raise ConfigError(f"{masked(inner)!r} is no URL: {error}") from error
    name = unquote(parts.path.strip("/"))
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{masked(inner)!r} is no place for a journal: write kafka:kafka://HOST:PORT/NAME, "
            "NAME of letters, digits, - and _"
        )
    bare = urlunsplit(parts._replace(path="", query="", fragment=""))
    return bare, name, parse_qsl(parts.query, keep_blank_values=True)


def _among(overrides: Mapping[str, str | float], *, own: bool) -> dict[str, str | float]:
    return {key: value for key, value in overrides.items() if (key in _OWN) is own}
