"""Where a NATS server is and how to reach it: its URL and options taken apart.

Responsible for credentials and limits as a URL says them. Not responsible for connecting.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from comity.sdk.errors import ConfigError
from comity.transports._tls import client_context
from comity.transports._urls import masked, positive, split_hosts

if TYPE_CHECKING:
    from comity.transports._nats_client import Settings

__all__ = ["NUMBERS", "settings"]

NUMBERS: Final = {"timeout": 5.0, "buffer": 65536, "outbox": 2 << 20, "keepalive": 10.0}


def settings(url: str, given: dict[str, str | float]) -> Settings:
    """Raises `ConfigError` for a wrong URL or option, or where nats-py is missing."""
    try:
        from comity.transports._nats_client import Settings
    except ModuleNotFoundError as error:
        raise ConfigError(f"{masked(url)} needs nats-py: pip install comity[nats]") from error
    parts, hosts = split_hosts(url)
    if parts.scheme not in ("nats", "tls") or parts.path not in ("", "/"):
        raise ConfigError(
            f"{masked(url)!r} is no NATS URL: write nats://HOST:PORT or tls://HOST:PORT, several as HOST:PORT,HOST:PORT"
        )
    user, password = (
        unquote(text) if text is not None else None for text in (parts.username, parts.password)
    )
    return Settings(
        servers=[f"{parts.scheme}://{host}" for host in hosts],
        shown=masked(url),
        timeout=positive(url, "timeout", given["timeout"]),
        keepalive=positive(url, "keepalive", given["keepalive"]),
        outbox=int(positive(url, "outbox", given["outbox"], whole=True)),
        inbox=int(positive(url, "buffer", given["buffer"], whole=True)),
        user=user if password is not None else None,
        password=password,
        token=user if password is None else None,
        tls=client_context(url, given, wanted=parts.scheme == "tls", scheme="tls"),
    )
