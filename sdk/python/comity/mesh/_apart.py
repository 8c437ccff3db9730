"""Whether two URLs name one broker.

Responsible for comparing where they lead, as whom. Not responsible for brokers that are one by more than an address,
such as nodes of a cluster.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from comity.sdk.errors import ConfigError
from comity.transports import masked

__all__ = ["check_apart"]

_PATIENCE: Final = 5.0
_WHO: Final = frozenset(
    {"cert", "creds", "nkey"}
)  # by which a server may keep users apart, as NATS does by accounts
_PORTS: Final = dict(nats=4222, tls=4222, mqtt=1883, mqtts=8883, ws=80, wss=443, kafka=9092, kafkas=9092)
"""Where a URL leads that names no port."""


async def check_apart(one: str, other: str) -> None:
    """Raise `ConfigError` where both lead to one address and port as the same user.

    Names that are not resolved within 5 s are left to whoever connects.
    """
    if _user(one) == _user(other) and await _addresses(one) & await _addresses(other):
        raise ConfigError(
            f"a gateway joins two brokers, and {masked(one)} and {masked(other)} are the same by another name"
        )


def _user(url: str) -> tuple[str, frozenset[tuple[str, str]]]:
    parts = urlsplit(url)
    named = frozenset(pair for pair in parse_qsl(parts.query) if pair[0] in _WHO)
    return parts.netloc.rpartition("@")[0], named


async def _addresses(url: str) -> set[tuple[str, int | str]]:
    """Addresses with their ports, or with the scheme where a port that is not known here is meant."""
    parts = urlsplit(url)
    found: set[tuple[str, int | str]] = set()
    meant = _PORTS.get(parts.scheme, parts.scheme)
    for host in parts.netloc.rpartition("@")[2].split(","):
        name, port = (one := urlsplit(f"//{host}")).hostname, one.port
        try:
            async with asyncio.timeout(_PATIENCE):
                infos = await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):  # a timeout is an `OSError`, too
            continue
        found |= {(str(info[4][0]), port or meant) for info in infos}
    return found
