# pyright: basic
# nkeys is not typed.
"""An operator for tests: accounts and users whose JWTs are made here, as `nsc` makes them.

Responsible for what a server needs to believe them. Not responsible for what clients do with the files.
"""

from __future__ import annotations

import base64
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nkeys

__all__ = ["Issuer", "Operator", "seed_file"]


class Issuer:
    """A key pair of a role, one of those of `nkeys`."""

    def __init__(self, role: int) -> None:
        self.seed: bytes = nkeys.encode_seed(os.urandom(32), role)
        self._pair: Any = nkeys.from_seed(bytearray(self.seed))
        self.public: str = self._pair.public_key.decode()

    @classmethod
    def user(cls) -> Issuer:
        """That of a user."""
        return cls(nkeys.PREFIX_BYTE_USER)

    @classmethod
    def account(cls) -> Issuer:
        """That of an account."""
        return cls(nkeys.PREFIX_BYTE_ACCOUNT)

    def jwt(self, subject: str, claims: dict[str, Any], *, expires: float | None = None) -> str:
        """A JWT about `subject`, which ends at Unix second `expires`."""
        now = int(time.time())
        body = {"jti": os.urandom(8).hex(), "iat": now, "iss": self.public, "sub": subject, "name": "test"}
        body |= {"nats": {"version": 2, **claims}} | ({} if expires is None else {"exp": int(expires)})
        signed = f"{_part({'typ': 'JWT', 'alg': 'ed25519-nkey'})}.{_part(body)}"
        return f"{signed}.{_text(self._pair.sign(signed.encode()))}"


def seed_file(directory: Path, key: Issuer) -> Path:
    """A file as `nk -gen user` writes it."""
    file = directory / f"{key.public[:8]}.nk"
    file.write_bytes(key.seed + b"\n")
    return file


@dataclass
class Operator:
    """An operator with one account, whose files lie in `directory`."""

    directory: Path

    def __post_init__(self) -> None:
        self._operator = Issuer(nkeys.PREFIX_BYTE_OPERATOR)
        self._system = Issuer.account()
        self._account = Issuer.account()
        self._revoked: dict[str, int] = {}

    def creds(self, name: str, *, expires: float | None = None, revoked: bool = False) -> Path:
        """A user's file as `nsc generate creds` writes it; one that is `revoked` is so from the next `config` on."""
        user = Issuer.user()
        limits = {"type": "user", "subs": -1, "data": -1, "payload": -1, "pub": {}, "sub": {}}
        jwt = self._account.jwt(user.public, limits, expires=expires)
        if revoked:
            self._revoked[user.public] = int(time.time()) + 60
        file = self.directory / f"{name}.creds"
        file.write_text(
            f"-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n"
            "************************* IMPORTANT *************************\n"
            f"-----BEGIN USER NKEY SEED-----\n{user.seed.decode()}\n------END USER NKEY SEED------\n",
            encoding="ascii",
        )
        return file

    def config(self) -> str:
        """What the server's configuration says of them all."""
        operator = self._operator.jwt(self._operator.public, {"type": "operator"})
        unlimited = {"subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": True}
        limits = {**unlimited, "conn": -1, "leaf": -1}
        claims = {"type": "account", "limits": limits, "revocations": self._revoked}
        account = self._operator.jwt(self._account.public, claims)
        system = self._operator.jwt(self._system.public, {"type": "account", "limits": limits})
        return (
            f"operator: {operator}\nsystem_account: {self._system.public}\nresolver: MEMORY\n"
            f"resolver_preload: {{{self._account.public}: {account}, {self._system.public}: {system}}}\n"
        )


def _part(claims: dict[str, Any]) -> str:
    return _text(json.dumps(claims, separators=(",", ":")).encode())


def _text(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()
