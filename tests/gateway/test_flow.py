"""Between two brokers nothing is lost, reordered or held without bound, whatever the one that is sent to does."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from comity.gateway import Side, _outlet
from comity.sdk.clock import SystemClock
from comity.sdk.envelope import format_time
from comity.sdk.errors import CapabilityError, LocalProtocolError, PayloadTooLarge, TransportError
from comity.sdk.ports import Delivery, Frame, Guarantee, Now, Transport
from tests.transports.harness import Inbox, settle, until, until_only

from .brokers import Faulty, joined, names, opened
from .cases import GATEWAY, NOW, event
from .laws import acknowledged_too_early

SURELY = Guarantee.AT_LEAST_ONCE


def change(number: int, key: str = "a") -> tuple[str, Frame]:
    return event("Changes", "edge", key, number=number)


class Watch(SystemClock):
    """A clock whose wall time the test sets."""

    def __init__(self) -> None:
        self.wall = NOW.wall

    def now(self) -> Now:
        return Now(super().now().mono, self.wall)


async def send(broker: Transport, *numbers: int, key: str = "a") -> None:
    for number in numbers:
        address, frame = change(number, key)
        await broker.publish(address, frame, guarantee=SURELY)


def datas(*numbers: int) -> list[object]:
    return [b'{"n":%d}' % number for number in numbers]


def failing(times: int, error: Exception) -> Callable[[int, Frame], None]:
    def fate(attempt: int, frame: Frame) -> None:
        if abs(attempt) <= times:
            raise error

    return fate


@pytest.mark.parametrize("sure", [True, False], ids=["at least once", "at most once"])
async def test_a_broker_that_fails_is_tried_again_and_order_is_kept(sure: bool) -> None:
    outlet = Faulty(failing(3, TransportError("away")), sure=sure)
    async with opened(*names("edge")) as (edge,), joined(edge, outlet) as gateway:
        await send(edge, *range(1, 21))
        await until(lambda: gateway.tallies[Side.FROM].passed == 20)
        firsts = list(dict.fromkeys(outlet.datas))
        assert firsts == datas(*range(1, 21))
        assert gateway.tallies[Side.FROM].repeated >= 1
        assert (outlet.flushes >= 20) != sure


async def test_one_address_in_trouble_does_not_overtake_itself() -> None:
    troubled = change(0)[0]

    def fate(attempt: int, frame: Frame) -> None:
        if frame.attributes.get("comityaddress") == troubled and attempt % 3:
            raise TransportError("not now")

    outlet = Faulty(fate)
    async with opened(*names("edge")) as (edge,), joined(edge, outlet):
        for number in range(1, 31):
            await send(edge, number, key="ab"[number % 2])
        await until(lambda: len(outlet.taken) == 30)
    for key in "ab":
        mine = [frame.data for address, frame in outlet.taken if address.endswith(key)]
        assert mine == datas(*(number for number in range(1, 31) if "ab"[number % 2] == key))


async def test_nothing_is_acknowledged_before_it_is_taken() -> None:
    """CORE-GTW-009."""
    assert await acknowledged_too_early() == []


async def test_memory_is_bounded_while_the_other_broker_is_away() -> None:
    """Beyond the gateway's queue and its batch the publisher waits, as it would without a gateway."""
    outlet = Faulty()
    outlet.gate.clear()
    (url,) = names("edge")
    async with opened(f"{url}?buffer=16") as (edge,), joined(edge, outlet, queue=32, timeout=60):
        sending = asyncio.create_task(send(edge, *range(1, 1001)))
        await until(lambda: outlet.attempts > 0)
        for _ in range(2000):
            await asyncio.sleep(0)
        assert not sending.done()
        outlet.gate.set()
        await sending
        await until(lambda: len(outlet.taken) == 1000)
    assert outlet.datas == datas(*range(1, 1001))


async def test_what_expires_while_it_waits_is_dropped() -> None:
    clock = Watch()

    def fate(attempt: int, frame: Frame) -> None:
        if attempt == 1:
            clock.wall += 60
            raise TransportError("away for a minute")

    outlet = Faulty(fate)
    async with opened(*names("edge")) as (edge,), joined(edge, outlet, clock=clock) as gateway:
        soon = format_time(clock.wall + 30)
        await edge.publish(*event("Changes", "edge", number=1, expirytime=soon))
        await send(edge, 2)
        tally = gateway.tallies[Side.FROM]
        await until(lambda: (tally.passed, tally.dropped) == (1, 1))
    assert outlet.datas == datas(2)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (PayloadTooLarge("over the limit"), "core.too_large"),
        (LocalProtocolError("attribute 'x' cannot be written"), "core.malformed"),
    ],
)
async def test_what_the_other_broker_can_never_take_is_refused(error: Exception, code: str) -> None:
    def fate(attempt: int, frame: Frame) -> None:
        if frame.attributes["id"] == "e1":
            raise error

    outlet, inbox = Faulty(fate), Inbox()
    async with opened(*names("core")) as (core,), joined(outlet, core, {"edge": Side.FROM}) as gateway:
        await core.subscribe("edge.registry.v1.replies.*", inbox)
        for number in (1, 2):
            await core.publish(*event("Lookup", "edge", number=number))
        await inbox.expect(1)
        assert inbox.datas == [b'{"code":"%s"}' % code.encode()]
        assert inbox[0].frame.attributes["correlationid"] == "e1"
        await until(lambda: outlet.datas == datas(2))
        tally = gateway.tallies[Side.TO]
        assert (tally.passed, tally.refused, tally.dropped) == (1, 1, 0)


