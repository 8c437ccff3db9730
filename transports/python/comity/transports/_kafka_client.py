# pyright: basic
# aiokafka is not typed; the `_kafka_` modules are the places that touch it.
"""The clients of a Kafka cluster that all transports of one event loop share.

Responsible for connecting, topics made as they must be, producing with acknowledgements, the ends of partitions,
and errors that name the server and what to do. Not responsible for reading: `_kafka_live.py` and
`_kafka_group.py` are.

Agents that share a process share one producer and one reader, since each would cost several connections.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections import deque
from collections.abc import AsyncGenerator, Collection, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, TypeAlias, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka import errors as native
from aiokafka.admin import AIOKafkaAdminClient

from comity.sdk.closing import hear
from comity.sdk.errors import PayloadTooLarge, TransportError
from comity.transports._deadlines import Deadlines
from comity.transports._kafka_begin import begin
from comity.transports._kafka_producer import Producer
from comity.transports._kafka_quiet import quietly, teach
from comity.transports._kafka_reach import advice, first_to_answer, told
from comity.transports._kafka_topics import Topics
from comity.transports._kafka_url import Settings

__all__ = ["Clients", "Settings", "stop", "watched"]

T = TypeVar("T")
_Record: TypeAlias = tuple[str, bytes | None, bytes, list[tuple[str, bytes]]]
_Turn: TypeAlias = asyncio.Future[asyncio.Future[Any] | None]
_Line: TypeAlias = deque[tuple[_Turn, _Record]]

_log = logging.getLogger(__name__)
_FETCH_WAIT_MS: Final = 100  # what is asked for meanwhile waits as long, the broker answering in order
_METADATA_MS: Final = 30_000
_CUT: Final = 0.2  # seconds that what is cut off has to end
_NO_ROOM: Final = "what waits to be sent finds no room: publish again later"


class Clients:
    """Connections to one cluster, on one event loop."""

    _isolation = "read_committed"  # events of a transaction that was aborted never happened

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.shown = settings.shown
        self.timeout = settings.timeout
        self._known: set[str] = set()
        self._readable: set[str] = set()
        self._making: dict[str, asyncio.Lock] = {}
        self._lines: dict[tuple[str, bytes | None], _Line] = {}  # of the keys for which somebody waits
        self._deadlines = Deadlines()
        self._renewal: asyncio.Task[None] | None = None
        self._work: set[asyncio.Task[Any]] = set()
        self._closed = False
        self._topics: Any = None
        self._producer: Any = None
        self._admin: Any = None
        self._control: Any = None

    async def open(self) -> None:
        """Connect; fails at once where nobody listens, and in any case within the timeout."""
        teach()
        self._producer = self._control = None  # of an attempt before
        try:
            async with self.explaining():
                self._admin = AIOKafkaAdminClient(**await self._common())
                await begin(self._admin._client, self._admin.start)
                self._topics = Topics(self._admin, self.settings)
                self._producer = await self._new_producer()
                self._control = await self.consumer()
                await begin(self._control._client, self._control.start)
        except BaseException:
            await self._disconnect()
            raise

    async def close(self) -> None:
        """Send what waits, for as long as the timeout, and disconnect."""
        self._closed = True
        await self._disconnect()
        self._deadlines.close()

    async def _disconnect(self) -> None:
        for task in (work := set(self._work)):
            task.cancel()
        if work:
            await asyncio.wait(work)
        ends = [] if self._producer is None else [self._producer.end()]
        if self._control is not None:
            ends.append(stop(self._control, self.timeout))
        await asyncio.gather(*ends, self._end_admin())  # at once: each may take the whole timeout

    async def _end_admin(self) -> None:
        if self._admin is not None:
            with contextlib.suppress(TimeoutError):  # TLS waits for the farewell of a broker that may be away
                async with asyncio.timeout(self.timeout):
                    await self._admin.close()

    async def consumer(self, **options: Any) -> Any:
        """Another consumer, not started."""
        return AIOKafkaConsumer(
            **await self._common(),
            enable_auto_commit=False,
            auto_offset_reset="none",  # who reads is told, and goes on as `_kafka_moved` says
            fetch_max_wait_ms=_FETCH_WAIT_MS,
            isolation_level=self._isolation,
            **options,
        )

    async def send(
        self, topic: str, key: bytes | None, value: bytes, headers: list[tuple[str, bytes]]
    ) -> asyncio.Future[Any]:
        """Hand a record to the producer; the future tells that the brokers have it.

        Records of one key are taken in the order of the calls, also where those have to wait.
        """
        place = topic, key
        line = self._lines.get(place)
        if line is None:
            if (future := self._take_now(topic, key, value, headers)) is not None:
                return future
            line = self._lines[place] = deque()
        elif (future := await self._wait_in(line, (topic, key, value, headers))) is not None:
            return future
        try:
            return await self._take(topic, key, value, headers)
        finally:
            self._let_go_on(place, line)

    async def _wait_in(self, line: _Line, record: _Record) -> asyncio.Future[Any] | None:
        """The future of `record` where who was before took it along; None where it is one's turn."""
        loop = asyncio.get_running_loop()
        turn: _Turn = loop.create_future()
        entry = turn, record
        line.append(entry)
        self._deadlines.add(turn, loop.time() + self.timeout)
        try:
            return await turn
        except (TimeoutError, asyncio.CancelledError) as error:
            with contextlib.suppress(ValueError):  # it may have been called up in the same turn
                line.remove(entry)
            if isinstance(error, TimeoutError):
                raise self.error(_NO_ROOM) from error
            if not turn.cancelled() and turn.exception() is None:
                self._forgo(turn.result(), record, line)
            raise

    def _forgo(self, future: asyncio.Future[Any] | None, record: _Record, line: _Line) -> None:
        """Have nobody wait for what was taken along, or let the next one go on."""
        if future is not None:
            future.add_done_callback(hear)
        else:
            self._let_go_on(record[:2], line)

    def _let_go_on(self, place: tuple[str, bytes | None], line: _Line) -> None:
        """Take along what there is room for, in one go; let the first one wait for whom there is none."""
        while line:
            turn, record = line.popleft()
            if not turn.done():
                future = self._take_now(*record)
                turn.set_result(future)
                if future is None:
                    return
        del self._lines[place]

    def _take_now(
        self, topic: str, key: bytes | None, value: bytes, headers: list[tuple[str, bytes]]
    ) -> asyncio.Future[Any] | None:
        producer: Producer = self._producer
        if topic not in self._known or producer.spent:
            return None
        return producer.accept_now(topic, key, value, headers)

    async def _take(
        self, topic: str, key: bytes | None, value: bytes, headers: list[tuple[str, bytes]]
    ) -> asyncio.Future[Any]:
        await self.ensure(topic)
        while True:
            if self._producer.spent:
                await self._renew()
            producer = self._producer
            try:  # its own limit is the timeout, so that none has to be armed for each message
                future: asyncio.Future[Any] = await producer.accept(topic, key, value, headers)
                return future
            except native.KafkaTimeoutError as error:
                raise self.error(_NO_ROOM) from error
            except native.KafkaError as error:
                if not self._is_replaced(producer, error):
                    raise self.explained(error) from error

    def _is_replaced(self, producer: Producer, error: BaseException) -> bool:
        """Whether `producer` raised `error` because another one takes its place, now or soon."""
        replaced = producer.spent or producer is not self._producer
        return replaced and isinstance(error, native.ProducerClosed)

    async def confirmed(self, future: asyncio.Future[Any]) -> None:
        """Return when the brokers have what `send` handed over. Raises `TransportError`."""
        self._deadlines.add(future, asyncio.get_running_loop().time() + self.timeout)
        try:
            await future
        except asyncio.CancelledError:
            if future.done():  # it may have been refused in the same turn
                hear(future)
            self._producer.forget_abandoned()
            raise
        except TimeoutError as error:
            self._producer.forget_abandoned()
            raise self._late(self.timeout) from error
        except native.KafkaError as error:
            raise (
                self._late(self.timeout)
                if isinstance(error, native.KafkaTimeoutError)
                else self.explained(error)
            ) from error

    async def flush(self) -> None:
        """Return when everything sent before is with the brokers, or was refused."""
        if self._producer.spent:
            await self._renew()
        async with self.explaining():
            await self._producer.flush()

    async def ensure(self, topic: str) -> bool:
        """Make `topic` where it is missing, and look at it where it exists; once. Whether it was made now.

        Again where it is gone since: deleted, or the brokers came back without it.
        """
        if topic in self._known and self._producer.misses(topic):
            self._known.discard(topic)
        made = False
        if topic not in self._known:
            async with self.explaining(), self._making.setdefault(topic, asyncio.Lock()):
                if topic not in self._known:
                    made = await self._while_open(self._topics.ensure(topic))
                    self._known.add(topic)
                    self._producer.expect(topic)
            self._making.pop(topic, None)
        return made

    async def _while_open(self, work: Coroutine[Any, Any, T]) -> T:
        """What `work` gives, which a closed connection ends: its clients would connect anew."""
        if self._closed:
            work.close()
            raise self.error("the connection is closed")
        task = asyncio.get_running_loop().create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        task.add_done_callback(hear)
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.wait({task})
            raise
        if task.cancelled():
            raise self.error("the connection is closed")
        return task.result()

    async def partitions(self, topic: str) -> Sequence[int]:
        """The partitions of `topic` by what was heard last, for at most half a minute; it is made if missing."""
        await self.ensure(topic)
        async with self.explaining():
            return sorted(await self._producer.partitions_for(topic))

    async def ends(self, topic: str, among: Collection[int] = ()) -> dict[int, int]:
        """The offset behind the last record of each partition of `topic`, or of those `among` them."""
        places = [TopicPartition(topic, number) for number in among or await self.partitions(topic)]
        async with self.explaining():
            found = await self._control.end_offsets(places)
        return {place.partition: offset for place, offset in found.items()}

    async def begins(self, topic: str, ends: Mapping[int, int], since: float | None) -> dict[int, int]:
        """Where reading begins in each partition that `ends` tells the end of: there, or at Unix second `since`."""
        begins = dict(ends)
        if since is not None:
            stamp = max(0, math.floor(since * 1000))
            places = {TopicPartition(topic, number): stamp for number in begins}
            async with self.explaining():
                found = await self._control.offsets_for_times(places)
            begins |= {place.partition: one.offset for place, one in found.items() if one is not None}
        return begins

    async def extent(self, place: TopicPartition) -> tuple[int, int]:
        """The first offset that `place` still has, and the one behind its last record."""
        async with self.explaining():
            return await self._extent(place)

    async def _extent(self, place: TopicPartition) -> tuple[int, int]:
        first = await self._control.beginning_offsets([place])
        return first[place], (await self._control.end_offsets([place]))[place]

    async def check_readable(self, topic: str) -> None:
        """Raise `TransportError` where these credentials may not read `topic`; asked once."""
        if topic in self._readable:
            return
        first = (await self.partitions(topic))[0]
        end = await self.ends(topic, (first,))
        async with self.explaining():
            leader = self._control._client.cluster.leader_for_partition(TopicPartition(topic, first))
            await self._topics.check_readable(topic, first, end[first], leader)
        self._readable.add(topic)

    @asynccontextmanager
    async def explaining(self, *, extra: float = 0) -> AsyncGenerator[None]:
        """The block within the timeout and `extra` seconds, its errors as `TransportError`s."""
        try:
            with quietly():
                async with asyncio.timeout(self.timeout + extra):
                    yield
        except (TimeoutError, native.KafkaTimeoutError) as error:
            raise self._late(self.timeout + extra) from error
        except (native.KafkaError, OSError) as error:
            raise self.explained(error) from error

    def error(self, text: str) -> TransportError:
        """The error that says `text` of this cluster."""
        return TransportError(f"{self.shown}: {text}")

    def _late(self, seconds: float) -> TransportError:
        return self.error(f"no answer within {seconds:g} s: see whether the broker is up")

    def explained(self, error: BaseException) -> TransportError:
        """The error for what aiokafka raised."""
        if isinstance(error, native.MessageSizeTooLargeError | native.RecordListTooLargeError):
            return PayloadTooLarge(f"{self.shown}: the topic's limit of max.message.bytes is lower than ours")
        return self.error(f"{told(error)}: {advice(error)}")

    # --------------------------------------------------------------- producing

    async def _new_producer(self) -> Producer:
        producer = Producer(**await self._common())
        await producer.begin()
        return producer

    async def _renew(self) -> None:
        """Go on with a new producer, which all who wait for one share, each for as long as the timeout.

        A refused batch leaves a gap in the numbers that make the old one idempotent.
        """
        if self._renewal is None and not self._closed:
            self._renewal = asyncio.get_running_loop().create_task(self._replace())
            self._work.add(self._renewal)
            self._renewal.add_done_callback(self._renewed)
        renewal = self._renewal
        async with self.explaining():
            if renewal is not None:
                await asyncio.wait({renewal})
        if renewal is None or renewal.cancelled():
            raise self.error("the connection is closed")
        renewal.result()

    async def _replace(self) -> None:
        self._producer.shut()
        await self._producer.end()  # else what it still has would come after what the new one sends
        async with self.explaining():
            self._producer = await self._new_producer()

    def _renewed(self, renewal: asyncio.Task[None]) -> None:
        self._renewal = None
        self._work.discard(renewal)
        hear(renewal)

    # --------------------------------------------------------------- connecting

    async def _common(self) -> dict[str, Any]:
        """What every client is made with; its first server is one that answers now."""
        known = self._admin._client.cluster.brokers() if self._admin is not None else ()
        hosts = ((f"[{one.host}]" if ":" in one.host else one.host, one.port) for one in known)
        servers = dict.fromkeys([*self.settings.servers, *(f"{host}:{port}" for host, port in hosts)])
        return {
            "bootstrap_servers": await first_to_answer(self.settings, servers),
            "request_timeout_ms": int(self.timeout * 1000),
            "metadata_max_age_ms": _METADATA_MS,
            **self.settings.security,
        }


