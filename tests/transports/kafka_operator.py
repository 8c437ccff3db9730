# pyright: basic
# aiokafka is not typed.
"""What an operator does to a Kafka cluster beside us: topics made, forgotten and asked about by another program.

Responsible for an admin client of its own. Not responsible for what the topics are for.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.cluster import ClusterMetadata

from comity.transports.brokers import Broker

__all__ = ["alone", "forget", "make", "operator", "told_late"]


@asynccontextmanager
async def operator(broker: Broker) -> AsyncGenerator[Any]:
    """An admin client, as an operator uses."""
    admin: Any = AIOKafkaAdminClient(bootstrap_servers=broker.url.removeprefix("kafka://"))
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def make(
    broker: Broker, topic: str, settings: Mapping[str, str] | None = None, partitions: int = 1
) -> None:
    """A topic as another program makes it."""
    async with operator(broker) as admin:
        answer = await admin.create_topics(
            [NewTopic(topic, partitions, 1, topic_configs=dict(settings or {}))]
        )
    assert not any(code for _, code, *_ in answer.topic_errors)


async def forget(broker: Broker, topic: str) -> None:
    """Delete a topic."""
    async with operator(broker) as admin:
        await admin.delete_topics([topic])


def told_late(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Have whoever asks for settings be answered twice as a broker does that has not heard of the topic yet.

    Returns what was answered so.
    """
    told: list[Any] = []
    ask: Any = AIOKafkaAdminClient.describe_configs

    async def describe_configs(admin: Any, resources: Any, *rest: Any) -> Any:
        if len(told) == 2:
            return await ask(admin, resources, *rest)
        answer = await ask(admin, [ConfigResource(ConfigResourceType.TOPIC, "nobody-made-this", {})], *rest)
        told.append(answer[0].resources[0][0])
        return answer

    monkeypatch.setattr(AIOKafkaAdminClient, "describe_configs", describe_configs)
    return told


def alone(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Have whoever asks which brokers there are be told three times that there are none, as a thawed broker does.

    Returns what was told so.
    """
    told: list[Any] = []
    ask: Any = ClusterMetadata.brokers

    def brokers(cluster: Any) -> Any:
        if len(told) == 3:
            return ask(cluster)
        told.append(set())
        return told[-1]

    monkeypatch.setattr(ClusterMetadata, "brokers", brokers)
    return told
