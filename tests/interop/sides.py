"""One broker between Comity and the foreign side, with both of them connected.

Responsible for topics, for which message is whose, and for publishing what our bindings write through a plain client where
no transport of ours sends structured mode. Not responsible for what is compared.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol

from comity.sdk.address import parse_address, to_kafka, to_mqtt, to_nats
from comity.sdk.codec import encode_structured
from comity.sdk.ports import Delivery, Frame, Transport
from comity.transports import connect, kafka_binding, mqtt_binding

from .peer import Peer, text

__all__ = ["ADDRESS", "Side", "listening"]

ADDRESS: Final = "interop.talk.v1.say"
_TOPICS: Final[dict[str, Callable[[str], str]]] = {
    "kafka": lambda address: to_kafka(parse_address(address))[0],
    "mqtt": lambda address: to_mqtt(parse_address(address)),
    "nats": lambda address: to_nats(parse_address(address)),
}


class Arrived(Protocol):
    """Waits for the frame with that id. Raises `TimeoutError`."""

    def __call__(self, mark: str, seconds: float = 20) -> Awaitable[Frame]: ...


@dataclass(frozen=True)
class Side:
    """The foreign side, subscribed to `topic` of a broker."""

    peer: Peer
    broker: str
    url: str

    @property
    def topic(self) -> str:
        """`ADDRESS` as this broker names it."""
        return _TOPICS[self.broker](ADDRESS)

    def begin(self) -> None:
        """Connect and subscribe the foreign side. The channel is there, since a transport of ours has used it."""
        asyncio.run(_use(self.url))
        self.peer.ask("open", broker=self.broker, url=self.url)
        self.peer.ask("subscribe", broker=self.broker, topic=self.topic)

    def receive(self, mark: str) -> dict[str, Any]:
        """What the foreign side made of the message that holds `mark`."""
        return self.peer.receive(self.broker, self.topic, mark)

    def publish(self, mode: str, event: dict[str, Any]) -> dict[str, Any]:
        """Let the SDK publish an event; returns what it gave its client."""
        native: dict[str, Any] = self.peer.ask(
            "publish", broker=self.broker, topic=self.topic, mode=mode, **event
        )
        return native["native"]  # type: ignore[no-any-return]

    def plain(self, payload: bytes, headers: dict[str, str], content_type: str | None = None) -> None:
        """Let the plain client publish."""
        more = {} if content_type is None else {"contentType": content_type}
        self.peer.ask(
            "plain", broker=self.broker, topic=self.topic, payload=text(payload), headers=headers, **more
        )

    def document(self, frame: Frame) -> None:
        """Publish what our binding writes in structured mode."""
        if self.broker == "mqtt":
            message = mqtt_binding.structured(frame)
            self.plain(message.payload, {}, message.content_type)
        elif self.broker == "kafka":
            headers, value = kafka_binding.encode_structured(frame)
            self.plain(value, {name: octets.decode() for name, octets in headers})
        else:
            self.plain(encode_structured(frame), {"Content-Type": "application/cloudevents+json"})


async def _use(url: str) -> None:
    transport = connect(url)
    await transport.open()
    subscription = await transport.subscribe(ADDRESS, lambda delivery: None)
    await subscription.close()
    await transport.close()


@asynccontextmanager
async def listening(url: str) -> AsyncGenerator[tuple[Transport, Arrived], None]:
    """A transport of ours that listens on `ADDRESS`, and how to wait for the frame with an id."""
    got: dict[str, Frame] = {}
    news = asyncio.Event()

    def take(delivery: Delivery) -> None:
        got[delivery.frame.attributes.get("id", "")] = delivery.frame
        news.set()

    async def frame(mark: str, seconds: float = 20) -> Frame:
        async with asyncio.timeout(seconds):
            while mark not in got:
                news.clear()
                await news.wait()
        return got[mark]

    transport = connect(url)
    await transport.open()
    try:
        await transport.subscribe(ADDRESS, take)
        yield transport, frame
    finally:
        await transport.close()
