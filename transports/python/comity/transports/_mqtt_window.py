"""A line before a limited number of places, in order of arrival.

Responsible for how many are inside at once, also when some are cancelled. Not responsible for what they do there.
"""

from __future__ import annotations

import asyncio
from collections import deque

__all__ = ["Window"]


class Window:
    """Places that are entered one by one; each `enter` that returned is answered by one `leave`."""

    def __init__(self) -> None:
        self._inside = 0
        self._line: deque[asyncio.Future[None]] = deque()

    async def enter(self, limit: int) -> None:
        """Return once fewer than `limit` are inside and it is one's turn; cancelled, one never was there."""
        if self._inside < limit:
            self._inside += 1
            return
        place = asyncio.get_running_loop().create_future()
        self._line.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if not place.cancelled():
                self.leave()  # the place was given in the same turn
            raise

    def leave(self) -> None:
        """Give one's place to the next in line."""
        while self._line:
            place = self._line.popleft()
            if not place.done():
                place.set_result(None)
                return
        self._inside -= 1