def watched(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """A task for `work` that goes on until it is cancelled; a defect that ends it is logged at once."""
    task = asyncio.get_running_loop().create_task(work)
    task.add_done_callback(_report)
    return task


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("nothing more is read from Kafka here: %r", error, exc_info=error)


async def stop(consumer: Any, seconds: float) -> None:
    """End a consumer. What has not ended by itself after `seconds`, as where the brokers are away, is cut off.

    aiokafka may hand on the cancellation of one of its own tasks, and leave the rest open: that is cut off, too.
    """
    task, cancelled = asyncio.current_task(), None
    before = task.cancelling() if task is not None else 0
    try:
        async with asyncio.timeout(seconds):
            await consumer.stop()
        return
    except TimeoutError:
        pass
    except asyncio.CancelledError as error:
        cancelled = error if task is not None and task.cancelling() > before else None
    await _cut(consumer)
    if cancelled is not None:
        raise cancelled


async def _cut(consumer: Any) -> None:
    coordinator, fetcher = consumer._coordinator, consumer._fetcher
    names = ("_coordination_task", "_heartbeat_task", "_commit_refresh_task", "_reset_committed_task")
    tasks = [getattr(coordinator, name, None) for name in names]
    if fetcher is not None:
        tasks += [fetcher._fetch_task, *fetcher._pending_tasks]
    for task in (running := [one for one in tasks if one is not None and not one.done()]):
        task.cancel()
    if running:
        await asyncio.wait(running, timeout=_CUT)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_CUT):
            await consumer._client.close()
