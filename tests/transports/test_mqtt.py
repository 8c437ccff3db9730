"""`mqtt://` keeps the contract of transports on a real mosquitto."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from comity.transports.brokers import Broker
from tests.transports.connections import opener
from tests.transports.contract import *  # noqa: F403
from tests.transports.harness import MakeTransport

pytestmark = pytest.mark.broker


@pytest_asyncio.fixture(params=[{}, {"retain": 600}], ids=["plain", "retaining"])
async def make_transport(mqtt_server: Broker, request: pytest.FixtureRequest) -> AsyncIterator[MakeTransport]:
    async with opener(mqtt_server.url, **request.param) as make:
        yield make
