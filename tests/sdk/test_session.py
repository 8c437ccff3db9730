"""The session: one input at a time, effects in order, and an end that leaves nothing behind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from comity.sdk.errors import JournalError, LocalProtocolError, TransportError
from comity.sdk.ports import Append, Delivery, Effect, Frame, Notify, Now, Persist, Subscription
from comity.sdk.session import Listen, Session
from comity.transports.journals.memory import MemoryJournal
from comity.transports.memory import MemoryTransport

from .stage import (
    ADDRESS,
    Actor,
    Clock,
    Keeper,
    Shelf,
    Wire,
    delivery,
    frame,
    other_tasks,
    send,
    told,
    turns,
    until,
)

LISTEN = [Listen("plant.registry.v1.requests.>", "registry")]


# ------------------------------------------------------------------------------- effects


async def test_effects_are_carried_out_in_their_order() -> None:
    log: list[str] = []
    effects: list[Effect] = [
        Notify("first", {}),
        send("1"),
        Persist("token", b"x"),
        send("2"),
        Notify("last", {}),
    ]
    session = Session(
        Actor(log, {"go": effects}), Wire(log), subscriptions=[], storage=Shelf(log), on_notify=told(log)
    )
    async with session:
        session.command("go", {})
    assert log == [
        "command go",
        "notify first",
        "publish 1",
        "saving token",
        "saved token",
        "persisted token",
        "publish 2",
        "notify last",
        "flush",
    ]


async def test_nothing_is_sent_before_what_it_relies_on_is_durable() -> None:
    log: list[str] = []
    shelf, wire = Shelf(log), Wire(log)
    shelf.may_save.clear()
    actor = Actor(log, {"go": [Persist("promise", b"1"), send("answer")]})
    async with Session(actor, wire, subscriptions=LISTEN, storage=shelf):
        wire.deliver(delivery("go"))
        await until(lambda: "saving promise" in log)
        await turns()
        assert "publish answer" not in log
        shelf.may_save.set()
        await until(lambda: "publish answer" in log)
    assert log.index("persisted promise") < log.index("publish answer")


async def test_a_delivery_is_acknowledged_after_its_effects() -> None:
    log: list[str] = []
    wire = Wire(log)
    wire.may_publish.clear()
    async with Session(Actor(log, {"go": [send("answer")]}), wire, subscriptions=LISTEN):
        wire.deliver(delivery("go", ack=lambda: log.append("ack")))
        await until(lambda: "receive go" in log)
        await turns()
        assert "ack" not in log
        wire.may_publish.set()
        await until(lambda: "ack" in log)
    assert log.index("publish answer") < log.index("ack")


async def test_appends_share_a_commit_and_keep_their_order() -> None:
    class Grouping(MemoryJournal):
        """Commits only once ten appends wait for it."""

        waiting = 0
        full = asyncio.Event()

        async def append(self, data: bytes) -> int:
            position = await super().append(data)
            self.waiting += 1
            if self.waiting == 10:
                self.full.set()
            await self.full.wait()
            return position

    log: list[str] = []
    actor = Actor(log, {"go": [Append(b"%d" % n) for n in range(10)]})
    async with (
        Grouping() as journal,
        Session(actor, Wire(log), subscriptions=[], journal=journal) as session,
    ):
        session.command("go", {})
        await until(lambda: len(log) == 11)
    assert log[1:11] == [f"entry {n + 1} {n}" for n in range(10)]


@pytest.mark.parametrize("effect", [Append(b"x"), Persist("token", b"x")], ids=["journal", "storage"])
async def test_what_cannot_be_kept_ends_the_session(effect: Effect) -> None:
    log: list[str] = []
    session = Session(Actor(log, {"go": [effect]}), Wire(log), subscriptions=[])
    await session.start()
    session.command("go", {})
    with pytest.raises(LocalProtocolError, match=r"no journal|no storage"):
        await session.wait()
    with pytest.raises(LocalProtocolError, match=r"no journal|no storage"):
        await session.stop()
    assert other_tasks() == set()


# ---------------------------------------------------------------------------------- time


async def test_an_endpoint_is_woken_at_its_deadline_and_not_before() -> None:
    log: list[str] = []
    clock, actor = Clock(), Actor(log)
    actor.deadline = 10.0
    async with Session(actor, Wire(log), subscriptions=[], clock=clock):
        await until(lambda: bool(clock.timers))
        clock.advance(9.999)
        await turns()
        assert actor.woken == []
        clock.advance(10.0)
        await until(lambda: actor.woken == [10.0])
    assert clock.timers == {}


async def test_an_input_may_bring_the_deadline_forward() -> None:
    class Hurried(Actor):
        def receive(self, frame: Frame, now: Now) -> None:
            self.deadline = now.mono + 1
            super().receive(frame, now)

    log: list[str] = []
    clock, actor, wire = Clock(), Hurried(log), Wire(log)
    actor.deadline = 1000.0
    async with Session(actor, wire, subscriptions=LISTEN, clock=clock):
        await until(lambda: bool(clock.timers))
        wire.deliver(delivery("soon"))
        await until(lambda: [due for due, _ in clock.timers.values()] == [1.0])
        clock.advance(1.0)
        await until(lambda: actor.woken == [1.0])


async def test_what_a_deadline_wants_is_carried_out() -> None:
    log: list[str] = []
    clock, actor = Clock(), Actor(log, {"5": [send("late")]})
    actor.deadline = 5.0
    async with Session(actor, Wire(log), subscriptions=[], clock=clock):
        await until(lambda: bool(clock.timers))
        clock.advance(5.0)
        await until(lambda: "publish late" in log)


# --------------------------------------------------------------------------- back-pressure


async def test_a_full_queue_pauses_the_subscription_and_resumes_it() -> None:
    log: list[str] = []
    wire = Wire(log)
    wire.may_publish.clear()
    async with Session(Actor(log, {"stuck": [send("x")]}), wire, subscriptions=LISTEN, queue=8):
        wire.deliver(delivery("stuck"))
        await until(lambda: "receive stuck" in log)
        for n in range(7):
            wire.deliver(delivery(f"{n}"))
        assert wire.lines[0].pauses == 0
        wire.deliver(delivery("7"))
        assert (wire.lines[0].pauses, wire.lines[0].resumes) == (1, 0)
        wire.may_publish.set()
        await until(lambda: wire.lines[0].resumes == 1)
        await until(lambda: "receive 7" in log)
    assert [text for text in log if text.startswith("receive")][1:] == [f"receive {n}" for n in range(8)]


async def test_a_flood_through_a_small_queue_arrives_whole() -> None:
    log: list[str] = []
    transport = MemoryTransport("memory://flood?buffer=4096")
    await transport.open()
    async with Session(Actor(log), transport, subscriptions=LISTEN, queue=4):
        for n in range(1000):
            await transport.publish(ADDRESS, frame(f"{n}"))
        await until(lambda: len(log) == 1000)
    assert log == [f"receive {n}" for n in range(1000)]
    await transport.close()


# --------------------------------------------------------------------------------- journal


async def test_the_journal_is_replayed_before_anything_is_served() -> None:
    log: list[str] = []
    async with MemoryJournal() as journal:
        for data in (b"a", b"b", b"c"):
            await journal.append(data)
        async with Session(Keeper(log), Wire(log), subscriptions=LISTEN, journal=journal):
            assert log == [
                "entry 1 a",
                "entry 2 b",
                "entry 3 c",
                "caught up",
                "subscribe plant.registry.v1.requests.> registry",
            ]
            await journal.append(b"d")
            await until(lambda: log[-1] == "entry 4 d")


async def test_a_snapshot_spares_the_entries_that_it_covers() -> None:
    log: list[str] = []
    first = Keeper(log, {"go": [Append(b"x")] * 7})
    async with MemoryJournal() as journal:
        async with Session(first, Wire(log), subscriptions=[], journal=journal, snapshot_every=5) as session:
            session.command("go", {})
            await until(lambda: first.applied == [*range(1, 8)])
        kept = await journal.load_snapshot()
        assert kept is not None
        assert kept.position >= 5
        again: list[str] = []
        second = Keeper(again)
        async with Session(second, Wire(again), subscriptions=[], journal=journal):
            assert second.applied == [*range(1, 8)]
    tail = [f"entry {n} x" for n in range(kept.position + 1, 8)]
    assert again[: len(tail) + 2] == [f"restore {kept.position}", *tail, "caught up"]


async def test_a_failing_journal_ends_the_session_and_everybody_hears_of_it() -> None:
    class Full(MemoryJournal):
        async def append(self, data: bytes) -> int:
            raise JournalError("the disk is full")

    log: list[str] = []
    async with Full() as journal:
        session = Session(Actor(log, {"go": [Append(b"x")]}), Wire(log), subscriptions=[], journal=journal)
        await session.start()
        session.command("go", {})
        with pytest.raises(JournalError, match="full"):
            await session.wait()
        with pytest.raises(JournalError, match="full"):
            session.command("go", {})
        with pytest.raises(JournalError, match="full"):
            await session.stop()
        assert other_tasks() == set()


# -------------------------------------------------------------------------------- failures


async def test_a_message_that_the_transport_refuses_is_lost_and_told() -> None:
    log: list[str] = []
    notes: list[Notify] = []
    wire = Wire(log)
    actor = Actor(log, {"go": [send("1")], "again": [send("2")]})
    async with Session(actor, wire, subscriptions=LISTEN, on_notify=notes.append) as session:
        wire.failure = TransportError("the broker is away")
        session.command("go", {})
        await until(lambda: session.lost == 1)
        wire.failure = None
        session.command("again", {})
        await until(lambda: "publish 2" in log)
    assert "publish 1" not in log
    (note,) = notes
    assert note.event == "session.lost"
    assert note.data == {"address": ADDRESS, "code": "local.transport", "reason": "the broker is away"}


async def test_a_defect_of_the_endpoint_is_raised_and_not_swallowed() -> None:
    class Broken(Actor):
        def receive(self, frame: Frame, now: Now) -> None:
            raise ZeroDivisionError("a defect")

    log: list[str] = []
    wire = Wire(log)
    session = Session(Broken(log), wire, subscriptions=LISTEN)
    await session.start()
    wire.deliver(delivery("any"))
    with pytest.raises(ZeroDivisionError):
        await session.wait()
    with pytest.raises(ZeroDivisionError):
        await session.stop()
    assert wire.lines[0].closed
    assert other_tasks() == set()


async def test_a_connection_that_is_gone_for_good_ends_the_session() -> None:
    """Else a service would go on for ever, and answer nobody."""
    log: list[str] = []
    wire = Wire(log)
    session = Session(Actor(log), wire, subscriptions=LISTEN)
    await session.start()
    wire.gone.set()
    with pytest.raises(TransportError, match="another client took over"):
        await session.wait()
    with pytest.raises(TransportError, match="another client took over"):
        session.command("any", {})
    with pytest.raises(TransportError, match="another client took over"):
        await session.stop()
    assert wire.lines[0].closed
    assert other_tasks() == set()


async def test_a_refused_subscription_leaves_nothing_running() -> None:
    log: list[str] = []
    wire = Wire(log)
    wire.refuse = (1, TransportError("no permission"))
    session = Session(Actor(log), wire, subscriptions=[*LISTEN, Listen("plant.registry.v1.other.>")])
    with pytest.raises(TransportError, match="no permission"):
        await session.start()
    assert [line.closed for line in wire.lines] == [True]
    assert other_tasks() == set()


# ------------------------------------------------------------------------------------- end


async def test_stop_answers_what_was_taken_in_and_flushes_last() -> None:
    log: list[str] = []
    wire = Wire(log)
    session = Session(Actor(log, {"go": [send("answer")]}), wire, subscriptions=LISTEN)
    await session.start()
    wire.deliver(delivery("go"))
    await session.stop()
    assert [said for said in log[1:] if said != "closed"] == ["receive go", "publish answer", "flush"]
    assert log.index("closed") < log.index("flush")
    await session.wait()


async def test_a_cancelled_stop_leaves_no_task() -> None:
    log: list[str] = []
    wire = Wire(log)
    wire.may_publish.clear()
    session = Session(Actor(log, {"go": [send("never")]}), wire, subscriptions=LISTEN)
    await session.start()
    wire.deliver(delivery("go"))
    stopping = asyncio.create_task(session.stop())
    await until(lambda: "receive go" in log)
    await turns()
    assert not stopping.done()
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping
    assert other_tasks() == set()


async def test_a_cancelled_start_leaves_no_task() -> None:
    class Deaf(Wire):
        async def subscribe(self, *_: object, **__: object) -> Subscription:
            self.log.append("subscribing")
            await asyncio.Event().wait()
            raise AssertionError("nobody sets it")

    log: list[str] = []
    starting = asyncio.create_task(Session(Actor(log), Deaf(log), subscriptions=LISTEN).start())
    await until(lambda: log == ["subscribing"])
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert other_tasks() == set()


async def test_an_error_of_the_block_is_the_one_that_is_raised() -> None:
    log: list[str] = []
    with pytest.raises(KeyError, match="mine"):
        async with Session(Actor(log), Wire(log), subscriptions=[]):
            raise KeyError("mine")
    assert other_tasks() == set()


async def test_commands_need_a_running_session_and_their_errors_are_the_callers() -> None:
    log: list[str] = []
    session = Session(Actor(log), Wire(log), subscriptions=[])
    with pytest.raises(LocalProtocolError, match="not running"):
        session.command("go", {})
    async with session:
        with pytest.raises(LocalProtocolError, match="not now"):
            session.command("nonsense", {})
        session.command("go", {})
        with pytest.raises(LocalProtocolError, match="started before"):
            await session.start()
    with pytest.raises(LocalProtocolError, match="not running"):
        session.command("go", {})
    assert log == ["command go", "flush"]


async def test_who_subscribes_into_a_flood_is_paused_until_there_is_room() -> None:
    class Flooded(Wire):
        async def subscribe(
            self, pattern: str, on_delivery: Callable[[Delivery], None], **_: Any
        ) -> Subscription:
            line = await super().subscribe(pattern, on_delivery)
            for number in range(8):
                on_delivery(delivery(str(number)))
            return line

    wire = Flooded([])
    async with Session(Actor([]), wire, subscriptions=[*LISTEN, *LISTEN], queue=4):
        assert [line.pauses for line in wire.lines] == [1, 1]
        await until(lambda: [line.resumes for line in wire.lines] == [1, 1])
