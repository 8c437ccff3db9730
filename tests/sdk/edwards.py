"""The verification rule of signatures by school arithmetic, from the curve's equation and nothing else.

Responsible for an opinion that shares no code, constant or table of weak points with any library: the order of a point is
found by multiplying it. Slow, and not for secrets.
"""

from __future__ import annotations

from hashlib import sha512
from typing import Final, TypeAlias

__all__ = ["ORDER", "ZERO", "Point", "point", "strict", "times", "weak"]

Point: TypeAlias = tuple[int, int]
P: Final = 2**255 - 19
ORDER: Final = 2**252 + 27742317777372353535851937790883648493
D: Final = -121665 * pow(121666, -1, P) % P
ZERO: Final = (0, 1)


def add(one: Point, other: Point) -> Point:
    (x, y), (u, v) = one, other
    product = D * x * y * u * v % P
    return (
        (x * v + u * y) * pow(1 + product, -1, P) % P,
        (y * v + x * u) * pow(1 - product, -1, P) % P,
    )


def times(number: int, base: Point) -> Point:
    total = ZERO
    while number:
        if number & 1:
            total = add(total, base)
        base, number = add(base, base), number >> 1
    return total


def point(octets: bytes) -> Point | None:
    """The point that 32 octets spell canonically; None where they spell none."""
    if len(octets) != 32:
        return None
    number = int.from_bytes(octets, "little")
    y, sign = number & (1 << 255) - 1, number >> 255
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    if y >= P or x * x % P != square or (x == 0 and sign):
        return None
    return (x if x & 1 == sign else P - x), y


def weak(place: Point) -> bool:
    """Whether the order of `place` divides 8."""
    return times(8, place) == ZERO


def strict(key: bytes, message: bytes, signature: bytes) -> bool:
    """The spec's rule: canonical A and R not of small order, S below the order, the equation without cofactor."""
    a, r, s = point(key), point(signature[:32]), int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or a is None or r is None or weak(a) or weak(r) or s >= ORDER:
        return False
    hashed = int.from_bytes(sha512(signature[:32] + key + message).digest(), "little") % ORDER
    base = point((4 * pow(5, -1, P) % P).to_bytes(32, "little"))
    assert base is not None
    return times(s, base) == add(r, times(hashed, a))
