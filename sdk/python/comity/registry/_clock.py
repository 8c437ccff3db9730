"""Journal time as one writer estimates it.

Responsible for the time that new journal entries carry: it runs with the writer's monotonic clock, is never behind
what was applied, and stands still while nobody serves, so that a restart lengthens leases and never shortens them
(REG-LEASE-002, REG-LEASE-008). Not responsible for reading any clock.
"""

from __future__ import annotations

from comity.sdk.ports import Now

__all__ = ["JournalClock"]


class JournalClock:
    """Whole milliseconds of journal time, counted from where the journal stood when serving began."""

    __slots__ = ("_mono", "_time")

    def __init__(self) -> None:
        self._time = 0
        self._mono = 0

    def start(self, time: int, now: Now) -> None:
        """Count from `time` at `now`."""
        self._time, self._mono = time, _ms(now)

    def read(self, now: Now) -> int:
        """The journal time at `now`."""
        return self._time + max(0, _ms(now) - self._mono)

    def follow(self, time: int, now: Now) -> None:
        """An entry with journal time `time` was applied; another writer may be ahead."""
        if time > self.read(now):
            self.start(time, now)

    def instant(self, time: int) -> float:
        """The monotonic second at which journal time will be `time`."""
        return (self._mono + time - self._time) / 1000


def _ms(now: Now) -> int:
    return int(now.mono * 1000 + 1e-3)  # x / 1000 * 1000 may fall short of x
