# pyright: basic
# nats-py is only partly typed; this module is the one place that touches it.
"""The connection to a NATS server: nats-py, held to the transport port's promises.

Responsible for connecting, reconnecting, bounded buffers, a flush that is a barrier, and errors that name the
server and what to do. Not responsible for frames or addresses: `nats.py` maps them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import re
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import nats.errors
from nats.aio.client import Client, Server
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from comity.sdk.errors import PayloadTooLarge, TransportError
from comity.transports.nats_binding import read_block

__all__ = ["Connection", "Settings"]

Direct: TypeAlias = Callable[[bytes, bytes | None, bytes], bool]
_log = logging.getLogger(__name__)
_FIRST_WAIT: Final = 0.05
_LONGEST_WAIT: Final = 2.0
_PING_SECONDS: Final = 10
_DENIED = re.compile(r'permissions violation for (publish|subscription) to "([^"]*)"')


@dataclass(frozen=True, slots=True)
class Settings:
    """Where and how to connect. `shown` is the URL without secrets; sizes in octets, times in seconds."""

    server: str
    shown: str
    timeout: float
    outbox: int
    inbox: int
    user: str | None = field(repr=False)
    password: str | None = field(repr=False)
    token: str | None = field(repr=False)
    tls: ssl.SSLContext | None


class _Client(Client):
    """nats-py with three defects mended and its slowest steps replaced.

    It upgrades to TLS only if the server asks; where we ask, nothing is said before TLS. A PONG for a flush that
    was cancelled or timed out stops its reading for good. A repeated header silently replaces the first.
    """

    def __init__(self, tls_only: bool) -> None:
        super().__init__()
        self._tls_only = tls_only
        self.direct: dict[int, Direct] = {}

    def _connect_command(self) -> bytes:
        if self._tls_only and not self._server_info.get("tls_required"):
            raise nats.errors.Error("the server offers no TLS, so nothing was sent to it")
        return super()._connect_command()

    async def _process_pong(self) -> None:
        if self._pongs and self._pongs[0].done():
            self._pongs[0] = asyncio.get_running_loop().create_future()
        await super()._process_pong()

    async def _process_headers(self, headers: bytes) -> dict[str, str] | None:
        return read_block(headers) if headers else None

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes) -> None:
        take, subscription = self.direct.get(sid), self._subs.get(sid)
        waiting = subscription._pending_queue._unfinished_tasks if subscription else 1  # type: ignore[attr-defined]
        if (
            take is not None and not waiting and take(subject, headers, data)
        ):  # so that none overtakes another
            return
        await super()._process_msg(sid, subject, reply, data, headers)

    async def publish_block(self, subject: str, headers: bytes, payload: bytes) -> None:
        """Publish with headers that are already octets; the caller has checked sizes and state.

        `subject` may be followed by a space and the subject for replies.
        """
        sizes = len(headers), len(headers) + len(payload)
        await self._send_command(b"HPUB %b %d %d\r\n%b%b\r\n" % (subject.encode(), *sizes, headers, payload))
        if self._flush_queue is not None and self._flush_queue.empty():
            await self._flush_pending()


class Connection:
    """One connection, opened once and closed once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client = _Client(settings.tls is not None)
        self._timeout: Any = settings.timeout  # nats-py says int and takes any number
        self._opened = False
        self._published = 0
        self._confirmed = 0
        self._lost = False
        self._denied: dict[str, str] = {}
        self._dropped: dict[int, Callable[[], None]] = {}

    @property
    def native(self) -> Client:
        """nats-py's own client, for what goes beyond publishing and subscribing."""
        return self._client

    @property
    def max_payload(self) -> int:
        """Octets of headers and data together that the server takes."""
        return self._client.max_payload

    async def open(self) -> None:
        """Connect; one attempt, bounded by the timeout. Raises `TransportError`."""
        loop = asyncio.get_running_loop()
        self._failed: asyncio.Future[Exception] = loop.create_future()
        self._loss: asyncio.Future[None] = loop.create_future()
        self._back = asyncio.Event()
        self._back.set()
        connecting = loop.create_task(self._make_contact())
        try:
            async with asyncio.timeout(self._timeout):
                either: set[asyncio.Future[Any]] = {connecting, self._failed}
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
                if self._failed.done():
                    raise self._failed.result()
                connecting.result()
                self._opened = True
        except BaseException as error:
            connecting.cancel()
            await asyncio.wait({connecting})
            await self._end()
            if isinstance(error, OSError | nats.errors.Error | ValueError):
                raise self._explained(error) from error
            raise

    async def publish(
        self, subject: str, headers: dict[str, str], payload: bytes, *, reply: str | None = None
    ) -> None:
        """Hand a message over, its headers as the binding writes them. Raises `PayloadTooLarge` or `TransportError`."""
        self._check()
        if self._denied and (denied := self._denied.pop(f"publish {subject.lower()}", None)):
            raise self._error(f"{denied}: grant it, or publish as somebody who may")
        lines = "".join([f"{name}: {text}\r\n" for name, text in headers.items()])
        block = f"NATS/1.0\r\n{lines}\r\n".encode("ascii")
        size = len(block) + len(payload)
        if size > self._client.max_payload:
            raise PayloadTooLarge(
                f"{self._settings.shown}: {size} octets of attributes and data are over the server's limit of "
                f"{self._client.max_payload}"
            )
        if self._client.pending_data_size + size > self._settings.outbox:
            await self._make_room()
        try:
            to = subject if reply is None else f"{subject} {reply}"
            await self._client.publish_block(to, block, payload)
        except nats.errors.Error as error:
            raise self._explained(error) from error
        self._published += 1

    async def subscribe(
        self,
        subject: str,
        queue: str,
        receive: Callable[[Msg], Awaitable[None]],
        on_drop: Callable[[], None],
        direct: Direct | None = None,
    ) -> Subscription:
        """Subscribe and wait until the server has it. Raises `TransportError`, also where it is not permitted.

        `direct` is offered a message that no other waits before, as subject, headers and payload; what it does not take
        waits for `receive`.
        """
        self._check()
        subscription = await self._client.subscribe(
            subject, queue, cb=receive, pending_msgs_limit=self._settings.inbox
        )
        self._dropped[subscription._id] = on_drop
        if direct is not None:
            self._client.direct[subscription._id] = direct
        try:
            await self._barrier()
            denied = self._denied.pop(f"subscription {subject.lower()}", None)
            if denied:
                raise self._error(f"{denied}: grant it, or subscribe as somebody who may")
        except BaseException:
            await self.unsubscribe(subscription, drain=False)
            raise
        return subscription

    async def unsubscribe(self, subscription: Subscription, *, drain: bool) -> None:
        """End a subscription, where `drain` after what has already arrived."""
        with contextlib.suppress(nats.errors.Error):  # it ends with its connection just as well
            if drain and self._client.is_connected:
                await subscription.drain()  # type: ignore[no-untyped-call]
            else:
                await subscription.unsubscribe()
        self._dropped.pop(subscription._id, None)
        self._client.direct.pop(subscription._id, None)

    async def flush(self) -> None:
        """Return when the server has everything published before. Raises `TransportError` where that is unknown."""
        self._check()
        mark = self._published
        if not self._lost:
            await self._barrier()
        if self._lost:
            self._lost = False
            raise self._error(
                "the connection broke: what was published since the last flush may not have arrived"
            )
        self._confirmed = max(self._confirmed, mark)
        denied = [key for key in self._denied if key.startswith("publish")]
        if denied:
            raise self._error(f"{self._denied.pop(denied[0])}: grant it, or publish as somebody who may")

    async def close(self, subscriptions: list[tuple[Subscription, bool]]) -> None:
        """Drain and close, within the timeout; each subscription with whether it is to be drained."""
        try:
            async with asyncio.timeout(self._timeout):
                for subscription, drain in subscriptions:
                    await self.unsubscribe(subscription, drain=drain)
                if self._client.is_connected:
                    await self._round_trip()
        except (TimeoutError, nats.errors.Error) as error:
            _log.warning("%s: closed before all was drained: %s", self._settings.shown, error or "timed out")
        finally:
            await self._end()

    async def _make_contact(self) -> None:
        settings = self._settings
        await self._client.connect(
            settings.server,
            error_cb=self._on_error,
            disconnected_cb=self._on_disconnect,
            reconnected_cb=self._on_reconnect,
            reconnect_to_server_handler=_next_server,
            max_reconnect_attempts=-1,
            connect_timeout=self._timeout,
            ping_interval=_PING_SECONDS,
            pending_size=4 * settings.outbox,  # ours is the bound: theirs would swallow a cancellation
            user=settings.user,
            password=settings.password,
            token=settings.token,
            tls=settings.tls,
        )
        await self._round_trip()

    async def _round_trip(self) -> None:
        """PING and PONG behind everything that was written before.

        `Client.flush` writes its PING past what waits in its own buffer; a second one cannot overtake.
        """
        settled = self._client.pending_data_size == 0
        await self._client.flush(self._timeout)
        if not settled:
            await self._client.flush(self._timeout)

    async def _barrier(self) -> None:
        """A round trip on one unbroken connection, waiting for reconnection where it must."""
        try:
            async with asyncio.timeout(self._timeout):
                while True:
                    await self._back.wait()
                    self._check()
                    if await self._unbroken_round_trip():
                        return
        except TimeoutError as error:
            raise self._error(
                f"no answer within {self._timeout:g} s: see whether the server is up"
            ) from error

    async def _unbroken_round_trip(self) -> bool:
        loss = self._loss
        trip = asyncio.get_running_loop().create_task(self._round_trip())
        try:
            await asyncio.wait({trip, loss}, return_when=asyncio.FIRST_COMPLETED)
            return trip.done() and trip.exception() is None and self._client.is_connected
        finally:
            trip.cancel()
            await asyncio.wait({trip})

    async def _make_room(self) -> None:
        if not self._client.is_connected:
            raise self._error(
                f"not connected, and {self._settings.outbox} octets already wait to be sent: publish again later"
            )
        await self._barrier()

    async def _end(self) -> None:
        try:
            async with asyncio.timeout(self._timeout):
                await self._client.close()
        except (TimeoutError, OSError, nats.errors.Error) as error:
            _log.warning(
                "%s: the connection did not close cleanly: %s", self._settings.shown, error or "timed out"
            )

    async def _on_error(self, error: Exception) -> None:
        if not self._opened:
            if not self._failed.done():
                self._failed.set_result(error)
        elif isinstance(error, nats.errors.SlowConsumerError):
            self._dropped.get(error.sid, _nothing)()
        elif match := _DENIED.search(str(error)):
            self._denied[f"{match[1]} {match[2]}"] = str(error).removeprefix("nats: ")
        else:
            _log.warning("%s: %s", self._settings.shown, error or type(error).__name__)

    async def _on_disconnect(self) -> None:
        self._lost = self._lost or self._published > self._confirmed
        self._confirmed = self._published
        self._back.clear()
        if not self._loss.done():
            self._loss.set_result(None)
        if self._client.is_closed:
            self._back.set()  # nobody is to wait for what will not come

    async def _on_reconnect(self) -> None:
        self._loss = asyncio.get_running_loop().create_future()
        self._back.set()

    def _check(self) -> None:
        if self._client.is_closed:
            reason = self._client.last_error
            raise self._error(f"the connection is closed{f' ({reason})' if reason else ''}: open another one")

    def _error(self, text: str) -> TransportError:
        return TransportError(f"{self._settings.shown}: {text}")

    def _explained(self, error: Exception) -> TransportError:
        text = str(error).removeprefix("nats: ") or type(error).__name__
        return self._error(f"{text}: {_advice(error, text.lower())}")


