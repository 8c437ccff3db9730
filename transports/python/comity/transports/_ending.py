"""An end that is gone through with.

Responsible for ending once, whoever and how many ask for it, and to the end, though they are cancelled: a half of it
would leave what nobody can end any more. Not responsible for what is done, which has to have a limit of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

__all__ = ["Ending"]


class Ending:
    """Awaited by whoever wants it to have ended. Who is cancelled meanwhile waits no longer; it goes on."""

    def __init__(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._work = work
        self._task: asyncio.Task[None] | None = None

    @property
    def under_way(self) -> bool:
        """Whether it has begun and not yet ended."""
        return self._task is not None and not self._task.done()

    async def __call__(self) -> None:
        """Return when it has ended. Raises what its work raised."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work())
        await asyncio.shield(self._task)
