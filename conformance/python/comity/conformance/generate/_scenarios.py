"""Scenarios: for each requirement row one way to make its trigger likely, in many variations.

Responsible for the table from row to scenario. Not responsible for judging; a scenario that misses its aim costs
a plan and nothing else.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from ._script import LONG, Script, ref

__all__ = ["AIMS", "SIGNED_AIMS", "SIM_ONLY", "walk"]

Scenario = Callable[[Script], Any]
_OPS: Final = ("eq", "ne", "gt", "gte", "lt", "lte", "in", "not_in", "contains", "prefix", "exists")


# -------------------------------------------------------------------- entries


def _again(s: Script) -> None:
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


def _conditional(s: Script) -> None:
    """Writes on the condition of a revision: the right one, an old one, 0, one too many."""
    c = s.anyone()
    s.register(c)
    for _ in range(s.rng.randrange(2, 5)):
        condition: Any = s.rng.choice((ref("revision"), ref("revision", plus=-1), ref("revision", plus=1), 0))
        members = {"if_revision": condition}
        s.rng.choice((s.register, s.update, s.update, s.deregister))(c, members=members)
        if s.rng.random() < 0.4:
            s.lookup(s.anyone(), c)


def _condition_absent(s: Script) -> None:
    c = s.anyone()
    s.register(c, members={"if_revision": s.rng.choice((0, 0, 5))})
    s.deregister(c)
    s.register(c, members={"if_revision": s.rng.choice((0, ref("answered", op="o1"), 1))})
    s.lookup(s.anyone(), c)


def _epochs(s: Script) -> None:
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


def _absent(s: Script) -> None:
    """Writes and reads about an agent that is not there."""
    a, b = 0, 1
    s.register(a)
    if s.rng.random() < 0.6:
        s.register(b)
        s.deregister(b)
    s.rng.choice((s.update, s.renew, s.deregister))(b)
    s.lookup(a, b)
    s.rng.choice((s.update, s.renew, s.deregister))(b)


def _updates(s: Script) -> None:
    c = s.anyone()
    s.register(c, chance=0.8)
    fields = ("name", "endpoint", "health", "zone", "node", "resources", "metadata")
    for _ in range(s.rng.randrange(1, 5)):
        clear = s.rng.sample(fields, s.rng.randrange(1, 3)) if s.rng.random() < 0.6 else None
        s.update(c, members={"clear": clear} if clear else {})
        s.lookup(s.anyone(), c)


def _foreign(s: Script) -> None:
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


def _leases(s: Script) -> None:
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


def _lease_length(s: Script) -> None:
    """Renewals that carry another length, and those that carry none after them."""
    s.parameters["expiry_grace_ms"] = 200
    c = s.anyone()
    s.register(c, lease=400)
    s.renew(c, lease=s.rng.choice((900, 1200, 150)))
    s.renew(c)
    s.advance(s.rng.choice((100, 600, 800)))
    s.lookup(s.other(c), c, "linearizable")
    s.renew(c)


def _renew_quiet(s: Script) -> None:
    """A renewal must not move the entry's revision: conditional writes tell."""
    c = s.anyone()
    s.register(c)
    s.renew(c)
    s.lookup(s.anyone(), c)
    s.update(c, members={"if_revision": ref("revision")})


def _lease_crash(s: Script) -> None:
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


def _concurrent(s: Script) -> None:
    """Many writes and reads at once, over a network that loses, doubles and delays."""
    s.register_all()
    s.faulty = True
    for _ in range(s.rng.randrange(4, 10)):
        _step(s)


def _crashes(s: Script) -> None:
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


def _stale_read(s: Script) -> None:
    s.register_all()
    for _ in range(s.rng.randrange(2, 5)):
        c = s.anyone()
        s.rng.choice((s.update, s.register, s.update))(c)
        s.lookup(s.other(c), c, "linearizable")
        s.lookup(s.other(c), c, "eventual")
    s.query(0, s.where())


