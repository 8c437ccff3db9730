"""Fixtures of the transport tests."""

from __future__ import annotations

import gc
import uuid
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from comity.transports.brokers import Broker

if TYPE_CHECKING:
    from tests.transports.kafka_guarded import Guarded


@pytest.fixture
def space() -> str:
    """A namespace that no other test uses."""
    return f"t{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="session")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """A Kafka broker with listeners, users and permissions, which tests may also kill, and start again."""
    from tests.transports.kafka_guarded import guarded_broker

    with guarded_broker(tmp_path_factory.mktemp("guarded")) as one:
        yield one


@pytest.fixture
def fragile(guarded: Guarded) -> Iterator[Broker]:
    """A Kafka broker that the test may kill, and start again."""
    yield guarded.broker
    with (
        warnings.catch_warnings()
    ):  # aiokafka forgets, unclosed, a connection that the broker has just closed
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
