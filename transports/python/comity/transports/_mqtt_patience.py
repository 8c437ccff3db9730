"""When an MQTT client connects again, and when it had better not.

Responsible for waits that grow at random, and for telling that another client uses the same name. Not responsible
for connecting.
"""

from __future__ import annotations

import random
from typing import Final

__all__ = ["IN_VAIN", "Patience"]

_FIGHT: Final = 6
"""Connections in a row that were lost as soon as they were made, after which a named client gives up."""
IN_VAIN: Final = (
    f"lost {_FIGHT} times as soon as it was made: does another client use the same ?client=, "
    "or is it not permitted what it publishes at most once"
)
_FIRST: Final = 0.05
_LONGEST: Final = 2.0


class Patience:
    """Times in seconds, of one clock. A connection is brief that did not last as long as the longest wait."""

    def __init__(self) -> None:
        self._since = 0.0
        self._brief = 0
        self._wait = _FIRST

    def begin(self, now: float) -> None:
        """There is a connection."""
        self._since = now

    def end(self, now: float) -> None:
        """It was lost."""
        if now - self._since < _LONGEST:
            self._brief += 1
        else:
            self._brief, self._wait = 0, _FIRST

    @property
    def in_vain(self) -> bool:
        """Whether connections are lost as soon as they are made.

        A client that has a name of its own then fights with another of that name: brokers tell neither of them, as
        mosquitto before 2.0.15.
        """
        return self._brief >= _FIGHT

    def next_wait(self) -> float:
        """How long to wait before the next attempt."""
        wait, self._wait = self._wait, min(2 * self._wait, _LONGEST)
        return wait * random.uniform(0.5, 1)