def _pipelined(s: Script) -> None:
    """A linearizable read that overtakes nothing: it is sent while the journal is slow."""
    s.register_all()
    c = s.anyone()
    s.update(c, wait=False, faults={"order": s.rng.choice((5, 20))})
    s.lookup(s.other(c), c, "linearizable", wait=False)
    s.advance(30)
    s.lookup(s.other(c), c, "linearizable")


def _repeats(s: Script) -> None:
    """One write delivered again: at once, later, after others, with another id."""
    c = s.anyone()
    first = s.register(c, faults={"duplicate": s.rng.choice((1, 2, 9))} if s.rng.random() < 0.5 else {})
    then = s.rng.choice((s.update, s.register, s.deregister))(c)
    s.repeat(first)
    if s.rng.random() < 0.5:
        s.register(c)
    s.repeat(then)
    s.lookup(s.anyone(), c)


def _reused(s: Script) -> None:
    c = s.anyone()
    first = s.register(c)
    if s.rng.random() < 0.5:
        s.update(c)
    s.rng.choice((s.register, s.deregister, s.update))(c, sequence={"same_as": first})
    s.lookup(s.anyone(), c)


def _stale_sequence(s: Script) -> None:
    c = s.anyone()
    s.register(c)
    s.update(c, sequence={"jump": s.rng.choice((64, 65, 100))})
    s.update(c, sequence={"back": s.rng.choice((64, 64, 63, 65))})
    s.lookup(s.anyone(), c)


# -------------------------------------------------------------------- queries


def _filters(op: str | None, s: Script) -> None:
    s.register_all(chance=0.6)
    for _ in range(s.rng.randrange(3, 7)):
        one = s.criterion(op)
        where = s.where(one)
        match s.rng.randrange(5):
            case 0:
                where = s.where(either=(one, s.criterion(op)))
            case 1:
                where = s.where(one, either=(s.criterion(), s.criterion()))
            case _:
                pass
        (s.count if s.rng.random() < 0.2 else s.query)(s.anyone(), where)


def _bare(s: Script) -> None:
    s.register_all()
    for value in s.rng.sample(("ml.train", "vision", "ml", "ml.train@1.0"), 3):
        s.query(s.anyone(), s.where({"path": "capabilities", "op": "contains", "value": value}))


def _order(s: Script) -> None:
    s.register_all(chance=0.6)
    for _ in range(3):
        paths = s.rng.sample(
            ("zone", "metadata.n", "metadata.t", "resources.gpu", "health", "agent", "epoch", "metadata.l"), 2
        )
        order = [
            {"path": path, "descending": s.rng.random() < 0.5} for path in paths[: s.rng.randrange(1, 3)]
        ]
        s.query(s.anyone(), s.where(), order_by=order)


def _pages(s: Script) -> None:
    """Paging, while agents come and go between the pages."""
    s.register_all(chance=0.6)
    if s.sim and s.rng.random() < 0.3:
        first = s.send(0, "List", {"limit": 1, "consistency": s.consistency()})
        for _ in range(3):
            first = s.send(
                0,
                "List",
                {
                    "limit": s.rng.choice((1, 2)),
                    "cursor": ref("cursor", op=first),
                    "consistency": s.consistency(),
                },
            )
        return
    path = s.rng.choice(("zone", "metadata.n", "agent", "resources.gpu", "metadata.t"))
    order = [{"path": path, "descending": s.rng.random() < 0.5}] if s.rng.random() < 0.7 else None
    extra: dict[str, Any] = {"order_by": order} if order else {}
    last = s.query(0, s.where(), limit=s.rng.choice((1, 1, 2)), **extra)
    for _ in range(s.clients):
        if s.rng.random() < 0.3:
            s.rng.choice((s.register, s.deregister, s.update))(s.anyone())
        last = s.query(0, s.where(), limit=1, cursor=ref("cursor", op=last), **extra)


