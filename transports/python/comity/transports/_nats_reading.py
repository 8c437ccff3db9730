# pyright: basic
# nats-py is only partly typed.
"""Reading a stream by pulling from a consumer, so that a subscriber is sent what it has room for and no more.

Responsible for how much is asked for, for noticing that a consumer is lost and going on with another one, and for
subscriptions without a group. Not responsible for the streams, nor for members of groups.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

import nats.errors
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription as Native
from nats.js.api import AckPolicy, ConsumerConfig, ConsumerInfo, DeliverPolicy

from comity.sdk.address import Pattern, parse_address, to_nats
from comity.sdk.errors import ComityError, ConfigError, TransportError
from comity.sdk.ports import Delivery
from comity.transports._ending import Ending
from comity.transports._nats_refusals import at_once
from comity.transports._nats_stream import Stream, Streams
from comity.transports._outlet import Item, Outlet
from comity.transports.nats_binding import decode

__all__ = ["SECOND", "Live", "Reading", "starting"]

_log = logging.getLogger(__name__)
_MOST: Final = 1024  # messages asked for and not yet delivered, or not yet acknowledged
_OCTETS: Final = 64 << 20  # of which two requests may be under way
SECOND: Final = 1_000_000_000  # of which the server counts nanoseconds
_EXPIRES: Final = 20
_HEARTBEAT: Final = 2
_SILENCE: Final = 5.0  # seconds without a message or heartbeat, after which a consumer is taken for lost
_SIGN: Final = 2.0
_UNUSED: Final = 30.0  # seconds after which the server forgets a consumer of nobody
_EARLIER: Final = 0.001  # seconds, lest rounding begin behind a message
_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 2.0
_LASTING: Final = 10.0


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
        self._stream = self._created = self._consumer = self._inbox = ""
        self._native: Native | None = None
        self._task: asyncio.Task[None] | None = None
        self._stirred = asyncio.Event()
        self._arrived = asyncio.Event()
        self._asked = self._life = 0
        self._heard = self._attached = 0.0
        self._pause = _FIRST_PAUSE
        self._lost = self._closed = False
        self._ending = Ending(self._end)

    async def open(self) -> None:
        """Return when it is in force. Raises `TransportError`."""
        try:
            await self._attach()
            await self._connection.allowed(self._next)
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
        self._closed = True
        self.outlet.close()
        self._connection.on_back.discard(self._stirred.set)
        await self._ending()

    async def _end(self) -> None:
        try:
            if self._task is not None:
                self._task.cancel()
                await asyncio.wait({self._task})
            async with asyncio.timeout(self._streams.timeout):
                await self._leave()
        except (TimeoutError, nats.errors.Error) as error:
            _log.warning("%s was not left in order: %s", self._pattern, str(error) or "timed out")
        finally:
            await self._unsubscribe()
            self.on_close(self)

    async def settle(self) -> None:
        """Return when all that the stream has now was handed over, or there is no room for it."""

    # ------------------------------------------------------------- the consumer

    async def _attach(self) -> None:
        """Read from a consumer on this connection, from where the last one was."""
        life, former = self._connection.lives, self._created
        self._lost = True  # what comes from the last one by now is read again
        await self._unsubscribe()
        stream = await self._streams.of(self._pattern.stem, fresh=True)
        anew = bool(former) and former != stream.created
        try:
            info = await self._bind(stream, anew=anew)
            inbox = self._connection.native.new_inbox()
            self._native = await self._connection.native.subscribe(
                inbox, cb=self._received, pending_msgs_limit=0, pending_bytes_limit=0
            )
        except nats.errors.Error as error:
            raise self._streams.explained(error, f"reading {self._pattern}") from error
        self._stream, self._created, self._consumer = stream.name, stream.created, info.name
        self._inbox, self._life = inbox, life
        self._heard = asyncio.get_running_loop().time()
        self._asked, self._lost = 0, False
        self._ask()

    async def _bind(self, stream: Stream, *, anew: bool) -> ConsumerInfo:
        raise NotImplementedError

    def _take(self, message: Msg, delivered: int, sequence: int, count: int, stamp: int) -> None:
        raise NotImplementedError

    async def _leave(self) -> None:
        await self._unsubscribe()

    def _room(self) -> int:
        return self._limit - self._asked

    def _sign(self) -> None:
        pass

    async def _unsubscribe(self) -> None:
        native, self._native = self._native, None
        if native is not None:
            with suppress(nats.errors.Error):  # it ends with its connection just as well
                await native.unsubscribe()
            self._connection.native.forget(native)

    async def _watch(self) -> None:
        while not self._connection.closed:
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
                if denied := self._connection.denied(self._next):
                    _log.error("nothing arrives on %s: %s", self._pattern, denied)

    async def _attach_patiently(self) -> None:
        """Attach, after longer and longer pauses where that does not last."""
        loop = asyncio.get_running_loop()
        if loop.time() - self._attached > _LASTING:
            self._pause = _FIRST_PAUSE
        while not self._connection.closed:
            await asyncio.sleep(self._pause)
            self._pause = min(2 * self._pause, _LONGEST_PAUSE)
            try:
                await self._attach()
                self._attached = loop.time()
                return
            except TransportError as error:
                _log.warning("reading %s goes on later: %s", self._pattern, error)

    @property
    def _next(self) -> str:
        return f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{self._consumer}"

    def _ask(self) -> None:
        """Ask for as much as there is room for, not for each message anew."""
        room = self._room()
        here = self._connection.connected and self._life == self._connection.lives
        if self._closed or self._lost or room <= 0 or not (self.outlet.ready and here):
            return
        if self._asked and 2 * room < self._limit:
            return
        if not self._asked:
            self._heard = asyncio.get_running_loop().time()
        self._asked += room
        request = (
            f'{{"batch":{room},"max_bytes":{_OCTETS},"expires":{_EXPIRES * SECOND},'
            f'"idle_heartbeat":{_HEARTBEAT * SECOND}}}'
        )
        self._connection.push(f"{self._next} {self._inbox}", request.encode())

    async def _received(self, message: Msg) -> None:
        self._heard = asyncio.get_running_loop().time()
        if not message.reply.startswith("$JS.ACK."):
            self._told(message.headers or {})
        elif not self._lost:
            self._asked -= 1
            fields = message.reply.split(".")
            self._take(message, *map(int, fields[4:8] if len(fields) == 9 else fields[6:10]))
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
            self._limit = at_once(headers, self._limit)
            self._lost = True
            self._stirred.set()

    def _item(
        self,
        message: Msg,
        *,
        redelivered: bool,
        ack: Callable[[], None],
        nack: Callable[[], None] | None = None,
    ) -> Item | None:
        try:
            parse_address(message.subject)
            frame = decode(message.headers, message.data)
        except ComityError as error:
            _log.warning("a message on %r is no event and was ignored: %s", message.subject, error)
            return None
        return Item(message.subject, frame, redelivered, ack, nack=nack)


class Live(Reading):
    """A subscription without a group: it follows the stream from now on, and no longer than the process lives."""

    _position = 0
    _stamp = 0  # of the message there, in nanoseconds, once one was read
    _count = 0
    _set_back = False

    async def _bind(self, stream: Stream, *, anew: bool) -> ConsumerInfo:
        begins = anew or not self._consumer
        begin = starting(self._since, anew=anew) if begins else self._onwards(stream)
        config = ConsumerConfig(
            name=uuid4().hex,  # named, it is made by a subject that ends in its filter, which permissions can bind
            ack_policy=AckPolicy.NONE,
            filter_subject=to_nats(self._pattern),
            inactive_threshold=_UNUSED,
            mem_storage=True,
            num_replicas=1,
            **begin,
        )
        info = await self._streams.ask(lambda: self._streams.js.add_consumer(stream.name, config))
        if begins:
            self._position = info.delivered.stream_seq if info.delivered else 0
            self._stamp, self._set_back = 0, False
        self._count = 0
        return info

    def _onwards(self, stream: Stream) -> dict[str, Any]:
        """With the last message that was read, to see whether it is still that one; by its time where it is not.

        Loss of power, or a backup, sets a stream back: its numbers come again, for other messages.
        """
        if not self._stamp:
            self._position = min(self._position, stream.last)
        if self._set_back or self._position > stream.last:
            self._set_back = True
            return starting(self._stamp / SECOND - _EARLIER, anew=False)
        behind = self._position + (not self._stamp)
        return {"deliver_policy": DeliverPolicy.BY_START_SEQUENCE, "opt_start_seq": behind}

    def _take(self, message: Msg, delivered: int, sequence: int, count: int, stamp: int) -> None:
        if count != self._count + 1:
            self._lost = True
            self._stirred.set()
            return
        self._count = count
        if sequence <= self._position:
            if stamp == self._stamp or (self._set_back and stamp < self._stamp):
                return  # it was read before
            if not self._set_back:
                self._set_back = self._lost = True
                self._stirred.set()
                return
            _log.error(
                "%s was set back: %s is read on from the time of the last message",
                self._stream,
                self._pattern,
            )
        self._position, self._stamp, self._set_back = sequence, stamp, False
        item = self._item(message, redelivered=False, ack=_nothing)
        if item is not None:
            self.outlet.put(item, bounded=False)  # no more was asked for than there is room for

    async def settle(self) -> None:
        """See `Reading.settle`. Raises `TransportError` where that takes longer than the timeout."""
        consumer, target, still = "", 0, False
        try:
            async with asyncio.timeout(self._streams.timeout):
                while self.outlet.ready or self._asked:
                    asked = self._consumer
                    if (asked != consumer or still) and (found := await self._target()) is not None:
                        # less than before where the server counted one both as delivered and as still to come
                        target = min(target, found) if asked == consumer else found
                        consumer = asked
                    if self._consumer == consumer and self._count >= target:
                        return
                    self._arrived.clear()
                    with suppress(TimeoutError):
                        async with asyncio.timeout(_FIRST_PAUSE):
                            await self._arrived.wait()
                    still = not self._arrived.is_set()
        except TimeoutError as error:
            raise self._connection.error(
                f"{self._pattern} was not read to its end within {self._streams.timeout:g} s"
            ) from error

    async def _target(self) -> int | None:
        """How many messages the consumer delivers until it has delivered all that there are; None where it is lost."""
        try:
            info = await self._streams.js.consumer_info(self._stream, self._consumer)
        except nats.errors.Error:
            return None  # another consumer takes its place
        return (info.delivered.consumer_seq if info.delivered else 0) + (info.num_pending or 0)

    async def _leave(self) -> None:
        await self._unsubscribe()
        if self._consumer and self._connection.connected:
            with suppress(nats.errors.Error):  # the server forgets it soon enough
                await self._streams.js.delete_consumer(self._stream, self._consumer)


def starting(since: float | None, *, anew: bool) -> dict[str, Any]:
    """Where a consumer begins: with all of a stream that was made anew, else at Unix second `since`, else now.

    Raises `ConfigError` where `since` is no time.
    """
    if anew:
        return {"deliver_policy": DeliverPolicy.ALL}
    if since is None:
        return {"deliver_policy": DeliverPolicy.NEW}
    try:
        begin = datetime.fromtimestamp(since, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise ConfigError(f"since={since} is no time: {error}") from error
    return {"deliver_policy": DeliverPolicy.BY_START_TIME, "opt_start_time": begin}


def _nothing() -> None:
    pass
