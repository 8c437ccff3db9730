"""Scenarios for the core's rows: input that is wrong in one way, repeated, late or early.

Responsible for what every endpoint owes. Not responsible for the family.
"""

from __future__ import annotations

import base64
from typing import Any

from ._script import Script, ref

__all__ = ["ahead", "expired", "flood", "garbage", "hostile", "target"]

# how many at a time of those kinds that have many ways
_SALVO = {"invalid": (14, 26), "bad_attribute": (14, 24), "unknown_member": (2, 5), "critical_member": (2, 5)}


def target(s: Script, craft: dict[str, Any]) -> None:
    c = s.anyone()
    filtered = craft.get("kind") in ("unknown_member", "newer_member") and s.rng.random() < 0.5
    full = craft.get("kind") == "invalid" and s.rng.random() < 0.4
    match 3 if filtered else 0 if full else s.rng.randrange(7):
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
        case 5:
            s.watch(c, craft=craft)
        case _:
            s.lookup(c, craft=craft)


def hostile(kind: str, s: Script) -> None:
    s.register_all()
    for _ in range(s.rng.randrange(*_SALVO.get(kind, (1, 4)))):
        target(s, {"kind": kind, "variant": s.rng.randrange(9_000)})
    s.lookup(s.anyone())


def garbage(s: Script) -> None:
    s.register(0)
    raw = s.rng.choice((b"", b"{", b"\xff\xfe", b"[]", b"null", b"hello", b'{"specversion":"1.0"}', b"{}" * 2000,
                        b"[" * 20000, b'{"specversion":"1.0","id":"x"}'))  # fmt: skip
    s.add("garbage", text_b64=base64.b64encode(raw).decode())
    s.lookup(0, 0)


def expired(s: Script) -> None:
    c = s.anyone()
    s.register(c)
    which = s.rng.randrange(3)
    if which == 0:
        target(s, {"expires_ms": -s.rng.choice((1, 1000))})
    elif which == 1:
        target(s, {"expires_ms": 5})
        s.operations[-1].update(faults={"delay": 50}, wait=False)
        s.advance(80)
    else:
        name = s.update(c, craft={"expires_ms": 100})
        s.advance(200)
        s.repeat(name)
    s.lookup(s.anyone(), c)


def ahead(s: Script) -> None:
    c = s.anyone()
    s.register(c)
    ms = s.rng.choice((501, 700, 1500, 500, 400))
    target(s, {"ahead_ms": ms})
    s.operations[-1]["wait"] = False
    s.advance(s.rng.choice((10, 100, 300)))
    s.lookup(s.anyone(), c)
    s.advance(1200)


def flood(s: Script) -> None:
    s.register(0)
    data = {"agent": ref("agent"), "consistency": "eventual"}
    s.add(
        "flood", client=1, message="Lookup", data=data, count=s.rng.choice((65, 66)), craft={"ahead_ms": 1500}
    )
    s.advance(5)
    s.lookup(0, 0)