def _foreign_cursor(s: Script) -> None:
    s.register_all()
    first = s.query(0, s.where(), limit=1)
    match s.rng.randrange(3):
        case 0:
            s.query(
                0,
                s.where({"path": "capabilities", "op": "exists", "value": True}),
                limit=1,
                cursor=ref("cursor", op=first),
            )
        case 1:
            s.query(0, s.where(), limit=1, cursor=ref("cursor", op=first), order_by=[{"path": "epoch"}])
        case _:
            s.query(0, s.where(), limit=1, cursor=s.rng.choice(("AAAA", "bm9uZQ", "x")))


def _lists(s: Script) -> None:
    s.register_all()
    s.send(0, "List", {"limit": s.rng.choice((1, 2, 100)), "consistency": s.consistency()})
    s.send(0, "Count", {"consistency": s.consistency()})
    s.rng.choice((s.deregister, s.update))(s.anyone())
    s.send(0, "List", {"limit": 100, "consistency": s.consistency()})


# -------------------------------------------------------------------- watches


def _covered(s: Script) -> dict[str, Any]:
    return s.where({"path": "zone", "op": "eq", "value": "a"}) if s.rng.random() < 0.5 else s.where()


def _watching(s: Script) -> None:
    for c in range(s.rng.randrange(s.clients + 1)):
        s.register(c, members={"zone": s.rng.choice(("a", "b"))})
    s.watch(0, where=_covered(s))
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


def _leaving(s: Script) -> None:
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


def _watch_again(s: Script) -> None:
    c = s.anyone()
    s.register(c)
    s.watch(0)
    s.rng.choice((s.update, s.renew, s.register))(c)
    s.watch(0)
    s.update(c)
    if s.rng.random() < 0.5:
        s.unwatch(0)
        s.update(c)
        s.rng.choice((s.watch, s.unwatch))(0)


def _watch_lapse(s: Script) -> None:
    s.parameters["expiry_grace_ms"] = 200
    c = s.anyone()
    s.register(c)
    s.watch(0, lease=300)
    s.advance(200)
    s.update(c)
    if s.rng.random() < 0.4:
        s.watch(0, lease=300)
    s.advance(900 if s.sim else 1600)
    s.update(c)
    s.deregister(c)


def _resume(s: Script) -> None:
    """Watches that resume from a point within and beyond what is kept."""
    s.parameters["history"] = s.rng.choice((1, 2, 3, 100))
    c = s.anyone()
    s.register(c, members={"zone": "a"})
    marks = ["o1"]
    for _ in range(s.rng.randrange(1, 5)):
        d = s.rng.choice((c, s.anyone()))
        marks.append(s.rng.choice((s.update, s.update, s.register, s.deregister))(d))
    s.watch(0, after=ref("answered", op=s.rng.choice(marks)), where=_covered(s))
    s.rng.choice((s.update, s.deregister))(c)


def _resume_deleted(s: Script) -> None:
    c = s.anyone()
    if s.rng.random() < 0.4:
        s.parameters["history"] = s.rng.choice((1, 2))
    s.register(c)
    mark = s.register(s.other(c))
    s.deregister(c)
    s.watch(0, after=ref("answered", op=mark))


def _compacted(s: Script) -> None:
    s.parameters["history"] = s.rng.choice((1, 2))
    c = s.anyone()
    mark = s.register(c)
    for _ in range(s.rng.randrange(2, 5)):
        s.update(c)
    s.watch(0, after=ref("answered", op=mark))
    s.watch(0, name="w2")


def _watch_crash(s: Script) -> None:
    c = s.anyone()
    s.register(c)
    s.watch(0)
    s.update(c)
    if s.rng.random() < 0.5:
        s.update(c, wait=False, faults={"order": 5})
    s.crash()
    s.update(c)
    s.watch(0)
    s.rng.choice((s.update, s.deregister, s.register))(c)


# -------------------------------------------------------------------- the core's rows


