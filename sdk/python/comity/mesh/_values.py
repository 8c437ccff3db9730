"""What a mesh gives its user: entries, changes and leases as plain frozen values.

Responsible for their shape only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self

__all__ = ["Change", "Entry", "Lease"]


@dataclass(frozen=True, slots=True)
class Entry:
    """What the registry keeps of one live agent. Members that the agent did not state are `None` or empty.

    `epoch` is the agent's incarnation and fencing token, `revision` that of its last change; `lease_ms` in milliseconds.
    """

    agent: str
    capabilities: Sequence[str]
    lease_ms: int
    epoch: int
    revision: int
    name: str | None = None
    endpoint: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    health: Literal["healthy", "degraded", "unhealthy", "unknown"] | None = None
    zone: str | None = None
    node: str | None = None
    resources: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Change:
    """One change that a watch saw.

    `put`: `entry` is there, or is now so. `delete`: it is gone, and `reason` says why. `reset`: what was seen before
    counts no more, and everything that is there follows as puts. `synced`: everything that was there has been given.
    """

    kind: Literal["put", "delete", "reset", "synced"]
    agent: str = ""
    revision: int = 0
    entry: Entry | None = None
    reason: Literal["deregistered", "expired", "unmatched"] | None = None

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        """The change that the wire tells of."""
        entry = Entry(**data["entry"]) if "entry" in data else None
        return cls(data["kind"], data["agent"], data["revision"], entry, data.get("reason"))


@dataclass(frozen=True, slots=True)
class Lease:
    """What a registration is granted: the fencing token `epoch`, its `revision`, and a length in milliseconds."""

    agent: str
    epoch: int
    revision: int
    lease_ms: int
