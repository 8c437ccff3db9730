"""`nats://` with streams keeps the contract of transports on a real nats-server."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from comity.transports.brokers import Broker
from tests.transports.connections import opener
from tests.transports.contract import *  # noqa: F403
from tests.transports.harness import MakeTransport

pytestmark = pytest.mark.broker


@pytest_asyncio.fixture
async def make_transport(nats_server: Broker) -> AsyncIterator[MakeTransport]:
    async with opener(nats_server.url, stream=600) as make:
        yield make
