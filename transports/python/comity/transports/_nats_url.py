"""Where a NATS server is and how to reach it: its URL and options taken apart.

Responsible for credentials and limits as a URL says them. Not responsible for connecting.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import unquote

from comity.sdk.errors import ConfigError
from comity.transports._tls import FILES, client_context
from comity.transports._urls import masked, positive, split_hosts

if TYPE_CHECKING:
    from comity.transports._nats_client import Settings
    from comity.transports._nats_credentials import Credentials

__all__ = ["LONGEST_MEMORY", "NUMBERS", "STREAMS", "TEXTS", "Keeping", "keeping", "settings"]

NUMBERS: Final = {"timeout": 5.0, "buffer": 65536, "outbox": 2 << 20, "keepalive": 10.0}
TEXTS: Final = (*FILES, "nkey", "creds", "inbox")
"""Options that are no numbers: files of certificates, an NKey's seed, a JWT with its seed; where answers come in."""
_PREFIX = re.compile(r"[^\s.*>]+(?:\.[^\s.*>]+)*")
STREAMS: Final = ("stream", "replicas")
"""Options of streams, which only the transport has."""
LONGEST_MEMORY: Final = 120.0
"""Seconds for which a stream that is made here knows the ids of its messages, at most: they cost the server memory."""


class Keeping(NamedTuple):
    """For how many seconds streams keep messages, and on how many servers."""

    seconds: float
    replicas: int


def keeping(url: str, given: dict[str, str | float], timeout: float) -> Keeping | None:
    """What `url` says of streams; None where it wants none. Raises `ConfigError`."""
    if "stream" not in given:
        if "replicas" in given:
            raise ConfigError(f"{masked(url)}: replicas is for streams: set stream, too")
        return None
    seconds = positive(url, "stream", given["stream"])
    if min(seconds, LONGEST_MEMORY) < 2 * timeout:
        raise ConfigError(
            f"{masked(url)}: stream={seconds:g} is less than twice the timeout, or the timeout more than "
            f"{LONGEST_MEMORY / 2:g} s: a repetition would not be known as one"
        )
    return Keeping(seconds, int(positive(url, "replicas", given.get("replicas", 1), whole=True)))


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
        answers=_inbox(url, str(given.get("inbox", "_INBOX"))),
        credentials=_credentials(url, given, beside=user is not None),
        tls=client_context(url, given, wanted=parts.scheme == "tls", scheme="tls"),
    )


def _inbox(url: str, prefix: str) -> str:
    if not _PREFIX.fullmatch(prefix):
        raise ConfigError(f"{masked(url)}: inbox={prefix!r} is no beginning of a subject")
    return prefix


def _credentials(url: str, given: dict[str, str | float], *, beside: bool) -> Credentials | None:
    named = [name for name in ("nkey", "creds") if name in given]
    if not named:
        return None
    if beside or len(named) > 1:
        raise ConfigError(f"{masked(url)}: log in by one of user and password, token, nkey and creds")
    try:
        from comity.transports._nats_credentials import Creds, Nkey
    except ModuleNotFoundError as error:
        raise ConfigError(f"{masked(url)} needs nkeys: pip install comity[nats]") from error
    return (Nkey if named == ["nkey"] else Creds)(str(given[named[0]]))
