"""One timer fails what is late, and nothing else."""

from __future__ import annotations

import asyncio

import pytest

from comity.transports._deadlines import Deadlines


async def test_what_is_late_fails_and_what_was_done_does_not() -> None:
    loop, deadlines = asyncio.get_running_loop(), Deadlines()
    futures: list[asyncio.Future[int]] = [loop.create_future() for _ in range(4)]
    for number, future in enumerate(futures):
        deadlines.add(future, loop.time() + (0.02 if number < 3 else 3600))
    futures[0].set_result(0)
    futures[1].cancel()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(futures[2]), 10)
    assert futures[0].result() == 0
    assert futures[1].cancelled()
    assert not futures[3].done()
    deadlines.close()
    futures[3].cancel()


async def test_later_ones_have_their_turn_on_the_same_timer() -> None:
    loop, deadlines = asyncio.get_running_loop(), Deadlines()
    for _ in range(3):
        futures: list[asyncio.Future[None]] = [loop.create_future() for _ in range(3)]
        for number, future in enumerate(futures):
            deadlines.add(future, loop.time() + number / 100)
        found = await asyncio.wait_for(asyncio.gather(*futures, return_exceptions=True), 10)
        assert [type(one) for one in found] == [TimeoutError] * 3


async def test_what_was_done_is_not_kept() -> None:
    loop, deadlines = asyncio.get_running_loop(), Deadlines()
    for _ in range(1000):
        future: asyncio.Future[None] = loop.create_future()
        deadlines.add(future, loop.time() + 3600)
        future.set_result(None)
    assert len(deadlines._waiting) == 1  # pyright: ignore[reportPrivateUsage]
    deadlines.close()
