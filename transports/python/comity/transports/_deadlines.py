"""Many futures that have to be done in time, on one timer.

Responsible for failing those that are late. A timer for each would cost as much as the appending itself. Not
responsible for what makes them done.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

__all__ = ["Deadlines"]


class Deadlines:
    """Futures with the monotonic second by which each has to be done, roughly in that order."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[float, asyncio.Future[Any]]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, future: asyncio.Future[Any], deadline: float) -> None:
        """Have `future` raise `TimeoutError` where it is not done by `deadline`, or by that of those added before."""
        waiting = self._waiting
        while waiting and waiting[0][1].done():
            waiting.popleft()
        waiting.append((deadline, future))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_at(deadline, self._expire)

    def close(self) -> None:
        """Watch no more."""
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _expire(self) -> None:
        loop, waiting, self._timer = asyncio.get_running_loop(), self._waiting, None
        now = loop.time()
        while waiting and (waiting[0][1].done() or waiting[0][0] <= now):
            _, future = waiting.popleft()
            if not future.done():
                future.set_exception(TimeoutError())
        if waiting:
            self._timer = loop.call_at(waiting[0][0], self._expire)
