# pyright: basic
# nats-py is only partly typed.
"""The JetStream streams of channels: one each, made when a channel is first used.

Responsible for their settings, for publishing that is certain, for the last value of an address, and for errors that
say what to do. Not responsible for reading: `_nats_reading.py` is.

A stream captures what anybody publishes to its channel, so whoever reads it has everything once. Beside the channel's
addresses it has a subject of its own, on which a message that it must refuse asks whether it has taken what came
before: what JetStream is sent without a reply it may drop when too much waits there.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeVar
from uuid import uuid4

import nats.errors
from nats.js import JetStreamContext
from nats.js.api import RetentionPolicy, StorageType, StreamConfig, StreamInfo
from nats.js.errors import APIError, NoStreamResponseError, NotFoundError, ServiceUnavailableError

from comity.sdk.errors import CapabilityError, PayloadTooLarge, TransportError
from comity.transports._nats_append import Appender, too_old
from comity.transports._nats_client import Connection
from comity.transports._nats_url import LONGEST_MEMORY, Keeping

__all__ = ["Stream", "Streams"]

T = TypeVar("T")

_NAME_IN_USE: Final = 10058
_NOT_THIS_STREAM: Final = 10060
_OVERLAPS: Final = 10065
_TOO_LARGE: Final = 10054
_UNMARKED: Final = 512  # messages that are on their way to a stream without an answer to come
_MOST_DOUBTFUL: Final = 1024
_PAUSE: Final = 0.1
_ATTEMPT: Final = 2.0  # seconds after which a request is taken for lost, with its connection or with a leader
_ROUNDING: Final = 0.001
_DISABLED: Final = (10039, 10076)  # for the account, and at all
_AWAY = (nats.errors.NoRespondersError, NoStreamResponseError, ServiceUnavailableError)


@dataclass(slots=True)
class Stream:
    """The stream of the channel `stem`; `created` tells it from one of the same name before it, `last` was its end then.

    Of what was `sent` to it without asking for an answer, so many messages are `taken` for certain.
    """

    name: str
    stem: str
    created: str
    last: int
    sent: int = 0
    taken: int = 0


class Streams:
    """The streams that one connection uses."""

    def __init__(self, connection: Connection, keeping: Keeping, timeout: float) -> None:
        self.connection = connection
        self.js: JetStreamContext = connection.native.jetstream(timeout=min(timeout, _ATTEMPT))
        self.timeout = timeout
        self.seconds, self._replicas = keeping
        self._appender = Appender(connection, timeout)
        self._known: dict[str, Stream] = {}
        self._doubtful: OrderedDict[bytes, str] = OrderedDict()

    async def start(self) -> None:
        """Raises `CapabilityError` where the server has no JetStream, or one that is too old."""
        if lack := too_old(self.connection):
            raise self._incapable(lack)
        try:
            await self.ask(self.js.account_info, but=self._is_disabled)
        except nats.errors.Error as error:
            if self._is_disabled(error):
                raise self._incapable(
                    "JetStream, which is disabled there: start the server with -js"
                ) from error
            raise self.explained(error, "asking for JetStream") from error
        await self._appender.start()

    def stop(self) -> None:
        """What is being published has an error instead of an answer."""
        self._appender.stop(self.connection.error("closed while publishing: it may or may not have arrived"))

    async def ask(
        self, call: Callable[[], Awaitable[T]], *, but: Callable[[Exception], bool] = lambda _: False
    ) -> T:
        """What JetStream answers; it is asked again, for as long as the timeout, where nobody answers.

        Raises nats-py's errors, those `but` at once, and `TransportError` where asking is not permitted.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.timeout
        while True:
            try:
                return await call()
            except (nats.errors.TimeoutError, *_AWAY) as error:
                if denied := self.connection.denied_api():
                    raise denied from error
                if but(error) or self.connection.closed or loop.time() + _PAUSE >= deadline:
                    raise
            await asyncio.sleep(_PAUSE)

    def _is_disabled(self, error: Exception) -> bool:
        if isinstance(error, APIError) and error.err_code is not None:
            return error.err_code in _DISABLED
        return isinstance(error, _AWAY) and not self.connection.has_jetstream

    # ------------------------------------------------------------------ streams

    async def of(self, stem: str, *, fresh: bool = False) -> Stream:
        """The stream of a channel, made where it is missing; `fresh` looks again. Raises `TransportError`."""
        known = self._known.get(stem)
        if known is None or fresh:
            found = await self._ensure(stem)
            known = self._known.setdefault(stem, found)
            known.created, known.last = found.created, found.last
        return known

    async def prepare(self, stem: str) -> bool:
        """Make the stream of a channel, or check the one that is there; whether it was made. Raises `TransportError`."""
        name = _name(stem)
        try:
            await self.ask(lambda: self.js.stream_info(name))
        except NotFoundError:
            made = True
        except nats.errors.Error as error:
            raise self.explained(error, f"the stream {name}") from error
        else:
            made = False
        await self.of(stem, fresh=True)
        return made

    async def _ensure(self, stem: str) -> Stream:
        name = _name(stem)
        try:
            info = await self._found_or_made(name, stem)
        except nats.errors.Error as error:
            raise self.explained(error, f"the stream {name}") from error
        self._check(info.config, name, stem)
        return Stream(name, stem, str(info.created), info.state.last_seq)

    async def _found_or_made(self, name: str, stem: str) -> StreamInfo:
        try:
            return await self.ask(lambda: self.js.stream_info(name))
        except NotFoundError:
            pass
        config = StreamConfig(
            name=name,
            subjects=_subjects(stem),
            max_age=self.seconds,
            duplicate_window=min(self.seconds, LONGEST_MEMORY),
            storage=StorageType.FILE,
            num_replicas=self._replicas,
        )
        try:
            return await self.ask(lambda: self.js.add_stream(config))
        except APIError as error:
            if error.err_code != _NAME_IN_USE:
                raise
            return await self.ask(lambda: self.js.stream_info(name))  # somebody was faster

    def _check(self, config: StreamConfig, name: str, stem: str) -> None:
        """A stream that exists is taken if it keeps what is asked for."""
        wrong: list[str] = []
        if missing := set(_subjects(stem)) - set(config.subjects or []):
            wrong.append(f"captures no {' and no '.join(sorted(missing))}")
        if config.retention != RetentionPolicy.LIMITS or (config.max_msgs_per_subject or -1) > 0:
            wrong.append(
                "forgets what some have not read: it needs retention by limits, and none per subject"
            )
        if config.storage != StorageType.FILE:
            wrong.append("is in memory, and file storage is needed")
        if 0 < (config.max_age or 0) < self.seconds - _ROUNDING:
            wrong.append(f"keeps messages for {config.max_age:g} s, and stream={self.seconds:g} is asked for")
        if (config.duplicate_window or 0) < 2 * self.timeout - _ROUNDING:
            wrong.append(
                f"knows repetitions for {config.duplicate_window or 0:g} s, less than twice the timeout"
            )
        if (config.num_replicas or 1) < self._replicas:
            wrong.append(f"has {config.num_replicas} replicas, and {self._replicas} are asked for")
        if wrong:
            raise self.connection.error(
                f"the stream {name} {'; '.join(wrong)}: edit it (nats stream edit), or ask for less"
            )

    # --------------------------------------------------------------- publishing

    async def publish(self, stem: str, subject: str, headers: dict[str, str], data: bytes) -> None:
        """Return when the stream has it. Raises `TransportError`; the same message published again is then stored once."""
        known = self._doubtful.pop(_digest(subject, headers, data), None) if self._doubtful else None
        name = known or uuid4().hex
        try:
            await self._patiently(stem, subject, headers, data, name)
        except BaseException:
            self._doubtful[_digest(subject, headers, data)] = name
            if len(self._doubtful) > _MOST_DOUBTFUL:
                self._doubtful.popitem(last=False)
            raise

    async def note(self, stream: Stream) -> None:
        """A message was published without asking for an answer: from time to time the stream has to catch up."""
        stream.sent += 1
        if stream.sent - stream.taken >= _UNMARKED and self.connection.connected:
            await self.mark(stream)

    async def mark(self, stream: Stream) -> None:
        """Return when the stream has taken everything that this connection sent it before."""
        sent = stream.sent
        try:
            await self._patiently(
                stream.stem, _mark(stream.stem), {"Nats-Expected-Stream": "-"}, b"", uuid4().hex
            )
        except TransportError as error:
            if not (isinstance(error.__cause__, APIError) and error.__cause__.err_code == _NOT_THIS_STREAM):
                raise
        stream.taken = max(stream.taken, sent)

    async def flush(self) -> None:
        """Return when the streams have everything that was published before."""
        for stream in list(self._known.values()):
            if stream.sent > stream.taken:
                await self.mark(stream)

    async def last(self, stem: str, subject: str) -> tuple[dict[str, str] | None, bytes] | None:
        """Headers and data of the last message on `subject`, ours included; None where none is kept."""
        stream = await self.of(stem)
        if stream.sent > stream.taken:
            await self.mark(stream)
        try:
            found = await self.ask(lambda: self.js.get_last_msg(stream.name, subject))
        except NotFoundError:
            return None
        except nats.errors.Error as error:
            raise self.explained(error, f"asking for the last message on {subject}") from error
        return found.headers, found.data or b""

    async def _patiently(
        self, stem: str, subject: str, headers: dict[str, str], data: bytes, name: str
    ) -> None:
        """Append, for as long as the timeout also where the stream is away, and where it is gone to a new one."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.timeout
        await self.of(stem)
        while True:
            try:
                await self._appender.append(subject, headers, data, name)
                return
            except _AWAY as error:
                if loop.time() + _PAUSE >= deadline:
                    raise self.explained(error, f"publishing to {subject}") from error
            except nats.errors.Error as error:
                raise self.explained(error, f"publishing to {subject}") from error
            await asyncio.sleep(_PAUSE)
            await self.of(stem, fresh=True)

    # ------------------------------------------------------------------- errors

    def explained(self, error: Exception, doing: str) -> TransportError:
        """What went wrong while `doing`, where, and what to do."""
        if isinstance(error, nats.errors.TimeoutError):
            return self.connection.error(
                f"{doing}: no answer within {self.timeout:g} s, so that it may have happened: see whether the server "
                "is up, and a majority of those that have the stream"
            )
        if isinstance(error, _AWAY):
            return self.connection.error(f"{doing}: nobody answers: see whether JetStream is up")
        if not isinstance(error, APIError):
            return self.connection.error(f"{doing}: {str(error) or type(error).__name__}")
        if error.err_code == _TOO_LARGE:
            return PayloadTooLarge(str(self.connection.error(f"{doing}: over the stream's max_msg_size")))
        advice = (
            "remove or narrow the other stream" if error.err_code == _OVERLAPS else "see the server's limits"
        )
        return self.connection.error(f"{doing}: the server refuses: {error.description}: {advice}")

    def _incapable(self, why: str) -> CapabilityError:
        error = self.connection.error(
            f"at-least-once delivery, durability and last values (?stream=) need {why}; or leave out stream"
        )
        return CapabilityError(str(error))


def _name(stem: str) -> str:
    return f"comity_{stem.replace('.', '_')}"


def _subjects(stem: str) -> list[str]:
    return [stem, f"{stem}.>", _mark(stem)]


def _digest(subject: str, headers: dict[str, str], data: bytes) -> bytes:
    return hashlib.blake2b(repr((subject, headers)).encode() + data, digest_size=16).digest()


def _mark(stem: str) -> str:
    return f"_comity.mark.{stem}"  # no namespace begins with an underscore, so nobody subscribes to it
