"""A line before a limited number of places, in order of arrival.

Responsible for how many are inside at once, also when some are cancelled. Not responsible for what they do there.
"""

from __future__ import annotations

import asyncio
from collections import deque

__all__ = ["Window"]


class Window:
    """Places that are entered one by one; each `enter` that returned is answered by one `leave`.

    `inside` is how many are; as long as somebody is in line it does not fall.
    """

    __slots__ = ("_line", "inside")

    def __init__(self) -> None:
        self.inside = 0
        self._line: deque[asyncio.Future[None]] = deque()

    async def enter(self, limit: int) -> None:
        """Return once fewer than `limit` are inside and it is one's turn; cancelled, one never was there."""
        if self.inside < limit:
            self.inside += 1
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
        self.inside -= 1
