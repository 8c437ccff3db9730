"""Boundary scenarios: situations in which a registry that is nearly right goes wrong.

Responsible for the table from row to such scenarios, each exact and without random faults. Simulation only: they
count milliseconds, crash the subject, or fill the namespace. Not responsible for the plain scenarios of every row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from ._script import LONG, Script, ref

__all__ = ["BOUNDARIES"]

Scenario = Callable[[Script], Any]
GRACE: Final = 200
CROWD: Final = 104
# values that a careless comparison takes for equal, or for ordered the other way round
_PAIRS: Final[tuple[tuple[Any, Any], ...]] = (
    (1, True), (0, False), (1, 1.0), (0, -0.0), ("1", 1), (2, 10), ("2", "10"), ("B", "a"), ("", "a"), (False, True),
    ("é", "e\u0301"), ("\uff5e", "\U0001f600"), ([1], [True]), ([1], [1.0]), ([1, "a"], ["a", 1]), ([], [1]),
    ({"k": 1}, {"k": True}), ({"k": 1}, {"k": 1, "l": 2}), (["ml"], ["ml@1"]), ([2, 2, 2], {"k": 1}), (["ab"], "ab"),
    ({"k": 1}, [1]), (9_007_199_254_740_991, 9_007_199_254_740_990),
)  # fmt: skip
_OPS: Final = ("eq", "ne", "gt", "gte", "lt", "lte", "in", "not_in", "contains", "prefix", "exists")


# -------------------------------------------------------------------- leases


def _looked_at(s: Script, *agents: int) -> None:
    for agent in agents:
        s.lookup(s.other(agent), agent, "linearizable")


def _not_renewed(s: Script) -> None:
    """Whatever an agent does besides Register and Renew, its lease runs out."""
    s.parameters["expiry_grace_ms"] = GRACE
    c = s.anyone()
    s.register(c, lease=800)
    back = s.rng.random() < 0.2
    if back:
        s.register(c, lease=800)
    s.advance(650)
    match 5 if back else s.rng.randrange(5):
        case 0 | 1:
            s.update(c)
        case 2:
            s.watch(c)
        case 3:
            s.lookup(c, c, "linearizable")
        case 4:
            s.update(c, members={"if_revision": ref("revision", plus=1)})
        case _:
            s.renew(c, back=1)
    s.advance(500)
    _looked_at(s, c)


def _another_length(s: Script) -> None:
    """The last grant counts, longer or shorter, by Register or by Renew."""
    s.parameters["expiry_grace_ms"] = GRACE
    c = s.anyone()
    lengths = s.rng.choice(((300, LONG), (LONG, 300), (300, 900), (900, 300)))
    s.register(c, lease=lengths[0])
    if s.rng.random() < 0.5:
        s.register(c, lease=lengths[1])
    else:
        s.renew(c, lease=lengths[1])
        if s.rng.random() < 0.5:
            s.renew(c)
    s.advance(650)
    _looked_at(s, c)
    s.advance(600)
    _looked_at(s, c)


def _together(s: Script) -> None:
    """Several leases end in one instant."""
    s.parameters["expiry_grace_ms"] = GRACE
    for c in range(s.clients):
        s.register(c, lease=400, wait=False)
    s.watch(0, where=s.where()) if s.rng.random() < 0.5 else s.advance(5)
    s.advance(650)
    _looked_at(s, *range(s.clients))


def _just_expired(s: Script) -> None:
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


def _busy(s: Script) -> None:
    """Time goes on however busy a slow journal is."""
    s.parameters["expiry_grace_ms"] = GRACE
    s.register(0, lease=400)
    for _ in range(s.rng.choice((34, 40))):
        s.register(1, chance=0, faults={"order": 20})
    _looked_at(s, 0)


# -------------------------------------------------------------------- entries


def _both_wrong(s: Script) -> None:
    """A write with an old epoch and a wrong condition: the epoch is asked first."""
    c = s.anyone()
    s.register(c)
    s.register(c)
    members = {"if_revision": s.rng.choice((1, 0, ref("revision", plus=1)))}
    s.rng.choice((s.update, s.deregister))(c, back=1, members=members)
    s.lookup(s.anyone(), c)
    s.register(c, members={"if_revision": 0})
    s.deregister(c, members={"if_revision": ref("revision")})


def _clear_carried(s: Script) -> None:
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


def _said_again(s: Script) -> None:
    """An update that changes nothing is a change all the same."""
    c = s.anyone()
    s.register(c, members={"zone": "a"})
    s.watch(s.other(c))
    s.update(c, members={"zone": "a"})
    s.send(c, "Update", {"agent": ref("agent"), "epoch": ref("epoch"), "zone": "a"})
    s.send(c, "Update", {"agent": ref("agent"), "epoch": ref("epoch")})
    s.lookup(s.anyone(), c)


# -------------------------------------------------------------------- repetition


def _refused_then(s: Script) -> None:
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


def _window(s: Script) -> None:
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


def _own_window(s: Script) -> None:
    """Each source counts for itself."""
    c = s.anyone()
    s.register(c, sequence={"jump": s.rng.choice((70, 500))})
    s.register(s.other(c))
    s.update(s.other(c))


def _watch_twice_said(s: Script) -> None:
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


# -------------------------------------------------------------------- reads


def _close_values(s: Script) -> None:
    """Entries and criteria with values that are nearly the same."""
    pair = s.rng.choice(_PAIRS)
    for c in range(s.clients):
        value = pair[c % 2] if c < 2 else s.rng.choice((*pair, *s.rng.choice(_PAIRS)))
        s.register(c, members={"metadata": {"case": s.nonce, "v": value, "l": [value, "z"]}})
    for _ in range(4):
        op = s.rng.choice(_OPS)
        wanted = s.rng.choice(pair)
        other = s.rng.choice(("zz", 77, False))
        value = (
            [*([wanted] * (s.rng.random() < 0.8)), *([other] * (s.rng.random() < 0.5))]
            if op in ("in", "not_in")
            else wanted
        )
        path = "metadata.l" if op in ("contains", "prefix") and s.rng.random() < 0.7 else "metadata.v"
        one = {"path": path, "op": op, "value": value}
        s.query(s.anyone(), s.where(one))
        s.query(
            s.anyone(),
            s.where({"path": "metadata.l", "op": s.rng.choice(("eq", "ne")), "value": [wanted, "z"]}),
        )
    for down in (False, True):
        s.query(0, s.where(), order_by=[{"path": "metadata.v", "descending": down}])


def _odd_filters(s: Script) -> None:
    """Filters with nothing in them, `exists` without a value, and paths that lead through a scalar or a list."""
    s.register_all(chance=0.6)
    s.register(0, members={"metadata": {"case": s.nonce, "n": 1, "l": ["a"], "m": "a"}})
    name = {"path": "zone", "op": "exists"}
    where: tuple[dict[str, Any] | None, ...] = (
        None, {}, {"all": []}, {"all": [], "any": []}, {**s.where(), "any": []}, {"any": [name]}, s.where(name),
        s.where({**name, "value": False}), s.where(either=({"path": "metadata.n.x", "op": "exists"}, name)),
    )  # fmt: skip
    for path in ("metadata.n.x", "metadata.l.0", "metadata.m.k", "metadata.case.c"):
        s.query(s.anyone(), s.where({"path": path, "op": "exists", "value": s.rng.random() < 0.5}))
    for one in s.rng.sample(where, 4):
        data: dict[str, Any] = {"consistency": s.consistency(), **({"where": one} if one is not None else {})}
        s.send(s.anyone(), "Query", {**data, "limit": 100})
        s.send(s.anyone(), "Count", data)
    empty = {"path": "metadata.n", "op": s.rng.choice(("in", "not_in")), "value": []}
    s.query(s.anyone(), s.where(empty))
    s.query(s.anyone(), s.where({"path": "capabilities", "op": "prefix", "value": "ml"}))


def _many_keys(s: Script) -> None:
    """Orders of four keys, of which the first tie."""
    s.clients = 4
    for c in range(4):
        values = {"a": 1, "b": s.rng.choice(("x", "x", "y")), "c": s.rng.choice(([1], [2, 3], {"k": 1}, True)),
                  "d": s.rng.choice((2, 10, 1.5, "\uff5e", "\U0001f600", "B", "a"))}  # fmt: skip
        s.register(c, members={"metadata": {"case": s.nonce, **values}})
    for paths in ("abcd", "d", "cd", s.rng.sample("abcd", 4)):
        order = [{"path": f"metadata.{key}", "descending": s.rng.random() < 0.5} for key in paths]
        s.query(0, s.where(), order_by=order)
        if s.rng.random() < 0.5:
            first = s.query(0, s.where(), order_by=order, limit=2)
            s.query(0, s.where(), order_by=order, limit=100, cursor=ref("cursor", op=first))


def _page_by_page(s: Script) -> None:
    """Pages of one, entries that leave in between, a crash, and the same cursor twice."""
    s.clients = 4
    s.register_all()
    order: dict[str, Any] = {} if s.rng.random() < 0.5 else {"order_by": [{"path": "zone"}]}
    last = s.query(0, s.where(), limit=1, **order)
    for turn in range(3):
        if turn == 0 and s.rng.random() < 0.3:
            s.crash()
        for _ in range(s.rng.randrange(3)):
            s.deregister(s.anyone())
        s.query(0, s.where(), limit=100, cursor=ref("cursor", op=last), **order)
        last = s.query(0, s.where(), limit=1, cursor=ref("cursor", op=last), **order)


def _other_query(s: Script) -> None:
    """A cursor given to a query that differs in its order, in a direction, or in its filter alone."""
    s.register_all()
    order: list[dict[str, Any]] = [{"path": "metadata.n"}, {"path": "zone", "descending": True}]
    first = s.query(0, s.where(), limit=1, order_by=order)
    other = s.rng.choice(
        (
            [{"path": "metadata.n", "descending": True}, order[1]],
            [order[1], order[0]],
            [order[0], {"path": "node"}],
        )
    )
    s.query(0, s.where(), limit=1, order_by=other, cursor=ref("cursor", op=first))
    s.query(0, s.where(s.criterion()), limit=1, order_by=order, cursor=ref("cursor", op=first))


def _under_way(s: Script) -> None:
    """Reads, and other writes of the same agent, while the journal still holds a write back."""
    s.register_all()
    c = s.anyone()
    slow = {"order": 20}
    s.update(c, wait=False, faults=slow)
    s.lookup(c, c, "eventual", wait=False)
    s.rng.choice((s.update, s.renew))(c, wait=False, faults=slow)
    s.register(s.other(c), wait=False, faults=slow)
    s.query(s.other(c), s.where(), wait=False)
    s.lookup(s.other(c), c, "eventual", wait=False)
    s.advance(60)
    s.lookup(c, c)


def _crowd(s: Script) -> None:
    """More agents than a page, a batch or a count of a hundred holds."""
    s.clients = CROWD
    large = s.rng.random() < 0.25
    for c in range(CROWD):
        members: dict[str, Any] = {"capabilities": ["ml"], "metadata": {"case": s.nonce}}
        if large:
            members["metadata"]["text"] = ["x" * 4000, "y" * 3000]
        s.register(c, chance=0, members=members, wait=c % 50 == 49)
    s.advance(10)
    s.watch(0, where=s.where())
    s.count(1, s.where())
    s.send(1, "Count", {"consistency": "linearizable"})
    first = s.query(0, s.where())
    s.query(0, s.where(), cursor=ref("cursor", op=first))
    s.update(5)
    s.watch(1, after=ref("answered", op="o1"))


# -------------------------------------------------------------------- watches


def _side_by_side(s: Script) -> None:
    """Watches of one name by two agents, of two names by one, and without a filter."""
    s.parameters["expiry_grace_ms"] = GRACE
    a, b = 0, 1
    c = s.anyone()
    if s.rng.random() < 0.7:
        s.register(c, members={"zone": "a"})
    s.watch(a, where=s.where({"path": "zone", "op": "eq", "value": s.rng.choice("ab")}))
    if s.rng.random() < 0.5:
        s.send(b, "Watch", {"watch": "w1", "lease_ms": LONG})
    else:
        s.watch(b)
    s.watch(a, name="w2")
    s.register(c, lease=s.rng.choice((LONG, 300)), members={"zone": "a"})
    s.register(s.other(c), members={"zone": "b"})
    s.update(c, members={"zone": "b"})
    if s.rng.random() < 0.5:
        s.unwatch(a, name=s.rng.choice(("w1", "w2")))
        s.update(s.other(c), members={"zone": "a"})
    s.advance(700)


def _named_again(s: Script) -> None:
    """A watch named again in time lives on, and tells what comes then."""
    s.parameters["expiry_grace_ms"] = GRACE
    c = 1
    if s.rng.random() < 0.6:
        s.register(c)
    s.watch(0, lease=400)
    for _ in range(s.rng.randrange(1, 3)):
        s.advance(300)
        s.watch(0, lease=400)
    s.advance(s.rng.choice((200, 350)))
    s.register(c)
    s.update(c)
    s.advance(10)


def _behind(s: Script) -> None:
    """Resuming behind the last change, behind nothing, and around the oldest change kept."""
    s.parameters["history"] = s.rng.choice((1, 2, 3, 4, 100))
    c = s.anyone()
    marks = [s.register(c, members={"zone": "a"})]
    for _ in range(4):
        marks.append(s.rng.choice((s.update, s.register))(c, members={"zone": "a"}))
    point: Any = s.rng.choice(
        (0, *(ref("answered", op=mark) for mark in marks), ref("answered", op=marks[-1]))
    )
    s.watch(0, after=point)
    s.rng.choice((s.update, s.deregister))(c)
    if s.rng.random() < 0.3:
        s.parameters["history"] = 100
        s.watch(1, after=0)
        s.deregister(c)
    s.advance(5)


def _crash_between(s: Script) -> None:
    """A crash between what a watch was told and what it was not; the watcher is registered or not."""
    c = 1
    s.register(c)
    s.watch(0)
    s.update(c, wait=False, faults={"order": s.rng.choice((0, 1, 2, 5))})
    s.advance(s.rng.choice((0, 1, 2, 3, 5)))
    s.crash(keep=s.rng.random() < 0.7)
    s.update(c)
    s.crash()
    s.deregister(c)


# -------------------------------------------------------------------- clocks and bytes


def _hold(s: Script, client: int, count: int, ahead: int = 1500) -> None:
    data = {"agent": ref("agent"), "consistency": "eventual"}
    s.add("flood", client=client, message="Lookup", data=data, count=count, craft={"ahead_ms": ahead})


def _held_apart(s: Script) -> None:
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


def _expiry_exact(s: Script) -> None:
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


def _large_and_padded(s: Script) -> None:
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


def _lengths(s: Script) -> None:
    """Leases of the smallest and the greatest length allowed."""
    c = s.anyone()
    s.register(c, lease=s.rng.choice((100, LONG)))
    s.renew(c, lease=LONG)
    s.renew(c, lease=100)


def _table() -> dict[str, tuple[Scenario, ...]]:
    rows: dict[str, tuple[Scenario, ...]] = {
        "REG-LEASE-001": (_another_length,),
        "REG-LEASE-002": (_another_length,),
        "REG-LEASE-003": (_not_renewed, _together, _busy),
        "REG-LEASE-004": (_just_expired,),
        "REG-LEASE-006": (_another_length, _lengths),
        "REG-REG-002": (_just_expired,),
        "REG-REG-006": (_both_wrong,),
        "REG-UPD-001": (_clear_carried,),
        "REG-UPD-002": (_clear_carried,),
        "REG-UPD-003": (_said_again,),
        "REG-UPD-004": (_both_wrong,),
        "REG-DRG-002": (_both_wrong,),
        "REG-DUR-002": (_refused_then, _crash_between),
        "REG-REV-003": (_under_way,),
        "REG-REV-004": (_under_way,),
        "REG-QRY-001": (_odd_filters,),
        "REG-QRY-012": (_odd_filters, _close_values),
        "REG-QRY-014": (_crowd, _page_by_page),
        "REG-QRY-017": (_many_keys, _close_values),
        "REG-QRY-018": (_page_by_page,),
        "REG-QRY-019": (_other_query,),
        "REG-CNT-001": (_odd_filters, _crowd),
        "REG-WCH-001": (_side_by_side, _crowd),
        "REG-WCH-002": (_side_by_side,),
        "REG-WCH-003": (_behind,),
        "REG-WCH-004": (_behind,),
        "REG-TMB-002": (_behind,),
        "REG-WCH-005": (_side_by_side,),
        "REG-WCH-007": (_side_by_side,),
        "REG-WCH-010": (_named_again, _watch_twice_said),
        "REG-WCH-011": (_watch_twice_said,),
        "REG-WCH-012": (_crash_between,),
        "CORE-DLV-001": (_refused_then, _watch_twice_said, _window),
        "CORE-DLV-002": (_window, _own_window),
        "CORE-CLK-001": (_held_apart,),
        "CORE-CLK-002": (_held_apart,),
        "CORE-CLK-003": (_expiry_exact,),
        "CORE-LEX-005": (_large_and_padded,),
        "CORE-LEX-006": (_large_and_padded,),
        "CORE-VER-004": (_large_and_padded,),
        "CORE-REP-001": (_under_way,),
    }
    return rows | {f"REG-QRY-{n:03d}": (_close_values,) for n in (*range(2, 12), 15)}


BOUNDARIES: Final = _table()
