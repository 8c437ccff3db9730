"""Ed25519 identities: `did:key` agent ids, signing, and verification by one fixed rule.

Responsible for keys, ids and bare signatures. Not responsible for what is signed (see `security`) nor for whom to trust.

The rule is libsodium's strict one (CORE-SIG-003, CORE-SIG-006): A and R canonical and not of small order, S below
the group order, the equation without cofactor. Libraries disagree on borderline signatures, so everything that can be
read off the bytes is checked here, and the library decides the equation alone.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, Self

from nacl.bindings import crypto_sign_open
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey

from .errors import ConfigError

__all__ = ["Identity", "agent_id", "public_key", "verify", "verify_key"]

_PREFIX: Final = "did:key:z"
_MULTICODEC: Final = b"\xed\x01"
_ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_DIGITS: Final = {letter: digit for digit, letter in enumerate(_ALPHABET)}
_P: Final = 2**255 - 19
_ORDER: Final = 2**252 + 27742317777372353535851937790883648493
_SIGN: Final = 1 << 255
# the y coordinates of the eight points whose order divides 8
_SMALL_Y: Final = frozenset(
    {
        0,
        1,
        _P - 1,
        2707385501144840649318225287225658788936804267575313519463743609750303402022,
        55188659117513257062467267217118295137698188065244968500265048394206261417927,
    }
)


class Identity:
    """An agent's key pair. `agent_id` is public; the seed is the secret and is never printed."""

    __slots__ = ("_key", "agent_id", "seed")

    def __init__(self, seed: bytes) -> None:
        if len(seed) != 32:
            raise ConfigError(f"an Ed25519 seed has 32 octets, this one {len(seed)}")
        self.seed = seed
        self._key = SigningKey(seed)
        self.agent_id = agent_id(bytes(self._key.verify_key))

    @classmethod
    def generate(cls) -> Self:
        """A new identity from the operating system's randomness."""
        return cls(bytes(SigningKey.generate()))

    @classmethod
    def from_seed(cls, seed: bytes) -> Self:
        """The identity of a 32-octet seed. Raises `ConfigError` for any other length."""
        return cls(seed)

    def sign(self, payload: bytes) -> bytes:
        """The 64 octets of the signature over `payload`."""
        return self._key.sign(payload).signature

    def __repr__(self) -> str:
        return f"Identity({self.agent_id})"


def verify(agent: str, payload: bytes, signature: bytes) -> bool:
    """Whether `signature` over `payload` is good under the key that `agent` (a did:key) names, by the strict rule."""
    key = public_key(agent)
    return key is not None and _equation(key, payload, signature)


def verify_key(key: bytes, payload: bytes, signature: bytes) -> bool:
    """The same for a raw public key of 32 octets."""
    return _strong(key) and _equation(key, payload, signature)


def agent_id(key: bytes) -> str:
    """The did:key of a raw public key: multibase base58btc over the multicodec prefix and the key."""
    number = int.from_bytes(_MULTICODEC + key, "big")
    letters: list[str] = []
    while number:
        number, digit = divmod(number, 58)
        letters.append(_ALPHABET[digit])
    return _PREFIX + "".join(reversed(letters))


@lru_cache(maxsize=16384)
def public_key(agent: str) -> bytes | None:
    """The raw key in a did:key; None where it holds none, or one that is weak or not canonical (CORE-SIG-006)."""
    if not agent.startswith(_PREFIX) or len(agent) > 56:
        return None
    number = 0
    for letter in agent[len(_PREFIX) :]:
        digit = _DIGITS.get(letter)
        if digit is None:
            return None
        number = number * 58 + digit
    raw = number.to_bytes(35, "big")
    key = raw[3:]
    return key if raw[:3] == b"\x00" + _MULTICODEC and agent_id(key) == agent and _strong(key) else None


def _strong(point: bytes) -> bool:
    y = int.from_bytes(point, "little") & ~_SIGN
    return len(point) == 32 and y < _P and y not in _SMALL_Y


def _equation(key: bytes, payload: bytes, signature: bytes) -> bool:
    if len(signature) != 64 or not _strong(signature[:32]):
        return False
    if int.from_bytes(signature[32:], "little") >= _ORDER:
        return False
    try:
        crypto_sign_open(signature + payload, key)
    except BadSignatureError:
        return False
    return True
