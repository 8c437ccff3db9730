"""Writing plans: a small vocabulary over operations, so that scenarios read like what they do.

Responsible for operations, their ids, and the small pools from which values come (small, so that values collide
and comparisons meet their boundaries). Not responsible for which scenario serves which row.
"""

from __future__ import annotations

import random
from typing import Any

from ..plan import Operation

__all__ = ["LONG", "OPS", "Script", "ref"]

LONG = 3_600_000
OPS = ("eq", "ne", "gt", "gte", "lt", "lte", "in", "not_in", "contains", "prefix", "exists")
_ZONES = ("a", "ab", "b", "us-1")
_HEALTH = ("healthy", "degraded", "unhealthy", "unknown")
_CAPABILITIES = ("ml.train", "ml.train@1.0", "ml.train@2", "ml.trainer", "vision", "vision@1")
_SCALARS: tuple[Any, ...] = (0, 1, 2, 1.5, -1, "a", "ab", "b", "B", "é", "", True, False)


def ref(kind: str, **detail: Any) -> dict[str, Any]:
    """A symbolic reference that the engine resolves when it sends."""
    return {"$": kind, **detail}


class Script:
    """A plan in the making. Every method that sends returns the operation's id."""

    def __init__(self, rng: random.Random, nonce: str, clients: int, sim: bool = True) -> None:
        self.rng, self.nonce, self.clients, self.sim = rng, nonce, clients, sim
        self.operations: list[Operation] = []
        self.parameters: dict[str, int] = {}
        self.faulty = False

    # ------------------------------------------------------------------ operations

    def add(self, op: str, **detail: Any) -> str:
        name = f"o{len(self.operations) + 1}"
        self.operations.append({"id": name, "op": op, **detail})
        return name

    def send(self, client: int, message: str, data: dict[str, Any], **extra: Any) -> str:
        if self.rng.random() < 0.1 and "craft" not in extra:
            extra["craft"] = {"base64": True}
        if self.faulty and "faults" not in extra and self.rng.random() < 0.3:
            extra["faults"] = self.faults()
            extra.setdefault("wait", self.rng.random() < 0.7)
        return self.add("send", client=client, message=message, data=data, **extra)

    def faults(self) -> dict[str, int]:
        rng = self.rng
        kind = rng.choice(("drop_request", "drop_reply", "duplicate", "delay", "order", "duplicate"))
        match kind:
            case "drop_reply":
                return {kind: rng.choice((1, 1, 2))}
            case "drop_request":
                return {kind: 1}
            case _:
                return {kind: rng.choice((1, 2, 3, 7, 20))}

    def anyone(self) -> int:
        return self.rng.randrange(self.clients)

    def other(self, client: int) -> int:
        return (client + 1 + self.rng.randrange(max(1, self.clients - 1))) % self.clients

    # ------------------------------------------------------------------ values

    def scalar(self) -> Any:
        return self.rng.choice(_SCALARS)

    def metadata(self) -> dict[str, Any]:
        rng = self.rng
        found: dict[str, Any] = {"case": self.nonce}
        pools: dict[str, tuple[Any, ...]] = {
            "n": (0, 1, 2, 3, 1.5),
            "s": ("a", "ab", "abc", "b"),
            "t": _SCALARS,
        }
        for key, pool in pools.items():
            if rng.random() < 0.6:
                found[key] = rng.choice(pool)
        if rng.random() < 0.3:
            found["l"] = [rng.choice(_SCALARS) for _ in range(rng.randrange(3))]
        if rng.random() < 0.3:
            found["m"] = {"k": self.scalar()}
        return found

    def members(self, chance: float = 0.4) -> dict[str, Any]:
        """Optional members of an entry."""
        rng = self.rng
        pool: dict[str, Any] = {
            "name": rng.choice(("planner", "réseau")),
            "endpoint": "tcp://10.0.0.1:7",
            "health": rng.choice(_HEALTH),
            "zone": rng.choice(_ZONES),
            "node": rng.choice(("n1", "n2")),
            "resources": {"gpu": rng.choice((0, 1, 2)), "mem": rng.choice((0.5, 1, 2))},
        }
        return {key: value for key, value in pool.items() if rng.random() < chance}

    def capabilities(self) -> list[str]:
        return sorted(self.rng.sample(_CAPABILITIES, self.rng.randrange(1, 4)))

    # ------------------------------------------------------------------ writes

    def register(self, client: int, lease: int = LONG, chance: float = 0.4, **extra: Any) -> str:
        data = {"agent": ref("agent"), "capabilities": self.capabilities(), "lease_ms": lease,
                "metadata": self.metadata(), **self.members(chance), **extra.pop("members", {})}  # fmt: skip
        return self.send(client, "Register", data, **extra)

    def register_all(self, lease: int = LONG, chance: float = 0.4) -> None:
        for client in range(self.clients):
            self.register(client, lease, chance)

    def update(self, client: int, back: int = 0, plus: int = 0, **extra: Any) -> str:
        data: dict[str, Any] = {"agent": ref("agent"), "epoch": ref("epoch", back=back, plus=plus)}
        data |= self.members(0.3)
        if self.rng.random() < 0.3:
            data["metadata"] = self.metadata()
        if self.rng.random() < 0.3:
            data["capabilities"] = self.capabilities()
        if len(data) == 2:
            data["health"] = self.rng.choice(_HEALTH)
        return self.send(client, "Update", {**data, **extra.pop("members", {})}, **extra)

    def renew(self, client: int, back: int = 0, lease: int | None = None, **extra: Any) -> str:
        data: dict[str, Any] = {"agent": ref("agent"), "epoch": ref("epoch", back=back)}
        if lease is not None:
            data["lease_ms"] = lease
        return self.send(client, "Renew", data, **extra)

    def deregister(self, client: int, back: int = 0, plus: int = 0, **extra: Any) -> str:
        data = {
            "agent": ref("agent"),
            "epoch": ref("epoch", back=back, plus=plus),
            **extra.pop("members", {}),
        }
        return self.send(client, "Deregister", data, **extra)

    # ------------------------------------------------------------------ reads

    def consistency(self) -> str:
        return self.rng.choice(("linearizable", "eventual"))

    def lookup(
        self, client: int, agent: int | None = None, consistency: str | None = None, **extra: Any
    ) -> str:
        whom = self.anyone() if agent is None else agent
        data = {"agent": ref("agent", client=whom), "consistency": consistency or self.consistency()}
        return self.send(client, "Lookup", data, **extra)

    def where(self, *criteria: dict[str, Any], either: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
        """A filter that keeps to this plan's entries."""
        found: dict[str, Any] = {
            "all": [{"path": "metadata.case", "op": "eq", "value": self.nonce}, *criteria]
        }
        if either:
            found["any"] = list(either)
        return found

    def query(self, client: int, where: dict[str, Any], limit: int = 100, **extra: Any) -> str:
        more: dict[str, Any] = {name: extra.pop(name) for name in ("order_by", "cursor") if name in extra}
        data = {"where": where, "limit": limit, "consistency": self.consistency(), **more}
        return self.send(client, "Query", data, **extra)

    def count(self, client: int, where: dict[str, Any], **extra: Any) -> str:
        return self.send(client, "Count", {"where": where, "consistency": self.consistency()}, **extra)

    def criterion(self, op: str | None = None) -> dict[str, Any]:
        """One criterion whose value comes from the pools that entries are made of."""
        rng = self.rng
        op = op or rng.choice(OPS)
        path = rng.choice(("zone", "health", "name", "lease_ms", "metadata.n", "metadata.s", "metadata.t",
                           "resources.gpu", "metadata.m.k", "capabilities", "metadata.l"))  # fmt: skip
        value: Any = self._value(path)
        match op:
            case "in" | "not_in":
                value = [self._value(path) for _ in range(rng.randrange(1, 4))]
            case "exists":
                value = rng.choice((True, False))
            case "contains":
                path = rng.choice(("capabilities", "capabilities", "metadata.l", "zone", "metadata.s"))
                value = rng.choice(_CAPABILITIES) if path == "capabilities" else self._value(path)
            case "prefix":
                path = rng.choice(("zone", "name", "metadata.s", "metadata.t"))
                value = rng.choice(("a", "ab", "b", "", "pl"))
            case "gt" | "gte" | "lt" | "lte":
                path = rng.choice(("metadata.n", "metadata.s", "metadata.t", "resources.gpu", "zone"))
                value = self._value(path)
            case _:
                pass
        return {"path": path, "op": op, "value": value}

    def _value(self, path: str) -> Any:
        rng = self.rng
        if rng.random() < 0.15:
            return self.scalar()
        match path:
            case "zone":
                return rng.choice(_ZONES)
            case "health":
                return rng.choice(_HEALTH)
            case "name":
                return rng.choice(("planner", "réseau"))
            case "lease_ms":
                return rng.choice((LONG, 1000))
            case "metadata.n" | "resources.gpu":
                return rng.choice((0, 1, 2, 1.5))
            case "metadata.s":
                return rng.choice(("a", "ab", "abc", "b"))
            case _:
                return self.scalar()

    # ------------------------------------------------------------------ watches

    def watch(self, client: int, name: str = "w1", lease: int = LONG, **extra: Any) -> str:
        data: dict[str, Any] = {"watch": f"{name}", "lease_ms": lease}
        for key in ("where", "after", "index"):
            if key in extra:
                data[key] = extra.pop(key)
        data.setdefault("where", self.where())
        return self.send(client, "Watch", data, **extra)

    def unwatch(self, client: int, name: str = "w1", **extra: Any) -> str:
        return self.send(client, "Unwatch", {"watch": name}, **extra)

    # ------------------------------------------------------------------ the rest

    def advance(self, ms: int) -> None:
        self.add("advance", ms=ms)

    def crash(self, keep: bool | None = None, down_ms: int = 0) -> None:
        if self.sim:
            self.add("crash", keep=self.rng.random() < 0.5 if keep is None else keep, down_ms=down_ms)

    def repeat(self, of: str, **extra: Any) -> None:
        self.add("repeat", of=of, **extra)
