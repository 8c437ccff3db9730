"""Deadlines in journal time, kept in a heap that renewals do not touch.

Responsible for which keys are due and when the next one is. A deadline that moves later costs a dictionary
write; the heap learns of it when the old one comes up. Not responsible for what a lapse means.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import Generic, TypeVar

__all__ = ["Leases"]

K = TypeVar("K", str, tuple[str, str])


class Leases(Generic[K]):
    """Deadlines in whole milliseconds by key. Due keys come in the order of (deadline, key)."""

    __slots__ = ("_filed", "_heap", "deadlines")

    def __init__(self) -> None:
        self.deadlines: dict[K, int] = {}
        self._filed: dict[K, int] = {}
        self._heap: list[tuple[int, K]] = []

    def arm(self, key: K, deadline: int) -> None:
        """Let `key` be due at `deadline`, instead of when it was before."""
        self.deadlines[key] = deadline
        filed = self._filed.get(key)
        if filed is None or deadline < filed:
            self._filed[key] = deadline
            heappush(self._heap, (deadline, key))

    def load(self, deadlines: dict[K, int]) -> None:
        """Take over many deadlines at once."""
        self.deadlines.update(deadlines)
        self._filed = dict(self.deadlines)
        self._heap = [(deadline, key) for key, deadline in self._filed.items()]
        heapify(self._heap)

    def disarm(self, key: K) -> None:
        """Forget `key`."""
        self.deadlines.pop(key, None)

    def next_deadline(self) -> int | None:
        """The earliest deadline, or `None` when nothing is armed."""
        while self._heap:
            filed, key = self._heap[0]
            deadline = self.deadlines.get(key)
            if deadline == filed:
                return filed
            self._refile(filed, key, deadline)
        return None

    def due(self, now: int) -> list[K]:
        """Take out every key whose deadline has come."""
        keys: list[K] = []
        while (deadline := self.next_deadline()) is not None and deadline <= now:
            key = heappop(self._heap)[1]
            del self.deadlines[key], self._filed[key]
            keys.append(key)
        return keys

    def _refile(self, filed: int, key: K, deadline: int | None) -> None:
        heappop(self._heap)
        if self._filed.get(key) != filed:
            return
        del self._filed[key]
        if deadline is not None:
            self._filed[key] = deadline
            heappush(self._heap, (deadline, key))
