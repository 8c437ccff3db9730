"""What the interoperability tests share: the foreign side on each broker, and messages of a name of their own."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from comity.sdk.errors import ConfigError
from comity.transports.brokers import Broker

from ..conftest import not_had
from .peer import Peer, running_peer
from .sides import Side


@pytest.fixture(scope="session")
def peer() -> Iterator[Peer]:
    """The foreign side, started once; the policy for machines that lack it is that for brokers."""
    with ExitStack() as stack:
        try:
            found = stack.enter_context(running_peer())
        except ConfigError as error:
            not_had(error)
        yield found


@pytest.fixture(scope="session")
def kafka(peer: Peer, kafka_server: Broker) -> Side:
    """kafkajs and the SDK's Kafka binding."""
    return _begun(Side(peer, "kafka", kafka_server.url))


@pytest.fixture(scope="session")
def mqtt(peer: Peer, mqtt_server: Broker) -> Side:
    """MQTT.js and the SDK's MQTT binding."""
    return _begun(Side(peer, "mqtt", mqtt_server.url))


@pytest.fixture(scope="session")
def nats(peer: Peer, nats_server: Broker) -> Side:
    """nats.js; the SDK has no binding for NATS but reads and writes structured mode."""
    return _begun(Side(peer, "nats", nats_server.url))


@pytest.fixture
def mark() -> str:
    """An id that no other message has."""
    return uuid.uuid4().hex


def _begun(side: Side) -> Side:
    side.begin()
    return side