async def test_what_a_broker_that_is_there_never_takes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise one event without permission would hold up its direction for ever."""
    monkeypatch.setattr(_outlet, "_LONGEST_PAUSE", 0.01)

    def fate(attempt: int, frame: Frame) -> None:
        if frame.attributes.get("id") == "e1":
            raise TransportError("not permitted")

    outlet, inbox = Faulty(fate), Inbox()
    async with opened(*names("core")) as (core,), joined(outlet, core, {"edge": Side.FROM}) as gateway:
        await core.subscribe("edge.registry.v1.replies.*", inbox)
        for number in (1, 2):
            await core.publish(*event("Lookup", "edge", number=number))
        await inbox.expect(1)
        assert inbox.datas == [b'{"code":"core.unavailable"}']
        await until(lambda: outlet.datas == datas(2))
        assert gateway.tallies[Side.TO].repeated == 10


async def test_a_refusal_that_is_never_taken_is_given_up_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway may lack both permissions: its direction goes on all the same."""
    monkeypatch.setattr(_outlet, "_LONGEST_PAUSE", 0.001)

    def fate(attempt: int, frame: Frame) -> None:
        if frame.attributes.get("id") == "e1":
            raise TransportError("not permitted")

    def mute(attempt: int, frame: Frame) -> None:
        if attempt > 0:
            raise TransportError("not permitted either")

    class Mute(Faulty):
        """Takes no answers; what arrives is what `core` has."""

        async def subscribe(self, *arguments: Any, **options: Any) -> Any:
            return await core.subscribe(*arguments, **options)

    home, asking = Faulty(fate), Mute(mute)
    async with opened(*names("core")) as (core,), joined(home, asking, {"edge": Side.FROM}) as gateway:
        for number in (1, 2):
            await core.publish(*event("Lookup", "edge", number=number))
        await until(lambda: home.datas == datas(2))
        tally = gateway.tallies[Side.TO]
        assert (tally.passed, tally.refused, tally.dropped) == (1, 0, 1)


