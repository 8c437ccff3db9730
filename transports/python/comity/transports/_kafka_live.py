# pyright: basic
# aiokafka is not typed; the `_kafka_` modules are the places that touch it.
"""Reading without a group: one consumer for all subscriptions of an event loop, at the end of their topics.

Responsible for who gets which record, for the position behind which each subscription begins, and for those
whose buffer is full: they are read for again, from where they stopped, by a second consumer, until they have
caught up. So a slow subscriber costs no memory, loses nothing and holds up nobody. Not responsible for topics.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from comity.sdk.address import Pattern, from_kafka
from comity.sdk.errors import ComityError
from comity.sdk.ports import Delivery
from comity.transports._kafka_client import Clients, stop, watched
from comity.transports._kafka_outlet import Item, Outlet
from comity.transports.kafka_binding import decode

__all__ = ["Live", "Reading", "address_of", "item_of"]

_log = logging.getLogger(__name__)
_POLL_MS: Final = 500
_HELPING: Final = 1000  # records for one that lags before the next one has its turn
_PAUSE: Final = 0.2


class Reading:
    """A subscription without a group. `next` is where it goes on in each partition."""

    dropped = 0  # what finds no room is read again

    def __init__(
        self, live: Live, pattern: Pattern, on_delivery: Callable[[Delivery], None], buffer: int
    ) -> None:
        self.pattern = pattern
        self.on_close: Callable[[Reading], None] = lambda _: None
        self.next: dict[int, int] = {}
        self.outlet = Outlet(on_delivery, buffer, live.wake)
        self._live = live

    def pause(self) -> None:
        """See `Subscription.pause`."""
        self.outlet.pause()

    def resume(self) -> None:
        """See `Subscription.resume`."""
        self.outlet.resume()

    async def close(self) -> None:
        """End the subscription; what waits in its buffer is discarded. Idempotent."""
        self.outlet.close()
        self._live.remove(self)
        self.on_close(self)


class Channel:
    """A topic that is read: who wants it, and the next offset of each partition."""

    def __init__(self, positions: dict[int, int]) -> None:
        self.positions = positions
        self.exact: dict[str, list[Reading]] = {}
        self.wild: list[Reading] = []

    def wanting(self, address: str) -> Iterable[Reading]:
        """Those whose pattern `address` matches."""
        exact = self.exact.get(address, ())
        return (
            [*exact, *(one for one in self.wild if one.pattern.matches(address))] if self.wild else [*exact]
        )

    def add(self, reading: Reading) -> None:
        """Count `reading` in."""
        pattern = reading.pattern
        (self.exact.setdefault(str(pattern), []) if pattern.literal else self.wild).append(reading)

    def discard(self, reading: Reading) -> None:
        """Count `reading` out, if it is in."""
        name = str(reading.pattern)
        among = self.exact.get(name, []) if reading.pattern.literal else self.wild
        if reading in among:
            among.remove(reading)
        if name in self.exact and not self.exact[name]:
            del self.exact[name]


class Live:
    """The two consumers, and the tasks that read from them."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._channels: dict[str, Channel] = {}
        self._behind: deque[Reading] = deque()
        self._wake = asyncio.Event()
        self._progress = asyncio.Event()
        self._consumer = clients.consumer()
        self._second = clients.consumer()
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Connect and read."""
        async with self._clients.explaining():
            await self._consumer.start()
            await self._second.start()
        self._tasks = [watched(self._read_on()), watched(self._catch_up())]

    async def close(self) -> None:
        """Read no more, and disconnect."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await stop(self._consumer)
        await stop(self._second)

    async def add(self, reading: Reading) -> None:
        """Read for `reading` whatever is published from now on."""
        reading.next = await self._clients.ends(reading.pattern.stem)
        self._join(reading)

    def remove(self, reading: Reading) -> None:
        """Read for it no more. Its topic is read on until something comes that nobody wants."""
        if reading in self._behind:
            self._behind.remove(reading)
        if channel := self._channels.get(reading.pattern.stem):
            channel.discard(reading)

    def wake(self) -> None:
        """Look again at those that lag."""
        self._wake.set()

    async def settle(self, readings: Iterable[Reading]) -> None:
        """Return once those that are not paused have been handed all that the brokers have now."""
        for reading in readings:
            ends = await self._clients.ends(reading.pattern.stem)
            async with self._clients.explaining():
                while not (reading.outlet.paused or self._reached(reading, ends)):
                    self._progress.clear()
                    await self._progress.wait()
            reading.outlet.drain()

    def _reached(self, reading: Reading, ends: dict[int, int]) -> bool:
        channel = self._channels.get(reading.pattern.stem)
        if channel is None or reading in self._behind:
            return False
        return all(channel.positions.get(number, 0) >= offset for number, offset in ends.items())

    # ---------------------------------------------------------------- in step

    def _join(self, reading: Reading) -> None:
        """Read for it together with the others, or let it catch up first."""
        channel = self._channels.get(reading.pattern.stem)
        if channel is None:
            channel = self._channels[reading.pattern.stem] = Channel(dict(reading.next))
            channel.add(reading)
            self._assign()
        elif all(reading.next.get(number, 0) >= offset for number, offset in channel.positions.items()):
            channel.add(reading)
        else:
            self._behind.append(reading)
            self._wake.set()

    def _assign(self) -> None:
        for topic, channel in list(self._channels.items()):
            if not self._wanted(topic, channel):
                del self._channels[topic]
        places = {
            TopicPartition(topic, number): offset
            for topic, channel in self._channels.items()
            for number, offset in channel.positions.items()
        }
        _seek(self._consumer, places)

    def _wanted(self, topic: str, channel: Channel) -> bool:
        return bool(channel.exact or channel.wild) or any(one.pattern.stem == topic for one in self._behind)

    async def _read_on(self) -> None:
        while True:
            for place, records in (await _records(self._consumer)).items():
                channel = self._channels.get(place.topic)
                if channel is None:
                    continue
                for record in records:
                    if record.offset >= channel.positions[place.partition]:  # else it was asked for twice
                        self._dispatch(channel, record)
                        channel.positions[place.partition] = record.offset + 1
                if not self._wanted(place.topic, channel):
                    self._assign()
            self._grow()
            self._progress.set()
            await asyncio.sleep(0)

    def _grow(self) -> None:
        """Read partitions that were added meanwhile, from their beginning: all that is in them is new."""
        more = [
            (topic, channel, number)
            for topic, channel in self._channels.items()
            for number in self._clients.added(self._consumer, topic, channel.positions)
        ]
        for topic, channel, number in more:
            _log.info("topic %s has partition %d by now", topic, number)
            channel.positions[number] = 0
            for reading in self._behind:
                if reading.pattern.stem == topic:
                    reading.next.setdefault(number, 0)
        if more:
            self._assign()

    def _dispatch(self, channel: Channel, record: Any) -> None:
        address = address_of(record.topic, record.key)
        wanting = channel.wanting(address) if address else ()
        item = item_of(address, record) if wanting else None
        for reading in wanting:
            early = record.offset < reading.next.get(record.partition, 0)
            if item is not None and not early and not reading.outlet.put(item):
                self._fall_behind(channel, reading)

    def _fall_behind(self, channel: Channel, reading: Reading) -> None:
        channel.discard(reading)
        for number, offset in channel.positions.items():
            reading.next[number] = max(offset, reading.next.get(number, 0))
        self._behind.append(reading)

    # ----------------------------------------------------------------- behind

    async def _catch_up(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while reading := next((one for one in self._behind if one.outlet.ready), None):
                self._behind.remove(reading)
                self._behind.append(reading)
                await self._help(reading)

    async def _help(self, reading: Reading) -> None:
        topic = reading.pattern.stem
        _seek(self._second, {TopicPartition(topic, number): o for number, o in reading.next.items()})
        helped = 0
        while reading.outlet.ready and reading in self._behind and helped < _HELPING:
            for place, records in (await _records(self._second, _HELPING)).items():
                helped += len(records)
                if place.topic == topic:
                    _feed(reading, records)
            if reading in self._behind and self._caught_up(reading):
                self._behind.remove(reading)
                self._join(reading)
            self._progress.set()

    def _caught_up(self, reading: Reading) -> bool:
        channel = self._channels.get(reading.pattern.stem)
        return channel is None or all(reading.next.get(n, 0) >= o for n, o in channel.positions.items())


def _feed(reading: Reading, records: Iterable[Any]) -> None:
    for record in records:
        if record.offset < reading.next.get(record.partition, 0):
            continue
        address = address_of(record.topic, record.key)
        item = item_of(address, record) if address and reading.pattern.matches(address) else None
        if item is not None and not reading.outlet.put(item):
            return
        reading.next[record.partition] = record.offset + 1


def _seek(consumer: Any, places: dict[TopicPartition, int]) -> None:
    consumer.assign(list(places))
    for place, offset in places.items():
        consumer.seek(place, offset)


async def _records(consumer: Any, most: int | None = None) -> dict[TopicPartition, list[Any]]:
    try:
        found: dict[TopicPartition, list[Any]] = await consumer.getmany(timeout_ms=_POLL_MS, max_records=most)
        return found
    except KafkaError as error:
        _log.warning("reading from Kafka failed, and goes on: %s", error)
        await asyncio.sleep(_PAUSE)
        return {}


@lru_cache(maxsize=16384)
def address_of(topic: str, key: bytes | None) -> str:
    """The address of a record; empty where it is none of ours."""
    try:
        return str(from_kafka(topic, key))
    except ComityError as error:
        _log.warning("a record of topic %s has no address and was ignored: %s", topic, error)
        return ""


def item_of(address: str, record: Any) -> Item | None:
    """What a record is to its subscribers; None where it is no event."""
    try:
        return Item(address, decode(record.headers, record.value))
    except ComityError as error:
        _log.warning("a message on %r is no event and was ignored: %s", address, error)
        return None
