"""Scenarios about entries and leases, order and durability.

Responsible for what is written and lost and found again. Not responsible for queries, watches or hostile input.
"""

from __future__ import annotations

from typing import Any

from ._script import LONG, Script, ref
from ._walk import step

__all__ = [
    "absent",
    "again",
    "concurrent",
    "condition_absent",
    "conditional",
    "crashes",
    "epochs",
    "foreign",
    "lease_crash",
    "lease_length",
    "leases",
    "pipelined",
    "renew_quiet",
    "repeats",
    "reused",
    "stale_read",
    "stale_sequence",
    "updates",
]


# -------------------------------------------------------------------- entries


def again(s: Script) -> None:
    """Registering again, from nothing, from a live entry, after leaving."""
    c = s.anyone()
    s.register(c, chance=0.8)
    for _ in range(s.rng.randrange(1, 4)):
        match s.rng.randrange(3):
            case 0:
                s.deregister(c)
            case 1:
                s.lookup(s.anyone(), c)
            case _:
                s.update(c)
        s.register(c, lease=s.rng.choice((LONG, 1_800_000)), chance=0.2)
    s.lookup(s.anyone(), c)


def conditional(s: Script) -> None:
    """Writes on the condition of a revision: the right one, an old one, 0, one too many."""
    c = s.anyone()
    s.register(c)
    for _ in range(s.rng.randrange(2, 5)):
        condition: Any = s.rng.choice((ref("revision"), ref("revision", plus=-1), ref("revision", plus=1), 0))
        members = {"if_revision": condition}
        s.rng.choice((s.register, s.update, s.update, s.deregister))(c, members=members)
        if s.rng.random() < 0.4:
            s.lookup(s.anyone(), c)


def condition_absent(s: Script) -> None:
    c = s.anyone()
    s.register(c, members={"if_revision": s.rng.choice((0, 0, 5))})
    s.deregister(c)
    s.register(c, members={"if_revision": s.rng.choice((0, ref("answered", op="o1"), 1))})
    s.lookup(s.anyone(), c)


def epochs(s: Script) -> None:
    """Messages of an older incarnation against its successor."""
    c = s.anyone()
    s.register(c)
    s.register(c)
    for _ in range(s.rng.randrange(1, 4)):
        match s.rng.randrange(4):
            case 0:
                s.update(c, back=1)
            case 1:
                s.renew(c, back=1, lease=s.rng.choice((None, 5000)))
            case 2:
                s.deregister(c, back=1)
            case _:
                s.rng.choice((s.update, s.deregister))(c, plus=1)
        s.lookup(s.anyone(), c)
    s.register(c)


def absent(s: Script) -> None:
    """Writes and reads about an agent that is not there."""
    a, b = 0, 1
    s.register(a)
    if s.rng.random() < 0.6:
        s.register(b)
        s.deregister(b)
    s.rng.choice((s.update, s.renew, s.deregister))(b)
    s.lookup(a, b)
    s.rng.choice((s.update, s.renew, s.deregister))(b)


def updates(s: Script) -> None:
    c = s.anyone()
    s.register(c, chance=0.8)
    fields = ("name", "endpoint", "health", "zone", "node", "resources", "metadata")
    for _ in range(s.rng.randrange(1, 5)):
        clear = s.rng.sample(fields, s.rng.randrange(1, 3)) if s.rng.random() < 0.6 else None
        s.update(c, members={"clear": clear} if clear else {})
        s.lookup(s.anyone(), c)


def foreign(s: Script) -> None:
    s.register(0)
    s.register(1)
    agent = {"agent": ref("agent", client=1)}
    match s.rng.randrange(4):
        case 0:
            s.register(0, members=agent)
        case 1:
            s.send(0, "Update", {**agent, "epoch": ref("epoch", client=1), "zone": "stolen"})
        case 2:
            s.send(0, "Renew", {**agent, "epoch": ref("epoch", client=1)})
        case _:
            s.send(0, "Deregister", {**agent, "epoch": ref("epoch", client=1)})
    s.lookup(0, 1)


# -------------------------------------------------------------------- leases