async def test_one_that_is_never_taken_does_not_condemn_those_that_a_flush_tells_of_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Core NATS says in a flush that something before it was not permitted, and not what."""
    monkeypatch.setattr(_outlet, "_LONGEST_PAUSE", 0.01)
    denied = False

    def fate(attempt: int, frame: Frame) -> None:
        nonlocal denied
        if attempt > 0:
            denied = denied or frame.data == b'{"n":7}'
        elif denied:
            denied = False
            raise TransportError("not permitted")

    outlet = Faulty(fate, sure=False)
    async with opened(*names("edge")) as (edge,), joined(edge, outlet) as gateway:
        for number in range(40):
            await send(edge, number, key=f"k{number}")
        tally = gateway.tallies[Side.FROM]
        await until(lambda: (tally.passed, tally.dropped) == (39, 1))
    copies = Counter(outlet.datas)
    assert set(copies) == set(datas(*range(40)))
    assert max(copies[data] for data in datas(*range(40)) if data != datas(7)[0]) <= 2


async def test_a_broker_that_is_away_is_waited_for_however_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_outlet, "_LONGEST_PAUSE", 0.001)
    outlet = Faulty(failing(200, TransportError("away")))
    async with opened(*names("edge")) as (edge,), joined(edge, outlet) as gateway:
        await send(edge, 1, 2)
        await until(lambda: outlet.datas == datas(1, 2))
        tally = gateway.tallies[Side.FROM]
        await until(lambda: (tally.passed, tally.dropped) == (2, 0))
        assert tally.repeated == 200


async def test_an_answer_that_is_too_large_is_dropped_and_the_next_ones_pass() -> None:
    def fate(attempt: int, frame: Frame) -> None:
        if frame.attributes["id"] == "e1":
            raise PayloadTooLarge("over the limit")

    outlet = Faulty(fate)
    async with opened(*names("edge")) as (edge,), joined(edge, outlet) as gateway:
        await send(edge, 1, 2)
        await until(lambda: outlet.datas == datas(2))
        assert gateway.tallies[Side.FROM].dropped == 1


async def test_a_broker_that_cannot_do_what_it_said_ends_the_gateway() -> None:
    outlet = Faulty(failing(1, CapabilityError("no such thing")))

    async def serve(edge: Transport) -> None:
        async with joined(edge, outlet) as gateway:
            await send(edge, 1)
            async with asyncio.timeout(10):
                await gateway.wait()

    async with opened(*names("edge")) as (edge,):
        with pytest.raises(CapabilityError, match="no such thing"):
            await serve(edge)


async def test_a_connection_that_is_gone_for_good_ends_the_gateway() -> None:
    """Whether the user waits for that or does something else inside the block."""
    tasks, outlet = set(asyncio.all_tasks()), Faulty()

    async def serve(edge: Transport) -> None:
        async with joined(edge, outlet) as gateway:
            outlet.gone.set()
            with pytest.raises(TransportError, match="another client took over"):
                await gateway.wait()

    async with opened(*names("edge")) as (edge,):
        with pytest.raises(TransportError, match="another client took over"):
            await serve(edge)
    await until_only(tasks)


async def test_an_attempt_that_takes_too_long_is_made_again() -> None:
    outlet = Faulty()
    outlet.gate.clear()
    async with opened(*names("edge")) as (edge,), joined(edge, outlet, timeout=0.02):
        await send(edge, 1)
        await until(lambda: outlet.attempts >= 3)
        outlet.gate.set()
        await until(lambda: outlet.datas == datas(1))


async def test_the_end_delivers_what_was_taken_in_and_leaves_no_task() -> None:
    tasks = asyncio.all_tasks()
    outlet = Faulty()
    outlet.gate.clear()
    async with opened(*names("edge")) as (edge,), joined(edge, outlet, drain=10):
        await send(edge, *range(1, 201))
        await settle(edge)
        asyncio.get_running_loop().call_later(0.05, outlet.gate.set)
    assert outlet.datas == datas(*range(1, 201))
    await until_only(tasks)


async def test_the_end_does_not_wait_for_a_broker_that_stays_away() -> None:
    tasks = asyncio.all_tasks()
    outlet = Faulty()
    outlet.gate.clear()
    async with asyncio.timeout(10), opened(*names("edge")) as (edge,), joined(edge, outlet, drain=0.05):
        await send(edge, 1)
        await until(lambda: outlet.attempts > 0)
    assert outlet.taken == []
    await until_only(tasks)


async def test_a_broker_that_keeps_what_is_missed_keeps_it_under_the_name_of_the_gateway() -> None:
    keeping, forgetting = Faulty(), Faulty(sure=False)
    async with joined(keeping, forgetting):
        assert keeping.groups == [f"gateway-{GATEWAY.agent_id[-16:]}"] * 3
        assert forgetting.groups == [None] * 3


async def test_a_gateway_that_cannot_listen_leaves_nothing_behind() -> None:
    tasks = asyncio.all_tasks()

    class Deaf(Faulty):
        async def subscribe(self, *_: Any, **__: Any) -> Any:
            raise TransportError("not permitted")

    async with opened(*names("edge")) as (edge,):
        with pytest.raises(TransportError, match="not permitted"):
            async with joined(edge, Deaf()):
                pass
        await send(edge, *range(1, 10))
    await until_only(tasks)


async def test_a_flood_of_one_address_does_not_hold_up_others() -> None:
    outlet = Faulty()
    outlet.gate.clear()
    async with opened(*names("edge")) as (edge,), joined(edge, outlet):
        await send(edge, *range(1, 401), key="flood")
        await send(edge, 1, key="quiet")
        outlet.gate.set()
        await until(lambda: len(outlet.taken) == 401)
    place = [address.endswith("quiet") for address, _ in outlet.taken].index(True)
    assert place < 200, "it waits for batches on their way, not for the whole flood"


async def test_a_flood_while_it_subscribes_is_held_back_too() -> None:
    class Line:
        dropped = 0
        paused = False

        def pause(self) -> None:
            self.paused = True

        def resume(self) -> None:
            self.paused = False

        async def close(self) -> None: ...

    lines: list[Line] = []

    class Flooded(Faulty):
        async def subscribe(self, pattern: str, on_delivery: Callable[[Delivery], None], **_: Any) -> Any:
            for number in range(8):
                on_delivery(Delivery(*change(number)))
            lines.append(Line())
            return lines[-1]

    away = Faulty()
    away.gate.clear()
    async with joined(Flooded(), away, queue=4, drain=0.01):
        assert len(lines) > 1
        assert all(line.paused for line in lines)


async def test_subscriptions_are_ended_at_once() -> None:
    """Not one after the other: each may take as long as a broker that is away lets it."""
    together: list[asyncio.Barrier] = []

    class Line:
        dropped = 0

        def pause(self) -> None: ...

        def resume(self) -> None: ...

        async def close(self) -> None:
            await together[0].wait()

    class Slow(Faulty):
        lines = 0

        async def subscribe(self, pattern: str, on_delivery: Callable[[Delivery], None], **_: Any) -> Any:
            self.lines += 1
            return Line()

    slow = Slow()
    async with asyncio.timeout(10), joined(slow, Faulty()):
        assert slow.lines > 1
        together.append(asyncio.Barrier(slow.lines))
