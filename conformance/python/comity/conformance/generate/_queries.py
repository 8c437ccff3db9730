"""Scenarios about filters, orders and pages.

Responsible for queries whose values meet their boundaries. Not responsible for who is told of changes.
"""

from __future__ import annotations

from typing import Any

from ._script import Script, ref

__all__ = ["bare", "filters", "foreign_cursor", "lists", "order", "pages"]


def filters(op: str | None, s: Script) -> None:
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


def bare(s: Script) -> None:
    s.register_all()
    for value in s.rng.sample(("ml.train", "vision", "ml", "ml.train@1.0"), 3):
        s.query(s.anyone(), s.where({"path": "capabilities", "op": "contains", "value": value}))


def order(s: Script) -> None:
    s.register_all(chance=0.6)
    for _ in range(3):
        paths = s.rng.sample(
            ("zone", "metadata.n", "metadata.t", "resources.gpu", "health", "agent", "epoch", "metadata.l"), 2
        )
        order = [
            {"path": path, "descending": s.rng.random() < 0.5} for path in paths[: s.rng.randrange(1, 3)]
        ]
        s.query(s.anyone(), s.where(), order_by=order)


def pages(s: Script) -> None:
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


def foreign_cursor(s: Script) -> None:
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


def lists(s: Script) -> None:
    s.register_all()
    s.send(0, "List", {"limit": s.rng.choice((1, 2, 100)), "consistency": s.consistency()})
    s.send(0, "Count", {"consistency": s.consistency()})
    s.rng.choice((s.deregister, s.update))(s.anyone())
    s.send(0, "List", {"limit": 100, "consistency": s.consistency()})
