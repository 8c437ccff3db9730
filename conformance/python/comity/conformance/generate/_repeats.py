"""Scenarios of silence: writes repeated, and sources that return, after a while as long as outcomes are kept.

Responsible for how long ago things were. Not responsible for repetition within the window, which needs no clock.
"""

from __future__ import annotations

from typing import Final

from ._script import Script

__all__ = ["outlived", "remembered", "returning"]

RETENTION: Final = 2_400_000


def _others_write(s: Script, client: int) -> None:
    """Entries of others, at which a service may forget; or none."""
    for _ in range(s.rng.randrange(3)):
        s.register(s.other(client))


def remembered(s: Script) -> None:
    """Repeated late, and its source was never silent for so long that it may be forgotten."""
    s.parameters["retention_ms"] = RETENTION
    c = s.anyone()
    first = s.register(c)
    for _ in range(s.rng.choice((0, 1, 1, 3))):
        s.advance(s.rng.choice((RETENTION // 2, RETENTION - 1000)))
        s.rng.choice((s.update, s.renew, s.register))(c)
        _others_write(s, c)
    s.advance(s.rng.choice((RETENTION // 2, RETENTION - 1000, RETENTION - 1000)))
    _others_write(s, c)
    if s.rng.random() < 0.3:
        s.crash()
    s.repeat(first)
    s.lookup(s.anyone(), c)


def outlived(s: Script) -> None:
    """Repeated when it may be forgotten, before or after its source wrote again."""
    s.parameters["retention_ms"] = RETENTION
    c = s.anyone()
    names = [s.register(c)]
    if s.rng.random() < 0.5:
        names.append(s.rng.choice((s.update, s.renew, s.deregister))(c))
    s.advance(s.rng.choice((RETENTION, 2 * RETENTION, 5 * RETENTION)))
    s.register(s.other(c))
    if s.rng.random() < 0.3:
        s.crash()
    if s.rng.random() < 0.5:
        s.register(c)
    s.repeat(s.rng.choice(names))
    s.lookup(s.anyone(), c)


def returning(s: Script) -> None:
    """A source writes again after a long silence, while others were forgotten or write with old stamps."""
    s.parameters["retention_ms"] = RETENTION
    c = s.anyone()
    s.register(c)
    if s.rng.random() < 0.5:
        s.register(s.other(c))
    s.advance(s.rng.choice((RETENTION + 2000, 2 * RETENTION)))
    _others_write(s, c)
    if s.rng.random() < 0.3:
        s.register(s.other(c), craft={"ahead_ms": -s.rng.choice((RETENTION, 3 * RETENTION))})
    late = {"ahead_ms": -s.rng.choice((0, 1000, RETENTION // 2, RETENTION - 1000))}
    s.rng.choice((s.register, s.update, s.renew))(c, craft=late)
    s.lookup(s.anyone(), c)
