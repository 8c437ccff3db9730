"""What a subscriber refused, until it is to be delivered again.

Responsible for how long that takes, longer each time, and for ending it. Not responsible for delivering.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from itertools import count
from typing import Final, Generic, TypeVar

__all__ = ["Refused", "delay"]

T = TypeVar("T")

_FIRST: Final = 0.05
_LONGEST: Final = 5.0


def delay(times: int) -> float:
    """Seconds after which what was refused `times` times comes again."""
    return min(_FIRST * 2.0 ** min(times - 1, 32), _LONGEST)


class Refused(Generic[T]):
    """Gives each message to `due` once its time has come."""

    def __init__(self, due: Callable[[T], None]) -> None:
        self._due = due
        self._numbers = count()
        self._kept: dict[int, tuple[T, asyncio.TimerHandle]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[T]:
        return iter([message for message, _ in self._kept.values()])

    def add(self, message: T, times: int) -> None:
        """Keep a message that was refused `times` times."""
        number = next(self._numbers)
        timer = asyncio.get_running_loop().call_later(delay(times), self._over, number)
        self._kept[number] = message, timer

    def take(self) -> list[T]:
        """All that is kept, which is kept no longer."""
        messages = list(self)
        for _, timer in self._kept.values():
            timer.cancel()
        self._kept.clear()
        return messages

    def _over(self, number: int) -> None:
        message, _ = self._kept.pop(number)
        self._due(message)
