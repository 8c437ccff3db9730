"""Plans: what the suite will do, as pure data.

Responsible for the shape of a plan, its JSON form and the identities of its clients. Not responsible for choosing
one (see `generate`) nor for carrying one out (see `engine`).

An operation is a mapping with `id` and `op`:
  send     client, message, data [, wait, craft, faults]   a request; `data` may hold symbolic references
  repeat   of [, wait]                                     the very event of an earlier send once more
  flood    client, message, data, count, craft             many sends in one instant
  garbage  text_b64                                        bytes that are no event
  advance  ms                                              time passes
  wall     by_ms                                           the wall clock jumps
  crash    keep, down_ms                                   the subject loses its memory and comes back
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from .signature import KeyPair
from .wire import dump

__all__ = ["Operation", "Plan", "identity"]

Operation = dict[str, Any]
FORMAT = "comity-plan/1"


@dataclass(frozen=True, slots=True)
class Plan:
    """One case. Two plans that are equal make equal runs of a deterministic subject."""

    seed: int
    index: int
    aim: str | None
    nonce: str
    clients: int
    label: str = "client-"
    """From which, with their numbers, the clients' keys derive: a plan names its clients alike wherever it runs."""
    family: str = "registry"
    role: str = "registry"
    profile: str = "open"
    incarnation: int = 1
    gaps: bool = False
    parameters: dict[str, int] = field(default_factory=dict[str, int])
    operations: tuple[Operation, ...] = ()

    def with_operations(self, operations: list[Operation] | tuple[Operation, ...]) -> Plan:
        return replace(self, operations=tuple(operations))

    def to_json(self) -> dict[str, Any]:
        plain = {name: getattr(self, name) for name in self.__slots__ if name != "operations"}
        return {"format": FORMAT, **plain, "operations": list(self.operations)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Plan:
        """Read a plan back. Raises `TypeError` for unknown members, `ValueError` for another format."""
        fields = dict(data)
        if fields.pop("format", None) != FORMAT:
            raise ValueError(f"not a plan of format {FORMAT}")
        fields["operations"] = tuple(fields.get("operations", ()))
        return cls(**fields)

    @property
    def digest(self) -> str:
        """SHA-256 of the plan's JSON form."""
        return hashlib.sha256(dump(self.to_json()).encode()).hexdigest()

    @property
    def faults(self) -> int:
        """How many faults the plan asks for."""
        staged = sum(len(op.get("faults", ())) for op in self.operations)
        return staged + sum(op["op"] in ("crash", "wall", "stage", "cut", "stray") for op in self.operations)


@lru_cache(maxsize=512)
def identity(label: str) -> KeyPair:
    """The key pair that goes with a label; the same label gives the same key."""
    return KeyPair(hashlib.sha256(f"comity-conformance:{label}".encode()).digest())
