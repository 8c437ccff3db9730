"""Free random walks over everything that is not hostile.

Responsible for the mixture. Not responsible for any row in particular.
"""

from __future__ import annotations

from typing import Any

from ._script import Script, ref

__all__ = ["covered", "step", "walk"]


def covered(s: Script) -> dict[str, Any]:
    return s.where({"path": "zone", "op": "eq", "value": "a"}) if s.rng.random() < 0.5 else s.where()


def step(s: Script) -> None:
    c, rng = s.anyone(), s.rng
    match rng.randrange(16):
        case 0 | 1 | 2:
            s.register(c)
        case 3 | 4:
            s.update(c, back=rng.choice((0, 0, 0, 1)))
        case 5 | 6:
            s.renew(c, back=rng.choice((0, 0, 0, 1)))
        case 7:
            s.deregister(c, back=rng.choice((0, 0, 0, 1)))
        case 8 | 9:
            s.lookup(c)
        case 10 | 11:
            s.query(c, s.where(s.criterion()))
        case 12:
            s.count(c, s.where(s.criterion()))
        case 13:
            s.watch(c, where=covered(s))
        case 14:
            s.update(c, members={"if_revision": ref("revision", plus=rng.choice((0, 0, -1)))})
        case _:
            s.advance(rng.choice((1, 5, 50)))


def walk(s: Script) -> None:
    """A free random walk over everything that is not hostile."""
    s.faulty = s.rng.random() < 0.6
    for _ in range(s.rng.randrange(6, 14)):
        step(s)
        if s.rng.random() < 0.04:
            s.crash()
