"""Boundary scenarios of reads and watches.

Responsible for values, pages, crowds and streams at which a registry that is nearly right goes wrong, each exact and
without random faults. Not responsible for which row they serve.
"""

from __future__ import annotations

from typing import Any, Final

from ._boundary_writes import GRACE
from ._script import LONG, OPS, Script, ref

__all__ = [
    "behind",
    "close_values",
    "crash_between",
    "crowd",
    "left_then_read",
    "many_keys",
    "named_again",
    "odd_filters",
    "other_query",
    "page_by_page",
    "side_by_side",
    "under_way",
]

CROWD: Final = 104
# values that a careless comparison takes for equal, or for ordered the other way round
_PAIRS: Final[tuple[tuple[Any, Any], ...]] = (
    (1, True), (0, False), (1, 1.0), (0, -0.0), ("1", 1), (2, 10), ("2", "10"), ("B", "a"), ("", "a"), (False, True),
    ("é", "e\u0301"), ("\uff5e", "\U0001f600"), ([1], [True]), ([1], [1.0]), ([1, "a"], ["a", 1]), ([], [1]),
    ({"k": 1}, {"k": True}), ({"k": 1}, {"k": 1, "l": 2}), ("ml", "ml@1"), ([2, 2, 2], {"k": 1}), (["ab"], "ab"),
    ({"k": 1}, [1]), (9_007_199_254_740_991, 9_007_199_254_740_990),
)  # fmt: skip


# -------------------------------------------------------------------- reads


_OWN: Final[dict[str, tuple[tuple[Any, Any], ...]]] = {
    "contains": (("ml", "ml@1"), (["a"], "a")),
    "prefix": ((["ab"], "ab"), ("", "a")),
}


def close_values(op: str | None, s: Script) -> None:
    """Entries and criteria with values that are nearly the same, three pairs of them side by side."""
    pairs = [*_OWN.get(op or "", ()), *s.rng.sample(_PAIRS, 3)][:3]
    for c in range(s.clients):
        side = c % 2 if c < 2 else s.rng.randrange(2)
        values = {f"v{n}": pair[side] for n, pair in enumerate(pairs)}
        lists = {f"l{n}": [pair[side], "z"] for n, pair in enumerate(pairs)}
        s.register(c, members={"metadata": {"case": s.nonce, **values, **lists}})
    for n, pair in enumerate(pairs):
        for _ in range(2):
            chosen = op if op and s.rng.random() < 0.7 else s.rng.choice(OPS)
            s.query(s.anyone(), s.where(_close(s, chosen, n, s.rng.choice(pair))))
        same = {"path": f"metadata.l{n}", "op": s.rng.choice(("eq", "ne")), "value": [pair[0], "z"]}
        s.query(s.anyone(), s.where(same))
        s.query(0, s.where(), order_by=[{"path": f"metadata.v{n}", "descending": s.rng.random() < 0.5}])


def _close(s: Script, op: str, n: int, wanted: Any) -> dict[str, Any]:
    """A criterion that asks for one value of the n-th pair; among others, where the operator takes a list."""
    value = wanted
    if op in ("in", "not_in"):
        other = s.rng.choice(("zz", 77, False))
        value = [*([wanted] * (s.rng.random() < 0.8)), *([other] * (s.rng.random() < 0.5))]
    member = "l" if op in ("contains", "prefix") and s.rng.random() < 0.7 else "v"
    return {"path": f"metadata.{member}{n}", "op": op, "value": value}


def odd_filters(s: Script) -> None:
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
    empty: dict[str, Any] = {"path": "metadata.n", "op": s.rng.choice(("in", "not_in")), "value": []}
    s.query(s.anyone(), s.where(empty))
    s.query(s.anyone(), s.where({"path": "capabilities", "op": "prefix", "value": "ml"}))


def many_keys(s: Script) -> None:
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


def page_by_page(s: Script) -> None:
    """Pages of one, entries that leave in between, a crash, and the same cursor twice."""
    s.clients = 4
    s.register_all()
    order: dict[str, Any] = {} if s.rng.random() < 0.5 else {"order_by": [{"path": "zone"}]}
    last = s.query(0, s.where(), limit=1, **order)
    for turn in range(3):
        if turn == 0 and s.rng.random() < 0.5:
            s.crash()
        for _ in range(s.rng.randrange(3)):
            s.deregister(s.anyone())
        s.query(0, s.where(), limit=100, cursor=ref("cursor", op=last), **order)
        last = s.query(0, s.where(), limit=1, cursor=ref("cursor", op=last), **order)


def other_query(s: Script) -> None:
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
    plain = s.query(0, s.where(), limit=1)
    s.query(0, s.where(s.criterion()), limit=1, cursor=ref("cursor", op=plain))


def under_way(s: Script) -> None:
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


def left_then_read(s: Script) -> None:
    """Reads of all kinds after the last write took something away."""
    s.register_all()
    c = s.anyone()
    s.deregister(c)
    data: dict[str, Any] = {"consistency": "linearizable"}
    s.send(s.other(c), "Count", data)
    s.send(s.other(c), "List", {**data, "limit": s.rng.choice((1, 100))})
    s.send(c, "Query", {**data, "limit": 100, "where": s.where()})
    s.lookup(c, c)


def crowd(s: Script) -> None:
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


def side_by_side(s: Script) -> None:
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


def named_again(s: Script) -> None:
    """A watch named again in time lives on, and tells what comes then."""
    s.parameters["expiry_grace_ms"] = GRACE
    c = 1
    if s.rng.random() < 0.6:
        s.register(c)
    s.send(1, "Watch", {"watch": "all", "lease_ms": LONG})
    s.watch(0, lease=400)
    for _ in range(s.rng.randrange(1, 3)):
        s.advance(300)
        prolonging: dict[str, Any] = {"index": 0} if s.rng.random() < 0.5 else {}
        s.watch(0, lease=400, **prolonging)
    s.advance(s.rng.choice((200, 350)))
    s.register(c)
    s.update(c)
    s.advance(10)


def behind(s: Script) -> None:
    """Resuming behind the last change, behind nothing, and around the oldest change kept."""
    s.parameters["history"] = s.rng.choice((1, 2, 3, 4, 100))
    c = s.anyone()
    d = s.other(c)
    s.register(d)
    marks = [s.register(c, members={"zone": "a"})]
    for _ in range(4):
        marks.append(s.rng.choice((s.update, s.register))(c, members={"zone": "a"}))
    last = marks[-1]
    points = (0, *(ref("answered", op=mark) for mark in marks), ref("answered", op=last))
    point: Any = s.rng.choice((*points, ref("seen", plus=s.rng.choice((2, 1000)))))
    s.watch(0, after=point)
    s.rng.choice((s.update, s.deregister))(s.rng.choice((c, d)))
    if s.rng.random() < 0.3:
        s.parameters["history"] = 100
        s.watch(1, after=0)
        s.deregister(c)
    s.advance(5)


def crash_between(s: Script) -> None:
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
