"""The end of several subscriptions.

Responsible for closing them at once, since a broker that is away delays each, and for beginning with all of them though
whoever asks is cancelled. Not responsible for how one is closed, which its transport goes through with.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from .ports import Subscription

__all__ = ["close_all", "hear"]


async def close_all(subscriptions: Iterable[Subscription]) -> None:
    """Return when all have ended. Raises the first error of those that could not be ended in order."""
    loop = asyncio.get_running_loop()
    tasks = [loop.create_task(_closed(subscription)) for subscription in subscriptions]
    for task in tasks:
        task.add_done_callback(hear)
    if tasks:
        await asyncio.wait(tasks)
    for task in tasks:
        task.result()


async def _closed(subscription: Subscription) -> None:
    await subscription.close()


def hear(done: asyncio.Future[Any]) -> None:
    """Ask for what was raised, where nobody may be left to be told, so that it is not logged as forgotten."""
    if not done.cancelled():
        done.exception()
