"""`nats://` and `tls://` — NATS through nats-py: core NATS, and JetStream where the URL asks for it.

Responsible for the transport port over one NATS connection: URL, frames by the CloudEvents binding (binary
mode out, both modes in), subscriptions with bounded buffers. Core NATS is at-most-once and keeps nothing. With
`stream`, a JetStream stream for each channel keeps what anybody publishes to it, and subscriptions read that stream
(`_nats_stream.py`, `_nats_reading.py`): at-least-once, durable, replayed from a time, and with last values.

`nats://[user:password@|token@]host[:port][,host[:port]…][?options]`; `tls://` insists on TLS. Of several servers
of a cluster any one will do, and another takes its place when it goes. Options: `timeout`, seconds that any wait
may take (5); `keepalive`, seconds of silence after which the connection is given up (10); `buffer`, messages that
wait for one subscriber (65536, and never over 128 MiB); `outbox`, octets that wait for the connection (2 MiB);
`stream`, seconds for which streams keep messages (no streams); `replicas`, how many servers keep each (1);
`inbox`, how subjects for answers begin (`_INBOX`); `nkey`, file with the seed of an NKey; `creds`, file with a JWT and
its seed; `ca`, file of trusted authorities; `cert` and `key`, files of the client's certificate.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from comity.sdk.address import Pattern, parse_address, parse_pattern, to_nats
from comity.sdk.errors import (
    CapabilityError,
    ComityError,
    PayloadTooLarge,
    RemoteProtocolError,
    TransportError,
)
from comity.sdk.ports import Capabilities, Delivery, Frame, Guarantee, Ordering, Subscription, Transport
from comity.transports._ending import Ending
from comity.transports._nats_url import NUMBERS, STREAMS, TEXTS, Keeping, keeping, settings
from comity.transports._urls import masked, options
from comity.transports.nats_binding import Reader, decode, encode

if TYPE_CHECKING:
    from nats.aio.msg import Msg
    from nats.aio.subscription import Subscription as NativeSubscription

    from comity.transports._nats_client import Connection
    from comity.transports._nats_reading import Reading
    from comity.transports._nats_stream import Streams

__all__ = ["NatsTransport"]

_log = logging.getLogger(__name__)
_FOR_ATTRIBUTES: Final = 8192  # of the server's limit, which counts headers and data together
_CAPABILITIES: Final = Capabilities(
    ordering=Ordering.PUBLISHER, guarantees=frozenset({Guarantee.AT_MOST_ONCE}), groups=True
)
_WITH_STREAMS: Final = replace(
    _CAPABILITIES,
    ordering=Ordering.KEY,  # of a channel, in fact; but two channels are two streams
    guarantees=frozenset(Guarantee),
    durable=True,
    replay=True,
    last_value=True,
)


class NatsTransport:
    """See the module for the URL. Raises `ConfigError` for a wrong URL or option, or where nats-py is missing."""

    def __init__(self, url: str, **overrides: str | float) -> None:
        self._shown = masked(url)
        given = {**NUMBERS, **options(url, (*NUMBERS, *TEXTS, *STREAMS), overrides)}
        self._settings = settings(url, given)
        self._keeping = keeping(url, given, self._settings.timeout)
        self._connection: Connection | None = None
        self._streams: Streams | None = None
        self._subscriptions: set[NatsSubscription] = set()
        self._readings: set[Reading] = set()
        self._ending: Ending | None = None
        self._capabilities = _CAPABILITIES if self._keeping is None else _WITH_STREAMS

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    def on_death(self, address: str, frame: Frame) -> None:
        """A NATS server publishes nothing for a client that is gone. Raises `CapabilityError`."""
        raise self._lacks("a death notice")

    async def open(self) -> None:
        """Connect; fails at once where nobody listens, and in any case within the timeout.

        Raises `CapabilityError` where streams are asked for and the server has no JetStream, and `TransportError` where
        what it takes at most leaves no room for data.
        """
        from comity.transports._nats_client import Connection

        if self._connection is not None:
            raise TransportError(f"{self._shown} is already open")
        if self._ending is not None and self._ending.under_way:
            raise TransportError(f"{self._shown} is still closing: await close() first")
        connection = Connection(self._settings)
        await connection.open()
        room = connection.max_payload - _FOR_ATTRIBUTES
        if room <= 0:
            await connection.close([])
            raise connection.error(
                f"the server takes {connection.max_payload} octets at most, and attributes alone may have "
                f"{_FOR_ATTRIBUTES}: set its max_payload to 64KB or more (1MB is its default)"
            )
        if self._keeping is not None:
            self._streams = await self._started(connection, self._keeping)
        self._connection = connection
        self._capabilities = replace(self._capabilities, max_payload=room)

    async def publish(
        self, address: str, frame: Frame, *, guarantee: Guarantee = Guarantee.AT_MOST_ONCE
    ) -> None:
        """See `Transport.publish`. At most once it is kept without a connection, up to `outbox`, until there is one
        again; the server tells later that publishing there is not permitted: the next such `publish` to that address, or
        the next `flush`, raises it. At least once it returns when the stream has it; where it raises that no answer came,
        the same message published again is stored once.
        """
        connection, streams = self._opened, self._streams
        if guarantee not in self._capabilities.guarantees:
            raise self._lacks(f"{guarantee} delivery")
        parsed = parse_address(address)
        headers, payload = encode(frame)
        if len(payload) > self._capabilities.max_payload:
            raise PayloadTooLarge(
                f"{self._shown}: {len(payload)} octets of data are over the limit of "
                f"{self._capabilities.max_payload}"
            )
        if streams is None:
            await connection.publish(address, headers, payload)
        elif guarantee is Guarantee.AT_LEAST_ONCE:
            await streams.publish(parsed.stem, address, headers, payload)
        else:
            stream = await streams.of(parsed.stem)
            await connection.publish(address, headers, payload)
            await streams.note(stream)

    async def subscribe(
        self,
        pattern: str,
        on_delivery: Callable[[Delivery], None],
        *,
        group: str | None = None,
        since: float | None = None,
    ) -> Subscription:
        """See `Transport.subscribe`. Raises `TransportError` where it is not permitted.

        With streams it begins with what was published at Unix second `since`, where that is given and still kept; a
        group that is known goes on behind what was acknowledged instead. Without them, `since` raises `CapabilityError`.
        """
        connection, wanted = self._opened, parse_pattern(pattern)
        if self._streams is not None:
            reading = await self._read(self._streams, wanted, on_delivery, group, since)
            return await self._kept(connection, reading)
        if since is not None:
            raise self._lacks("replay")
        subscription = NatsSubscription(connection, on_delivery, self._subscriptions.discard)
        await subscription.start(to_nats(wanted), quote(group, safe="") if group else "")
        self._subscriptions.add(subscription)
        return await self._kept(connection, subscription)

    async def last_value(self, address: str) -> Frame | None:
        """The frame last published to `address`, while its stream keeps it; None where a stranger's message is the last.

        Raises `CapabilityError` without streams.
        """
        wanted = parse_address(address)
        self._opened.check()
        if self._streams is None:
            raise self._lacks("the last value of an address")
        found = await self._streams.last(wanted.stem, to_nats(wanted))
        if found is None:
            return None
        try:
            return decode(*found)
        except RemoteProtocolError as error:
            _log.warning(
                "the last message on %r is no event, so that there is no last value: %s", address, error
            )
            return None

    async def prepare(self, channel: str) -> bool | None:
        """See `Provisioning.prepare`; only with `stream` is there anything to make."""
        stem = parse_address(channel).stem
        _ = self._opened
        return None if self._streams is None else await self._streams.prepare(stem)

    async def flush(self) -> None:
        """A real barrier, streams included. Raises `TransportError` where the connection broke and something may be lost."""
        await self._opened.flush()
        if self._streams is not None:
            await self._streams.flush()

    async def settled(self) -> None:
        """Return once subscriptions to streams, those of groups apart, were handed all that the streams have now."""
        for reading in list(self._readings):
            await reading.settle()

    async def lost(self) -> TransportError:
        """See `Transport.lost`: it connects anew for as long as it takes."""
        never: asyncio.Future[TransportError] = asyncio.get_running_loop().create_future()
        return await never

    async def close(self) -> None:
        """Deliver what has arrived (not to those that are paused), send what waits, disconnect. Idempotent."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            self._ending = Ending(partial(self._end, connection))
        if self._ending is not None:
            await self._ending()

    async def _end(self, connection: Connection) -> None:
        subscriptions, self._subscriptions = self._subscriptions, set()
        try:
            await self._leave_streams()
        finally:
            await connection.close([(one.native, not one.paused) for one in subscriptions])

    async def _kept(
        self, connection: Connection, subscription: NatsSubscription | Reading
    ) -> NatsSubscription | Reading:
        """That `subscription`, which ends where the connection was closed while it was made."""
        if self._connection is not connection:
            await subscription.close()
            raise TransportError(f"{self._shown} was closed before the subscription was in force")
        return subscription

    async def _started(self, connection: Connection, keeping: Keeping) -> Streams:
        from comity.transports._nats_stream import Streams

        streams = Streams(connection, keeping, self._settings.timeout)
        try:
            await streams.start()
        except BaseException:
            await connection.close([])
            raise
        return streams

    async def _read(
        self,
        streams: Streams,
        wanted: Pattern,
        on_delivery: Callable[[Delivery], None],
        group: str | None,
        since: float | None,
    ) -> Reading:
        from comity.transports._nats_group import Member
        from comity.transports._nats_reading import Live

        of_all = streams, wanted, on_delivery, self._settings.inbox, since
        reading = Member(*of_all, group) if group else Live(*of_all)
        await reading.open()
        self._readings.add(reading)
        reading.on_close = self._readings.discard
        return reading

    async def _leave_streams(self) -> None:
        streams, self._streams = self._streams, None
        readings = list(self._readings)
        if streams is None:
            return
        try:
            if streams.connection.connected:
                await streams.flush()
                for reading in readings:
                    if not reading.outlet.paused:
                        await reading.settle()
        except TransportError as error:
            _log.warning("closing without all that was sent or received: %s", error)
        for reading in readings:
            reading.outlet.drain()
        await asyncio.gather(*(reading.close() for reading in readings))
        streams.stop()

    @property
    def _opened(self) -> Connection:
        if self._connection is None:
            raise TransportError(f"{self._shown} is not open: call open() first")
        return self._connection

    def _lacks(self, what: str) -> CapabilityError:
        return CapabilityError(
            f"{self._shown}: core NATS does not offer {what}: set ?stream=SECONDS where the server has JetStream"
        )