def leases(s: Script) -> None:
    """Leases that are renewed, run out, and are looked at shortly before and after."""
    s.parameters["expiry_grace_ms"] = 200
    c, lease = s.anyone(), s.rng.choice((300, 500, 800))
    s.register(c, lease=lease)
    for _ in range(s.rng.randrange(0, 3)):
        s.advance(s.rng.choice((lease // 2, lease - 60)))
        s.renew(c, lease=s.rng.choice((None, None, lease)))
    if s.rng.random() < 0.3 and s.sim:
        s.add("wall", by_ms=s.rng.choice((-5000, 5000)))
    s.advance(s.rng.choice((lease // 2, lease * 3 // 4, lease - 40)))
    s.lookup(s.other(c), c, "linearizable")
    s.advance(s.rng.choice((lease + 300, lease + 600)))
    s.lookup(s.other(c), c, "linearizable")
    s.rng.choice((s.renew, s.update, s.deregister))(c)


def lease_length(s: Script) -> None:
    """Renewals that carry another length, and those that carry none after them."""
    s.parameters["expiry_grace_ms"] = 200
    c = s.anyone()
    s.register(c, lease=400)
    s.renew(c, lease=s.rng.choice((900, 1200, 150)))
    s.renew(c)
    s.advance(s.rng.choice((100, 600, 800)))
    s.lookup(s.other(c), c, "linearizable")
    s.renew(c)


def renew_quiet(s: Script) -> None:
    """A renewal must not move the entry's revision: conditional writes tell."""
    c = s.anyone()
    s.register(c)
    s.renew(c)
    s.lookup(s.anyone(), c)
    s.update(c, members={"if_revision": ref("revision")})


def lease_crash(s: Script) -> None:
    s.parameters["expiry_grace_ms"] = 200
    c, lease = s.anyone(), s.rng.choice((600, 1000))
    s.register(c, lease=lease)
    s.advance(s.rng.choice((100, lease // 2)))
    if s.rng.random() < 0.5:
        s.register(s.other(c))
    s.crash(down_ms=s.rng.choice((0, 300, lease + 500)))
    s.lookup(s.other(c), c, "linearizable")
    s.advance(s.rng.choice((lease // 4, 50)))
    s.lookup(s.other(c), c, "linearizable")
    s.advance(lease + 400)
    s.lookup(s.other(c), c, "linearizable")


# -------------------------------------------------------------------- order and durability


def concurrent(s: Script) -> None:
    """Many writes and reads at once, over a network that loses, doubles and delays."""
    s.register_all()
    s.faulty = True
    for _ in range(s.rng.randrange(4, 10)):
        step(s)


def crashes(s: Script) -> None:
    """Writes answered, unanswered and under way, a crash, and everything repeated."""
    c = s.anyone()
    names = [s.register(c)]
    if s.rng.random() < 0.5:
        names.append(s.rng.choice((s.update, s.renew, s.deregister))(c))
    if s.rng.random() < 0.5:
        d = s.other(c)
        names.append(
            s.register(
                d, faults={s.rng.choice(("drop_reply", "order", "drop_reply")): 3}, wait=s.rng.random() < 0.5
            )
        )
    s.crash()
    s.repeat(s.rng.choice(names))
    s.lookup(s.other(c), c)
    if s.rng.random() < 0.5:
        s.update(c)
        s.crash()
    s.repeat(s.rng.choice(names))


def stale_read(s: Script) -> None:
    s.register_all()
    for _ in range(s.rng.randrange(2, 5)):
        c = s.anyone()
        s.rng.choice((s.update, s.register, s.update))(c)
        s.lookup(s.other(c), c, "linearizable")
        s.lookup(s.other(c), c, "eventual")
    s.query(0, s.where())


def pipelined(s: Script) -> None:
    """A linearizable read that overtakes nothing: it is sent while the journal is slow."""
    s.register_all()
    c = s.anyone()
    s.update(c, wait=False, faults={"order": s.rng.choice((5, 20))})
    s.lookup(s.other(c), c, "linearizable", wait=False)
    s.advance(30)
    s.lookup(s.other(c), c, "linearizable")


def repeats(s: Script) -> None:
    """One write delivered again: at once, later, after others, with another id."""
    c = s.anyone()
    first = s.register(c, faults={"duplicate": s.rng.choice((1, 2, 9))} if s.rng.random() < 0.5 else {})
    then = s.rng.choice((s.update, s.register, s.deregister))(c)
    s.repeat(first)
    if s.rng.random() < 0.5:
        s.register(c)
    s.repeat(then)
    s.lookup(s.anyone(), c)


def reused(s: Script) -> None:
    c = s.anyone()
    first = s.register(c)
    if s.rng.random() < 0.5:
        s.update(c)
    s.rng.choice((s.register, s.deregister, s.update))(c, sequence={"same_as": first})
    s.lookup(s.anyone(), c)


def stale_sequence(s: Script) -> None:
    c = s.anyone()
    s.register(c)
    s.update(c, sequence={"jump": s.rng.choice((64, 65, 100))})
    s.update(c, sequence={"back": s.rng.choice((64, 64, 63, 65))})
    s.lookup(s.anyone(), c)
