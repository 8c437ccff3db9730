# pyright: basic, reportMissingImports=false, reportMissingModuleSource=false
# gmqtt is not typed, and is installed in the environment of the benchmarks only.
"""gmqtt, used by hand: the same job, or opaque bytes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import gmqtt
from gmqtt.storage import PersistentStorage

from tests.benchmarks.peers._job import AGENT, ByHand, Conversing, Peer

__all__ = ["MqttByHand", "MqttByHandUnchecked", "MqttBytes"]

Receive = Callable[[bytes, dict[str, Any]], None]
_JSON = "application/json"


class _Unconfirmed(PersistentStorage):  # type: ignore[misc]
    """What gmqtt keeps until the broker confirms it, with somebody who waits for that."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: dict[int, asyncio.Future[None]] = {}
        self.last: asyncio.Future[None] | None = None

    def push_message(self, mid: int, raw_package: bytes) -> None:
        super().push_message(mid, raw_package)
        self.last = self.waiting[mid] = asyncio.get_running_loop().create_future()

    def remove_message_by_mid(self, mid: int) -> None:
        super().remove_message_by_mid(mid)
        self.waiting.pop(mid).set_result(None)


class MqttBytes(Peer):
    """Opaque octets, no properties."""

    async def open(self) -> None:
        parts = urlsplit(self.url)
        self.requests = f"{self.space}/registry/v1/requests/{AGENT}"
        self.replies = f"{self.space}/registry/v1/replies/{AGENT}"
        self.data = bytes(self.size)
        self.unconfirmed = _Unconfirmed()
        self.client = gmqtt.Client("", persistent_storage=self.unconfirmed, receive_maximum=1024)
        self.subscribed = asyncio.Event()
        self.client.on_subscribe = lambda *_: self.subscribed.set()
        await self.client.connect(parts.hostname, parts.port)

    async def close(self) -> None:
        await self.client.disconnect()

    async def listen(self, seen: Callable[[], None]) -> None:
        await self.subscribe("requests", lambda data, properties: seen())

    async def send(self) -> None:
        self.client.publish(self.requests, self.data)

    async def subscribe(self, channel: str, receive: Receive) -> None:
        """At QoS 1, as the SDK does; what is published at QoS 0 comes at QoS 0."""

        def on_message(_client: Any, _topic: str, data: bytes, _qos: int, properties: dict[str, Any]) -> int:
            receive(data, properties)
            return 0

        self.client.on_message = on_message
        self.client.subscribe(f"{self.space}/registry/v1/{channel}/+", qos=1)
        await self.subscribed.wait()


class MqttByHand(MqttBytes, Conversing):
    """The same job as the SDK, every attribute and the data validated by Pydantic."""

    checked = True

    async def open(self) -> None:
        await super().open()
        self.job = ByHand(self.space, self.size, checked=self.checked)

    async def send(self) -> None:
        self._publish(self.requests, *self.job.request())

    async def send_surely(self) -> None:
        self._publish(self.requests, *self.job.request(), qos=1)
        assert self.unconfirmed.last is not None
        await self.unconfirmed.last

    async def listen(self, seen: Callable[[], None]) -> None:
        def receive(data: bytes, properties: dict[str, Any]) -> None:
            self.job.read(_attributes(properties), data)
            seen()

        await self.subscribe("requests", receive)

    async def answer(self) -> None:
        def receive(data: bytes, properties: dict[str, Any]) -> None:
            attributes = _attributes(properties)
            self.job.read(attributes, data)
            self._publish(self.replies, *self.job.reply(attributes))

        await self.subscribe("requests", receive)

    async def expect(self, replied: Callable[[], None]) -> None:
        def receive(data: bytes, properties: dict[str, Any]) -> None:
            self.job.read_reply(_attributes(properties), data)
            replied()

        await self.subscribe("replies", receive)

    def _publish(self, topic: str, attributes: dict[str, str], data: bytes, *, qos: int = 0) -> None:
        user = [(name, value) for name, value in attributes.items() if name != "datacontenttype"]
        self.client.publish(topic, data, qos=qos, content_type=_JSON, user_property=user)


class MqttByHandUnchecked(MqttByHand):
    """The same with attributes carried and read, but not validated."""

    checked = False


def _attributes(properties: dict[str, Any]) -> dict[str, str]:
    return {**dict(properties["user_property"]), "datacontenttype": properties["content_type"][0]}
