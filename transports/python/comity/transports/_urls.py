"""URLs as transports and journals read them: options, and a form that is safe to show.

Responsible for taking a URL apart strictly, so that a misspelt option is an error and never a default. Not
responsible for what the options mean.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final
from urllib.parse import SplitResult, parse_qsl, urlsplit, urlunsplit

from comity.sdk.errors import ConfigError

__all__ = ["masked", "options", "positive", "split", "split_hosts"]

_UNESCAPED: Final = "percent-encode what in user and password is no letter, digit or one of -._~"


def masked(url: str) -> str:
    """`url`, which may stand behind the scheme of a journal, with its password or token replaced, to be shown."""
    outer, colon, inner = url.partition(":")
    if colon and "://" in inner.partition("?")[0]:
        return f"{outer}:{masked(inner)}"
    try:
        parts = urlsplit(url)
    except ValueError:
        return f"{url.partition(':')[0]}:…"
    if _astray(parts):
        return f"{parts.scheme}://***@{url.rpartition('@')[2]}"
    if "@" not in parts.netloc:
        return url
    credentials, host = parts.netloc.rsplit("@", 1)
    user = f"{credentials.split(':', 1)[0]}:***" if ":" in credentials else "***"
    return urlunsplit(parts._replace(netloc=f"{user}@{host}"))


def split(url: str) -> SplitResult:
    """`url` in its parts, with a port that is one. Raises `ConfigError` where it cannot be read."""
    parts = _parse(url)
    try:
        _ = parts.port
    except ValueError as error:
        raise ConfigError(f"{masked(url)!r} is no URL: {_UNESCAPED if _astray(parts) else error}") from error
    return parts


def split_hosts(url: str) -> tuple[SplitResult, list[str]]:
    """`url` in its parts, and each `HOST:PORT` of it: several are separated by commas.

    Raises `ConfigError` where it cannot be read, or one of them is none.
    """
    parts = _parse(url)
    found = parts.netloc.rpartition("@")[2].split(",")
    for host in found:
        try:
            one = urlsplit(f"//{host}")
            valid = one.netloc == host and one.hostname and (one.port or ":" not in host.rpartition("]")[2])
        except ValueError:
            valid = False
        if not valid:
            wrong = _UNESCAPED if _astray(parts) else f"{host!r} is no HOST:PORT"
            raise ConfigError(f"{masked(url)!r} is no URL: {wrong}")
    return parts, found


def _astray(parts: SplitResult) -> bool:
    """Whether an `@` stands behind the host: it may be what is left of a password with a `/`, `?` or `#` in it."""
    return "@" not in parts.netloc and "@" in f"{parts.path}{parts.query}{parts.fragment}"


def _parse(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError as error:
        raise ConfigError(f"{masked(url)!r} is no URL: {error}") from error


def options(
    url: str, known: Collection[str], overrides: Mapping[str, str | float] | None = None
) -> dict[str, str | float]:
    """The query of `url`, overridden by `overrides`. Raises `ConfigError` for an unknown or repeated option.

    The error names the option alone: whoever writes one that there is not may have put a password into it.
    """
    shown = masked(url).partition("?")[0]
    found: dict[str, str | float] = {}
    for name, value in parse_qsl(_parse(url).query, keep_blank_values=True):
        if name in found:
            raise ConfigError(f"{shown}: option {name!r} is given twice")
        found[name] = value
    found.update(overrides or {})
    for name in found:
        if name not in known:
            listed = ", ".join(sorted(known)) or "none"
            named = "" if "@" in name else f" {name!r}"
            raise ConfigError(f"{shown}: unknown option{named}; known are {listed}")
    return found


def positive(url: str, name: str, value: str | float, *, whole: bool = False) -> float:
    """`value` as a number above 0. Raises `ConfigError` that names the option."""
    try:
        number = int(value) if whole else float(value)
    except ValueError:
        number = 0
    if not 0 < number < float("inf"):
        raise ConfigError(f"{masked(url)}: {name}={value!r} is no {'whole ' if whole else ''}number above 0")
    return number
