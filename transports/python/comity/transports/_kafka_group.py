# pyright: basic
# aiokafka is not typed; the `_kafka_` modules are the places that touch it.
"""Reading as a member of a group: partitions are shared out, and what is acknowledged is committed.

Responsible for one member: where a new group begins, commits behind the oldest unacknowledged message, handing
partitions over without delivering twice, and what may be a duplicate after a failure. Not responsible for reading
without a group.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from comity.sdk.address import Pattern
from comity.sdk.errors import TransportError
from comity.sdk.ports import Delivery, Frame
from comity.transports._ending import Ending
from comity.transports._kafka_begin import begin
from comity.transports._kafka_client import Clients, stop, watched
from comity.transports._kafka_ledger import Ledger
from comity.transports._kafka_live import address_of, frame_of
from comity.transports._kafka_moved import Move, moves
from comity.transports._kafka_records import Records, reached, taken
from comity.transports._outlet import Item, Outlet

__all__ = ["Member"]

_log = logging.getLogger(__name__)
_POLL_MS: Final = 200
_HEARTBEAT_MS: Final = 300
_SESSION_MS: Final = 6000
_REBALANCE_MS: Final = 10_000
_AGAIN: Final = 1.0  # seconds after which a commit that failed is tried again
_HANDOVER: Final = 2.0  # seconds that acknowledgements have before a partition goes to another member
_NEVER_MS: Final = 2**31 - 1  # a paused member is alive as long as its heart beats


class Member(ConsumerRebalanceListener):  # type: ignore[misc]
    """A subscription with a group; see `Subscription`."""

    dropped = 0  # what finds no room is not read yet

    def __init__(
        self,
        clients: Clients,
        pattern: Pattern,
        group: str,
        on_delivery: Callable[[Delivery], None],
        buffer: int,
        since: float | None,
    ) -> None:
        self.pattern = pattern
        self.on_close: Callable[[Member], None] = lambda _: None
        self._room = asyncio.Event()
        self.outlet = Outlet(on_delivery, buffer, self._room.set)
        self._clients = clients
        self._buffer = buffer
        self._since = since
        self._ledgers: dict[TopicPartition, Ledger] = {}
        self._coming: list[TopicPartition] | None = None
        self._acked = asyncio.Event()
        self._to_commit = asyncio.Event()
        self._assigned: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._tasks: list[asyncio.Task[None]] = []
        self._ending = Ending(self._end)
        self._begins: dict[int, int] = {}  # of a group that is new, as of before it was joined
        self._taking = asyncio.Lock()
        self._group = f"{pattern}/{group}"
        self._consumer: Any = None

    async def open(self) -> None:
        """Join the group; when it returns the group misses nothing that is published from now on."""
        topic = self.pattern.stem
        await self._clients.check_readable(topic)
        ends = await self._clients.ends(topic)  # another member may be told that it has joined before we are
        self._begins = await self._clients.begins(topic, ends, self._since)
        async with self._clients.explaining(extra=_REBALANCE_MS / 1000):  # a dead member delays the others
            self._consumer = await self._clients.consumer(
                group_id=self._group,
                session_timeout_ms=_SESSION_MS,
                heartbeat_interval_ms=_HEARTBEAT_MS,
                rebalance_timeout_ms=_REBALANCE_MS,
                max_poll_interval_ms=_NEVER_MS,
            )
            self._consumer.subscribe([self.pattern.stem], listener=self)
            try:
                await begin(self._consumer._client, self._consumer.start)
                await self._assigned
            except BaseException:
                await stop(self._consumer, self._clients.timeout)
                raise
        self._tasks = [watched(self._read_on()), watched(self._commit_on())]

    def pause(self) -> None:
        """See `Subscription.pause`."""
        self.outlet.pause()

    def resume(self) -> None:
        """See `Subscription.resume`."""
        self.outlet.resume()
        self._room.set()

    async def close(self) -> None:
        """Commit what is acknowledged and leave the group; the rest is for the other members. Idempotent.

        It takes no longer than the timeout. Where the brokers do not answer, the group hears nothing of it.
        """
        self.outlet.close()
        if self._tasks:
            await self._ending()

    async def _end(self) -> None:
        deadline = asyncio.get_running_loop().time() + self._clients.timeout
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        await self._commit(leaving=True)
        await stop(self._consumer, deadline - asyncio.get_running_loop().time())
        self.on_close(self)

    # --------------------------------------------------------------- rebalances

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Before partitions are shared out anew: what was delivered may be acknowledged, for a moment."""
        self.outlet.clear()
        try:
            async with asyncio.timeout(_HANDOVER):
                while any(self._ledgers.values()):
                    self._acked.clear()
                    await self._acked.wait()
        except TimeoutError:
            _log.warning(
                "messages of %s were not acknowledged in time: another member has them too", self.pattern
            )
        await self._commit(leaving=True)
        self._ledgers, self._coming = {}, None

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Go on behind what the group has committed, or begin at `since` or the end where it is new."""
        self._coming = list(assigned)
        try:
            await self._take_over()
        except TransportError as error:
            if not self._assigned.done():
                self._assigned.set_exception(error)
            else:
                _log.warning(
                    "%s: where the group is could not be asked, and is asked again: %s", self._group, error
                )

    async def _take_over(self) -> None:
        async with self._taking:
            coming = self._coming
            if coming is None:
                return
            async with self._clients.explaining():
                ledgers = await self._ledgers_for(coming)
            if coming is not self._coming:
                return  # they were shared out anew meanwhile
            for place, ledger in ledgers.items():
                self._consumer.seek(place, ledger.position)
            self._ledgers, self._coming = ledgers, None
        self._room.set()
        if not self._assigned.done():
            self._assigned.set_result(None)

    async def _ledgers_for(self, places: list[TopicPartition]) -> dict[TopicPartition, Ledger]:
        ends = await self._clients.ends(self.pattern.stem)
        ledgers: dict[TopicPartition, Ledger] = {}
        known = await self._consumer._coordinator.fetch_committed_offsets(places)
        for place in places:
            begin = self._begins.get(place.partition, 0)  # all of a partition that was added since
            offset, note = known.get(place, (-1, ""))
            end = ends.get(place.partition, 0)
            ledgers[place] = Ledger(begin, begin) if offset < 0 else Ledger.resumed(offset, end, note)
        positions = {place: (one.position, "") for place, one in ledgers.items()}
        if positions:  # what the one before noted is no longer so once we deliver
            await self._consumer.commit(positions)
        self._begins = {}  # where the group had a place and has none now, the topic was made anew
        return ledgers

    # ------------------------------------------------------------------ reading

    async def _read_on(self) -> None:
        while True:
            while not (room := self._room_left()):
                self._room.clear()
                await self._room.wait()
            try:
                await self._take_over()
                found = await self._records(room)
            except (KafkaError, TransportError) as error:
                _log.warning("%s: reading from Kafka failed, and goes on: %s", self._group, error)
                await asyncio.sleep(_POLL_MS / 1000)
                continue
            for place, records in found.items():
                self._take(place, records)
            for place, offset in reached(self._consumer).items():
                if (ledger := self._ledgers.get(place)) is not None:
                    ledger.position = max(offset, ledger.position)
            await asyncio.sleep(0)

    async def _records(self, most: int) -> Records:
        try:
            return await taken(self._consumer, self._places, timeout_ms=_POLL_MS, most=most)
        except OffsetOutOfRangeError as error:
            for move in await moves(self._clients, error, self._places()):
                if (ledger := self._ledgers.get(move.place)) is not None:
                    await self._move(move, ledger)
            return {}

    async def _move(self, move: Move, ledger: Ledger) -> None:
        if move.anew:  # what the group has delivered is in another log, if it is not in this one
            self._ledgers[move.place] = Ledger(move.begin, move.end)
        else:
            ledger.position = move.of(ledger.position)
        self._consumer.seek(move.place, move.begin)
        async with self._clients.explaining():  # a commit of before would have the next member lose them
            await self._consumer.commit({move.place: (self._ledgers[move.place].behind, "")})

    def _places(self) -> dict[TopicPartition, int]:
        return {place: ledger.position for place, ledger in self._ledgers.items()}

    def _room_left(self) -> int:
        return self._buffer - sum(map(len, self._ledgers.values())) if self.outlet.ready else 0

    def _take(self, place: TopicPartition, records: Iterable[Any]) -> None:
        ledger = self._ledgers.get(place)
        for record in records if ledger is not None else ():
            if ledger is None or record.offset < ledger.position:
                continue
            ledger.position = record.offset + 1
            address = address_of(record.topic, record.key)
            frame = frame_of(address, record) if address and self.pattern.matches(address) else None
            if frame is not None:
                self._deliver(ledger, record.offset, address, frame)
            else:
                self._to_commit.set()

    def _deliver(self, ledger: Ledger, offset: int, address: str, frame: Frame) -> None:
        ledger.deliver(offset)
        ack, forget = partial(self._ack, ledger, offset), partial(self._forget, ledger, offset)
        item = Item(address, frame, offset < ledger.doubtful, ack, forget)
        self.outlet.put(item, bounded=False)  # no more was read than there is room for

    def _ack(self, ledger: Ledger, offset: int) -> None:
        ledger.ack(offset)
        self._acked.set()
        self._to_commit.set()
        self._room.set()

    def _forget(self, ledger: Ledger, offset: int, seen: bool) -> None:
        ledger.withdraw(offset, seen)
        self._acked.set()

    # --------------------------------------------------------------- committing

    async def _commit_on(self) -> None:
        while True:
            await self._to_commit.wait()
            self._to_commit.clear()
            if not await self._commit():
                self._to_commit.set()
                await asyncio.sleep(_AGAIN)

    async def _commit(self, *, leaving: bool = False) -> bool:
        """Commit what is acknowledged, and return whether nothing is left to be.

        Who leaves notes how far it has delivered, for whoever comes next.
        """
        ledgers = dict(self._ledgers)
        offsets = {
            place: (one.behind, one.note if leaving else "")
            for place, one in ledgers.items()
            if leaving or one.behind > one.committed
        }
        if not offsets:
            return True
        try:
            async with self._clients.explaining():
                await self._consumer.commit(offsets)
        except TransportError as error:
            _log.warning("what was acknowledged is not committed and may come again: %s", error)
            return False
        for place, (offset, _) in offsets.items():
            ledgers[place].committed = offset
        return True
