"""The SDK as a user of Comity calls it: typed message, envelope, codec, transport; and back to a validated message.

`Outbox` makes the event of a message and `Inbox` applies every check of a receiver (attributes, address, version, clock,
duplicate names, number spelling, sizes, schema), between them the transport of the URL, whichever broker that is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from comity.sdk.clock import SystemClock
from comity.sdk.inbox import Accepted, Inbox
from comity.sdk.outbox import Outbox
from comity.sdk.ports import Delivery, Guarantee
from comity.transports import connect
from tests.benchmarks.peers._job import FAMILY, IDENTITY, Conversing, found, register

__all__ = ["Ours"]

_REGISTER = FAMILY.messages["Register"]
_FOUND = FAMILY.messages["Found"]


class Ours(Conversing):
    """See the module."""

    async def open(self) -> None:
        self._now = SystemClock().now
        self._outbox = Outbox(FAMILY, IDENTITY, namespace=self.space, entropy=b"bench")
        self._answering: asyncio.Task[None] | None = None
        self._request, self._reply = register(self.size), found(self.size)
        self._transport = connect(self.url, timeout=60)  # a busy machine is no finding
        await self._transport.open()

    async def close(self) -> None:
        if self._answering is not None:
            self._answering.cancel()
            await asyncio.wait({self._answering})
        await self._transport.close()

    async def send(self) -> None:
        send = self._outbox.request(_REGISTER(**self._request), self._now())
        await self._transport.publish(send.address, send.frame)

    async def send_surely(self) -> None:
        send = self._outbox.request(_REGISTER(**self._request), self._now())
        await self._transport.publish(send.address, send.frame, guarantee=Guarantee.AT_LEAST_ONCE)

    async def listen(self, seen: Callable[[], None]) -> None:
        await self._subscribe("requests", lambda accepted: seen())

    async def expect(self, replied: Callable[[], None]) -> None:
        await self._subscribe("replies", lambda accepted: replied())

    async def answer(self) -> None:
        requests: asyncio.Queue[Accepted] = asyncio.Queue()
        await self._subscribe("requests", requests.put_nowait)
        self._answering = asyncio.create_task(self._reply_to(requests))

    async def _reply_to(self, requests: asyncio.Queue[Accepted]) -> None:
        while True:
            attributes = (await requests.get()).attributes
            send = self._outbox.reply(attributes, _FOUND.model_validate(self._reply), self._now())
            await self._transport.publish(send.address, send.frame)

    async def _subscribe(self, channel: str, take: Callable[[Accepted], None]) -> None:
        inbox = Inbox(FAMILY, accepts=FAMILY.channels[channel].messages, namespace=self.space)
        pattern = f"{self.space}.registry.v1.{channel}.*"
        await self._transport.subscribe(pattern, partial(self._receive, inbox, take))

    def _receive(self, inbox: Inbox, take: Callable[[Accepted], None], delivery: Delivery) -> None:
        accepted = inbox.receive(delivery.frame, self._now())
        if not isinstance(accepted, Accepted):
            raise AssertionError(f"refused: {accepted}")
        take(accepted)
        delivery.ack()
