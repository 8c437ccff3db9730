"""The only asyncio code: one endpoint run over a transport, a journal and a storage.

Responsible for feeding inputs one at a time, carrying out effects in their order, deadlines, replay before serving,
snapshots, back-pressure and an orderly end. Not responsible for any protocol decision, nor for opening or closing
transport and journal: whoever made them does, since several sessions may share them.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence, Sized
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Final, NamedTuple, Self, cast

from .clock import Clock, SystemClock
from .closing import close_all
from .errors import ComityError, JournalError, LocalProtocolError, TransportError
from .fairness import FairQueue
from .ports import (
    Append,
    Delivery,
    Effect,
    Endpoint,
    Entry,
    Journal,
    Json,
    Notify,
    Now,
    Persist,
    Replica,
    Send,
    Storage,
    Subscription,
    Transport,
)

__all__ = ["Listen", "Session"]

_log = logging.getLogger("comity.session")
_TURN: Final = 256  # inputs taken in before their effects are carried out, at most,
_BREATHS: Final = 16
_TURN_S: Final = 0.005  # and for how long, so that costly ones hold up nobody for long
_APPENDS: Final = 4096
_OF_SNAPSHOT: Final = 4  # a snapshot once the log behind the last one has that part of its size


class Listen(NamedTuple):
    """A pattern to subscribe to, and the group to share its messages with."""

    pattern: str
    group: str | None = None


class Session:
    """Runs `endpoint`; use it as an async context manager, or `start` and `stop`.

    `on_notify` gets what the endpoint tells its user, on the event loop, and must not block. A message that the transport
    would not take counts in `lost`, is logged and is told as `session.lost`: on a lossy network that is no different
    from one lost on the way. Any other error, and a connection that is gone for good, ends the session and is raised by
    `wait`, `stop` and `command`.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        transport: Transport,
        *,
        subscriptions: Sequence[Listen],
        journal: Journal | None = None,
        storage: Storage | None = None,
        clock: Clock | None = None,
        on_notify: Callable[[Notify], None] | None = None,
        queue: int = 4096,
        snapshot_every: int = 10_000,
    ) -> None:
        self._endpoint = endpoint
        self._transport = transport
        self._listens = subscriptions
        self._journal = journal
        self._storage = storage
        self._clock = clock or SystemClock()
        self._on_notify = on_notify
        self._snapshot_every = snapshot_every
        self._limit = queue
        self._deliveries = FairQueue(queue)
        self._entries: deque[Entry] = deque()
        self._subscriptions: list[Subscription] = []
        self._paused = self._stopping = False
        self._signal = asyncio.Event()
        self._room = asyncio.Event()
        self._appends = asyncio.Semaphore(_APPENDS)
        self._runner: asyncio.Task[None] | None = None
        self._since_snapshot = self._covered = 0
        self._log_size = self._snapshot_size = 0
        self._appending = self._appended = self._applied = 0
        self.lost = 0

    async def start(self) -> None:
        """Replay the journal, then serve. When it returns the subscriptions are in force.

        Raises what transport and journal raise; then nothing is left running.
        """
        if self._runner is not None:
            raise LocalProtocolError("this session was started before")
        entries = await self._replay()
        self._runner = asyncio.create_task(self._run(entries), name="comity-session")
        try:
            for listen in self._listens:
                on = await self._transport.subscribe(listen.pattern, self._deliver, group=listen.group)
                if self._paused:  # what came meanwhile filled the queue
                    on.pause()
                self._subscriptions.append(on)
        except BaseException:
            self._runner.cancel()
            await self._end()
            raise

    async def stop(self) -> None:
        """Take in nothing more, answer what was taken in, flush, end. Raises what ended the session before."""
        if self._runner is None:
            return
        self._stopping = True
        await self._end()
        self._raise_failure(self._runner)
        try:
            await self._transport.flush()
        except TransportError as error:
            self._lose("anybody", error)

    async def wait(self) -> None:
        """Return when the session has ended by `stop`; raise what ended it otherwise."""
        if self._runner is not None:
            await asyncio.wait({self._runner})
            self._raise_failure(self._runner)

    def command(self, request: str, args: Mapping[str, Json]) -> None:
        """The local user wants `request`. Raises `LocalProtocolError` where the endpoint does, or nobody is there."""
        runner = self._runner
        if runner is None or self._stopping:
            raise LocalProtocolError("the session is not running")
        if runner.done():
            self._raise_failure(runner)
            raise LocalProtocolError("the session has ended")
        try:
            self._endpoint.command(request, args, self._clock.now())
        finally:
            self._signal.set()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        try:
            await self.stop()
        except ComityError as failure:
            if error is None:
                raise
            if failure is not error:  # the error inside the block is the one to raise
                _log.error("the session had failed as well: %s", failure)

    # ------------------------------------------------------------------ inputs

    async def _watch(self) -> None:
        raise await self._transport.lost()

    async def _replay(self) -> AsyncIterator[Entry] | None:
        endpoint, journal, now = self._endpoint, self._journal, self._clock.now
        if journal is None:
            return None
        if isinstance(endpoint, Replica) and (snapshot := await journal.load_snapshot()) is not None:
            endpoint.restore(snapshot)
            self._covered = self._applied = snapshot.position
            self._snapshot_size = len(snapshot.data)
        end = await journal.end()
        entries = journal.follow(self._covered)
        if end > self._covered:
            async for entry in entries:
                _apply(endpoint, entry, now())
                self._applied = entry.position
                if entry.position >= end:
                    break
        if isinstance(endpoint, Replica):
            endpoint.caught_up(now())
        return entries

    async def _follow(self, entries: AsyncIterator[Entry]) -> None:
        async for entry in entries:
            self._entries.append(entry)
            self._signal.set()
            while len(self._entries) >= self._limit:
                self._room.clear()
                await self._room.wait()

    def _deliver(self, delivery: Delivery) -> None:
        self._deliveries.put(delivery)
        self._signal.set()
        if self._deliveries.full and not self._paused:
            self._paused = True
            for subscription in self._subscriptions:
                subscription.pause()

    def _take_in(self) -> list[Delivery]:
        """Feed the endpoint what has come, ordered entries first; the deliveries are acknowledged afterwards."""
        endpoint = self._endpoint
        for now in self._turn(self._entries):
            entry = self._entries.popleft()
            _apply(endpoint, entry, now)
            self._applied = entry.position
            self._since_snapshot += 1
            self._log_size += len(entry.data)
        self._room.set()
        taken: list[Delivery] = []
        for now in self._turn(self._deliveries):
            taken.append(self._deliveries.take())
            endpoint.receive(taken[-1].frame, now)
        now = self._clock.now()
        deadline = endpoint.next_deadline()
        if deadline is not None and deadline <= now.mono:
            endpoint.wake(now)
        return taken

    def _turn(self, waiting: Sized) -> Iterator[Now]:
        """The instants at which to take one more of what waits, until the turn is over."""
        now = self._clock.now()
        end = now.mono + _TURN_S
        for _ in range(min(_TURN, len(waiting))):
            yield now
            now = self._clock.now()
            if now.mono > end:
                return

    # ----------------------------------------------------------------- running

    async def _run(self, entries: AsyncIterator[Entry] | None) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                beside = [group.create_task(self._watch())]
                if entries is not None:
                    beside.append(group.create_task(self._follow(entries)))
                await self._turns(group)
                for task in beside:
                    task.cancel()
        except BaseExceptionGroup as errors:
            raise _first(errors) from None

    async def _turns(self, group: asyncio.TaskGroup) -> None:
        while True:
            self._signal.clear()
            taken = self._take_in()
            effects = self._endpoint.take_effects()
            for effect in effects:
                await self._carry_out(effect, group)
            for delivery in taken:
                delivery.ack()
            await self._keep_snapshot()
            self._relax()
            if taken or effects or self._entries or self._deliveries:
                await self._breathe()
            elif self._stopping and not self._appending and self._applied >= self._appended:
                return
            else:
                await self._idle()

    async def _breathe(self) -> None:
        """Leave the loop to others between turns, and longer to a transport that has more: what it has not read
        cannot be taken in its turn."""
        for _ in range(_BREATHS):
            before = len(self._deliveries)
            await asyncio.sleep(0)
            await asyncio.sleep(0)  # one to read, one to deliver
            if len(self._deliveries) == before:
                return

    async def _idle(self) -> None:
        deadline = self._endpoint.next_deadline()
        if deadline is None:
            await self._signal.wait()
            return
        cancel = self._clock.call_at(deadline, self._signal.set)
        try:
            await self._signal.wait()
        finally:
            cancel()

    def _relax(self) -> None:
        if self._paused and self._deliveries.relaxed:
            self._paused = False
            for subscription in self._subscriptions:
                subscription.resume()

    async def _carry_out(self, effect: Effect, group: asyncio.TaskGroup) -> None:
        match effect:
            case Send():
                await self._publish(effect)
            case Append(data):
                await (
                    self._appends.acquire()
                )  # tasks start in order, so the journal sees the endpoint's order
                self._appending += 1
                group.create_task(self._append(data))
            case Persist(token, data):
                if self._storage is None:
                    raise LocalProtocolError(f"the endpoint keeps {token!r} and this session has no storage")
                await self._storage.save(token, data)
                self._endpoint.persisted(token, self._clock.now())
                self._signal.set()
            case Notify():
                self._tell(effect)

    async def _publish(self, send: Send) -> None:
        try:
            await self._transport.publish(send.address, send.frame)
        except TransportError as error:
            self._lose(send.address, error)

    def _lose(self, address: str, error: TransportError) -> None:
        self.lost += 1
        _log.warning("not sent to %s: %s", address, error)
        self._tell(Notify("session.lost", {"address": address, "code": error.code, "reason": str(error)}))

    async def _append(self, data: bytes) -> None:
        try:
            if self._journal is None:
                raise LocalProtocolError("the endpoint appends and this session has no journal")
            self._appended = max(self._appended, await self._journal.append(data))
        finally:
            self._appending -= 1
            self._appends.release()
            self._signal.set()

    async def _keep_snapshot(self) -> None:
        endpoint, journal = self._endpoint, self._journal
        if (
            self._since_snapshot < self._snapshot_every
            or self._log_size < self._snapshot_size // _OF_SNAPSHOT
            or journal is None
            or not isinstance(endpoint, Replica)
        ):
            return
        snapshot = endpoint.snapshot()
        self._since_snapshot = self._log_size = 0
        self._snapshot_size = len(snapshot.data)
        try:
            await journal.save_snapshot(snapshot)
        except JournalError as error:
            if error.code != "local.snapshot_outdated":  # another replica was faster
                raise
            return
        await journal.truncate(self._covered)  # one snapshot behind, for replicas that lag
        self._covered = snapshot.position

    def _tell(self, notice: Notify) -> None:
        if self._on_notify is not None:
            self._on_notify(notice)

    # --------------------------------------------------------------------- end

    async def _end(self) -> None:
        runner = self._runner
        async with AsyncExitStack() as closing:  # each is closed, whatever the others raise
            if runner is not None:
                closing.push_async_callback(_ended, runner)
            closing.callback(self._signal.set)
            closing.push_async_callback(close_all, self._subscriptions)
            self._subscriptions = []

    @staticmethod
    def _raise_failure(runner: asyncio.Task[None]) -> None:
        if not runner.cancelled() and (error := runner.exception()) is not None:
            raise error


def _apply(endpoint: Endpoint, entry: Entry, now: Now) -> None:
    try:
        endpoint.entry(entry.position, entry.data, now)
    except JournalError as error:
        raise JournalError(
            f"entry {entry.position} of the journal: {error}: see who else writes to it, and restore it or name another"
        ) from error


async def _ended(runner: asyncio.Task[None]) -> None:
    """Wait for the end of `runner`; whoever is cancelled meanwhile, once or again, cancels it and still waits."""
    cancelled: asyncio.CancelledError | None = None
    while not runner.done():
        try:
            await asyncio.wait({runner})
        except asyncio.CancelledError as error:
            runner.cancel()
            cancelled = error
    if cancelled is not None:
        raise cancelled


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    first = errors.exceptions[0]
    return (
        _first(cast("BaseExceptionGroup[BaseException]", first))
        if isinstance(first, BaseExceptionGroup)
        else first
    )
