# pyright: basic
# nats-py is only partly typed.
"""Reading a stream by pulling from a consumer, so that a subscriber is sent what it has room for and no more.

Responsible for how much is asked for, for noticing that a consumer is lost and going on with another one, for
acknowledgements, and for keeping what a member of a group holds away from the others while it lives. Not responsible
for the streams.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import nats.errors
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription as Native
from nats.js.api import AckPolicy, ConsumerConfig, ConsumerInfo, DeliverPolicy
from nats.js.errors import NotFoundError

from comity.sdk.address import Pattern, parse_address, to_nats
from comity.sdk.errors import ComityError, TransportError
from comity.sdk.ports import Delivery
from comity.transports._kafka_outlet import Item, Outlet
from comity.transports._nats_stream import Stream, Streams
from comity.transports.nats_binding import decode

__all__ = ["Live", "Member", "Reading"]

_log = logging.getLogger(__name__)
_MOST: Final = 1024  # messages asked for and not yet delivered, or not yet acknowledged
_OCTETS: Final = 64 << 20  # of which two requests may be under way
_SECOND: Final = 1_000_000_000  # of which the server counts nanoseconds
_EXPIRES: Final = 20
_HEARTBEAT: Final = 2
_SILENCE: Final = 5.0  # seconds without a message or heartbeat, after which a consumer is taken for lost
_HELD: Final = 6.0  # seconds for which what a member holds is its own, counted from its last sign of life
_SIGN: Final = 2.0
_UNUSED: Final = 30.0  # seconds after which the server forgets a consumer of nobody
_FORGOTTEN: Final = 7 * 86400.0  # and a group without members
_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 2.0


class Reading:
    """What both kinds of subscription share; see `Subscription`."""

    dropped = 0  # what finds no room is not asked for yet

    def __init__(
        self,
        streams: Streams,
        pattern: Pattern,
        on_delivery: Callable[[Delivery], None],
        buffer: int,
        since: float | None,
    ) -> None:
        self.on_close: Callable[[Reading], None] = lambda _: None
        self.outlet = Outlet(on_delivery, buffer, self._ask)
        self._streams = streams
        self._connection = streams.connection
        self._pattern = pattern
        self._limit = min(buffer, _MOST)
        self._since = since
        self._stream: Stream | None = None
        self._consumer = ""
        self._inbox = ""
        self._native: Native | None = None
        self._task: asyncio.Task[None] | None = None
        self._stirred = asyncio.Event()
        self._arrived = asyncio.Event()
        self._asked = self._life = 0
        self._heard = 0.0
        self._lost = self._closed = False

    async def open(self) -> None:
        """Return when it is in force. Raises `TransportError`."""
        try:
            await self._attach()
        except BaseException:
            await self.close()
            raise
        self._connection.on_back.add(self._stirred.set)
        self._task = asyncio.get_running_loop().create_task(self._watch())

    def pause(self) -> None:
        """See `Subscription.pause`; what finds no room waits in the stream."""
        self.outlet.pause()

    def resume(self) -> None:
        """See `Subscription.resume`."""
        self.outlet.resume()
        self._ask()

    async def close(self) -> None:
        """End the subscription. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self.outlet.close()
        self._connection.on_back.discard(self._stirred.set)
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        try:
            async with asyncio.timeout(self._streams.timeout):
                await self._leave()
        except (TimeoutError, nats.errors.Error) as error:
            _log.warning("%s was not left in order: %s", self._pattern, error or "timed out")
        self.on_close(self)

    async def settle(self) -> None:
        """Return when all that the stream has was handed over, or there is no room for it. Raises `TransportError`."""
        try:
            async with asyncio.timeout(self._streams.timeout):
                while not await self._settled():
                    self._arrived.clear()
                    with suppress(TimeoutError):
                        async with asyncio.timeout(_FIRST_PAUSE):
                            await self._arrived.wait()
        except TimeoutError as error:
            raise self._connection.error(
                f"{self._pattern} was not read to its end within {self._streams.timeout:g} s"
            ) from error

    # ------------------------------------------------------------- the consumer

    async def _attach(self) -> None:
        """Read from a consumer on this connection, from where the last one was."""
        life, former = self._connection.lives, self._stream
        stream = self._stream = await self._streams.of(self._pattern.stem, fresh=former is not None)
        anew = former is not None and former.created != stream.created
        try:
            info = await self._bind(stream, anew=anew)
            await self._unsubscribe()
            inbox = self._connection.native.new_inbox()
            self._native = await self._connection.native.subscribe(
                inbox, cb=self._received, pending_msgs_limit=0, pending_bytes_limit=0
            )
        except nats.errors.Error as error:
            raise self._streams.explained(error, f"reading {self._pattern}") from error
        self._consumer, self._inbox, self._life = info.name, inbox, life
        self._heard = asyncio.get_running_loop().time()
        self._asked, self._lost = 0, False
        self._ask()

    async def _bind(self, stream: Stream, *, anew: bool) -> ConsumerInfo:
        raise NotImplementedError

    def _take(self, message: Msg, delivered: int, sequence: int, count: int) -> None:
        raise NotImplementedError

    async def _leave(self) -> None:
        await self._unsubscribe()

    async def _settled(self) -> bool:
        return True

    def _room(self) -> int:
        return self._limit - self._asked

    def _sign(self) -> None:
        pass

    async def _unsubscribe(self) -> None:
        native, self._native = self._native, None
        if native is not None:
            with suppress(nats.errors.Error):  # it ends with its connection just as well
                await native.unsubscribe()

    async def _watch(self) -> None:
        while True:
            self._stirred.clear()
            if self._lost or self._life != self._connection.lives:
                await self._attach_patiently()
            with suppress(TimeoutError):
                async with asyncio.timeout(_SIGN):
                    await self._stirred.wait()
            self._sign()
            now = asyncio.get_running_loop().time()
            if self._asked and self._connection.connected and now - self._heard > _SILENCE:
                self._lost = True

    async def _attach_patiently(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            try:
                await self._attach()
                return
            except TransportError as error:
                _log.warning("reading %s goes on later: %s", self._pattern, error)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _ask(self) -> None:
        """Ask for as much as there is room for, not for each message anew."""
        room = self._room()
        if self._closed or self._lost or room <= 0 or not (self.outlet.ready and self._connection.connected):
            return
        if self._asked and 2 * room < self._limit:
            return
        if not self._asked:
            self._heard = asyncio.get_running_loop().time()
        self._asked += room
        request = (
            f'{{"batch":{room},"max_bytes":{_OCTETS},"expires":{_EXPIRES * _SECOND},'
            f'"idle_heartbeat":{_HEARTBEAT * _SECOND}}}'
        )
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._stream_name}.{self._consumer} {self._inbox}"
        self._connection.push(subject, request.encode())

    @property
    def _stream_name(self) -> str:
        return self._stream.name if self._stream is not None else ""

    async def _received(self, message: Msg) -> None:
        self._heard = asyncio.get_running_loop().time()
        if not message.reply.startswith("$JS.ACK."):
            self._told(message.headers or {})
        elif not self._lost:
            self._asked -= 1
            fields = message.reply.split(".")
            delivered, sequence, count = fields[4:7] if len(fields) == 9 else fields[6:9]
            self._take(message, int(delivered), int(sequence), int(count))
        self._arrived.set()
        self._ask()

    def _told(self, headers: dict[str, str]) -> None:
        """The end of a request, with what of it was not used; anything unforeseen is the end of the consumer."""
        status, unused = headers.get("Status"), headers.get("Nats-Pending-Messages")
        if status == "100":
            return
        if status in ("408", "409") and unused is not None:
            self._asked = max(0, self._asked - int(unused))
        else:
            self._lost = True
            self._stirred.set()

    def _item(self, message: Msg, *, redelivered: bool, ack: Callable[[], None]) -> Item | None:
        try:
            parse_address(message.subject)
            frame = decode(message.headers, message.data)
        except ComityError as error:
            _log.warning("a message on %r is no event and was ignored: %s", message.subject, error)
            return None
        return Item(message.subject, frame, redelivered, ack)


