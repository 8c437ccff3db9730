"""A mesh that is cancelled at any point leaves nothing: no task, no transport, no registry, no unseen exception."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, cast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from comity.mesh import Change, Mesh
from comity.transports import memory

from .processes import eventually

BROKERS = vars(memory)["_BROKERS"]
URL = "memory://cancelled?serve=registry"


async def life() -> None:
    """Everything an agent does, from beginning to end."""
    async with Mesh.connect(URL, agent="a") as mesh:
        await mesh.registry.register(capabilities=["x"])
        watch = cast("AsyncGenerator[Change]", mesh.registry.watch(capability="x"))
        async with aclosing(watch) as changes:
            async for change in changes:
                if change.kind == "synced":
                    break
        await mesh.registry.update(zone="z")
        assert await mesh.registry.count(consistency="linearizable") == 1
        await mesh.registry.deregister()


async def lives(at: frozenset[int]) -> int:
    """Live once, cancelled in those turns of the loop; how many turns it took. Fails where anything is left."""
    complaints: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    before, turns, deadline = asyncio.all_tasks(), 0, loop.time() + 20
    task = loop.create_task(life())
    while not task.done():
        turns += 1
        if turns in at:
            task.cancel()
        assert loop.time() < deadline, f"hangs when cancelled at {sorted(at)}"
        await asyncio.sleep(0)
    if not task.cancelled():
        task.result()
    del task
    gc.collect()
    await asyncio.sleep(0)
    await eventually(lambda: asyncio.all_tasks() <= before, "a task is left", 5)
    assert BROKERS.get(loop, {}) == {}
    assert complaints == []
    async with asyncio.timeout(5):
        await life()  # nothing stands in the way of the next one
    assert BROKERS.get(loop, {}) == {}
    return turns


@pytest.mark.slow
def test_cancelled_in_each_turn_nothing_is_left() -> None:
    turns = asyncio.run(lives(frozenset()))
    assert turns > 20
    for turn in range(1, turns + 1):
        asyncio.run(lives(frozenset({turn})))


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(at=st.frozensets(st.integers(1, 80), min_size=2, max_size=4))
@example(at=frozenset({1, 2}))
def test_cancelled_again_and_again_nothing_is_left(at: frozenset[int]) -> None:
    asyncio.run(lives(at))
