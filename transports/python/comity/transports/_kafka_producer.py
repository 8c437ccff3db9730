# pyright: basic
# aiokafka is not typed; the `_kafka_` modules are the places that touch it.
"""aiokafka's producer, with the way of a record into its buffer made short, and an end that does not wait for ever.

Responsible for the partition of a record, for what waits for room, and for what is left unsent. Not responsible for
who sends what in which order, nor for what becomes of a producer that was refused a batch.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any, Final

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka import errors as native

from comity.transports._kafka_begin import begin
from comity.transports._kafka_partition import partition_of
from comity.transports._kafka_topics import BATCH, MAX_RECORD

__all__ = ["Producer"]

_CUT: Final = 0.2  # seconds to end in where the timeout has passed


class Producer(AIOKafkaProducer):  # type: ignore[misc]
    """Idempotent, and acknowledged by all replicas in sync; `request_timeout_ms` limits every wait."""

    def __init__(self, *, max_batch_size: int = BATCH, **options: Any) -> None:
        super().__init__(
            acks="all",
            enable_idempotence=True,
            max_batch_size=max_batch_size,
            max_request_size=2 * MAX_RECORD,
            **options,
        )
        self._timeout = self._request_timeout_ms / 1000
        accumulator: Any = self._message_accumulator
        self._new_batch = accumulator._append_batch
        accumulator._append_batch = self._append_batch
        self.spent = False
        """Whether a batch was refused, which leaves a gap in the numbers that make it idempotent."""
        self._expected: set[str] = set()
        self._places: dict[str, tuple[object, Sequence[TopicPartition]]] = {}

    async def accept(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: list[tuple[str, bytes]],
    ) -> asyncio.Future[Any]:
        """Take a record, of a size that was looked at, once there is room; the future tells that the brokers have it.

        As `send` of aiokafka, which asks for the partitions three times for each record. Raises its errors.
        """
        if not (places := self._places_of(topic)):
            await self._hear_of(topic)
            places = self._places_of(topic)
        if not places:
            raise native.UnknownTopicOrPartitionError(topic)
        place = partition_of(key, places)
        future: asyncio.Future[Any] = await self._message_accumulator.add_message(
            place, key, value, self._timeout, headers=headers
        )
        return future

    async def partitions_for(self, topic: str) -> Any:
        """As aiokafka's."""
        found = await super().partitions_for(topic)
        self._expected.discard(topic)
        return found

    async def _hear_of(self, topic: str) -> None:
        """Return once the brokers tell of `topic`; aiokafka waits for ever where it is closed meanwhile."""
        try:
            async with asyncio.timeout(self._timeout):
                await self.client._wait_on_metadata(topic)
        except TimeoutError:
            self._expected.discard(topic)  # it may be gone again
            if self._message_accumulator._closed:
                raise native.ProducerClosed from None
            raise native.UnknownTopicOrPartitionError(topic) from None

    def accept_now(
        self, topic: str, key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]]
    ) -> asyncio.Future[Any] | None:
        """The same where there is room now; None where `accept` has to wait, or to say why not."""
        accumulator = self._message_accumulator
        places = self._places_of(topic)
        if not places or accumulator._closed or accumulator._exception is not None:
            return None
        place = partition_of(key, places)
        batches = accumulator._batches.get(place)
        batch = batches[-1] if batches else accumulator._append_batch(accumulator.create_builder(), place)
        future: asyncio.Future[Any] | None = batch.append(key, value, None, headers=headers)
        return future

    def misses(self, topic: str) -> bool:
        """Whether `topic` is not there by what was heard last, though nobody has `expect`ed it since it was."""
        return topic not in self._expected and topic not in self._metadata._partitions

    def expect(self, topic: str) -> None:
        """`topic` is there now, which is yet to be heard."""
        self._expected.add(topic)

    def _append_batch(self, builder: Any, place: TopicPartition) -> Any:
        batch = self._new_batch(builder, place)
        batch.future.add_done_callback(self._note)  # those of its records may be done before
        return batch

    def _note(self, batch: asyncio.Future[Any]) -> None:
        self.spent = self.spent or batch.exception() is not None

    def _places_of(self, topic: str) -> Sequence[TopicPartition] | None:
        """The partitions of `topic`, in rising order, by what was heard last; None where nothing was."""
        heard = self._metadata._partitions.get(topic)
        if heard is None:
            return None
        known, places = self._places.get(topic, (None, ()))
        if known is not heard:  # what is heard takes the place of what was, and never changes
            places = tuple(TopicPartition(topic, number) for number in sorted(heard))
            self._places[topic] = heard, places
            self._expected.discard(topic)
        return places

    async def begin(self) -> None:
        """Connect. Raises aiokafka's errors, having disconnected."""
        try:
            await begin(self.client, self.start)
        except BaseException:
            await self.end()
            raise

    def forget_abandoned(self) -> None:
        """Drop each batch that was never sent and of whose records nobody waits for any, any more.

        They would be sent once the brokers are back, beside the ones that those who gave up send instead.
        """
        for batches in [*self._message_accumulator._batches.values()]:
            batch = batches[-1]
            if not batch.retry_count and _is_abandoned(batch._msg_futures):
                batches.pop()
                if not batches:
                    del self._message_accumulator._batches[batch.tp]
                batch.drain_ready()  # those who wait for room look again
                batch.done_noack()  # those who wait until all is sent wait no more for it

    def shut(self) -> None:
        """Take nothing more: who waits for room is told `ProducerClosed`."""
        self._message_accumulator._closed = True

    async def drain(self) -> None:
        """Send what waits, for as long as the timeout."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._timeout):
                await self.flush()

    async def end(self) -> None:
        """As `stop` of aiokafka, which waits for ever where the brokers are away: this, for as long as the timeout."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._timeout
        await self.drain()
        self._closed = True
        with contextlib.suppress(TimeoutError, native.KafkaError):
            async with asyncio.timeout_at(max(deadline, clock() + _CUT)):
                await self._sender.close()
        self._give_up()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(max(deadline, clock() + _CUT)):
                await self.client.close()

    def _give_up(self) -> None:
        """Fail what was not sent. What is to be tried again is otherwise missed by `fail_all`."""
        self.shut()
        accumulator = self._message_accumulator
        for batches in accumulator._batches.values():
            for batch in batches:
                batch.drain_ready()  # those who wait for room find it closed
                accumulator._pending_batches.add(batch)
        accumulator.fail_all(native.ProducerClosed())


def _is_abandoned(waiting: Sequence[tuple[asyncio.Future[Any], object]]) -> bool:
    return bool(waiting) and waiting[-1][0].done() and all(future.done() for future, _ in waiting)
