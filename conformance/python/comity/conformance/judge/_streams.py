"""What a watch is due and what it was sent, as data.

Responsible for one life of one watch, for the changes that it has to carry, and for putting both sides into one order.
Not responsible for saying which rows a difference breaks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from ._case import Emission, Request
from ._history import NEVER, Change

__all__ = ["Due", "Stream", "overlap", "settled"]


@dataclass(slots=True)
class Due:
    """One change that a stream has to carry, or may."""

    kind: str
    agent: str
    revision: int
    reason: str
    entry: dict[str, Any] | None
    change: Change
    optional: bool = False

    def fits(self, seen: dict[str, Any]) -> bool:
        return (
            (seen["kind"], seen["agent"], seen["revision"]) == (self.kind, self.agent, self.revision)
            and (self.kind == "delete" or seen.get("entry") == self.entry)
            and (self.kind == "put" or seen.get("reason") == self.reason)
        )

    def __str__(self) -> str:
        return f"{self.kind} …{self.agent[-4:]} at {self.revision}" + (
            f" ({self.reason})" if self.reason else ""
        )


@dataclass(slots=True)
class Stream:
    """One life of one watch."""

    source: str
    name: str
    where: dict[str, Any] | None
    after: int | None
    opened: Request
    answer: Emission
    batches: list[Emission] = field(default_factory=list[Emission])
    earliest: float = NEVER
    latest: float = NEVER
    closed: Emission | None = None
    closing_n: int | None = None
    replaced_n: float = NEVER
    start: int = 0


def settled(
    due: list[Due], seen: list[tuple[Emission, dict[str, Any]]]
) -> tuple[list[Due], list[tuple[Emission, dict[str, Any]]]]:
    """Both sides with changes of one revision, such as leases that ended together, in one order: by agent."""
    inner: list[tuple[Emission, dict[str, Any]]] = []
    for _, group in groupby(seen, key=lambda pair: pair[1]["revision"]):
        inner += sorted(group, key=lambda pair: pair[1]["agent"])
    return sorted(due, key=lambda item: (item.revision, item.agent)), inner


def overlap(requests: list[Request]) -> bool:
    """Whether two operations on a name were under way at once, so that their order is not known."""
    end = -1
    for request in sorted(requests, key=lambda r: r.sent_n):
        if request.sent_n < end:
            return True
        end = max(end, request.answers[0].n)
    return False
