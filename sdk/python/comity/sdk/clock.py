"""Where time comes from: the one place of the SDK that reads a clock.

Responsible for reading both clocks at one instant and for calling back at a monotonic time. Not responsible for what
time means to anybody: endpoints get it as an argument.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

from .ports import Now

__all__ = ["Clock", "SystemClock"]


class Clock(Protocol):
    """What a session needs of time; a test brings one of its own."""

    def now(self) -> Now: ...
    def call_at(self, mono: float, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` once `now().mono` has reached `mono`; the result cancels that."""
        ...


class SystemClock:
    """The clocks of this host, and timers of the running event loop."""

    def now(self) -> Now:
        return Now(time.monotonic(), time.time())

    def call_at(self, mono: float, callback: Callable[[], None]) -> Callable[[], None]:
        return asyncio.get_running_loop().call_later(max(0.0, mono - time.monotonic()), callback).cancel
