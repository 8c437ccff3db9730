"""Messages at QoS 0: those that wait for a connection, and whether some that were sent may be lost.

Responsible for that bookkeeping. Not responsible for the connection, nor for how much may wait.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

__all__ = ["Unsure"]


class Unsure:
    """`waiting` counts octets. What a connection took is in doubt until a round trip behind it has succeeded; `losses`
    counts connections that broke before, and `told` those of which somebody has heard."""

    def __init__(self) -> None:
        self.waiting = 0
        self.sent = 0
        self.losses = self.told = 0
        self._known = 0
        self._kept: deque[bytes] = deque()

    def keep(self, packet: bytes) -> None:
        """There is no connection."""
        self._kept.append(packet)
        self.waiting += len(packet)

    def send_kept(self, send: Callable[[bytes], None]) -> None:
        """There is one again."""
        for packet in self._kept:
            send(packet)
        self.sent += len(self._kept)
        self._kept.clear()
        self.waiting = 0

    def settle(self, sent: int) -> None:
        """The broker has all that was sent when `sent` had been."""
        self._known = max(self._known, sent)

    def on_loss(self) -> None:
        """The connection broke."""
        self.losses += self.sent > self._known
        self._known = self.sent
