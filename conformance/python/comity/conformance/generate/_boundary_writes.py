"""Boundary scenarios of leases, entries, repetition, clocks and bytes.

Responsible for situations in which a registry that is nearly right goes wrong, each exact and without random faults.
Not responsible for which row they serve.
"""

from __future__ import annotations

from typing import Any, Final

from ._script import LONG, Script, ref

__all__ = [
    "GRACE",
    "another_length",
    "both_wrong",
    "busy",
    "clear_carried",
    "expiry_exact",
    "held_apart",
    "just_expired",
    "large_and_padded",
    "lengths",
    "not_renewed",
    "own_window",
    "refused_then",
    "said_again",
    "together",
    "wall_jump",
    "watch_twice_said",
    "window",
]

GRACE: Final = 200


# -------------------------------------------------------------------- leases


def _looked_at(s: Script, *agents: int) -> None:
    for agent in agents:
        s.lookup(s.other(agent), agent, "linearizable")


def not_renewed(s: Script) -> None:
    """Whatever an agent does besides Register and Renew, its lease runs out."""
    s.parameters["expiry_grace_ms"] = GRACE
    c = s.anyone()
    s.register(c, lease=800)
    s.register(c, lease=800)
    s.advance(650)
    for act in s.rng.sample(range(6), s.rng.randrange(3, 6)):
        match act:
            case 0:
                s.update(c)
            case 1:
                s.watch(c)
            case 2:
                s.lookup(c, c, "linearizable")
            case 3:
                s.update(c, members={"if_revision": ref("revision", plus=1)})
            case 4:
                s.query(c, s.where())
            case _:
                s.renew(c, back=1)
    s.advance(500)
    _looked_at(s, c)


def another_length(s: Script) -> None:
    """The last grant counts, longer or shorter, by Register or by Renew."""
    s.parameters["expiry_grace_ms"] = GRACE
    for c in range(s.clients):
        first, last = s.rng.choice(((300, LONG), (LONG, 300), (300, 900), (900, 300)))
        s.register(c, lease=first)
        if s.rng.random() < 0.5:
            s.register(c, lease=last)
            continue
        s.renew(c, lease=last)
        if s.rng.random() < 0.5:
            s.renew(c)
    s.advance(650)
    _looked_at(s, *range(s.clients))
    s.advance(600)
    _looked_at(s, *range(s.clients))


def wall_jump(s: Script) -> None:
    """The wall clock jumps, and leases go on as they were."""
    s.parameters["expiry_grace_ms"] = GRACE
    c = s.anyone()
    s.register(c, lease=800)
    s.add("wall", by_ms=s.rng.choice((-60_000, -500, 500, 60_000)))
    s.advance(500)
    _looked_at(s, c)
    s.advance(700)
    _looked_at(s, c)


def together(s: Script) -> None:
    """Several leases end in one instant."""
    s.parameters["expiry_grace_ms"] = GRACE
    for c in range(s.clients):
        s.register(c, lease=400, wait=False)
    s.watch(0, where=s.where()) if s.rng.random() < 0.5 else s.advance(5)
    s.advance(650)
    _looked_at(s, *range(s.clients))


def just_expired(s: Script) -> None:
    """What happens to an agent whose expiry has just been seen."""
    s.parameters["expiry_grace_ms"] = GRACE
    c = s.anyone()
    s.register(c, lease=300)
    s.advance(s.rng.choice((302, 310, 330, 520)))
    _looked_at(s, c)
    match s.rng.randrange(3):
        case 0:
            s.renew(c)
        case 1:
            s.update(c)
        case _:
            s.register(c, members={"if_revision": 0})
    _looked_at(s, c)
    s.register(c)
    s.update(c)
    _looked_at(s, c)


def busy(s: Script) -> None:
    """Time goes on however busy a slow journal is."""
    s.parameters["expiry_grace_ms"] = GRACE
    s.register(0, lease=400)
    for _ in range(s.rng.choice((34, 40))):
        s.register(1, chance=0, faults={"order": 20})
    _looked_at(s, 0)


# -------------------------------------------------------------------- entries


def both_wrong(s: Script) -> None:
    """A write with an old epoch and a wrong condition: the epoch is asked first."""
    c = s.anyone()
    s.register(c)
    s.register(c)
    members = {"if_revision": s.rng.choice((1, 0, ref("revision", plus=1)))}
    s.rng.choice((s.update, s.deregister))(c, back=1, members=members)
    s.lookup(s.anyone(), c)
    s.register(c, members={"if_revision": 0})
    s.deregister(c, members={"if_revision": ref("revision")})


def clear_carried(s: Script) -> None:
    """Members carried, cleared, both, and maps that are replaced and not merged."""
    c = s.anyone()
    s.register(c, chance=1)
    for _ in range(3):
        members: dict[str, Any] = {"clear": s.rng.sample(("zone", "name", "resources", "metadata"), 2)}
        if s.rng.random() < 0.5:
            members = {"resources": {"mem": 3}, "zone": "b", "clear": ["zone", "node"]}
        s.update(
            c,
            members=s.rng.choice((members, {"metadata": {"case": s.nonce, "x": 1}}, {"resources": {"z": 1}})),
        )
        s.lookup(s.anyone(), c)


