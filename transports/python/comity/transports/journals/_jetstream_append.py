# pyright: basic
# nats-py is only partly typed.
"""Appending to a stream: many messages under way, each with an acknowledgement of its own.

Responsible for matching acknowledgements to messages over one inbox, without a timer or a parser for each. Not
responsible for asking again: whoever calls knows for how long.
"""

from __future__ import annotations

import asyncio
import json
from itertools import count

import nats.errors
from nats.aio.msg import Msg
from nats.js.errors import APIError

from comity.transports._nats_client import Connection

__all__ = ["Appender"]


class Appender:
    """Publishes to one subject of a stream."""

    def __init__(self, connection: Connection, subject: str, timeout: float) -> None:
        self._connection = connection
        self._subject = subject
        self._timeout = timeout
        self._inbox = connection.native.new_inbox()
        self._numbers = count(1)
        self._waiting: dict[str, asyncio.Future[int]] = {}

    async def start(self) -> None:
        """Listen for acknowledgements."""
        await self._connection.native.subscribe(f"{self._inbox}.*", cb=self._answered)

    async def append(self, data: bytes, name: str) -> int:
        """The sequence of the message, which the server knows by `name` where it comes again.

        Raises nats-py's errors: `TimeoutError` where no answer came in time, `APIError` where the server refuses.
        """
        number = str(next(self._numbers))
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        headers, reply = {"Nats-Msg-Id": name}, f"{self._inbox}.{number}"
        try:
            async with asyncio.timeout(self._timeout):
                await self._connection.publish(self._subject, headers, data, reply=reply)
                return await future
        except TimeoutError:
            raise nats.errors.TimeoutError from None
        finally:
            del self._waiting[number]

    async def _answered(self, message: Msg) -> None:
        future = self._waiting.get(message.subject.rpartition(".")[2])
        if future is None or future.done():
            return
        if message.headers and message.headers.get("Status") == "503":
            future.set_exception(nats.errors.NoRespondersError())
            return
        answer = json.loads(message.data)
        if "error" in answer:
            future.set_exception(APIError.from_error(answer["error"]))
        else:
            future.set_result(answer["seq"])
