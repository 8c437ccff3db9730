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
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from comity.sdk.address import MAX_TEXT, from_kafka
from comity.sdk.errors import ComityError, TransportError
from comity.sdk.ports import Frame
from comity.transports._kafka_begin import begin
from comity.transports._kafka_channel import Channel, Reading, needed
from comity.transports._kafka_client import Clients, stop, watched
from comity.transports._kafka_moved import moves
from comity.transports._kafka_records import Records, reached, taken
from comity.transports._outlet import Item
from comity.transports.kafka_binding import decode

__all__ = ["Live", "address_of", "frame_of"]

_log = logging.getLogger(__name__)
_POLL_MS: Final = 500
_HELPING: Final = 1000  # records for one that lags before the next one has its turn
_TURN: Final = 2.0  # seconds for it: there may be nothing to read, as where a topic was deleted
_PAUSE: Final = 0.2
_IGNORED: Final = (
    1000  # records that nobody wants, after which it is cheaper to begin reading the others anew
)


class Live:
    """The two consumers, and the tasks that read from them."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._channels: dict[str, Channel] = {}
        self._behind: deque[Reading] = deque()
        self._wake = asyncio.Event()
        self._progress = asyncio.Event()
        self._moving = asyncio.Lock()
        self._consumer: Any = None
        self._second: Any = None
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Connect and read."""
        async with self._clients.explaining():
            self._consumer = await self._clients.consumer()
            self._second = await self._clients.consumer()
            await begin(self._consumer._client, self._consumer.start)
            await begin(self._second._client, self._second.start)
        self._tasks = [watched(self._read_on()), watched(self._catch_up())]

    async def close(self) -> None:
        """Read no more, and disconnect."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        consumers = (one for one in (self._consumer, self._second) if one is not None)
        await asyncio.gather(*(stop(one, self._clients.timeout) for one in consumers))

    async def add(self, reading: Reading, since: float | None = None) -> None:
        """Read for `reading` whatever was published from Unix second `since` on, or is from now on."""
        topic = reading.pattern.stem
        await self._clients.check_readable(topic)
        partitions = await self._clients.partitions(topic)
        ends = await self._clients.ends(topic, needed(reading.pattern, partitions))
        reading.next = await self._clients.begins(topic, ends, since)
        if self._join(reading, len(partitions)):
            self._assign()

    def remove(self, reading: Reading) -> None:
        """Read for it no more. Its partitions are read on until much has come that nobody wants."""
        if reading in self._behind:
            self._behind.remove(reading)
        if channel := self._channels.get(reading.pattern.stem):
            channel.discard(reading)

    def wake(self) -> None:
        """Look again at those that lag."""
        self._wake.set()

    async def settle(self, readings: Sequence[Reading]) -> None:
        """Return once those that are not paused have been handed all that the brokers have now."""
        among: dict[str, set[int]] = {}
        for reading in readings:
            among.setdefault(reading.pattern.stem, set()).update(reading.next)
        ends = {topic: await self._clients.ends(topic, numbers) for topic, numbers in among.items()}
        for reading in readings:
            async with self._clients.explaining():
                while not (reading.outlet.paused or self._reached(reading, ends[reading.pattern.stem])):
                    self._progress.clear()
                    await self._progress.wait()
            reading.outlet.drain()

    def _reached(self, reading: Reading, ends: Mapping[int, int]) -> bool:
        channel = self._channels.get(reading.pattern.stem)
        if channel is None or reading in self._behind:
            return False
        return all(channel.positions.get(number, 0) >= ends.get(number, 0) for number in reading.next)

    # -------------------------------------------------------------- both alike

    async def _records(
        self, consumer: Any, behind: Callable[[], Mapping[TopicPartition, int]], most: int | None = None
    ) -> Records:
        try:
            try:
                return await taken(consumer, behind, timeout_ms=_POLL_MS, most=most)
            except OffsetOutOfRangeError as error:
                async with self._moving:
                    await self._move(error, behind())
        except (KafkaError, TransportError) as error:
            _log.warning("reading from Kafka failed, and goes on: %s", error)
            await asyncio.sleep(_PAUSE)
        return {}

    async def _move(self, error: OffsetOutOfRangeError, places: Mapping[TopicPartition, int]) -> None:
        """Go on where the partitions have records now, for all that read them."""
        for move in await moves(self._clients, error, places):
            topic, partition = move.place
            if channel := self._channels.get(topic):
                channel.move(partition, move.of)
            for reading in self._behind:
                if reading.pattern.stem == topic:
                    reading.move(partition, move.of)
            if move.place in self._second.assignment():
                self._second.seek(move.place, move.begin)
        self._assign()

    # ---------------------------------------------------------------- in step

    def _join(self, reading: Reading, size: int) -> bool:
        """Read for it together with the others, or let it catch up first; whether to assign anew."""
        channel = self._channels.setdefault(reading.pattern.stem, Channel(size))
        channel.size = min(channel.size, size)  # where the others have heard of more, it is yet to have those
        if channel.suits(reading):
            return channel.add(reading)
        self._behind.append(reading)
        self._wake.set()
        return False

    def _assign(self) -> None:
        _seek(self._consumer, self._places())

    def _places(self) -> dict[TopicPartition, int]:
        return {
            TopicPartition(topic, number): offset
            for topic, channel in self._channels.items()
            for number, offset in channel.positions.items()
        }

    def _drop_unwanted(self) -> None:
        for topic, channel in list(self._channels.items()):
            channel.ignored = 0
            for number in list(channel.positions):
                if not self._wanted(topic, channel, number):
                    del channel.positions[number]
            if not channel.positions:
                del self._channels[topic]

    def _wanted(self, topic: str, channel: Channel, number: int) -> bool:
        return channel.wants(number) or any(
            one.pattern.stem == topic and number in one.next for one in self._behind
        )

    async def _read_on(self) -> None:
        while True:
            for place, records in (await self._records(self._consumer, self._places)).items():
                channel = self._channels.get(place.topic)
                if channel is None or place.partition not in channel.positions:
                    continue
                self._hand_on(channel, place.partition, records)
                if not self._wanted(place.topic, channel, place.partition):
                    channel.ignored += len(records)
            for place, offset in reached(self._consumer).items():
                if channel := self._channels.get(place.topic):
                    channel.reach(place.partition, offset)
            if any(channel.ignored > _IGNORED for channel in self._channels.values()):
                self._drop_unwanted()
                self._assign()
            await self._grow()
            self._progress.set()
            await asyncio.sleep(0)

    async def _grow(self) -> None:
        """Read partitions that were added meanwhile, from their beginning: all that is in them is new.

        Where there are fewer than before the topic was made anew, and so is all that is in it.
        """
        for topic, channel in list(self._channels.items()):
            partitions = self._partitions(topic)
            if (
                0 < len(partitions) < channel.size
            ):  # if it is not this client that has not heard of them all yet
                await self._consumer._client.force_metadata_update()
                partitions = self._partitions(topic)
            if partitions and len(partitions) != channel.size:
                _log.info("topic %s has %d partitions by now", topic, len(partitions))
                channel.keep(partitions)
                self._spread(topic, channel, partitions)
                self._assign()

    def _partitions(self, topic: str) -> Sequence[int]:
        return sorted(self._consumer.partitions_for_topic(topic) or ())

    def _spread(self, topic: str, channel: Channel, partitions: Sequence[int]) -> None:
        """Let each reading have the partitions that it needs now; those of before go on to be read, too."""
        for reading in [one for one in self._behind if one.pattern.stem == topic]:
            reading.fit(partitions)
        for reading in [one for one in channel if not one.fits(partitions)]:
            channel.leave(reading)
            reading.fit(partitions)
            self._join(reading, len(partitions))

    def _hand_on(self, channel: Channel, partition: int, records: Iterable[Any]) -> None:
        positions = channel.positions
        for record in records:
            offset = record.offset
            if offset < positions[partition]:
                continue  # it was asked for twice
            address = address_of(record.topic, record.key)
            readings = channel.wanting(address) if address else ()
            wanting = [one for one in readings if offset >= one.next.get(partition, offset + 1)]
            frame = frame_of(address, record) if wanting else None
            if frame is not None:
                item = Item(address, frame)
                for reading in wanting:
                    if not reading.outlet.put(item):
                        self._fall_behind(channel, reading)
            positions[partition] = offset + 1

    def _fall_behind(self, channel: Channel, reading: Reading) -> None:
        channel.leave(reading)
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
            self._second.assign([])  # it would fetch on

    async def _help(self, reading: Reading) -> None:
        topic, helped, clock = reading.pattern.stem, 0, asyncio.get_running_loop().time
        deadline = clock() + _TURN

        def places() -> dict[TopicPartition, int]:
            return {TopicPartition(topic, number): offset for number, offset in reading.next.items()}

        _seek(self._second, places())
        while reading.outlet.ready and reading in self._behind and helped < _HELPING and clock() < deadline:
            for place, records in (await self._records(self._second, places, _HELPING)).items():
                helped += len(records)
                if place.topic == topic:
                    _feed(reading, records)
            if reading.outlet.ready:  # else what found no room is read again
                for place, offset in reached(self._second).items():
                    reading.move(place.partition, partial(max, offset))
            if reading in self._behind and self._caught_up(reading):
                self._behind.remove(reading)
                if self._join(reading, len(self._second.partitions_for_topic(topic) or ())):
                    self._assign()
            self._progress.set()

    def _caught_up(self, reading: Reading) -> bool:
        channel = self._channels.get(reading.pattern.stem)
        return channel is None or channel.suits(reading)


def _feed(reading: Reading, records: Iterable[Any]) -> None:
    for record in records:
        begin = reading.next.get(record.partition)
        if begin is None or record.offset < begin:
            continue
        address = address_of(record.topic, record.key)
        frame = frame_of(address, record) if address and reading.pattern.matches(address) else None
        if frame is not None and not reading.outlet.put(Item(address, frame)):
            return
        reading.next[record.partition] = record.offset + 1


def _seek(consumer: Any, places: dict[TopicPartition, int]) -> None:
    consumer.assign(list(places))
    for place, offset in places.items():
        consumer.seek(place, offset)


def address_of(topic: str, key: bytes | None) -> str:
    """The address of a record; empty where it is none of ours."""
    if key is not None and len(key) > MAX_TEXT:  # nor is it remembered
        _log.warning("a record of topic %s has a key of %d octets and was ignored", topic, len(key))
        return ""
    return _known_address(topic, key)


@lru_cache(maxsize=16384)
def _known_address(topic: str, key: bytes | None) -> str:
    try:
        return str(from_kafka(topic, key))
    except ComityError as error:
        _log.warning("a record of topic %s has no address and was ignored: %s", topic, error)
        return ""


def frame_of(address: str, record: Any) -> Frame | None:
    """What a record, which is addressed so, carries; None where it is no event."""
    try:
        return decode(record.headers, record.value)
    except ComityError as error:
        _log.warning("a message on %r is no event and was ignored: %s", address, error)
        return None