class Live(Reading):
    """A subscription without a group: it follows the stream from now on, and no longer than the process lives."""

    _position = 0
    _count = 0

    async def _bind(self, stream: Stream, *, anew: bool) -> ConsumerInfo:
        begin: dict[str, Any] = {"deliver_policy": DeliverPolicy.NEW}
        if anew:
            begin = {"deliver_policy": DeliverPolicy.ALL}
        elif self._consumer:
            begin = {
                "deliver_policy": DeliverPolicy.BY_START_SEQUENCE,
                "opt_start_seq": self._position + 1,
            }
        elif self._since is not None:
            begin = _from(self._since)
        config = ConsumerConfig(
            ack_policy=AckPolicy.NONE,
            filter_subject=to_nats(self._pattern),
            inactive_threshold=_UNUSED,
            mem_storage=True,
            num_replicas=1,
            **begin,
        )
        info: ConsumerInfo = await self._streams.js.add_consumer(stream.name, config)
        if anew or not self._consumer:
            self._position = info.delivered.stream_seq if info.delivered else 0
        self._count = 0
        return info

    def _take(self, message: Msg, delivered: int, sequence: int, count: int) -> None:
        if count != self._count + 1:
            self._lost = True
            self._stirred.set()
            return
        self._count, self._position = count, sequence
        item = self._item(message, redelivered=False, ack=_nothing)
        if item is not None:
            self.outlet.put(item, bounded=False)  # no more was asked for than there is room for

    async def _settled(self) -> bool:
        if self._lost or not self._connection.connected:
            return False
        if not self.outlet.ready and not self._asked:
            return True
        try:
            info = await self._streams.js.consumer_info(self._stream_name, self._consumer)
        except nats.errors.Error:
            return False  # another consumer takes its place
        handed = info.delivered is None or self._count >= info.delivered.consumer_seq
        return handed and not info.num_pending

    async def _leave(self) -> None:
        await self._unsubscribe()
        if self._consumer and self._connection.connected:
            with suppress(nats.errors.Error):  # the server forgets it soon enough
                await self._streams.js.delete_consumer(self._stream_name, self._consumer)


