# pyright: basic
# nats-py is only partly typed.
"""The two streams of a JetStream journal: its entries, and beside them its snapshot and its incarnation.

Responsible for making them, for requests that outlive servers coming and going, and for replacing the snapshot by
compare-and-set, since several replicas take one. Not responsible for the journal's rules.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Final, NamedTuple, TypeVar
from uuid import uuid4

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
    StreamInfo,
)
from nats.js.errors import APIError, NoStreamResponseError, NotFoundError, ServiceUnavailableError

from comity.sdk.errors import JournalError, TransportError
from comity.sdk.ports import Entry, Snapshot
from comity.transports._nats_append import UNDER_WAY, Appender, too_old
from comity.transports._nats_client import Connection
from comity.transports._nats_refusals import at_once
from comity.transports.journals._base import Wake
from comity.transports.journals._jetstream_url import Place

__all__ = ["Kept", "Streams"]

T = TypeVar("T")

_WRONG_LAST: Final = (10071, 10164)  # a compare-and-set that came too late; behind one that is being stored
_TAKEN: Final = 10058  # for a stream of that name with other settings
_CHUNK: Final = 256 << 10
_SECOND: Final = 1_000_000_000  # of which the server counts nanoseconds
_BATCH: Final = 256
_SILENCE: Final = 2.5  # seconds without a message or heartbeat, after which a consumer is taken for lost
_DISABLED: Final = 10039
_AWAY = (
    nats.errors.TimeoutError,
    nats.errors.NoRespondersError,
    NoStreamResponseError,
    ServiceUnavailableError,
    TransportError,
)


class Kept(NamedTuple):
    """The snapshot that is kept: the number of its record, and where its octets are."""

    number: int
    record: dict[str, Any]

    @property
    def snapshot(self) -> Snapshot | None:
        """Its position, without octets; None where there is none."""
        return Snapshot(self.record["position"], b"") if self.number else None


class _Messages:
    """What has arrived for one reader, never more than it asked for.

    nats-py's own `next_msg` waits by a task of its own, where Python 3.11 may swallow the cancellation of the reader.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._waiting: deque[Msg] = deque()
        self._wake = Wake()

    async def put(self, message: Msg) -> None:
        """Called by nats-py for each message."""
        self._waiting.append(message)
        self._wake.set()

    async def take(self) -> Msg | None:
        """The next message; None after silence, or where the connection was closed."""
        if not self._waiting and not self._client.is_closed:
            await self._wake.wait(self._wake.count, _SILENCE)
        return self._waiting.popleft() if self._waiting else None


