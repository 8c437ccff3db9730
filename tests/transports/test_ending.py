"""An end is gone through with, once."""

from __future__ import annotations

import asyncio

import pytest

from comity.sdk.errors import TransportError
from comity.transports._ending import Ending


class Work:
    """Ends when it is let."""

    def __init__(self, error: Exception | None = None) -> None:
        self.begun = self.ended = 0
        self.gate = asyncio.Event()
        self._error = error

    async def __call__(self) -> None:
        """As an adapter's end."""
        self.begun += 1
        await self.gate.wait()
        self.ended += 1
        if self._error is not None:
            raise self._error


async def test_who_is_cancelled_waits_no_longer_and_it_goes_on() -> None:
    work = Work()
    ending = Ending(work)
    first, second = asyncio.create_task(ending()), asyncio.create_task(ending())
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait({first})
    assert first.cancelled()
    assert ending.under_way
    work.gate.set()
    await second
    await ending()
    assert (work.begun, work.ended, ending.under_way) == (1, 1, False)


@pytest.mark.parametrize("turns", range(4))
async def test_where_all_tasks_are_cancelled_it_can_be_asked_for_again(turns: int) -> None:
    """Nobody is told that he is cancelled who is not, and what has not begun is begun."""
    work, others = Work(), asyncio.all_tasks()
    ending = Ending(work)
    closing = asyncio.create_task(ending())
    for _ in range(turns):
        await asyncio.sleep(0)
    ended = asyncio.all_tasks() - others
    for task in ended:
        task.cancel()
    await asyncio.wait(ended)
    work.gate.set()
    await ending()
    assert closing.cancelled()
    assert work.begun == 1
    assert not ending.under_way


async def test_what_it_raised_is_told_to_all_who_wait() -> None:
    work = Work(TransportError("away"))
    ending = Ending(work)
    work.gate.set()
    for outcome in await asyncio.gather(ending(), ending(), return_exceptions=True):
        assert str(outcome) == "away"
