"""Where and how to connect to an MQTT broker, as its URL says.

Responsible for a URL that is right in all its parts. Not responsible for connecting.
"""

from __future__ import annotations

import ssl
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final
from urllib.parse import unquote

from comity.sdk.errors import ConfigError
from comity.transports._mqtt_link import Link
from comity.transports._mqtt_wire import Connect
from comity.transports._tls import client_context
from comity.transports._urls import masked, positive, split

__all__ = ["LARGEST", "Settings", "read_settings", "whole"]

LARGEST: Final = 16 << 20
"""Octets of the largest packet that is received."""
_PORTS: Final = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}
_WEB: Final = ("ws", "wss")
_WEB_PATH: Final = "/mqtt"


@dataclass(frozen=True, slots=True)
class Settings:
    """Where and how to connect. `shown` is the URL without secrets; `named`, whether it names the client; sizes in
    octets, times in seconds."""

    host: str
    port: int
    shown: str
    timeout: float
    outbox: int
    named: bool
    connect: Connect
    tls: ssl.SSLContext | None
    link: Callable[[Callable[[int, bytes], None], Callable[[Link, Exception | None], None], int], Link]


def read_settings(url: str, given: Mapping[str, str | float]) -> Settings:
    """The settings of `url`, of whose options every number is `given`. Raises `ConfigError`."""
    parts = split(url)
    web, secure = parts.scheme in _WEB, parts.scheme in ("mqtts", "wss")
    if parts.scheme not in _PORTS or not parts.hostname or (parts.path not in ("", "/") and not web):
        raise ConfigError(
            f"{masked(url)!r} is no MQTT URL: write mqtt://HOST:PORT, mqtts://HOST:PORT or ws://HOST:PORT/PATH"
        )
    user, password = (
        unquote(text) if text is not None else None for text in (parts.username, parts.password)
    )
    return Settings(
        host=parts.hostname,
        port=parts.port or _PORTS[parts.scheme],
        shown=masked(url),
        timeout=positive(url, "timeout", given["timeout"]),
        outbox=int(positive(url, "outbox", given["outbox"], whole=True)),
        named="client" in given,
        connect=Connect(
            client=str(given.get("client") or f"comity-{uuid.uuid4().hex}"),
            keep_alive=whole(url, "keepalive", given["keepalive"], 2),
            session=whole(url, "session", given["session"], 4),
            window=whole(url, "window", given["window"], 2),
            largest=LARGEST,
            user=user,
            password=password,
        ),
        tls=client_context(url, given, wanted=secure, scheme="wss" if web else "mqtts"),
        link=_web_link(url) if web else Link,
    )


def whole(url: str, name: str, value: str | float, octets: int) -> int:
    """A number above 0 that MQTT carries in so many octets. Raises `ConfigError` that names the option."""
    number, most = int(positive(url, name, value, whole=True)), 256**octets - 1
    if number > most:
        raise ConfigError(f"{masked(url)}: {name}={number} is over {most}, the most that MQTT can carry")
    return number


def _web_link(url: str) -> Callable[..., Link]:
    try:
        from comity.transports._mqtt_web import WebLink
    except ImportError as error:
        raise ConfigError(f"{masked(url)} needs websockets: pip install comity[mqtt]") from error
    parts = split(url)
    host = parts.netloc.rpartition("@")[2]  # credentials are MQTT's business, not HTTP's
    return partial(WebLink, uri=f"{parts.scheme}://{host}{parts.path or _WEB_PATH}")
