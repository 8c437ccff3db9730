# pyright: basic
# nats-py is only partly typed.
"""The connection to a NATS server: nats-py, held to the transport port's promises.

Responsible for connecting, reconnecting, bounded buffers, a flush that is a barrier, and errors that name the
server and what to do. Not responsible for frames or addresses: `nats.py` maps them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import nats.errors
from nats.aio.client import Server
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from comity.sdk.errors import PayloadTooLarge, TransportError
from comity.transports._nats_native import TOO_MANY, Direct, Native
from comity.transports._nats_refusals import DENIED, Deaf, Denied, advice, login_advice

if TYPE_CHECKING:
    from comity.transports._nats_credentials import Credentials

__all__ = ["Connection", "Settings"]

_log = logging.getLogger(__name__)
_FIRST_WAIT: Final = 0.05
_LONGEST_WAIT: Final = 2.0
_ANSWERS: Final = "$js.ack."


@dataclass(frozen=True, slots=True)
class Settings:
    """Where and how to connect. `shown` is the URL without secrets; sizes in octets, times in seconds."""

    servers: list[str]
    shown: str
    timeout: float
    keepalive: float
    outbox: int
    inbox: int
    user: str | None = field(repr=False)
    password: str | None = field(repr=False)
    token: str | None = field(repr=False)
    answers: str
    credentials: Credentials | None = field(repr=False)
    tls: ssl.SSLContext | None


class Connection:
    """One connection, opened once and closed once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client = Native(settings.tls is not None)
        self._timeout: Any = settings.timeout  # nats-py says int and takes any number
        self._beat: Any = settings.keepalive / 2
        self._opened = False
        self._unreached = len(settings.servers)
        self._published = 0
        self._confirmed = 0
        self._losses = self._told_losses = 0
        self._denied = Denied()
        self._deaf = Deaf(self._client, settings.shown)
        self._subscribing: list[str] = []
        self._too_many = 0
        self._told: set[str] = set()
        self._dropped: dict[int, Callable[[], None]] = {}
        self.lives = 0
        self.on_back: set[Callable[[], None]] = set()
        self.on_loss: set[Callable[[], None]] = set()
        self._in_line = 0
        self._turn = asyncio.Lock()

    @property
    def native(self) -> Native:
        """nats-py's own client, for what goes beyond publishing and subscribing."""
        return self._client

    @property
    def connected(self) -> bool:
        """Whether there is a connection just now; `lives` counts how often it was made anew, and then `on_back` is
        called, as is `on_loss` before."""
        return self._back.is_set() and self._client.is_connected

    @property
    def closed(self) -> bool:
        """Whether it is closed for good; `check` says why."""
        return self._client.is_closed

    @property
    def has_jetstream(self) -> bool:
        """Whether the server says so of itself; another one of its cluster may have it all the same."""
        return bool(self._client._server_info.get("jetstream"))

    @property
    def max_payload(self) -> int:
        """Octets of headers and data together that the server takes."""
        return self._client.max_payload

    async def open(self) -> None:
        """Connect; one attempt for each server, together bounded by the timeout. Raises `TransportError`."""
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
        if self._denied and (denied := self.denied(subject)):
            raise denied
        block = self.block(headers, payload)
        size = len(block) + len(payload)
        await self.room(size)
        if self._is_full(size) and not self._client.is_connected:
            raise self.error(
                f"not connected, and {self._settings.outbox} octets already wait to be sent: publish again later"
            )
        self._client.push(subject if reply is None else f"{subject} {reply}", payload, block)
        self._published += 1

    def push(self, to: str, payload: bytes, headers: bytes = b"") -> None:
        """See `Native.push`; nothing is sent by a connection that is closed."""
        if not self._client.is_closed:
            self._client.push(to, payload, headers)

    @property
    def idle(self) -> bool:
        """Whether everything was handed to a connection that is there."""
        return self.connected and not self._client.pending_data_size

    def block(self, headers: dict[str, str], payload: bytes) -> bytes:
        """The octets of `headers`, as the binding writes them. Raises `PayloadTooLarge` where both do not fit."""
        lines = "".join([f"{name}: {text}\r\n" for name, text in headers.items()])
        block = f"NATS/1.0\r\n{lines}\r\n".encode("ascii")
        size = len(block) + len(payload)
        if size > self._client.max_payload:
            raise PayloadTooLarge(
                f"{self._settings.shown}: {size} octets of attributes and data are over the server's limit of "
                f"{self._client.max_payload}"
            )
        return block

    async def room(self, size: int) -> None:
        """Return when `size` more octets may wait to be sent, in the order of those who ask, or without a connection.

        Raises `TransportError`.
        """
        self.check()
        if not self._in_line and (not self._is_full(size) or not self._client.is_connected):
            return
        self._in_line += 1
        try:
            async with asyncio.timeout(self._timeout), self._turn:
                self.check()
                if self._is_full(size) and self._client.is_connected:
                    await self._barrier()
        except TimeoutError as error:
            raise self._silent() from error
        finally:
            self._in_line -= 1

    def withdraw(self, inbox: str) -> None:
        """Send nothing of what still waits to be sent and is to be answered at `inbox`."""
        self._client.withdraw(f" {inbox}.".encode())

    def denied(self, subject: str) -> TransportError | None:
        """What the server said against publishing to `subject`, once."""
        return self._refusal(self._denied.of(subject))

    def denied_api(self) -> TransportError | None:
        """What the server said against asking JetStream, once."""
        return self._refusal(self._denied.beginning("$js.api."))

    async def allowed(self, subject: str) -> None:
        """Return when the server has what was pushed to `subject`. Raises `TransportError`, also where that is denied."""
        await self._barrier()
        if denied := self.denied(subject):
            raise denied

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
        self.check()
        self._subscribing.append(subject.lower())
        too_many = self._too_many
        try:
            subscription = await self._client.subscribe(
                subject, queue, cb=receive, pending_msgs_limit=self._settings.inbox
            )
            self._dropped[subscription._id] = on_drop
            if direct is not None:
                self._client.direct[subscription._id] = direct
            try:
                await self._barrier()
                if denied := self._deaf.of(subscription._id):
                    raise self.error(f"{denied}: grant it, or subscribe as somebody who may")
                if self._too_many != too_many:
                    raise self.error(f"{TOO_MANY}: raise the server's max_subscriptions, or end some first")
            except BaseException:
                await self.unsubscribe(subscription, drain=False)
                raise
        finally:
            self._subscribing.remove(subject.lower())
        return subscription

    async def unsubscribe(self, subscription: Subscription, *, drain: bool) -> None:
        """End a subscription, where `drain` after what has already arrived."""
        self._deaf.forget((subscription._id,))
        with contextlib.suppress(nats.errors.Error):  # it ends with its connection just as well
            if drain and self._client.is_connected:
                await subscription.drain()  # type: ignore[no-untyped-call]
            else:
                await subscription.unsubscribe()
        self._dropped.pop(subscription._id, None)
        self._client.direct.pop(subscription._id, None)

    async def told(self) -> None:
        """Return once the server has heard what was said before, where it can be asked."""
        if self._client.is_connected:
            with contextlib.suppress(TimeoutError, nats.errors.Error):
                async with asyncio.timeout(self._timeout):
                    await self._round_trip()

    async def flush(self) -> None:
        """Return when the server has everything published before. Raises `TransportError` where that is unknown."""
        self.check()
        mark, told = self._published, self._told_losses  # each flush that is under way hears of a loss
        if self._losses == told:
            await self._barrier()
        if self._losses > told:
            self._told_losses = self._losses
            raise self.error(
                "the connection broke: what was published since the last flush may not have arrived"
            )
        self._confirmed = max(self._confirmed, mark)
        if denied := self._refusal(self._denied.all()):
            raise denied

    async def close(self, subscriptions: list[tuple[Subscription, bool]]) -> None:
        """Drain and close, within the timeout; each subscription with whether it is to be drained."""
        try:
            async with asyncio.timeout(self._timeout):
                for subscription, drain in subscriptions:
                    await self.unsubscribe(subscription, drain=drain)
                if self._client.is_connected:
                    await self._round_trip()
        except (TimeoutError, nats.errors.Error) as error:
            _log.warning(
                "%s: closed before all was drained: %s", self._settings.shown, str(error) or "timed out"
            )
        finally:
            await self._end()

    async def _make_contact(self) -> None:
        settings = self._settings
        await self._client.connect(
            settings.servers,
            error_cb=self._on_error,
            disconnected_cb=self._on_disconnect,
            reconnected_cb=self._on_reconnect,
            reconnect_to_server_handler=_next_server,
            max_reconnect_attempts=-1,
            connect_timeout=self._timeout / len(settings.servers),
            ping_interval=self._beat,
            max_outstanding_pings=1,
            pending_size=4 * settings.outbox,  # ours is the bound: theirs would swallow a cancellation
            user=settings.user,
            password=settings.password,
            token=settings.token,
            inbox_prefix=settings.answers,
            tls=settings.tls,
            **(settings.credentials.options() if settings.credentials else {}),
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
                    self.check()
                    if await self._unbroken_round_trip():
                        return
        except TimeoutError as error:
            raise self._silent() from error

    async def _unbroken_round_trip(self) -> bool:
        loss = self._loss
        trip = asyncio.get_running_loop().create_task(self._round_trip())
        try:
            await asyncio.wait({trip, loss}, return_when=asyncio.FIRST_COMPLETED)
            return trip.done() and trip.exception() is None and self._client.is_connected
        finally:
            trip.cancel()
            await asyncio.wait({trip})

    def _is_full(self, size: int) -> bool:
        return self._client.pending_data_size + size > self._settings.outbox

    async def _end(self) -> None:
        task = asyncio.current_task()
        before = task.cancelling() if task is not None else 0
        self._deaf.stop()
        try:
            async with asyncio.timeout(self._timeout):
                await self._client.close()
        except (TimeoutError, OSError, nats.errors.Error) as error:
            _log.warning(
                "%s: the connection did not close cleanly: %s",
                self._settings.shown,
                str(error) or "timed out",
            )
        except asyncio.CancelledError:  # also where one who waited for the socket's end before was cancelled
            if task is not None and task.cancelling() > before:
                raise
        finally:
            self._client.abandon()

    async def _on_error(self, error: Exception) -> None:
        if not self._opened:
            self._unreached -= 1
            if self._unreached <= 0 and not self._failed.done():
                self._failed.set_result(error)
        elif isinstance(error, nats.errors.SlowConsumerError):
            self._dropped.get(error.sid, _nothing)()
        elif match := DENIED.search(str(error)):
            self._on_denied(str(error).removeprefix("nats: "), *match.groups())
        elif TOO_MANY in str(error) and self._subscribing:
            self._too_many += 1
        elif self._back.is_set():
            _log.warning("%s: %s", self._settings.shown, str(error) or type(error).__name__)
        elif (text := str(self._explained(error))) not in self._told:  # once for each outage
            self._told.add(text)
            _log.warning("%s; not connected, and tried again and again", text)

    def _on_denied(self, said: str, what: str, subject: str, sid: str | None) -> None:
        if what == "publish":
            self._denied.note(subject, said)
            if subject.startswith(_ANSWERS) and _ANSWERS not in self._told:
                self._told.add(_ANSWERS)
                _log.error(
                    "%s: %s: what groups are given comes again until it is granted",
                    self._settings.shown,
                    said,
                )
        else:
            self._deaf.note(subject, sid, said, quietly=sid is None and subject in self._subscribing)

    async def _on_disconnect(self) -> None:
        self._losses += self._published > self._confirmed
        self._confirmed = self._published
        self._back.clear()
        if not self._loss.done():
            self._loss.set_result(None)
        for call in list(self.on_loss):
            call()
        if self._client.is_closed:
            self._back.set()  # nobody is to wait for what will not come

    async def _on_reconnect(self) -> None:
        self._loss = asyncio.get_running_loop().create_future()
        self._told.clear()
        self._back.set()
        self.lives += 1
        for call in list(self.on_back):
            call()

    def check(self) -> None:
        """Raises `TransportError` where the connection is closed for good."""
        if self._client.is_closed:
            reason = self._client.last_error
            raise self.error(f"the connection is closed{f' ({reason})' if reason else ''}: open another one")

    def error(self, text: str) -> TransportError:
        """An error that names the server."""
        return TransportError(f"{self._settings.shown}: {text}")

    def _refusal(self, said: str | None) -> TransportError | None:
        return self.error(f"{said}: grant it, or publish as somebody who may") if said else None

    def _silent(self) -> TransportError:
        return self.error(f"no answer within {self._timeout:g} s: see whether the server is up")

    def _explained(self, error: Exception) -> TransportError:
        text = str(error).removeprefix("nats: ") or type(error).__name__
        if "authorization" in text.lower() or "authentication" in text.lower():
            return self.error(f"{text}: {login_advice(self._settings.credentials)}")
        return self.error(f"{text}: {advice(error)}")


def _next_server(servers: list[Server], info: dict[str, Any]) -> tuple[Server, float]:
    """The server that failed least, after a wait that doubles with its failures, with jitter."""
    server = min(servers, key=lambda one: one.reconnects)
    longest = min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** min(server.reconnects, 16))
    return server, longest * random.uniform(0.5, 1)


def _nothing() -> None:
    pass
