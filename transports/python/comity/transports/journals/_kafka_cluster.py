# pyright: basic
# aiokafka is not typed; the `_kafka_` modules are the places that touch it.
"""A journal's connections to a Kafka cluster: appending to the one partition of a topic, reading it, cutting it.

Responsible for requests that outlive brokers coming and going, and for never sending twice what the producer has
taken: it alone repeats, under numbers by which the brokers know a repetition (decision 014). Not responsible for
which topics there are, nor for what their records mean.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka import errors as native
from aiokafka.admin import RecordsToDelete

from comity.sdk.errors import JournalError, TransportError
from comity.transports._kafka_begin import begin
from comity.transports._kafka_client import Clients, stop
from comity.transports.journals._base import Wake
from comity.transports.journals._kafka_place import Place

__all__ = ["Cluster"]

T = TypeVar("T")

_SILENCE_MS: Final = (
    2500  # without a record, after which a reader is asked to look whether its place still is there
)
_FETCH_WAIT_MS: Final = 500
_PAUSE: Final = 0.05
_LONGEST: Final = 1.0


class Cluster(Clients):
    """The clients of one journal. Every topic named here has one partition."""

    _isolation = "read_uncommitted"  # a stranger's open transaction must not hide where the journal ends

    def __init__(self, place: Place) -> None:
        super().__init__(place.settings)
        self.patience = place.patience
        self._readers: set[Any] = set()
        self._limits: set[asyncio.Timeout] = set()
        self._ended = Wake()

    async def open(self) -> None:
        """Connect; fails at once where nobody listens, and patiently where a cluster is busy with itself.

        Raises `JournalError`.
        """
        deadline = asyncio.get_running_loop().time() + self.patience
        while True:
            try:
                return await super().open()
            except TransportError as error:
                met = self._admin is not None and not self._closed  # one of the brokers answered
                if not met or not _is_away(error) or asyncio.get_running_loop().time() > deadline:
                    raise JournalError(str(error)) from error
            await asyncio.sleep(_PAUSE)

    async def close(self) -> None:
        """Disconnect; readers end, and so do requests, which would connect again otherwise."""
        self._closed = True
        for limit in self._limits:
            if not limit.expired():
                limit.reschedule(0)
        while self._limits:
            await self._ended.wait(self._ended.count)
        for reader in list(self._readers):
            await stop(reader, self.timeout)
        await super().close()

    @property
    def admin(self) -> Any:
        """The client for topics and their settings."""
        return self._admin

    # --------------------------------------------------------------- one partition

    async def append(self, topic: str, value: bytes | None, *, key: bytes | None = None) -> int:
        """The offset of a new record, once all replicas in sync have it.

        Raises `JournalError` where it was refused, or where nobody knows within the patience whether it is there.
        """
        deadline = asyncio.get_running_loop().time() + self.patience
        try:
            future = await self._hand_over(topic, value, key, deadline)
            self._deadlines.add(future, deadline)
            found = await future
        except TimeoutError as error:
            text = f"{self._unanswered(error)}; whether the entry is in the journal is not known"
            raise self.failure(text) from error
        except native.KafkaError as error:
            raise self._refusal(error) from error
        if found.log_start_offset == -1:  # known as a repetition, but no longer where it was put
            raise self.failure("an entry is in the journal, and the broker does not tell where: start again")
        return int(found.offset)

    async def bounds(self, topic: str) -> tuple[int, int]:
        """The offset of the first record that is kept, and the one behind the last."""
        return await self.patiently(lambda: self._extent(TopicPartition(topic, 0)))

    async def cut(self, topic: str, offset: int) -> None:
        """Forget the records before `offset`."""
        before = {TopicPartition(topic, 0): RecordsToDelete(offset)}

        async def ask() -> None:
            try:
                await self._admin.delete_records(before)
            except native.TopicAuthorizationFailedError:
                raise native.TopicAuthorizationFailedError(f"{topic} (DELETE)") from None

        await self.patiently(ask)

    async def read(self, topic: str, offset: int) -> AsyncGenerator[list[Any]]:
        """Records from `offset` on as they come, and an empty list for a while without any.

        Ends where `offset` is not, or no longer, within the bounds, where the connection breaks, or on closing.
        """
        place = TopicPartition(topic, 0)
        reader: Any = None
        try:
            async with self._limited():
                reader = await self._new_reader()
                await begin(reader._client, reader.start)
            reader.assign([place])
            reader.seek(place, offset)
            while True:
                yield (await reader.getmany(timeout_ms=_SILENCE_MS)).get(place, [])
        except (native.OffsetOutOfRangeError, native.ConsumerStoppedError):
            return
        except UnicodeDecodeError as error:
            at = await reader.position(place)
            raise self.failure(
                f"a record of the topic {topic} at offset {at}, or soon behind it, has a header whose name is not UTF-8, "
                "and is none of a journal: see who else may write there, and restore it"
            ) from error
        except (native.KafkaError, OSError, TimeoutError) as error:
            if not _is_away(error):
                raise self._refusal(error) from error
            await asyncio.sleep(_PAUSE)
        finally:
            self._readers.discard(reader)
            if reader is not None:
                await stop(reader, self.timeout)

    # ------------------------------------------------------------------- requests

    async def patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        """Repeat for a while what nobody answered. Raises `JournalError` for what is refused."""
        loop = asyncio.get_running_loop()
        deadline, pause = loop.time() + self.patience, _PAUSE
        while True:
            try:
                async with self._limited():
                    return await call()
            except (native.KafkaError, OSError, TimeoutError) as error:
                if not _is_away(error):
                    raise self._refusal(error) from error
                if loop.time() + pause > deadline:
                    raise self.failure(self._unanswered(error)) from error
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST)

    @asynccontextmanager
    async def _limited(self) -> AsyncGenerator[None]:
        """The block within the timeout, or until the connections are closed."""
        if self._closed:
            raise self.failure("the journal is not open")
        async with asyncio.timeout(self.timeout) as limit:
            self._limits.add(limit)
            try:
                yield
            finally:
                self._limits.discard(limit)
                self._ended.set()

    def failure(self, text: str) -> JournalError:
        """The error that says `text` of this journal."""
        return JournalError(f"{self.shown}: {text}")

    def _unanswered(self, error: BaseException) -> str:
        what = "no answer" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
        return f"{what} for {self.patience:g} s: see whether the topic is there, and enough of its brokers are up"

    def _refusal(self, error: BaseException) -> JournalError:
        return JournalError(str(error if isinstance(error, TransportError) else self.explained(error)))

    async def _new_reader(self) -> Any:
        reader = AIOKafkaConsumer(
            **await self._common(),
            enable_auto_commit=False,
            auto_offset_reset="none",
            fetch_max_wait_ms=_FETCH_WAIT_MS,
        )
        self._readers.add(reader)
        return reader

    async def _hand_over(
        self, topic: str, value: bytes | None, key: bytes | None, deadline: float
    ) -> asyncio.Future[Any]:
        """Have the producer take a record, which it does when this returns and does not when this raises."""
        while True:
            producer = self._producer
            try:
                if self._producer.spent:
                    await self._renew()
                    producer = self._producer
                future: asyncio.Future[Any] = await producer.accept(topic, key, value, [])
                return future
            except (native.KafkaError, TransportError) as error:
                if not (self._is_replaced(producer, error) or _is_away(error)):
                    raise self._refusal(error) from error
                if asyncio.get_running_loop().time() > deadline:
                    raise self.failure(self._unanswered(error)) from error
            await asyncio.sleep(_PAUSE)


def _is_away(error: BaseException) -> bool:
    """Whether it is worth asking again, of an error of aiokafka or of the network, or of one that explains it."""
    cause = error.__cause__ if isinstance(error, TransportError) else error
    if isinstance(cause, OSError | native.KafkaTimeoutError):  # TimeoutError is an OSError
        return True
    # aiokafka has no name for what a new leader says that does not know yet where the log ends
    return isinstance(cause, native.UnknownError) or bool(getattr(cause, "retriable", False))
