"""The latest changes of all entries, from which watches resume.

Responsible for how far back one can resume. A removal stays as a tombstone until its change is forgotten. Not
responsible for who is told.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from .values import Entry

__all__ = ["Change", "History"]


class Change(NamedTuple):
    """One change of one entry at `revision`: what it was, what it is, and why it is gone."""

    revision: int
    agent: str
    before: Entry | None
    after: Entry | None
    reason: str | None = None


class History:
    """The latest changes, at least `limit` of them; `floor` is the revision of the last one forgotten."""

    __slots__ = ("changes", "floor", "limit")

    def __init__(self, limit: int, floor: int = 0) -> None:
        self.limit = limit
        self.floor = floor
        self.changes: deque[Change] = deque()

    def add(self, change: Change) -> None:
        self.changes.append(change)
        if len(self.changes) > self.limit:
            self.floor = max(self.floor, self.changes.popleft().revision)

    def keeps(self, after: int) -> bool:
        """Whether every change behind `after` is still here (REG-WCH-004, REG-TMB-002)."""
        return after >= self.floor

    def since(self, after: int) -> list[Change]:
        """The changes behind `after`, in order."""
        found: list[Change] = []
        for change in reversed(self.changes):
            if change.revision <= after:
                break
            found.append(change)
        return found[::-1]
