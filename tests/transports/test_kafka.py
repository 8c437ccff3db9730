"""`kafka://` keeps the contract of transports on a real Apache Kafka."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from comity.transports.brokers import Broker
from tests.transports.connections import opener
from tests.transports.contract import *  # noqa: F403
from tests.transports.harness import MakeTransport

pytestmark = [pytest.mark.broker, pytest.mark.xdist_group("kafka")]


@pytest_asyncio.fixture
async def make_transport(kafka_server: Broker) -> AsyncIterator[MakeTransport]:
    async with opener(kafka_server.url) as make:
        yield make
