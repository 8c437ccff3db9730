# pyright: basic, reportMissingImports=false, reportMissingModuleSource=false
# FastStream is installed in the environment of the benchmarks only.
"""FastStream on each broker, as its users write it: a typed handler, its validation on, its log of each message off.

It sends the same data, under its own few headers and not those of CloudEvents, which it neither makes nor reads. On Kafka it
is given the SDK's durability and batches.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

from comity.sdk._generated.registry_v1.messages import Register
from tests.benchmarks.peers._job import AGENT, Peer, register
from tests.benchmarks.peers._raw_kafka import BATCH, make_topics

__all__ = ["FastStreamKafka", "FastStreamMqtt", "FastStreamNats"]


class _FastStream(Peer):
    broker: Any

    async def open(self) -> None:
        self.fields = register(self.size)
        self.broker = await self.make()
        await self.broker.connect()

    async def close(self) -> None:
        await self.broker.stop()

    async def listen(self, seen: Callable[[], None]) -> None:
        async def handle(message: Register) -> None:
            assert type(message) is Register
            seen()

        self.subscriber()(handle)
        await self.broker.start()

    @abstractmethod
    async def make(self) -> Any:
        """FastStream's broker, not connected."""

    @abstractmethod
    def subscriber(self) -> Any:
        """Its decorator of a handler."""


class FastStreamNats(_FastStream):
    """By nats-py."""

    async def make(self) -> Any:
        from faststream.nats import NatsBroker

        self.subject = f"{self.space}.requests"
        return NatsBroker(self.url, logger=None)

    def subscriber(self) -> Any:
        return self.broker.subscriber(self.subject)

    async def listen(self, seen: Callable[[], None]) -> None:
        await super().listen(seen)
        await self.broker._connection.flush()
        await self.broker._connection.flush()

    async def send(self) -> None:
        await self.broker.publish(Register(**self.fields), self.subject)


class FastStreamKafka(_FastStream):
    """By aiokafka."""

    async def make(self) -> Any:
        from faststream.kafka import KafkaBroker

        server = self.url.removeprefix("kafka://")
        self.topic = f"{self.space}.requests"
        await make_topics(server, self.topic)
        return KafkaBroker(server, acks="all", enable_idempotence=True, max_batch_size=BATCH, logger=None)

    def subscriber(self) -> Any:
        return self.broker.subscriber(self.topic, auto_offset_reset="earliest")

    async def send(self) -> None:
        await self.broker.publish(Register(**self.fields), self.topic, key=AGENT.encode(), no_confirm=True)


class FastStreamMqtt(_FastStream):
    """By zmqtt, MQTT 5, QoS 0."""

    async def make(self) -> Any:
        from faststream.mqtt import MQTTBroker

        self.topic = f"{self.space}/requests"
        return MQTTBroker(self.url, logger=None)

    def subscriber(self) -> Any:
        return self.broker.subscriber(self.topic)

    async def send(self) -> None:
        await self.broker.publish(Register(**self.fields), self.topic)
