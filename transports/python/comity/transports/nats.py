"""`nats://` and `tls://` — core NATS through nats-py.

Responsible for the transport port over one NATS connection: URL, frames by the CloudEvents binding (binary
mode out, both modes in), subscriptions with bounded buffers. Not responsible for JetStream: this adapter is
at-most-once, keeps nothing, and says so in its capabilities.

`nats://[user:password@|token@]host[:port][?options]`; `tls://` insists on TLS. Options: `timeout`, seconds that
any wait may take (5); `buffer`, messages that wait for one subscriber (65536, and never
over 128 MiB); `outbox`, octets that wait for
the connection (2 MiB); `ca`, file of trusted authorities; `cert` and `key`, files of the client's certificate.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from comity.sdk.address import parse_address, parse_pattern, to_nats
from comity.sdk.errors import CapabilityError, ComityError, PayloadTooLarge, TransportError
from comity.sdk.ports import Capabilities, Delivery, Frame, Guarantee, Ordering, Subscription, Transport
from comity.transports._nats_url import NUMBERS, settings
from comity.transports._tls import FILES
from comity.transports._urls import masked, options
from comity.transports.nats_binding import Reader, decode, encode

if TYPE_CHECKING:
    from nats.aio.msg import Msg
    from nats.aio.subscription import Subscription as NativeSubscription

    from comity.transports._nats_client import Connection

__all__ = ["NatsTransport"]

_log = logging.getLogger(__name__)
_FOR_ATTRIBUTES: Final = 8192  # of the server's limit, which counts headers and data together
_CAPABILITIES: Final = Capabilities(
    ordering=Ordering.PUBLISHER, guarantees=frozenset({Guarantee.AT_MOST_ONCE}), groups=True
)


class NatsTransport:
    """See the module for the URL. Raises `ConfigError` for a wrong URL or option, or where nats-py is missing."""

    def __init__(self, url: str, **overrides: str | float) -> None:
        self._shown = masked(url)
        self._settings = settings(url, {**NUMBERS, **options(url, (*NUMBERS, *FILES), overrides)})
        self._connection: Connection | None = None
        self._subscriptions: set[NatsSubscription] = set()
        self._capabilities = _CAPABILITIES

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    async def open(self) -> None:
        """Connect; fails at once where nobody listens, and in any case within the timeout."""
        from comity.transports._nats_client import Connection

        if self._connection is not None:
            raise TransportError(f"{self._shown} is already open")
        connection = Connection(self._settings)
        await connection.open()
        self._connection = connection
        self._capabilities = replace(_CAPABILITIES, max_payload=connection.max_payload - _FOR_ATTRIBUTES)

    async def publish(
        self, address: str, frame: Frame, *, guarantee: Guarantee = Guarantee.AT_MOST_ONCE
    ) -> None:
        """See `Transport.publish`. Without a connection it is kept, up to `outbox`, until there is one again.

        The server tells later that publishing there is not permitted: the next `publish` to that address, or
        the next `flush`, raises it.
        """
        if guarantee is not Guarantee.AT_MOST_ONCE:
            raise self._lacks(f"{guarantee} delivery")
        parse_address(address)
        headers, payload = encode(frame)
        if len(payload) > self._capabilities.max_payload:
            raise PayloadTooLarge(
                f"{self._shown}: {len(payload)} octets of data are over the limit of "
                f"{self._capabilities.max_payload}"
            )
        await self._opened.publish(address, headers, payload)

    async def subscribe(
        self, pattern: str, on_delivery: Callable[[Delivery], None], *, group: str | None = None
    ) -> Subscription:
        """See `Transport.subscribe`. Raises `TransportError` where it is not permitted."""
        subscription = NatsSubscription(self._opened, on_delivery, self._subscriptions.discard)
        await subscription.start(to_nats(parse_pattern(pattern)), quote(group, safe="") if group else "")
        self._subscriptions.add(subscription)
        return subscription

    async def last_value(self, address: str) -> Frame | None:
        """Core NATS keeps nothing. Raises `CapabilityError`."""
        raise self._lacks("the last value of an address")

    async def flush(self) -> None:
        """A real barrier. Raises `TransportError` where the connection broke and something may be lost."""
        await self._opened.flush()

    async def close(self) -> None:
        """Deliver what has arrived (not to those that are paused), send what waits, disconnect. Idempotent."""
        if self._connection is None:
            return
        connection, self._connection = self._connection, None
        subscriptions, self._subscriptions = self._subscriptions, set()
        await connection.close([(one.native, not one.paused) for one in subscriptions])

    @property
    def _opened(self) -> Connection:
        if self._connection is None:
            raise TransportError(f"{self._shown} is not open: call open() first")
        return self._connection

    def _lacks(self, what: str) -> CapabilityError:
        return CapabilityError(f"{self._shown}: core NATS does not offer {what}")


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
        self._resumed = asyncio.Event()
        self._reader = Reader()

    async def start(self, subject: str, queue: str) -> None:
        """Return when the subscription is in force at the server."""
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
        await self._connection.unsubscribe(self.native, drain=False)
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
