# pyright: basic
# nats-py is only partly typed.
"""nats-py's client with its defects mended, and with a short way in and out for what is published often.

Responsible for what can only be changed inside nats-py. Not responsible for what a connection promises:
`_nats_client.py` is.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from types import FunctionType
from typing import Any, Final, TypeAlias

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.protocol import parser
from nats.protocol.command import sub_cmd

from comity.transports.nats_binding import read_block

__all__ = ["TOO_MANY", "Direct", "Native"]

Direct: TypeAlias = Callable[[bytes, bytes | None, bytes], bool]
TOO_MANY: Final = "maximum subscriptions exceeded"
"""What a server says to a subscription over its limit, without saying to which."""


class _Parser(parser.Parser):
    """nats-py's parser, for which words end at blanks only, as for the server, and not at other white space."""

    parse = FunctionType(
        parser.Parser.parse.__code__,
        vars(parser)
        | {
            "MSG_RE": re.compile(rb"\AMSG +([^ \r\n]+) +(\d+) +(([^ \r\n]+) +)?(\d+)\r\n"),
            "HMSG_RE": re.compile(rb"\AHMSG +([^ \r\n]+) +(\d+) +(([^ \r\n]+) +)?(\d+) +(\d+)\r\n"),
        },
        argdefs=parser.Parser.parse.__defaults__,
    )


class Native(Client):
    """nats-py with eleven defects mended and its slowest steps replaced.

    It upgrades to TLS only if the server asks; where we ask, nothing is said before TLS. A PONG for a flush that
    was cancelled or timed out stops its reading for good. A repeated header silently replaces the first.
    A connection that breaks while the server greets stays open behind the next, and one that breaks right after leaves
    its tasks behind. Closing waits for ever for a server that does not read, and lets requests wait for their time. A
    subject that is not UTF-8 stops its reading for good, and one with a vertical tab or a form feed, which the server
    lets pass, breaks the connection.
    What a server says before it hangs up, such as that credentials expired, ends the client for good.
    Python 3.11's `wait_for` swallows the cancellation of a request that meets its answer.
    """

    def __init__(self, tls_only: bool) -> None:
        super().__init__()
        self._tls_only = tls_only
        self.direct: dict[int, Direct] = {}
        self._ps = _Parser(self)

    def _connect_command(self) -> bytes:
        if self._tls_only and not self._server_info.get("tls_required"):
            raise nats.errors.Error("the server offers no TLS, so nothing was sent to it")
        return super()._connect_command()

    async def _connect_to_server(self, s: Any) -> None:
        for task in (self._reading_task, self._ping_interval_task, self._flusher_task):
            if task is not None:
                task.cancel()
        if self._transport is not None:
            self._transport.close()  # type: ignore[no-untyped-call]
        await super()._connect_to_server(s)

    def abandon(self) -> None:
        """End what `close` leaves: requests; and where it was given up, the tasks of subscriptions, and the socket."""
        for answer in list(self._resp_map.values()):
            if not answer.done():
                answer.set_exception(nats.errors.ConnectionClosedError())
                answer.exception()  # of whoever gave up before, nobody is to be told
        for subscription in list(self._subs.values()):
            self.forget(subscription)
        if writer := getattr(self._transport, "_io_writer", None):
            writer.transport.abort()

    def forget(self, subscription: Subscription) -> None:
        """End it here, as a `drain` that was given up does not."""
        subscription._stop_processing()
        self._remove_sub(subscription._id)

    async def _process_err(self, err_msg: str) -> None:
        error = nats.errors.Error(f"nats: {err_msg.strip(chr(39))}")
        if not self.is_connected or parser.PERMISSIONS_ERR in str(error):
            await super()._process_err(err_msg)
            return
        await self._error_cb(error)
        if TOO_MANY not in str(error):  # after which the server does not hang up
            await self._process_op_err(error)

    async def request(self, *args: Any, **more: Any) -> Msg:
        task = asyncio.current_task()
        before = task.cancelling() if task is not None else 0
        found = await super().request(*args, **more)
        if task is not None and task.cancelling() > before:
            raise asyncio.CancelledError
        return found

    async def _process_pong(self) -> None:
        if self._pongs and self._pongs[0].done():
            self._pongs[0] = asyncio.get_running_loop().create_future()
        await super()._process_pong()

    async def _process_headers(self, headers: bytes) -> dict[str, str] | None:
        return read_block(headers) if headers else None

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes) -> None:
        subject, reply = _text(subject), _text(reply)
        take, subscription = self.direct.get(sid), self._subs.get(sid)
        waiting = subscription._pending_queue._unfinished_tasks if subscription else 1  # type: ignore[attr-defined]
        if (
            take is not None and not waiting and take(subject, headers, data)
        ):  # so that none overtakes another
            return
        await super()._process_msg(sid, subject, reply, data, headers)

    def push(self, to: str, payload: bytes, headers: bytes = b"") -> None:
        """Publish with headers that are already octets; the caller has checked sizes, state, and what may wait.

        `to` is the subject, which a space and the subject for replies may follow.
        """
        if headers:
            sizes = len(headers), len(headers) + len(payload)
            block = b"HPUB %b %d %d\r\n%b%b\r\n" % (to.encode(), *sizes, headers, payload)
        else:
            block = b"PUB %b %d\r\n%b\r\n" % (to.encode(), len(payload), payload)
        self._hand_over(block)

    def renew(self, subscription: Subscription) -> None:
        """Ask for a subscription again, which changes nothing where it is in force."""
        self._hand_over(sub_cmd(subscription._subject, subscription._queue, subscription._id))

    def _hand_over(self, block: bytes) -> None:
        self._pending.append(block)
        self._pending_data_size += len(block)
        if self.is_connected and self._flush_queue is not None and self._flush_queue.empty():
            self._flush_queue.put_nowait(asyncio.get_running_loop().create_future())

    def withdraw(self, mark: bytes) -> None:
        """Send nothing of what still waits to be sent and has `mark` in its first line."""
        self._pending = [one for one in self._pending if one.find(mark, 0, one.find(b"\r\n")) < 0]
        self._pending_data_size = sum(map(len, self._pending))


def _text(octets: bytes) -> bytes:
    """UTF-8, whatever a stranger published to."""
    return octets if octets.isascii() else octets.decode("utf-8", "replace").encode()