class NatsSubscription:
    """A subscription whose buffer is nats-py's own, bounded by `buffer`."""

    native: NativeSubscription

    def __init__(
        self,
        connection: Connection,
        on_delivery: Callable[[Delivery], None],
        on_close: Callable[[NatsSubscription], None],
    ) -> None:
        self.dropped = 0
        self.paused = False
        self._connection = connection
        self._on_delivery = on_delivery
        self._on_close = on_close
        self._shared = False
        self._resumed = asyncio.Event()
        self._reader = Reader()
        self._ending = Ending(self._end)

    async def start(self, subject: str, queue: str) -> None:
        """Return when the subscription is in force at the server."""
        self._shared = bool(queue)
        self.native = await self._connection.subscribe(subject, queue, self._receive, self._count, self._take)

    def pause(self) -> None:
        """See `Subscription.pause`; what does not fit the buffer is dropped and counted."""
        self.paused = True
        self._resumed.clear()

    def resume(self) -> None:
        """Take from the buffer again."""
        self.paused = False
        self._resumed.set()

    async def close(self) -> None:
        """End the subscription; what waits in its buffer is discarded. Idempotent."""
        await self._ending()

    async def _end(self) -> None:
        await self._connection.unsubscribe(self.native, drain=False)
        if self._shared:
            await self._connection.told()  # or its share would still come here
        self._on_close(self)

    def _count(self) -> None:
        self.dropped += 1

    async def _receive(self, message: Msg) -> None:
        while self.paused:
            await self._resumed.wait()
        self._deliver(message.subject, partial(decode, message.headers), message.data)

    def _take(self, subject: bytes, headers: bytes | None, payload: bytes) -> bool:
        if self.paused:
            return False
        self._deliver(subject.decode(), partial(self._reader.read, headers), payload)
        return True

    def _deliver(self, subject: str, read: Callable[[bytes], Frame], payload: bytes) -> None:
        try:
            parse_address(subject)
            delivery = Delivery(subject, read(payload))
        except ComityError as error:
            _log.warning("a message on %r is no event and was ignored: %s", subject, error)
            return
        try:
            self._on_delivery(delivery)
        except Exception:  # noqa: BLE001 - a stranger's callback may raise anything
            _log.exception("the subscriber raised on a message to %s", subject)


_: type[Transport] = NatsTransport
