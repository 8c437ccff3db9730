"""`kafka:` keeps the contract of journals on a real Apache Kafka, and its own promises about topics and restarts."""

from __future__ import annotations

import uuid

import pytest

from comity.transports import open_journal
from comity.transports.brokers import Broker
from tests.journals.contract import *  # noqa: F403
from tests.journals.contract import MakeJournal

pytestmark = [pytest.mark.broker, pytest.mark.xdist_group("kafka")]


@pytest.fixture
def url(kafka_server: Broker) -> str:
    return f"kafka:{kafka_server.url}/t{uuid.uuid4().hex[:12]}"


@pytest.fixture
def make_journal(url: str) -> MakeJournal:
    return lambda: open_journal(url)
