"""Scenarios about watches: what is told, in what order, and from where it resumes.

Responsible for watchers. Not responsible for the entries they watch.
"""

from __future__ import annotations

from typing import Any

from ._script import LONG, Script, ref
from ._walk import covered

__all__ = [
    "compacted",
    "leaving",
    "resume",
    "resume_deleted",
    "watch_again",
    "watch_crash",
    "watch_gone",
    "watch_lapse",
    "watching",
]


def watching(s: Script) -> None:
    for c in range(s.rng.randrange(s.clients + 1)):
        s.register(c, members={"zone": s.rng.choice(("a", "b"))})
    s.watch(0, where=covered(s))
    for _ in range(s.rng.randrange(2, 6)):
        c = s.anyone()
        match s.rng.randrange(5):
            case 0:
                s.register(c, members={"zone": s.rng.choice(("a", "b"))})
            case 1 | 2:
                s.update(c, members={"zone": s.rng.choice(("a", "b"))})
            case 3:
                s.deregister(c)
            case _:
                s.renew(c)


def leaving(s: Script) -> None:
    """Entries that leave a watch's filter, leave the registry, or die."""
    s.parameters["expiry_grace_ms"] = 200
    c = s.anyone()
    lease = s.rng.choice((LONG, 400))
    s.register(c, lease=lease, members={"zone": "a"})
    s.watch(s.other(c), where=s.where({"path": "zone", "op": "eq", "value": "a"}))
    match s.rng.randrange(4):
        case 0:
            s.update(c, members={"zone": "b"})
            s.update(c, members={"zone": "b"})
        case 1:
            s.update(c, members={"clear": ["zone"]}) if s.rng.random() < 0.5 else s.register(
                c, members={"zone": "b"}
            )
        case 2:
            s.deregister(c)
        case _:
            s.renew(c, lease=400)
            s.advance(900)
    s.advance(20)


def watch_again(s: Script) -> None:
    c = s.anyone()
    s.register(c)
    s.watch(0)
    s.rng.choice((s.update, s.renew, s.register))(c)
    s.watch(0, **_prolonging(s))
    s.update(c)
    if s.rng.random() < 0.5:
        s.unwatch(0)
        s.update(c)
        s.rng.choice((s.watch, s.unwatch))(0)


def watch_lapse(s: Script) -> None:
    s.parameters["expiry_grace_ms"] = 200
    c = s.anyone()
    s.register(c)
    s.watch(0, lease=300)
    s.advance(200)
    s.update(c)
    if s.rng.random() < 0.4:
        s.watch(0, lease=300, **_prolonging(s))
    s.advance(900 if s.sim else 1600)
    s.update(c)
    s.deregister(c)


def watch_gone(s: Script) -> None:
    """A watcher prolongs a watch that was never opened, was ended or has lapsed."""
    s.parameters["expiry_grace_ms"] = 200
    c = s.anyone()
    mark = s.register(c)
    match s.rng.randrange(3):
        case 0:
            s.watch(0, lease=300)
            s.update(c)
            s.advance(900 if s.sim else 1600)
        case 1:
            s.watch(0)
            s.update(c)
            s.unwatch(0)
        case _:
            s.watch(s.other(0))
    s.watch(0, **_prolonging(s, always=True))
    s.update(c)
    if s.rng.random() < 0.5:
        s.watch(0, name=s.rng.choice(("w1", "w2")), after=ref("answered", op=mark))
        s.update(c)


def resume(s: Script) -> None:
    """Watches that resume from a point within and beyond what is kept."""
    s.parameters["history"] = s.rng.choice((1, 2, 3, 100))
    c = s.anyone()
    s.register(c, members={"zone": "a"})
    marks = ["o1"]
    for _ in range(s.rng.randrange(1, 5)):
        d = s.rng.choice((c, s.anyone()))
        marks.append(s.rng.choice((s.update, s.update, s.register, s.deregister))(d))
    s.watch(0, after=ref("answered", op=s.rng.choice(marks)), where=covered(s))
    s.rng.choice((s.update, s.deregister))(c)


def resume_deleted(s: Script) -> None:
    c = s.anyone()
    if s.rng.random() < 0.4:
        s.parameters["history"] = s.rng.choice((1, 2))
    s.register(c)
    mark = s.register(s.other(c))
    s.deregister(c)
    s.watch(0, after=ref("answered", op=mark))


def compacted(s: Script) -> None:
    s.parameters["history"] = s.rng.choice((1, 2))
    c = s.anyone()
    mark = s.register(c)
    for _ in range(s.rng.randrange(2, 5)):
        s.update(c)
    s.watch(0, after=ref("answered", op=mark))
    s.watch(0, name="w2")


def watch_crash(s: Script) -> None:
    c = s.anyone()
    s.register(c)
    s.watch(0)
    s.update(c)
    if s.rng.random() < 0.5:
        s.update(c, wait=False, faults={"order": 5})
    s.crash()
    s.update(c)
    s.watch(0, **_prolonging(s))
    s.rng.choice((s.update, s.deregister, s.register))(c)


def _prolonging(s: Script, *, always: bool = False) -> dict[str, Any]:
    """What a watcher adds that means to prolong; one that does not may meet a live watch all the same."""
    return {"index": s.rng.randrange(3)} if always or s.rng.random() < 0.7 else {}