def said_again(s: Script) -> None:
    """An update that changes nothing is a change all the same."""
    c = s.anyone()
    s.register(c, members={"zone": "a"})
    s.watch(s.other(c))
    s.update(c, members={"zone": "a"})
    s.send(c, "Update", {"agent": ref("agent"), "epoch": ref("epoch"), "zone": "a"})
    s.send(c, "Update", {"agent": ref("agent"), "epoch": ref("epoch")})
    s.lookup(s.anyone(), c)


# -------------------------------------------------------------------- repetition


def refused_then(s: Script) -> None:
    """A refusal is an outcome: repeated after the reason is gone it is the same."""
    c = s.anyone()
    s.register(c)
    match s.rng.randrange(3):
        case 0:
            name = s.update(c, members={"if_revision": 0})
            s.deregister(c)
            s.register(c)
        case 1:
            s.deregister(c)
            name = s.register(c, members={"if_revision": 1})
            s.register(c)
        case _:
            s.deregister(c)
            name = s.register(c, members={"if_revision": ref("answered", op="o1")})
    if s.rng.random() < 0.5:
        s.crash()
    s.repeat(name)
    s.lookup(s.anyone(), c)


def window(s: Script) -> None:
    """Requests repeated, and sent late, on either side of the window of 64."""
    c = s.anyone()
    first = s.register(c)
    ahead = s.rng.choice((9, 30, 62, 62, 63))  # the second write lies 1 + ahead before the first
    s.update(c, sequence={"jump": ahead})
    if s.rng.random() < 0.5:
        s.repeat(first)
    else:
        s.update(c, sequence={"back": s.rng.choice((ahead, max(1, ahead - 1)))})
    if s.rng.random() < 0.5:
        s.renew(c)
        s.repeat(first)
    s.lookup(s.anyone(), c)


def own_window(s: Script) -> None:
    """Each source counts for itself."""
    c = s.anyone()
    s.register(c, sequence={"jump": s.rng.choice((70, 500))})
    s.register(s.other(c))
    s.update(s.other(c))


def watch_twice_said(s: Script) -> None:
    """A Watch or Unwatch repeated as it was is answered as it was, and opens and ends nothing."""
    c = s.anyone()
    s.register(c)
    watch = s.watch(0)
    s.update(c)
    if s.rng.random() < 0.5:
        s.repeat(watch)
        s.update(c)
    end = s.unwatch(0)
    s.repeat(watch)
    s.update(c)
    if s.rng.random() < 0.5:
        s.watch(0)
        s.repeat(end)
        s.update(c)


# -------------------------------------------------------------------- clocks and bytes


def _hold(s: Script, client: int, count: int, ahead: int = 1500) -> None:
    data = {"agent": ref("agent"), "consistency": "eventual"}
    s.add("flood", client=client, message="Lookup", data=data, count=count, craft={"ahead_ms": ahead})


def held_apart(s: Script) -> None:
    """What is held of one source is nothing to another, and a place given back can be taken again."""
    s.register(0)
    if s.rng.random() < 0.5:
        _hold(s, 0, s.rng.choice((40, 64)))
        _hold(s, 1, s.rng.choice((40, 64)))
    else:
        _hold(s, 1, 50, 800)
        s.advance(900)
        _hold(s, 1, 50, 800)
    s.advance(5)
    s.lookup(0, 0)


def expiry_exact(s: Script) -> None:
    """Delivered at its very expiry, ordered after it, and expired and repeated."""
    c = s.anyone()
    s.register(c)
    match s.rng.randrange(3):
        case 0:
            s.rng.choice((s.update, s.lookup))(c, craft={"expires_ms": 1})
        case 1:
            s.update(c, craft={"expires_ms": 8}, faults={"order": 30})
        case _:
            name = s.update(c, craft={"expires_ms": -5})
            s.repeat(name)
            s.repeat(name)
    s.lookup(s.anyone(), c)


def large_and_padded(s: Script) -> None:
    """Data that are large, padded with whitespace, or full of brackets in strings, and good all the same."""
    c = s.anyone()
    text = s.rng.choice(('[{"[{' * 30, '\\"[[' * 40, "]" * 50))
    s.register(c, members={"metadata": {"case": s.nonce, "text": text}})
    s.register(c, craft={"pad": s.rng.choice((1, 7, 150_000))})
    s.query(c, s.where({"path": "metadata.text", "op": "eq", "value": text}), craft={"pad": 4})
    craft = {"crit": True, "minor": s.rng.choice((0, 9))}
    s.update(c, craft=craft)
    s.query(c, s.where(), craft=craft)
    s.lookup(s.anyone(), c)


def lengths(s: Script) -> None:
    """Leases of the smallest and the greatest length allowed."""
    c = s.anyone()
    s.register(c, lease=s.rng.choice((100, LONG)))
    s.renew(c, lease=LONG)
    s.renew(c, lease=100)
