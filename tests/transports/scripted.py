"""The part of every transport's contract that holds for whatever is done in whatever order; `contract.py` takes it in.

A script publishes, subscribes, closes and opens again on two connections, and cancels at any wait. A model of a few
lines says what may arrive: from when a subscription is there until it is closed everything once, in order; of a group
one member each.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comity.sdk.ports import Delivery, Subscription, Transport

from .harness import Acking, MakeTransport, best, frame, settle, until, until_only

__all__ = ["test_whatever_is_done_in_whatever_order_what_was_promised_arrives"]

Step: TypeAlias = tuple[Any, ...]

KEYS: Final = ("k0", "k1", "k2")
_turns = st.none() | st.sampled_from((0, 1, 2, 3, 5, 8, 13, 34, 89, 610, 4181))
_conn = st.integers(0, 1)
STEPS: Final = st.one_of(
    st.tuples(st.just("publish"), _conn, st.integers(1, 20)),
    st.tuples(st.just("subscribe"), _conn, st.sampled_from(("k0", "k1", "*")), _turns),
    st.tuples(st.just("join"), _conn, st.sampled_from(("g", "h")), _turns),
    st.tuples(st.just("close"), st.integers(0, 5), _turns),
    st.tuples(st.just("reopen"), _conn, _turns),
)


@dataclass
class Watch:
    """A subscription as the model sees it: what it has to get is what was sent `begun` or later."""

    conn: int
    last: str
    group: str | None
    begun: int
    inbox: Acking = field(default_factory=Acking)
    subscription: Subscription | None = None
    """None where it is closed, or was never made."""

    def wants(self, key: str) -> bool:
        """Whether what is sent to `key` is for it."""
        return self.last in ("*", key)


class World:
    """Two connections to one broker, and what was done with them."""

    def __init__(self, make: MakeTransport, channel: str) -> None:
        self._make = make
        self._channel = channel
        self._conns: list[Transport] = []
        self._watches: list[Watch] = []
        self._sent: list[tuple[str, bytes]] = []
        self._silent: list[tuple[Watch, int]] = []

    async def play(self, script: list[Step]) -> None:
        """Do what `script` says, and see that what arrived is what had to."""
        tasks = asyncio.all_tasks()
        self._conns = [await self._make(), await self._make()]
        for name, *given_ in script:
            await getattr(self, name)(*given_)
        await self._check()
        for conn in self._conns:
            await conn.close()
        await until_only(tasks)

    # ----------------------------------------------------------------- steps

    async def publish(self, conn: int, count: int) -> None:
        """Send `count` messages to the keys in turn, each known to be with the broker before the next."""
        for _ in range(count):
            number = len(self._sent)
            key, data = KEYS[number % len(KEYS)], b"%d" % number
            await self._send(self._conns[conn], f"{self._channel}.{key}", data)
            self._sent.append((key, data))

    async def subscribe(self, conn: int, last: str, turns: int | None, group: str | None = None) -> None:
        """A subscription of `conn`; of a member that ends meanwhile, what it has taken counts for its group."""
        watch = Watch(conn, last, group, len(self._sent))
        self._watches.append(watch)
        pattern = f"{self._channel}.{last}"
        work = self._conns[conn].subscribe(pattern, watch.inbox, group=group)
        watch.subscription = await self._tried(work, turns)
        watch.begun = len(self._sent)
        if watch.subscription is None:
            self._silent.append((watch, len(watch.inbox)))

    async def join(self, conn: int, group: str, turns: int | None) -> None:
        """Another member of `group`."""
        if self._conns[conn].capabilities.groups:
            await self.subscribe(conn, "*", turns, group)

    async def close(self, index: int, turns: int | None) -> None:
        """Close one that is open; again, where that was cancelled."""
        there = [watch for watch in self._watches if watch.subscription is not None]
        if index < len(there) and (subscription := there[index].subscription) is not None:
            await self._tried(subscription.close(), turns)
            await subscription.close()
            self._end(there[index])

    async def reopen(self, conn: int, turns: int | None) -> None:
        """Close a connection, again where that was cancelled, and open another one instead."""
        await self._tried(self._conns[conn].close(), turns)
        await self._conns[conn].close()
        for watch in self._watches:
            if watch.conn == conn:
                self._end(watch)
        self._conns[conn] = await self._make()

    async def _send(self, transport: Transport, address: str, data: bytes) -> None:
        await transport.publish(address, frame(data), guarantee=best(transport))
        await transport.flush()

    async def _tried(self, work: Coroutine[Any, Any, Any], turns: int | None) -> Any:
        return await cancelled(work, turns)

    async def _settle(self) -> None:
        await settle(*self._conns)

    def _end(self, watch: Watch) -> None:
        if watch.subscription is not None:
            watch.subscription = None
            self._silent.append((watch, len(watch.inbox)))

    # -------------------------------------------------------------- the model

    async def _check(self) -> None:
        await self._settle()
        for watch in self._watches:
            if watch.group is None:
                self._check_own(watch)
        groups = defaultdict[str, list[Watch]](list)
        for watch in self._watches:
            if watch.group is not None:
                groups[watch.group].append(watch)
        for members in groups.values():
            await self._check_group(members)
        for watch, count in self._silent:
            assert len(watch.inbox) == count, "nothing arrives where nobody listens any more"

    def _check_own(self, watch: Watch) -> None:
        for key in KEYS:
            sent = [data for its, data in self._sent if its == key and watch.wants(key)]
            since = [data for its, data in self._sent[watch.begun :] if its == key and watch.wants(key)]
            got = [_data(delivery) for delivery in watch.inbox if delivery.address.endswith(key)]
            self._check_key(sent, since, got, there=watch.subscription is not None)

    def _check_key(self, sent: list[bytes], since: list[bytes], got: list[bytes], *, there: bool) -> None:
        if there:
            assert got == since, "everything since it was there, once, in order"
        else:
            assert got == [data for data in sent if data in got], "once, in order"

    async def _check_group(self, members: list[Watch]) -> None:
        made = [watch.begun for watch in members if watch.subscription is not None or watch.inbox]
        keeps = self._conns[0].capabilities.replay
        if any(watch.subscription is not None for watch in members):
            first = min(made) if keeps else self._unbroken(members)
            wanted = {data for _, data in self._sent[first:]}
            await until(lambda: wanted <= {_data(one) for one in _all(members)}, 20)
        fresh = Counter(_data(delivery) for delivery in _all(members) if not delivery.redelivered)
        self._check_shares(fresh)

    def _check_shares(self, fresh: Counter[bytes]) -> None:
        assert max(fresh.values(), default=1) == 1, "one member each, unless it is flagged"

    def _unbroken(self, members: list[Watch]) -> int:
        """Since when nobody joined or left, which is when nothing can be lost with a broker that keeps nothing."""
        return len(self._sent) if any(watch.subscription is None for watch in members) else members[-1].begun


def _all(members: list[Watch]) -> list[Delivery]:
    return [delivery for watch in members for delivery in watch.inbox]


def _data(delivery: Delivery) -> bytes:
    assert isinstance(delivery.frame.data, bytes)
    return delivery.frame.data


async def cancelled(work: Coroutine[Any, Any, Any], turns: int | None) -> Any:
    """What `work` gives; None where it is cancelled after so many turns of the loop."""
    task = asyncio.create_task(work)
    while turns is not None and turns and not task.done():
        turns -= 1
        await asyncio.sleep(0)
    if turns is not None:
        task.cancel()
    async with asyncio.timeout(20):
        await asyncio.wait({task})
    return None if task.cancelled() else task.result()


_played = 0


@settings(
    max_examples=5,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(script=st.lists(STEPS, min_size=5, max_size=25))
async def test_whatever_is_done_in_whatever_order_what_was_promised_arrives(
    make_transport: MakeTransport, space: str, script: list[Step]
) -> None:
    global _played
    _played += 1
    await World(make_transport, f"{space}.test.v1.things{_played}").play(script)
