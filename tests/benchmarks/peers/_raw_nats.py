# pyright: basic
# nats-py is only partly typed.
"""nats-py, used by hand: the same job, or opaque bytes. By callback, which is its fastest way to receive."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from nats.aio.client import Client
from nats.aio.msg import Msg

from tests.benchmarks.peers._job import AGENT, ByHand, Conversing, Peer

__all__ = ["NatsByHand", "NatsByHandUnchecked", "NatsBytes"]

_PREFIX: Final = "ce-"


class NatsBytes(Peer):
    """Opaque octets, no headers."""

    async def open(self) -> None:
        self.requests = f"{self.space}.registry.v1.requests.{AGENT}"
        self.replies = f"{self.space}.registry.v1.replies.{AGENT}"
        self.data = bytes(self.size)
        self.client = Client()
        await self.client.connect(self.url.partition("?")[0])
        self.stream = self.client.jetstream(timeout=60)

    async def close(self) -> None:
        await self.client.drain()

    async def listen(self, seen: Callable[[], None]) -> None:
        async def receive(message: Msg) -> None:
            seen()

        await self.subscribe("requests", receive)

    async def send(self) -> None:
        await self.client.publish(self.requests, self.data)

    async def subscribe(self, channel: str, receive: Callable[[Msg], Awaitable[None]]) -> None:
        """In force when it returns: the first PING may overtake what waits to be written."""
        await self.client.subscribe(f"{self.space}.registry.v1.{channel}.*", cb=receive)
        await self.client.flush()
        await self.client.flush()


class NatsByHand(NatsBytes, Conversing):
    """The same job as the SDK, every attribute and the data validated by Pydantic."""

    checked = True

    async def open(self) -> None:
        await super().open()
        self.job = ByHand(self.space, self.size, checked=self.checked)
        if "?stream=" in self.url:
            await self.stream.add_stream(name=self.space, subjects=[f"{self.space}.>"])

    async def send(self) -> None:
        attributes, data = self.job.request()
        await self.client.publish(self.requests, data, headers=_headers(attributes))

    async def send_surely(self) -> None:
        attributes, data = self.job.request()
        headers = {
            **_headers(attributes),
            "Nats-Msg-Id": attributes["id"],
        }  # a repetition is harmless, as with the SDK
        await self.stream.publish(self.requests, data, headers=headers)

    async def listen(self, seen: Callable[[], None]) -> None:
        async def receive(message: Msg) -> None:
            self.job.read(_attributes(message), message.data)
            seen()

        await self.subscribe("requests", receive)

    async def answer(self) -> None:
        async def receive(message: Msg) -> None:
            attributes = _attributes(message)
            self.job.read(attributes, message.data)
            mine, data = self.job.reply(attributes)
            await self.client.publish(self.replies, data, headers=_headers(mine))

        await self.subscribe("requests", receive)

    async def expect(self, replied: Callable[[], None]) -> None:
        async def receive(message: Msg) -> None:
            self.job.read_reply(_attributes(message), message.data)
            replied()

        await self.subscribe("replies", receive)


class NatsByHandUnchecked(NatsByHand):
    """The same with attributes carried and read, but not validated."""

    checked = False


def _headers(attributes: dict[str, str]) -> dict[str, str]:
    return {_PREFIX + name: value for name, value in attributes.items()}


def _attributes(message: Msg) -> dict[str, str]:
    start = len(_PREFIX)
    return {
        name[start:]: value for name, value in (message.headers or {}).items() if name.startswith(_PREFIX)
    }
