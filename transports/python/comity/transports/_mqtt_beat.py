"""Whether the broker is still there.

Responsible for asking it at intervals, and for giving up a connection that stays silent. Not responsible for what
follows from that.
"""

from __future__ import annotations

import asyncio

from comity.transports._mqtt_answers import Answers
from comity.transports._mqtt_link import Link
from comity.transports._mqtt_wire import PING

__all__ = ["Beat"]


class Beat:
    """One connection at a time."""

    def __init__(self) -> None:
        self._timer: asyncio.TimerHandle | None = None

    def start(self, link: Link, answers: Answers, interval: float) -> None:
        """Ask every `interval` seconds; `link` ends where nothing came over it since last time."""
        self.stop()
        self._wait(link, answers, interval, 0)

    def stop(self) -> None:
        """Ask no more. Idempotent."""
        if self._timer is not None:
            self._timer.cancel()

    def _wait(self, link: Link, answers: Answers, interval: float, seen: int) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(interval, self._look, link, answers, interval, seen)

    def _look(self, link: Link, answers: Answers, interval: float, seen: int) -> None:
        if link.received == seen:
            link.abort(ConnectionResetError(f"nothing heard for {interval:g} s"))
            return
        answers.expect_beat()
        self._wait(link, answers, interval, link.received)
        link.send(PING)