class Member(Reading):
    """A subscription with a group: a durable consumer that all members pull from."""

    def __init__(
        self,
        streams: Streams,
        pattern: Pattern,
        on_delivery: Callable[[Delivery], None],
        buffer: int,
        since: float | None,
        group: str,
    ) -> None:
        super().__init__(streams, pattern, on_delivery, buffer, since)
        self._name = _name(pattern, group)
        self._about = f"{pattern} {group}"
        self._held: dict[str, None] = {}

    def _room(self) -> int:
        return self._limit - self._asked - len(self._held)

    async def _bind(self, stream: Stream, *, anew: bool) -> ConsumerInfo:
        """A group that is known goes on behind what was acknowledged; one that is new begins here."""
        try:
            return await self._streams.js.consumer_info(stream.name, self._name)
        except NotFoundError:
            pass
        begin: dict[str, Any] = {"deliver_policy": DeliverPolicy.NEW}
        if anew:
            begin = {"deliver_policy": DeliverPolicy.ALL}
        elif self._since is not None:
            begin = _from(self._since)
        config = ConsumerConfig(
            name=self._name,
            durable_name=self._name,
            description=self._about[:4000],
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=_HELD,
            max_deliver=-1,
            max_ack_pending=-1,
            filter_subject=to_nats(self._pattern),
            inactive_threshold=max(_FORGOTTEN, self._streams.seconds),
            **begin,
        )
        return await self._streams.js.add_consumer(stream.name, config)

    def _take(self, message: Msg, delivered: int, sequence: int, count: int) -> None:
        if self._closed:
            self._connection.push(message.reply, b"-NAK")
            return
        item = self._item(message, redelivered=delivered > 1, ack=partial(self._ack, message.reply))
        if item is None:
            self._connection.push(message.reply, b"+TERM")
            return
        self._held[message.reply] = None
        self.outlet.put(item, bounded=False)  # no more was asked for than there is room for

    def _ack(self, reply: str) -> None:
        if reply in self._held:
            del self._held[reply]
            self._connection.push(reply, b"+ACK")
            self._ask()

    def _sign(self) -> None:
        """What is held stays held."""
        if self._connection.connected:
            for reply in self._held:
                self._connection.push(reply, b"+WPI")

    async def _leave(self) -> None:
        """Hand to the other members what was not acknowledged, and what is still on its way here."""
        for reply in self._held:
            self._connection.push(reply, b"-NAK")
        self._held.clear()
        if self._native is not None and self._connection.connected:
            await self._native.drain()  # type: ignore[no-untyped-call]
        else:
            await self._unsubscribe()


def _from(since: float) -> dict[str, Any]:
    return {
        "deliver_policy": DeliverPolicy.BY_START_TIME,
        "opt_start_time": datetime.fromtimestamp(since, UTC),
    }


def _name(pattern: Pattern, group: str) -> str:
    """Names of consumers admit few characters: what an operator recognises, and what tells it from all others."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", group)[:32]
    return f"{plain}-{hashlib.sha256(f'{pattern}/{group}'.encode()).hexdigest()[:16]}"


def _nothing() -> None:
    pass
