"""An end that is gone through with.

Responsible for ending once, whoever and how many ask for it, and to the end, though they are cancelled: a half of it
would leave what nobody can end any more. Not responsible for what is done, which has to have a limit of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from comity.sdk.closing import hear

__all__ = ["Ending"]


class Ending:
    """Awaited by whoever wants it to have ended. Who is cancelled meanwhile waits no longer; it goes on."""

    def __init__(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._work = work
        self._task: asyncio.Task[None] | None = None
        self._begun = False

    @property
    def under_way(self) -> bool:
        """Whether it was asked for and has not yet ended."""
        return self._task is not None and not self._task.done()

    async def __call__(self) -> None:
        """Return when it has ended. Raises what its work raised; where all tasks are cancelled, it ends so, too."""
        if self._task is None or (self._task.cancelled() and not self._begun):
            self._task = asyncio.get_running_loop().create_task(self._end())
            self._task.add_done_callback(hear)
        await asyncio.wait({self._task})
        if not self._task.cancelled():
            self._task.result()

    async def _end(self) -> None:
        self._begun = True
        await self._work()
