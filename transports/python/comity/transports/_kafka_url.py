"""Where a Kafka cluster is and how to reach it: its URL and options taken apart.

Responsible for servers, credentials and limits as a URL says them. Not responsible for connecting; nothing here
needs aiokafka.
"""

from __future__ import annotations

import logging
import ssl
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from comity.sdk.errors import ConfigError
from comity.transports._tls import FILES, client_context
from comity.transports._urls import masked, options, positive, split_hosts

__all__ = ["PARTITIONS", "Settings", "read_options", "read_settings"]

PARTITIONS: Final = 4
"""Partitions of a topic that is made here, unless the URL says how many."""
_log = logging.getLogger(__name__)
_PORT: Final = 9092
_NUMBERS: Final = {"timeout": 5.0, "buffer": 65536, "retention": 3600.0}
_MECHANISMS: Final = {
    "plain": "PLAIN",
    "scram-sha-256": "SCRAM-SHA-256",
    "scram-sha-512": "SCRAM-SHA-512",
}
_SAFEST: Final = "scram-sha-512"
_SCHEMES: Final = ("kafka", "kafkas")


@dataclass(frozen=True, slots=True)
class Settings:
    """Where and how to connect. `shown` is the URL without secrets; times in seconds; `partitions` if it is said."""

    servers: tuple[str, ...]
    shown: str
    timeout: float
    partitions: int | None
    retention: float
    user: str | None
    password: str | None = field(repr=False)
    mechanism: str
    files: tuple[tuple[str, str], ...]
    tls: ssl.SSLContext | None = field(repr=False, compare=False)  # made of `files`, which are compared

    @property
    def security(self) -> dict[str, Any]:
        """What a client of aiokafka is told of TLS and credentials."""
        protocol = "SSL" if self.tls else "PLAINTEXT"
        if self.user is None:
            return {"security_protocol": protocol, "ssl_context": self.tls}
        return {
            "security_protocol": f"SASL_{protocol}",
            "ssl_context": self.tls,
            "sasl_mechanism": self.mechanism,
            "sasl_plain_username": self.user,
            "sasl_plain_password": self.password,
        }


def read_options(url: str, overrides: dict[str, str | float]) -> dict[str, str | float]:
    """The options of `url`, overridden by `overrides`, numbers by default. Raises `ConfigError`."""
    known = (*_NUMBERS, "partitions", "sasl", *FILES)
    return {**_NUMBERS, **options(url, known, overrides)}


def read_settings(url: str, given: dict[str, str | float]) -> Settings:
    """The settings of `url`, whose options are `given`. Raises `ConfigError` for whatever is wrong in it."""
    parts, hosts = split_hosts(url)
    if parts.scheme not in _SCHEMES or parts.path not in ("", "/"):
        raise ConfigError(
            f"{masked(url)!r} is no Kafka URL: write kafka://HOST:PORT[,HOST:PORT…] or kafkas://…"
        )
    user, password = _credentials(url, given)
    tls = client_context(url, given, wanted=parts.scheme == "kafkas", scheme="kafkas")
    mechanism = _mechanism(url, given)
    if user is not None and mechanism == "PLAIN" and tls is None:
        _log.warning("%s sends its password unencrypted: use kafkas://, or ?sasl=%s", masked(url), _SAFEST)
    partitions = given.get("partitions")
    return Settings(
        servers=tuple(host if urlsplit(f"//{host}").port else f"{host}:{_PORT}" for host in hosts),
        shown=masked(url),
        timeout=positive(url, "timeout", given["timeout"]),
        partitions=None if partitions is None else int(positive(url, "partitions", partitions, whole=True)),
        retention=positive(url, "retention", given["retention"]),
        user=user,
        password=password,
        mechanism=mechanism,
        files=tuple((name, str(given[name])) for name in FILES if name in given),
        tls=tls,
    )


def _credentials(url: str, given: dict[str, str | float]) -> tuple[str | None, str | None]:
    text, at, _ = split_hosts(url)[0].netloc.rpartition("@")
    user, _, password = text.partition(":")
    if not at:
        if "sasl" in given:
            raise ConfigError(f"{masked(url)}: sasl needs credentials: write USER:PASSWORD@ before the host")
        return None, None
    if not user or not password:
        raise ConfigError(f"{masked(url)}: credentials are USER:PASSWORD@, percent-encoded")
    return unquote(user), unquote(password)


def _mechanism(url: str, given: dict[str, str | float]) -> str:
    name = str(given.get("sasl", _SAFEST)).lower()
    if name not in _MECHANISMS:
        raise ConfigError(f"{masked(url)}: sasl={name!r} is none of {', '.join(_MECHANISMS)}")
    return _MECHANISMS[name]