def _advice(error: Exception, text: str) -> str:
    if "authorization" in text or "authentication" in text:
        return "the server refuses these credentials: correct user and password, or the token, in the URL"
    if isinstance(error, ssl.SSLCertVerificationError):
        return "the server's certificate is not trusted: name its authority with ?ca=FILE"
    if isinstance(error, ssl.SSLError):
        return "TLS failed: check ?ca=, ?cert= and ?key= against what the server asks for"
    if isinstance(error, TimeoutError):
        return "no answer in time: check that a NATS server listens there"
    if isinstance(error, ConnectionRefusedError):
        return "nobody listens there: start a server (comity brokers up nats) or correct the URL"
    if isinstance(error, ConnectionError | nats.errors.UnexpectedEOF):
        return "the server hung up: if it asks for a client certificate, name it with ?cert=FILE&key=FILE"
    if isinstance(error, OSError):
        return "it cannot be reached: correct the URL or the network"
    return "see the server's log"


def _next_server(servers: list[Server], info: dict[str, Any]) -> tuple[Server, float]:
    """The server that failed least, after a wait that doubles with its failures, with jitter."""
    server = min(servers, key=lambda one: one.reconnects)
    longest = min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** min(server.reconnects, 16))
    return server, longest * random.uniform(0.5, 1)


def _nothing() -> None:
    pass
