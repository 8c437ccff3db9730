"""`nats://` with streams keeps the contract of transports on a real nats-server."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from comity.sdk.ports import Transport
from comity.transports import connect
from comity.transports.brokers import Broker
from tests.transports.contract import *  # noqa: F403
from tests.transports.contract import MakeTransport

pytestmark = pytest.mark.broker


@pytest_asyncio.fixture
async def make_transport(nats_server: Broker) -> AsyncIterator[MakeTransport]:
    opened: list[Transport] = []

    async def make(**options: str | float) -> Transport:
        transport = connect(nats_server.url, stream=600, **options)
        await transport.open()
        opened.append(transport)
        return transport

    yield make
    for transport in opened:
        await transport.close()
