"""Fixtures of the fault tests."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from comity.transports.brokers import Broker

from ..conftest import broker_or_policy


@pytest.fixture
def space() -> str:
    """A namespace that no other test uses."""
    return f"f{uuid.uuid4().hex[:12]}"


@pytest.fixture
def own_server() -> Iterator[Broker]:
    """A nats-server of this test alone, to be killed and restarted."""
    with broker_or_policy("nats") as broker:
        yield broker
