"""The connection to an MQTT 5 broker, held to the transport port's promises.

Responsible for connecting, the session and its reconnection, packet identifiers, acknowledgements, bounded
buffers, a flush that is a barrier, and errors that name the broker and what to do. Not responsible for frames,
addresses or who gets a message: `mqtt.py` is.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Final

from comity.sdk.errors import ComityError, PayloadTooLarge, RemoteProtocolError, TransportError
from comity.transports._mqtt_answers import RESUMED, Answers, read_connack
from comity.transports._mqtt_beat import Beat
from comity.transports._mqtt_hand import InHand
from comity.transports._mqtt_link import Link
from comity.transports._mqtt_patience import IN_VAIN, Patience
from comity.transports._mqtt_refusals import TAKEN_OVER, advice, refusal
from comity.transports._mqtt_settings import Settings
from comity.transports._mqtt_sure import Unconfirmed
from comity.transports._mqtt_topics import Topics
from comity.transports._mqtt_unsure import Unsure
from comity.transports._mqtt_wire import (
    PING,
    Kind,
    Properties,
    Property,
    Publish,
    disconnect,
    read_publish,
    subscribe,
    unsubscribe,
)

__all__ = ["Connection"]

_log = logging.getLogger(__name__)
_IDENTIFIERS: Final = 65535


class Connection:
    """One connection, opened once and closed once; `on_publish` has every PUBLISH that arrives. With each contact
    `on_contact` is told first whether the broker resumed the session, and so sends again what was not confirmed, and
    `on_refusal` which subscription the broker ended with it."""

    def __init__(
        self,
        settings: Settings,
        on_publish: Callable[[Connection, Publish], None],
        on_contact: Callable[[bool], None],
        on_refusal: Callable[[int], None],
    ) -> None:
        self.offers = Properties()
        self._settings = settings
        self._on_publish = on_publish
        self._on_contact = on_contact
        self._closed = False
        self._link: Link | None = None
        self._up = asyncio.Event()
        self._gone = asyncio.Event()
        self._reconnecting: asyncio.Task[None] | None = None
        self._beat = Beat()
        self._why = ""
        self._topics = Topics(settings.shown, on_refusal)
        self._last_id = 0
        self.in_hand = InHand(settings.connect.window, lambda: self._link)
        self._sure = Unconfirmed()
        self._unsure = Unsure()
        self._over = False
        self._patience = Patience()

    async def open(self) -> None:
        """Connect; one attempt, bounded by the timeout. Raises `TransportError`."""
        self._answers = Answers()
        try:
            async with asyncio.timeout(self._settings.timeout):
                if await self._make_contact():  # a session that an earlier process left behind
                    self._up.clear()
                    await self._end_session()
                    await self._make_contact()
        except BaseException as error:
            self._closed = True
            if isinstance(error, OSError | RemoteProtocolError):
                raise self._error(f"{str(error) or 'timed out'}: {advice(error)}") from error
            raise

    async def shorten_session(self, seconds: int) -> None:
        """Have the broker keep the session for `seconds` at most, from when it returns.

        MQTT says that with a new connection only; it resumes the session. Raises `TransportError`.
        """
        while (connect := self._settings.connect).session > seconds:
            await self.barrier()
            if self._link is not None and connect is self._settings.connect:  # it held, and nobody was faster
                self._settings = replace(self._settings, connect=replace(connect, session=seconds))
                self._up.clear()  # what is published from here on waits for the next connection
                self._why = "connecting anew"
                self._reconnecting = asyncio.get_running_loop().create_task(self._connect_anew())
                await self.barrier()

    async def lost(self) -> TransportError:
        """See `Transport.lost`."""
        await self._gone.wait()
        return self._error(self._why)

    # ------------------------------------------------------------- publishing

    async def publish(self, packet: bytes) -> None:
        """Hand over a message at QoS 0. Raises `PayloadTooLarge` or `TransportError`."""
        self._check()
        self._check_size(len(packet))
        if self._waiting + len(packet) > self._settings.outbox:
            await self._make_room()
        if self._link is not None and self._up.is_set():
            self._link.send(packet)
            self._unsure.sent += 1
        else:
            self._unsure.keep(packet)

    async def publish_surely(self, write: Callable[[int, bool], bytes]) -> None:
        """Publish at QoS 1 and wait until the broker has it; `write` makes the packet with an identifier.

        Raises `PayloadTooLarge` or `TransportError`; after one that says so the broker may have it all the same.
        """
        self._check()
        self._check_size(len(write(1, False)))
        known = "nothing was sent"
        try:
            async with asyncio.timeout(self._settings.timeout):
                done = await self._send_surely(write)
                known = "the message may have arrived all the same"
                await done
        except TimeoutError as error:
            raise self._error(f"{self._no_answer}; {known}") from error

    # ------------------------------------------------------------ subscribing

    async def subscribe(self, identifier: int, topic: str, qos: int, *, retained: bool = False) -> None:
        """Return when the subscription is in force. Raises `TransportError`, also where it is not permitted."""
        write = partial(subscribe, identifier=identifier, topic=topic, qos=qos, retained=retained)
        known = identifier in self._topics
        self._topics.ask(identifier, topic, qos)
        try:
            self._topics.check(topic, await self._request(write))
        except BaseException:
            if not known:
                self._topics.leave(identifier)
                self._send_unless_down(unsubscribe(self._new_id(), topic))
            raise

    async def unsubscribe(self, identifier: int) -> None:
        """Return when the broker sends nothing more for that subscription, or where there is no connection: then
        it is told over the next one."""
        topic = self._topics.leave(identifier)
        if topic is not None and self._up.is_set():
            with contextlib.suppress(TransportError):  # it ends with its connection just as well
                await self._request(partial(unsubscribe, topic=topic))
                self._topics.withdrawn(topic)

    # ------------------------------------------------------- flushing, closing

    async def flush(self) -> None:
        """Return when the broker has everything published before. Raises `TransportError` where that is unknown."""
        self._check()
        told = self._unsure.told  # now: each flush that is under way hears of a loss
        if self._unsure.losses == told:
            await self.barrier()
        if self._unsure.losses > told:
            self._unsure.told = self._unsure.losses
            raise self._error(
                "the connection broke: what was published since the last flush may not have arrived"
            )

    async def barrier(self) -> None:
        """A round trip, waiting for reconnection where it must. Raises `TransportError` when it takes too long."""
        try:
            async with asyncio.timeout(self._settings.timeout):
                while True:
                    await self._up.wait()
                    self._check()
                    if await self._round_trip():
                        return
        except TimeoutError as error:
            raise self._error(self._no_answer) from error

    async def close(self, drain: Callable[[], Awaitable[None]]) -> None:
        """Have what the broker still sends, wait for `drain`, send what waits, and end the session."""
        try:
            async with asyncio.timeout(self._settings.timeout):
                if self._up.is_set():
                    await self._take_leave(drain)
                elif self._unsure.waiting:
                    _log.warning("%s: closed before all was sent: not connected", self._settings.shown)
        except TimeoutError:
            _log.warning("%s: closed before all was drained: timed out", self._settings.shown)
        finally:
            await self._end()

    def abort(self) -> None:
        """End the connection as a crash would: at once, and without a word to the broker."""
        self._closed = True
        link, self._link = self._link, None
        if self._reconnecting is not None:
            self._reconnecting.cancel()
        self._beat.stop()
        if link is not None:
            link.abort()
        self._fail_all("the connection was aborted")
        self._up.set()

    async def _take_leave(self, drain: Callable[[], Awaitable[None]]) -> None:
        await asyncio.gather(*(self.unsubscribe(identifier) for identifier in self._topics.identifiers))
        await drain()
        await self._sure.answered()
        await self._round_trip()

    async def _end(self) -> None:
        """Also where it is cancelled, the broker is told, and nothing is left."""
        self._closed = True
        self._fail_all("closed before the broker confirmed the message")
        self._up.set()  # nobody is to wait for what will not come
        try:
            if self._reconnecting is not None and not self._reconnecting.done():
                self._reconnecting.cancel()
                await asyncio.wait({self._reconnecting})
        finally:
            await self._end_session()

    def _fail_all(self, why: str) -> None:
        self._answers.fail(ConnectionResetError(why))
        self._sure.fail(self._error(why))

    # -------------------------------------------------------------- connecting

    async def _make_contact(self) -> bool:
        """Connect, and whether the broker still knew the session.

        A clean start is never asked for: mosquitto does not write a session that began with one to its disk.
        """
        settings, loop = self._settings, asyncio.get_running_loop()
        self._answers = Answers()
        link = settings.link(self._receive, self._lose, settings.connect.largest)
        name = settings.host if settings.tls else None
        await loop.create_connection(
            lambda: link, settings.host, settings.port, ssl=settings.tls, server_hostname=name
        )
        self._link = link
        self.in_hand.begin()
        try:
            link.send(settings.connect.encode())
            resumed = self._accept(link, await self._answers.connack)
            await self._topics.restore(self._ask, resumed=resumed)
            self._send_what_waits(link, resumed=resumed)
        except BaseException:
            self._link = None
            link.abort()
            raise
        return resumed

    async def _end_session(self, *, keep: bool = False) -> None:
        """Disconnect; the broker forgets the session, unless it is to `keep` it for its time."""
        link, self._link = self._link, None
        self._beat.stop()
        if link is not None:
            link.send(disconnect(keep=keep))
            await link.close(self._settings.timeout)
        self._answers.fail(ConnectionResetError("disconnected"))

    def _accept(self, link: Link, connack: bytes) -> bool:
        """Take what the broker offers; whether it still knows the session."""
        resumed, self.offers = read_connack(self._settings.shown, connack)
        own = self._settings.connect.keep_alive
        theirs = self.offers.numbers.get(Property.KEEP_ALIVE) or own  # with 0 the broker does not watch us
        self._beat.start(link, self._answers, min(own, theirs) / 2)
        return resumed

    def _send_what_waits(self, link: Link, *, resumed: bool) -> None:
        self._sure.send_again(link.send, resumed=resumed)
        self._unsure.send_kept(link.send)
        self._patience.begin(asyncio.get_running_loop().time())
        self._up.set()

    async def _connect_anew(self) -> None:
        """The same session over another connection, once the broker has answered what came by this one."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.timeout):
                await self._round_trip()
        await self._end_session(keep=True)
        self._unsure.on_loss()
        await self._reconnect()

    async def _reconnect(self) -> None:
        while not self._closed:
            await asyncio.sleep(self._patience.next_wait())
            try:
                async with asyncio.timeout(self._settings.timeout):
                    await self._make_contact()
                return
            except (OSError, ComityError) as error:
                self._why = str(error) or type(error).__name__
                _log.warning("%s: not connected: %s", self._settings.shown, self._why)

    def _lose(self, link: Link, error: Exception | None) -> None:
        if link is not self._link:
            return
        was_up = self._up.is_set()
        self._link = None
        self._up.clear()
        self._why = str(error or "the broker closed the connection")
        self._unsure.on_loss()
        self._beat.stop()
        self._answers.fail(error or ConnectionResetError("the broker closed the connection"))
        if was_up:
            self._patience.end(asyncio.get_running_loop().time())
        if self._patience.in_vain and self._settings.named and not self._over:
            self._over = True
            self._why = IN_VAIN
        if self._over:
            self._give_up()
        elif was_up and not self._closed:
            self._reconnecting = asyncio.get_running_loop().create_task(self._reconnect())

    def _give_up(self) -> None:
        """Another client has the session: to take it back would make the two of them fight for ever."""
        _log.error("%s: %s", self._settings.shown, self._why)
        self._closed = True
        self._sure.fail(self._error(self._why))
        self._up.set()
        self._gone.set()

    # ---------------------------------------------------------------- receiving

    def _receive(self, first: int, body: bytes) -> None:
        kind = first >> 4
        if not self._answers.connack.done():
            if kind != Kind.CONNACK:
                raise RemoteProtocolError("what answers there is no MQTT broker")
            if body[1:2] == b"\x00":  # it accepts
                self._on_contact(body[:1] == RESUMED)
            self._answers.connack.set_result(body)
        elif kind == Kind.PUBLISH:
            self._on_publish(self, read_publish(first, body))
        elif kind == Kind.PUBACK:
            self._sure.confirm(int.from_bytes(body[:2]), body, self._settings.shown)
        elif kind in (Kind.SUBACK, Kind.UNSUBACK):
            self._answers.on_ack(body)
        elif kind == Kind.PINGRESP:
            self._answers.on_pong()
        elif kind == Kind.DISCONNECT:
            code = body[0] if body else 0
            self._over = self._over or code == TAKEN_OVER
            raise RemoteProtocolError(refusal("the broker ended the connection", code, body[1:]))

    # ---------------------------------------------------------------- the rest

    async def _request(self, write: Callable[[int], bytes]) -> bytes:
        """The codes with which the broker answers a SUBSCRIBE or UNSUBSCRIBE."""
        self._check()
        try:
            async with asyncio.timeout(self._settings.timeout):
                while True:
                    await self._up.wait()
                    self._check()
                    with contextlib.suppress(ConnectionResetError):
                        return await self._ask(write)
        except TimeoutError as error:
            raise self._error(self._no_answer) from error

    async def _ask(self, write: Callable[[int], bytes]) -> bytes:
        packet = self._new_id()
        self._send_unless_down(write(packet))
        return await self._answers.ack(packet)

    async def _round_trip(self) -> bool:
        """PINGREQ and PINGRESP behind everything that was written before; False where the connection broke."""
        if self._link is None:
            return False
        sent, answer = self._unsure.sent, self._answers.expect_pong()
        self._link.send(PING)
        try:
            await answer
        except ConnectionResetError:
            return False
        self._unsure.settle(sent)
        return True

    async def _make_room(self) -> None:
        if not self._up.is_set():
            raise self._error(
                f"not connected ({self._why}), and {self._waiting} octets already wait to be sent: publish again later"
            )
        await self.barrier()

    async def _send_surely(self, write: Callable[[int, bool], bytes]) -> asyncio.Future[None]:
        """Send once there is room and a connection; cancelled before, nothing is sent."""
        own = self._settings.connect.window
        await self._sure.window.enter(min(own, self.offers.numbers.get(Property.RECEIVE_MAXIMUM, own)))
        try:
            await self._up.wait()
            self._check()
        except BaseException:
            self._sure.window.leave()
            raise
        packet = self._new_id()
        done = self._sure.add(packet, write)
        self._send_unless_down(write(packet, False))
        return done

    def _send_unless_down(self, octets: bytes) -> None:
        if self._link is not None:
            self._link.send(octets)

    def _new_id(self) -> int:
        for _ in range(_IDENTIFIERS):
            self._last_id = self._last_id % _IDENTIFIERS + 1
            if self._last_id not in self._sure and self._last_id not in self._answers:
                return self._last_id
        raise self._error(f"{_IDENTIFIERS} messages wait for an answer, and no more can: set ?window= lower")

    @property
    def _waiting(self) -> int:
        return self._unsure.waiting + (self._link.waiting if self._link is not None else 0)

    def _check(self) -> None:
        if self._closed:
            why = f"the connection is over ({self._why})" if self._over else "the connection is closed"
            raise self._error(f"{why}: open another one")

    def _check_size(self, size: int) -> None:
        limit = self.offers.numbers.get(Property.MAXIMUM_PACKET, self._settings.connect.largest)
        if size > limit:
            raise PayloadTooLarge(
                f"{self._settings.shown}: a packet of {size} octets is over the broker's limit of {limit}"
            )

    @property
    def _no_answer(self) -> str:
        why = "" if self._up.is_set() else f" ({self._why})"
        return f"no answer within {self._settings.timeout:g} s{why}: see whether the broker is up"

    def _error(self, text: str) -> TransportError:
        return TransportError(f"{self._settings.shown}: {text}")
