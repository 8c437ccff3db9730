# pyright: basic
# nats-py is only partly typed.
"""Appending to streams: many messages under way, each with an acknowledgement of its own.

Responsible for matching acknowledgements to messages over one inbox, without a timer or a parser for each, and for
sending again, under the same id, what a connection or a server has lost. Not responsible for asking again after the
time is up: whoever calls knows for how long.
"""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import dataclass
from itertools import count
from typing import Final

import nats.errors
from nats.aio.msg import Msg
from nats.js.errors import APIError

from comity.sdk.errors import TransportError
from comity.transports._nats_client import Connection

__all__ = ["UNDER_WAY", "Appender", "too_old"]

UNDER_WAY: Final = 10158
"""The code by which a server of a cluster, from 2.11 on, answers a repetition of what it is still storing."""
_log = logging.getLogger(__name__)
_OLDEST: Final = (2, 9)
_AGAIN: Final = 1.0  # seconds without an answer after which a message is sent again


def too_old(connection: Connection) -> str | None:
    """What streams need, where the server that is connected now lacks it."""
    version = connection.native.connected_server_version
    try:
        if (version.major, version.minor) >= _OLDEST:
            return None
    except ValueError:  # of another make, with numbers of its own: it says itself what it cannot do
        return None
    return f"nats-server {'.'.join(map(str, _OLDEST))} or later, and this is {version}"


@dataclass(slots=True)
class _Waiting:
    to: str
    subject: str
    headers: bytes
    data: bytes
    answer: asyncio.Future[int]
    sent: float


class Appender:
    """Publishes to the streams that a connection reaches."""

    def __init__(self, connection: Connection, timeout: float) -> None:
        self._connection = connection
        self._timeout = timeout
        self._inbox = connection.native.new_inbox()
        self._numbers = count(1)
        self._waiting: dict[str, _Waiting] = {}
        self._watch: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """Listen for acknowledgements."""
        await self._connection.native.subscribe(f"{self._inbox}.*", cb=self._answered)
        self._connection.on_back.add(self._send_all)
        self._connection.on_loss.add(self._withdraw_all)

    async def append(self, subject: str, headers: dict[str, str], data: bytes, name: str) -> int:
        """The sequence of the message, which the server knows by `name` where it comes again.

        Raises nats-py's errors (`TimeoutError` where no answer came in time, `APIError` where the server refuses), and
        `TransportError` or `PayloadTooLarge`.
        """
        self._connection.check()
        loop, number = asyncio.get_running_loop(), str(next(self._numbers))
        block = self._connection.block({"Nats-Msg-Id": name, **headers}, data)
        waiting = _Waiting(f"{subject} {self._inbox}.{number}", subject, block, data, loop.create_future(), 0)
        try:
            async with asyncio.timeout(self._timeout):
                self._waiting[number] = waiting  # also who waits for room: `_send_all` keeps the order
                if self._connection.connected:
                    await self._connection.room(len(block) + len(data))
                if self._connection.connected and not waiting.sent:
                    self._send(waiting, loop.time())
                if self._watch is None:
                    self._watch = loop.call_later(_AGAIN / 2, self._look)
                return await waiting.answer
        except TimeoutError:
            raise nats.errors.TimeoutError from None
        finally:
            self._waiting.pop(number, None)

    def stop(self, error: TransportError) -> None:
        """Wait for nothing more: what has no answer yet has `error`."""
        self._connection.on_back.discard(self._send_all)
        self._connection.on_loss.discard(self._withdraw_all)
        if self._watch is not None:
            self._watch.cancel()
        for one in self._waiting.values():
            if not one.answer.done():
                one.answer.set_exception(error)

    def _send(self, one: _Waiting, now: float) -> None:
        one.sent = now
        self._connection.push(one.to, one.data, one.headers)

    def _withdraw_all(self) -> None:
        """What was never sent comes after what was lost."""
        self._connection.withdraw(self._inbox)

    def _send_all(self) -> None:
        """A connection that was lost may have taken anything with it; in the order in which it was published."""
        if lack := too_old(self._connection):
            _log.error("%s", self._connection.error(f"connected anew, but streams need {lack}"))
        now = asyncio.get_running_loop().time()
        for one in self._waiting.values():
            self._send(one, now)

    def _look(self) -> None:
        """Send again what a server has lost without losing the connection, and give up what is not permitted."""
        self._watch = None
        if not self._waiting:
            return
        try:
            self._connection.check()
        except TransportError as error:
            self.stop(error)
            return
        loop = asyncio.get_running_loop()
        now, idle = loop.time(), self._connection.idle
        subjects = {one.subject for one in self._waiting.values() if one.sent}
        denied = {subject: str(said) for subject in subjects if (said := self._connection.denied(subject))}
        for one in self._waiting.values():
            if one.sent and not one.answer.done() and one.subject in denied:
                one.answer.set_exception(TransportError(denied[one.subject]))
            elif idle and now - one.sent > _AGAIN:
                self._send(one, now)
        self._watch = loop.call_later(_AGAIN / 2, self._look)

    async def _answered(self, message: Msg) -> None:
        one = self._waiting.get(message.subject.rpartition(".")[2])
        if one is None or one.answer.done():
            return
        if message.headers and message.headers.get("Status") == "503":
            one.answer.set_exception(nats.errors.NoRespondersError())
            return
        answer = json.loads(message.data)
        refusal = answer.get("error")
        if (refusal.get("err_code") == UNDER_WAY) if refusal else (answer.get("seq") == 0):
            return  # an earlier sending is being stored, and is answered here when it is; 2.10 says so by a 0
        try:
            if refusal:
                APIError.from_error(refusal)  # which raises what it makes
            one.answer.set_result(answer["seq"])
        except APIError as error:
            one.answer.set_exception(error)
