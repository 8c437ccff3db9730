"""A stage for sessions: a clock that stands still until told, and an endpoint, transport and storage that remember.

Responsible for being seen and for being held up where a test wants it. All of them write into one log, so that order across
them can be read off. Not responsible for any rule of the protocol.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

from comity.sdk.errors import CapabilityError, LocalProtocolError, TransportError
from comity.sdk.ports import (
    Capabilities,
    Delivery,
    Effect,
    Frame,
    Guarantee,
    Json,
    Notify,
    Now,
    Ordering,
    Send,
    Snapshot,
    Subscription,
)

__all__ = [
    "ADDRESS",
    "Actor",
    "Clock",
    "Keeper",
    "Line",
    "Shelf",
    "Wire",
    "delivery",
    "frame",
    "other_tasks",
    "send",
    "told",
    "turns",
    "until",
]

ADDRESS = "plant.registry.v1.requests.a"


def frame(name: str) -> Frame:
    return Frame({"id": name}, b"{}")


def send(name: str) -> Send:
    return Send(ADDRESS, frame(name))


def delivery(name: str, ack: Callable[[], None] = lambda: None) -> Delivery:
    return Delivery(ADDRESS, frame(name), ack=ack)


async def until(condition: Callable[[], bool]) -> None:
    """Yield to the loop until `condition` holds; fail after five seconds."""
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        await asyncio.sleep(0)


async def opened(gate: asyncio.Event) -> None:
    """Wait at `gate`, but not for ever: a test that fails before it opens has to end as well."""
    async with asyncio.timeout(5):
        await gate.wait()


async def turns(count: int = 50) -> None:
    """Give every ready task many turns, so that what was going to happen has happened."""
    for _ in range(count):
        await asyncio.sleep(0)


def other_tasks() -> set[asyncio.Task[Any]]:
    return asyncio.all_tasks() - {asyncio.current_task()}


class Clock:
    """Virtual time: it stands until `advance`, which calls what came due."""

    def __init__(self) -> None:
        self.mono = 0.0
        self.timers: dict[int, tuple[float, Callable[[], None]]] = {}
        self._count = 0

    def now(self) -> Now:
        return Now(self.mono, 1_790_000_000.0 + self.mono)

    def call_at(self, mono: float, callback: Callable[[], None]) -> Callable[[], None]:
        self._count += 1
        number = self._count
        self.timers[number] = (mono, callback)

        def cancel() -> None:
            self.timers.pop(number, None)

        return cancel

    def advance(self, mono: float) -> None:
        self.mono = mono
        for number, (due, callback) in list(self.timers.items()):
            if due <= mono:
                del self.timers[number]
                callback()


class Actor:
    """An endpoint that logs what it is told. `plays` gives the effects of a message or command by its name."""

    def __init__(self, log: list[str], plays: Mapping[str, list[Effect]] | None = None) -> None:
        self.log = log
        self.plays = dict(plays or {})
        self.deadline: float | None = None
        self.woken: list[float] = []
        self._effects: list[Effect] = []

    def receive(self, frame: Frame, now: Now) -> None:
        self._play("receive", frame.attributes["id"])

    def command(self, request: str, args: Mapping[str, Json], now: Now) -> None:
        if request == "nonsense":
            raise LocalProtocolError("not now")
        self._play("command", request)

    def entry(self, position: int, data: bytes, now: Now) -> None:
        self._play("entry", f"{position} {data.decode()}")

    def persisted(self, token: str, now: Now) -> None:
        self._play("persisted", token)

    def wake(self, now: Now) -> None:
        self.woken.append(now.mono)
        self.deadline = None
        self._play("wake", f"{now.mono:g}")

    def next_deadline(self) -> float | None:
        return self.deadline

    def take_effects(self) -> list[Effect]:
        effects, self._effects = self._effects, []
        return effects

    def _play(self, kind: str, name: str) -> None:
        self.log.append(f"{kind} {name}")
        self._effects.extend(self.plays.get(name, []))


class Keeper(Actor):
    """An actor whose state is the positions applied, so that it can be saved and caught up."""

    def __init__(self, log: list[str], plays: Mapping[str, list[Effect]] | None = None) -> None:
        super().__init__(log, plays)
        self.applied: list[int] = []

    def entry(self, position: int, data: bytes, now: Now) -> None:
        self.applied.append(position)
        super().entry(position, data, now)

    def snapshot(self) -> Snapshot:
        return Snapshot(self.applied[-1], ",".join(map(str, self.applied)).encode())

    def restore(self, snapshot: Snapshot) -> None:
        self.log.append(f"restore {snapshot.position}")
        self.applied = [int(text) for text in snapshot.data.split(b",")]

    def caught_up(self, now: Now) -> None:
        self.log.append("caught up")


class Line:
    """A subscription that counts what is asked of it."""

    def __init__(self, log: list[str]) -> None:
        self.log = log
        self.dropped = self.pauses = self.resumes = 0
        self.closed = False

    def pause(self) -> None:
        self.pauses += 1

    def resume(self) -> None:
        self.resumes += 1

    async def close(self) -> None:
        self.closed = True
        self.log.append("closed")


class Wire:
    """A transport that logs what is published; `failure` is raised instead, and `refuse` by the n-th subscribe."""

    def __init__(self, log: list[str]) -> None:
        self.log = log
        self.lines: list[Line] = []
        self.failure: Exception | None = None
        self.refuse: tuple[int, Exception] | None = None
        self.may_publish = asyncio.Event()
        self.may_publish.set()
        self.gone = asyncio.Event()
        self.deliver: Callable[[Delivery], None] = lambda _: None
        self.capabilities = Capabilities(Ordering.TOTAL, frozenset(Guarantee))

    def on_death(self, address: str, frame: Frame) -> None:
        raise CapabilityError("no death notice on this stage")

    async def open(self) -> None:
        return

    async def publish(
        self, address: str, frame: Frame, *, guarantee: Guarantee = Guarantee.AT_MOST_ONCE
    ) -> None:
        await opened(self.may_publish)
        if self.failure is not None:
            raise self.failure
        self.log.append(f"publish {frame.attributes['id']}")

    async def subscribe(
        self,
        pattern: str,
        on_delivery: Callable[[Delivery], None],
        *,
        group: str | None = None,
        since: float | None = None,
    ) -> Subscription:
        if self.refuse is not None and len(self.lines) == self.refuse[0]:
            raise self.refuse[1]
        self.log.append(f"subscribe {pattern} {group}")
        self.deliver = on_delivery
        self.lines.append(Line(self.log))
        return self.lines[-1]

    async def flush(self) -> None:
        self.log.append("flush")

    async def lost(self) -> TransportError:
        await self.gone.wait()
        return TransportError("another client took over")

    async def close(self) -> None:
        return


class Shelf:
    """A storage that logs, and that keeps a save waiting until `may_save`."""

    def __init__(self, log: list[str]) -> None:
        self.log = log
        self.kept: dict[str, bytes] = {}
        self.may_save = asyncio.Event()
        self.may_save.set()

    async def load(self) -> dict[str, bytes]:
        return dict(self.kept)

    async def save(self, token: str, data: bytes) -> None:
        self.log.append(f"saving {token}")
        await opened(self.may_save)
        self.kept[token] = data
        self.log.append(f"saved {token}")


def told(log: list[str]) -> Callable[[Notify], None]:
    """A listener that logs what the user is told."""
    return lambda notice: log.append(f"notify {notice.event}")