def _target(s: Script, craft: dict[str, Any]) -> None:
    c = s.anyone()
    match s.rng.randrange(6):
        case 0:
            s.register(c, craft=craft)
        case 1:
            s.update(c, craft=craft)
        case 2:
            s.renew(c, craft=craft)
        case 3:
            s.query(c, s.where(), craft=craft)
        case 4:
            s.deregister(c, craft=craft)
        case _:
            s.lookup(c, craft=craft)


def _hostile(kind: str, s: Script) -> None:
    s.register_all()
    for _ in range(s.rng.randrange(1, 3)):
        _target(s, {"kind": kind, "variant": s.rng.randrange(60)})
    s.lookup(s.anyone())


def _garbage(s: Script) -> None:
    s.register(0)
    raw = s.rng.choice((b"", b"{", b"\xff\xfe", b"[]", b"null", b"hello", b'{"specversion":"1.0"}', b"{}" * 2000,
                        b"[" * 20000, b'{"specversion":"1.0","id":"x"}'))  # fmt: skip
    s.add("garbage", text_b64=base64.b64encode(raw).decode())
    s.lookup(0, 0)


def _expired(s: Script) -> None:
    c = s.anyone()
    s.register(c)
    which = s.rng.randrange(3)
    if which == 0:
        _target(s, {"expires_ms": -s.rng.choice((1, 1000))})
    elif which == 1:
        _target(s, {"expires_ms": 5})
        s.operations[-1].update(faults={"delay": 50}, wait=False)
        s.advance(80)
    else:
        name = s.update(c, craft={"expires_ms": 100})
        s.advance(200)
        s.repeat(name)
    s.lookup(s.anyone(), c)


def _ahead(s: Script) -> None:
    c = s.anyone()
    s.register(c)
    ms = s.rng.choice((501, 700, 1500, 500, 400))
    _target(s, {"ahead_ms": ms})
    s.operations[-1]["wait"] = False
    s.advance(s.rng.choice((10, 100, 300)))
    s.lookup(s.anyone(), c)
    s.advance(1200)


def _flood(s: Script) -> None:
    s.register(0)
    data = {"agent": ref("agent"), "consistency": "eventual"}
    s.add(
        "flood", client=1, message="Lookup", data=data, count=s.rng.choice((65, 66)), craft={"ahead_ms": 1500}
    )
    s.advance(5)
    s.lookup(0, 0)


# -------------------------------------------------------------------- free walks


def _step(s: Script) -> None:
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
            s.watch(c, where=_covered(s))
        case 14:
            s.update(c, members={"if_revision": ref("revision", plus=rng.choice((0, 0, -1)))})
        case _:
            s.advance(rng.choice((1, 5, 50)))


def walk(s: Script) -> None:
    """A free random walk over everything that is not hostile."""
    s.faulty = s.rng.random() < 0.6
    for _ in range(s.rng.randrange(6, 14)):
        _step(s)
        if s.rng.random() < 0.04:
            s.crash()


