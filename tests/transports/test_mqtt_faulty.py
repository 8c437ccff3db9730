"""`mqtt://` over a network that fails, on a real server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from comity.transports import _mqtt_patience
from comity.transports.brokers import Broker
from tests.transports.connections import opener
from tests.transports.faulty import *  # noqa: F403
from tests.transports.faulty_order import *  # noqa: F403
from tests.transports.harness import MakeTransport
from tests.transports.proxy import Proxy, proxied

pytestmark = pytest.mark.broker


@pytest.fixture(autouse=True)
def little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections are brief here on purpose, and waiting ever longer after those would be most of the time."""
    monkeypatch.setattr(_mqtt_patience, "_LONGEST", 0.2)


@pytest.fixture
def proxy(mqtt_server: Broker) -> Iterator[Proxy]:
    with proxied(int(mqtt_server.url.rpartition(":")[2])) as proxy:
        yield proxy


@pytest_asyncio.fixture
async def make_transport(mqtt_server: Broker) -> AsyncIterator[MakeTransport]:
    async with opener(mqtt_server.url) as make:
        yield make


@pytest_asyncio.fixture
async def behind(proxy: Proxy) -> AsyncIterator[MakeTransport]:
    async with opener(f"mqtt://127.0.0.1:{proxy.port}", keepalive=2) as make:
        yield make
