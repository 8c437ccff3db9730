# pyright: basic
# nkeys is not typed.
"""Credentials in files, as `nk` and `nsc` write them: the seed of an NKey, or a user's JWT with its seed.

Responsible for reading them, for signing what the server asks, and for what to do where it refuses. Not responsible
for other ways to log in: those stand in the URL itself.
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol

import nats.errors
import nkeys

from comity.sdk.errors import ConfigError

__all__ = ["Credentials", "Creds", "Nkey"]

_PART: Final = r"-----BEGIN {}-----\s+(\S+)\s+-+END {}-+"
_JWT = re.compile(_PART.format("NATS USER JWT", "NATS USER JWT"))
_SEED = re.compile(_PART.format("USER NKEY SEED", "USER NKEY SEED"))


class Credentials(Protocol):
    """What nats-py is given to log in with, and what to do where that is refused."""

    def options(self) -> Mapping[str, Any]: ...
    def advice(self) -> str: ...


class Nkey:
    """A seed in a file. Raises `ConfigError` where the file cannot be read or holds none."""

    def __init__(self, file: str) -> None:
        self._seed = _read(file, "nkey").strip()
        self._public = _public(self._seed.encode(), file, "nkey")

    def options(self) -> Mapping[str, Any]:
        """For `Client.connect`."""
        return {"nkeys_seed_str": self._seed}

    def advice(self) -> str:
        """What to do where the server refuses it."""
        return (
            f"the server refuses this NKey: let it know {self._public}, or name another seed with ?nkey=FILE"
        )


class Creds:
    """A JWT and a seed in a file, read again for each connection, since such files are renewed while in use.

    Raises `ConfigError` where the file cannot be read or lacks a part.
    """

    def __init__(self, file: str) -> None:
        self._file = file
        _public(self._parts()[1], file, "creds")

    def options(self) -> Mapping[str, Any]:
        """For `Client.connect`."""
        return {"user_jwt_cb": self._jwt, "signature_cb": self._sign}

    def advice(self) -> str:
        """What to do where the server refuses it."""
        end = _expiry(self._parts()[0])
        if end is not None and end <= time.time():
            when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(end))
            return f"the JWT in {self._file} expired on {when}: renew the file"
        return (
            f"the server refuses the JWT in {self._file}: see whether it is revoked, its account has expired, "
            "or the server has another operator"
        )

    def _parts(self) -> tuple[bytes, bytes]:
        text = _read(self._file, "creds")
        jwt, seed = _JWT.search(text), _SEED.search(text)
        if jwt is None or seed is None:
            raise ConfigError(f"creds={self._file} lacks a user's JWT or its seed: make it with nsc")
        return jwt[1].encode(), seed[1].encode()

    def _jwt(self) -> bytes:
        return self._for_client()[0]

    def _sign(self, nonce: str) -> bytes:
        seed = self._for_client()[1]
        return base64.b64encode(nkeys.from_seed(bytearray(seed)).sign(nonce.encode()))

    def _for_client(self) -> tuple[bytes, bytes]:
        try:
            parts = self._parts()
            _public(parts[1], self._file, "creds")
        except ConfigError as error:
            raise nats.errors.Error(str(error)) from error  # the one kind that lets nats-py try again
        return parts


def _read(file: str, option: str) -> str:
    try:
        return Path(file).read_text(encoding="ascii")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ConfigError(f"{option}={file} cannot be read: {reason}") from error


def _public(seed: bytes, file: str, option: str) -> str:
    """The public key to a user's seed; what is wrong with it is never shown."""
    try:
        pair: Any = nkeys.from_seed(bytearray(seed))
        public: str = pair.public_key.decode()
    except (nkeys.NkeysError, ValueError, IndexError):
        raise ConfigError(f"{option}={file} holds no seed of an NKey: it begins with SU") from None
    if not public.startswith("U"):
        raise ConfigError(f"{option}={file} holds the seed of something that is no user: it begins with SU")
    return public


def _expiry(jwt: bytes) -> float | None:
    """When the JWT ends, in Unix seconds; None where it does not say."""
    try:
        claims = jwt.split(b".")[1]
        end = json.loads(base64.urlsafe_b64decode(claims + b"=" * (-len(claims) % 4))).get("exp")
    except (ValueError, IndexError, AttributeError):
        return None
    return float(end) if isinstance(end, int | float) and end > 0 else None