def _table() -> dict[str, tuple[Scenario, ...]]:
    found: dict[str, tuple[Scenario, ...]] = {}

    def put(rows: str, *scenarios: Scenario) -> None:
        for row in rows.split():
            found[row] = scenarios

    put("REG-REG-001 REG-REG-002 REG-REG-003 REG-REG-005", _again)
    put("REG-REG-004", _foreign)
    put("REG-REG-006 REG-REG-007", _conditional, _condition_absent)
    put("REG-UPD-001 REG-UPD-002 REG-UPD-003", _updates)
    put("REG-UPD-004 REG-LEASE-007 REG-DRG-002", _epochs)
    put("REG-UPD-005 REG-LEASE-004 REG-DRG-003 REG-LKP-002", _absent)
    put("REG-UPD-006 REG-DRG-004", _conditional)
    put("REG-LEASE-001 REG-LEASE-006", _lease_length, _leases)
    put("REG-LEASE-002 REG-LEASE-003", _leases)
    put("REG-LEASE-005", _renew_quiet)
    put("REG-LEASE-008", _lease_crash)
    put("REG-DRG-001", _absent, _again)
    put("REG-REV-001 REG-REV-002", _concurrent, _again)
    put("REG-REV-003 REG-REF-001", _stale_read, _epochs, _conditional)
    put("REG-REV-004", _stale_read, _pipelined)
    put("REG-DUR-001 REG-DUR-002", _crashes)
    put("REG-LKP-001", _updates)
    for n, op in enumerate(_OPS, 2):
        put(f"REG-QRY-{n:03d}", partial(_filters, op))
    put("REG-QRY-001 REG-QRY-013 REG-QRY-015 REG-CNT-001", partial(_filters, None))
    put("REG-QRY-014 REG-QRY-018", _pages)
    put("REG-QRY-016", _bare)
    put("REG-QRY-017", _order)
    put("REG-QRY-019", _foreign_cursor)
    put("REG-LST-001", _lists)
    put("REG-WCH-001 REG-WCH-002 REG-WCH-005 REG-WCH-008", _watching)
    put("REG-WCH-003", _resume)
    put("REG-WCH-004", _compacted)
    put("REG-TMB-001 REG-TMB-002", _resume_deleted, _resume)
    put("REG-WCH-006 REG-WCH-007", _leaving)
    put("REG-WCH-009", _watch_lapse)
    put("REG-WCH-010 REG-WCH-011", _watch_again)
    put("REG-WCH-012", _watch_crash)
    put("CORE-ENV-001 CORE-ENV-002 CORE-ENV-003 CORE-REP-001 CORE-REP-002 CORE-REP-003", walk)
    put("CORE-ENV-006", _garbage)
    put("CORE-DLV-001", _repeats)
    put("CORE-DLV-002", _stale_sequence)
    put("CORE-DLV-003", _reused)
    put("CORE-CLK-001", _ahead)
    put("CORE-CLK-002", _flood)
    put("CORE-CLK-003", _expired)
    for row, kind in (
        ("CORE-ENV-004", "bad_attribute"), ("CORE-ENV-005", "extra_attribute"), ("CORE-LEX-001", "duplicate_name"),
        ("CORE-LEX-002", "bad_number"), ("CORE-LEX-003", "bad_text"), ("CORE-LEX-004", "too_deep"),
        ("CORE-LEX-005", "truncated"), ("CORE-LEX-006", "too_large"), ("CORE-SCH-001", "invalid"),
        ("CORE-SCH-002", "unknown_type"), ("CORE-SCH-003", "invalid"), ("CORE-VER-001", "other_major"),
        ("CORE-VER-002", "unknown_member"), ("CORE-VER-003", "newer_member"), ("CORE-VER-004", "critical_member"),
        ("CORE-ADR-001", "foreign_namespace"),
    ):  # fmt: skip
        put(row, partial(_hostile, kind))
    return found


AIMS: Final = _table()
SIGNED_AIMS: Final[dict[str, tuple[Scenario, ...]]] = {
    "CORE-SIG-001": (walk,),
    "CORE-SIG-002": (partial(_hostile, "unsigned"),),
    "CORE-SIG-003": (partial(_hostile, "forged"),),
    "CORE-SIG-004": (partial(_hostile, "altered"),),
    "CORE-SIG-005": (partial(_hostile, "other_key"),),
    "CORE-SIG-006": (partial(_hostile, "weak_key"),),
}
# rows whose trigger needs the whole namespace, the journal, the clock or raw bytes in the suite's own hands
SIM_ONLY: Final = frozenset(
    [
        "REG-LST-001",
        "REG-LEASE-008",
        "REG-DUR-001",
        "REG-DUR-002",
        "REG-WCH-012",
        "REG-WCH-004",
        "REG-TMB-002",
        "CORE-ENV-006",
    ]
)