class Streams:
    """A connection to the streams of one journal."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._connection = Connection(place.server)
        self._name, self._beside = f"comity-{place.name}", f"comity-{place.name}-state"
        # no namespace begins with an underscore, so no message of a mesh ever gets in between
        self._entries, self._state = f"_comity.journal.{place.name}", f"_comity.state.{place.name}"
        self._created = ""
        self._batch = _BATCH
        self.incarnation = 0

    @property
    def max_payload(self) -> int:
        """Octets of a message with its headers."""
        return self._connection.max_payload

    @property
    def forgetting(self) -> str:
        """The command that deletes the snapshot alone: without the rest of the state the incarnation begins anew."""
        return f"nats stream purge {self._beside} --subject={self._state}.snapshot"

    async def open(self) -> None:
        """Connect; make the streams or check those that are there."""
        try:
            await self._connection.open()
        except TransportError as error:
            raise JournalError(str(error)) from error
        try:
            if lack := too_old(self._connection):
                raise JournalError(f"{self._place.shown}: a journal needs {lack}")
            self._js: JetStreamContext = self._connection.native.jetstream(timeout=self._place.server.timeout)
            await self._patiently(self._js.account_info)
            # each life has a subject of its own, so that nothing is ever appended to another one than was opened
            entries = await self._ensure(self._name, [f"{self._entries}.{uuid4().hex}"], {})
            self._created, self._entries = str(entries.created), self._subject(entries.config)
            await self._ensure(self._beside, [f"{self._state}.>"], {"max_msgs_per_subject": 1})
            self._appender = Appender(self._connection, self._place.server.timeout)
            await self._appender.start()
            self.incarnation = await self._incarnation(self._created, entries.state.last_seq)
        except BaseException:
            await self._connection.close([])
            raise

    async def close(self) -> None:
        """Disconnect."""
        await self._connection.close([])

    # ------------------------------------------------------------------ entries

    async def append(self, data: bytes, name: str) -> int:
        """Append under a name by which the server knows a repetition; the entry's position."""

        async def once() -> int:
            try:
                return await self._appender.append(self._entries, {}, data, name)
            except nats.errors.NoRespondersError:
                self._check_life(await self._js.stream_info(self._name))
                raise

        return await self._patiently(once)

    async def bounds(self) -> tuple[int, int]:
        """Position of the first entry that is kept, one behind the last where none is, and of the last ever appended.

        Raises `JournalError` where the stream is not the one that was opened.
        """
        info = await self._patiently(lambda: self._js.stream_info(self._name))
        self._check_life(info)
        return max(info.state.first_seq, 1), info.state.last_seq

    async def reach(self, position: int) -> None:
        """Wait a little for a new leader to apply what the last one had. Raises `JournalError` where it does not."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._place.server.timeout
        while (end := (await self.bounds())[1]) < position:
            if loop.time() > deadline:
                raise JournalError(
                    f"{self._place.shown}: the journal ends at {end}, so nothing can follow {position}: the stream "
                    "was restored from a backup; raise the incarnation and restart every process that has it open"
                )
            await asyncio.sleep(0.05)

    async def purge(self, position: int) -> None:
        """Forget entries up to and including `position`."""
        await self.bounds()
        await self._patiently(lambda: self._js.purge_stream(self._name, seq=position + 1))

    async def read(self, after: int) -> AsyncGenerator[Entry]:
        """Entries behind `after` by one consumer, until it is lost, or a message of it is. Raises `JournalError`."""
        client = self._connection.native
        config = ConsumerConfig(
            ack_policy=AckPolicy.NONE,
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=after + 1,
            inactive_threshold=30,
            mem_storage=True,
            num_replicas=1,
        )
        consumer = await self._patiently(lambda: self._js.add_consumer(self._name, config))
        await self.bounds()  # still the stream that was opened, so the consumer is of that one, too
        ask = f"$JS.API.CONSUMER.MSG.NEXT.{self._name}.{consumer.name}"
        inbox, expected, left = client.new_inbox(), 0, 0
        messages = _Messages(client)
        arrived = None
        try:
            arrived = await client.subscribe(inbox, cb=messages.put)
            while True:
                if not left:
                    left = self._batch
                    await client.publish(ask, _next(left), reply=inbox)
                message = await messages.take()
                if message is None:
                    if denied := self._connection.denied(ask):
                        raise JournalError(str(denied))
                    return
                status = (message.headers or {}).get("Status")
                if status in ("404", "408"):
                    left = 0
                elif status is None:
                    found = message.metadata.sequence
                    expected, left = expected + 1, left - 1
                    if found.consumer != expected:
                        return
                    yield Entry(found.stream, message.data)
                elif status != "100":
                    self._batch = at_once(message.headers or {}, self._batch)
                    return
        except nats.errors.Error:
            return  # a connection that broke: whoever follows asks again, and is told if that is in vain
        finally:
            if arrived is not None and not client.is_closed:
                await arrived.unsubscribe()

    # ---------------------------------------------------------------- the state

    async def kept(self) -> Kept:
        """What is known of the snapshot that is kept."""
        found = await self._last(f"{self._state}.snapshot")
        return Kept(0, {}) if found is None else Kept(found[0], json.loads(found[1]))

    async def replace(self, kept: Kept, snapshot: Snapshot) -> bool:
        """Keep `snapshot` instead; False where another replica was faster."""
        place = f"{self._state}.octets.{uuid4().hex}"
        chunks = [snapshot.data[at : at + _CHUNK] for at in range(0, len(snapshot.data), _CHUNK)]
        for number, chunk in enumerate(chunks):
            await self._patiently(lambda n=number, c=chunk: self._js.publish(f"{place}.{n}", c))  # type: ignore[misc]
        record = {
            "position": snapshot.position,
            "place": place,
            "chunks": len(chunks),
            "sha256": hashlib.sha256(snapshot.data).hexdigest(),
        }
        won = await self._swap(f"{self._state}.snapshot", kept.number, record)
        gone = kept.record.get("place") if won else place
        if gone is not None:
            await self._patiently(lambda: self._js.purge_stream(self._beside, subject=f"{gone}.*"))
        return won

    async def load(self) -> Snapshot | None:
        """The snapshot that is kept, with its octets."""
        while True:
            kept = await self.kept()
            if not kept.number:
                return None
            record = kept.record
            chunks = [await self._last(f"{record['place']}.{number}") for number in range(record["chunks"])]
            if None not in chunks:
                data = b"".join(chunk[1] for chunk in chunks if chunk is not None)
                if hashlib.sha256(data).hexdigest() != record["sha256"]:
                    raise JournalError(
                        f"{self._place.shown}: the snapshot is damaged: restore the stream {self._beside}"
                    )
                return Snapshot(record["position"], data)
            if (await self.kept()).number == kept.number:  # nobody replaced it meanwhile
                raise JournalError(
                    f"{self._place.shown}: the snapshot lacks octets: restore the stream {self._beside}"
                )

    async def _incarnation(self, created: str, end: int) -> int:
        """One more than what was, where the stream of entries is not the one that was known.

        Whoever appended had put down its incarnation before.
        """
        while True:
            found = await self._last(f"{self._state}.life")
            if found is None and end and self._place.incarnation == 1:
                raise JournalError(
                    f"{self._place.shown}: there are entries, and their incarnation is lost: restore the stream "
                    f"{self._beside}, or open with ?incarnation=N, which has to be more than it ever was"
                )
            known: dict[str, Any] = (
                {"created": "", "incarnation": 0} if found is None else json.loads(found[1])
            )
            former = int(known["incarnation"])
            least: int = max(former + (known["created"] != created), self._place.incarnation)
            if known == (life := {"created": created, "incarnation": least}):
                return least
            if await self._swap(f"{self._state}.life", found[0] if found else 0, life):
                return least

    async def _last(self, subject: str) -> tuple[int, bytes] | None:
        try:
            found = await self._patiently(
                lambda: self._js.get_last_msg(self._beside, subject), but=_is_not_found
            )
        except NotFoundError:
            return None
        return found.seq or 0, found.data or b""

    async def _swap(self, subject: str, number: int, record: dict[str, Any]) -> bool:
        """Put a record in the place of the one with `number`; False where another one is there by now."""
        headers = {"Nats-Expected-Last-Subject-Sequence": str(number), "Nats-Msg-Id": uuid4().hex}
        octets = json.dumps(record).encode()
        try:
            await self._patiently(
                lambda: self._js.publish(subject, octets, headers=headers), but=_is_too_late
            )
        except APIError:
            return False
        return True

    # ---------------------------------------------------------------- requests

    async def _ensure(self, name: str, subjects: list[str], more: dict[str, Any]) -> StreamInfo:
        try:
            info = await self._patiently(lambda: self._js.stream_info(name), but=_is_not_found)
        except NotFoundError:
            config = StreamConfig(
                name=name,
                subjects=subjects,
                storage=StorageType.FILE,
                num_replicas=self._place.replicas,
                allow_direct=False,
                **more,
            )
            try:
                return await self._patiently(lambda: self._js.add_stream(config), but=_is_taken)
            except APIError:  # another replica was faster
                return await self._ensure(name, subjects, more)
        self._check(info.config)
        return info

    def _subject(self, config: StreamConfig) -> str:
        """Where entries are appended; a stream that an operator made says where, too."""
        subjects = config.subjects or []
        if len(subjects) != 1 or not {"*", ">"}.isdisjoint(subjects[0].split(".")):
            raise JournalError(
                f"{self._place.shown}: the stream {config.name} has the subjects {subjects}: a journal's has one, "
                f"without wildcards, such as {self._entries}.1"
            )
        return subjects[0]

    def _check_life(self, info: StreamInfo) -> None:
        """Positions of one life mean nothing in another."""
        if str(info.created) != self._created:
            raise JournalError(
                f"{self._place.shown}: the stream {self._name} was replaced while it was open: restart this process, "
                "so that it begins with the entries of the new one"
            )

    def _check(self, config: StreamConfig) -> None:
        """A stream that discards on its own is no journal."""
        limits = (config.max_age or 0) > 0 or (config.max_msgs or -1) > 0 or (config.max_bytes or -1) > 0
        if limits or config.retention != RetentionPolicy.LIMITS or config.storage != StorageType.FILE:
            raise JournalError(
                f"{self._place.shown}: the stream {config.name} forgets on its own: it needs file storage, "
                "retention by limits, and no limit"
            )
        if (config.num_replicas or 1) < self._place.replicas:
            raise JournalError(
                f"{self._place.shown}: the stream {config.name} has {config.num_replicas} replicas, "
                f"and {self._place.replicas} are asked for"
            )

    async def _patiently(
        self, call: Callable[[], Awaitable[T]], *, but: Callable[[APIError], bool] = lambda error: False
    ) -> T:
        """Repeat a request that nobody answered, for a while. What the server refuses is a `JournalError`, `but` those."""
        loop, shown = asyncio.get_running_loop(), self._place.shown
        deadline, pause = loop.time() + self._place.patience, 0.05
        while True:
            try:
                return await call()
            except _AWAY as error:
                if self._is_disabled(error):
                    raise JournalError(
                        f"{shown}: JetStream is disabled: start the server with -js"
                    ) from error
                if loop.time() + pause > deadline or self._connection.native.is_closed:
                    raise JournalError(
                        f"{shown}: no answer within {self._place.patience:g} s: see whether JetStream is enabled "
                        "and a majority of its servers is up"
                    ) from error
            except APIError as error:
                if but(error):
                    raise
                if error.err_code != UNDER_WAY or loop.time() + pause > deadline:
                    raise JournalError(f"{shown}: the server refuses: {error.description}") from error
            except nats.errors.Error as error:
                raise JournalError(f"{shown}: {error}") from error
            await asyncio.sleep(pause)
            pause = min(2 * pause, 1.0)

    def _is_disabled(self, error: Exception) -> bool:
        """Whether waiting is in vain: this server says so, or has no JetStream and knows nobody who has."""
        if isinstance(error, APIError) and error.err_code == _DISABLED:
            return True
        nobody = isinstance(error, nats.errors.NoRespondersError | ServiceUnavailableError)
        client = self._connection.native
        return (
            not self.incarnation
            and nobody
            and client.is_connected
            and not client._server_info.get("jetstream")
        )


def _next(batch: int) -> bytes:
    """A request for so many entries."""
    return json.dumps({"batch": batch, "expires": 5 * _SECOND, "idle_heartbeat": _SECOND}).encode()


def _is_not_found(error: APIError) -> bool:
    return isinstance(error, NotFoundError)


def _is_taken(error: APIError) -> bool:
    return error.err_code == _TAKEN


def _is_too_late(error: APIError) -> bool:
    return error.err_code in _WRONG_LAST
