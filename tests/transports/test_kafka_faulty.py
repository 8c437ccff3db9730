"""`kafka://` over a network that fails, on a real Apache Kafka whose clients find it behind the proxy."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from comity.transports.brokers import Broker
from tests.conftest import broker_or_policy
from tests.transports.connections import opener
from tests.transports.faulty import *  # noqa: F403
from tests.transports.faulty_order import *  # noqa: F403
from tests.transports.harness import MakeTransport
from tests.transports.proxy import Faults, Proxy, proxied

pytestmark = [pytest.mark.broker, pytest.mark.slow, pytest.mark.xdist_group("kafka")]

CONFIG = """
listeners=PLAINTEXT://127.0.0.1:{{port}},CONTROLLER://127.0.0.1:{{peer}},HARMED://127.0.0.1:{target}
advertised.listeners=PLAINTEXT://127.0.0.1:{{port}},HARMED://127.0.0.1:{proxy}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,HARMED:PLAINTEXT
"""
"""A second listener, whose clients are told the proxy's port: Kafka's clients go where the broker says that it is."""


@pytest.fixture(scope="module")
def running_proxy() -> Iterator[Proxy]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        target: int = free.getsockname()[1]
    with proxied(target) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def broker(running_proxy: Proxy) -> Iterator[Broker]:
    config = CONFIG.format(target=running_proxy.target, proxy=running_proxy.port)
    with broker_or_policy("kafka", config) as broker:
        yield broker


@pytest.fixture
def proxy(running_proxy: Proxy) -> Iterator[Proxy]:
    running_proxy.harm(Faults())
    running_proxy.accepted = 0
    yield running_proxy
    running_proxy.harm(Faults())
    running_proxy.cut()


@pytest_asyncio.fixture
async def make_transport(broker: Broker) -> AsyncIterator[MakeTransport]:
    async with opener(broker.url) as make:
        yield make


@pytest_asyncio.fixture
async def behind(broker: Broker, proxy: Proxy) -> AsyncIterator[MakeTransport]:
    async with opener(f"kafka://127.0.0.1:{proxy.port}") as make:
        yield make
