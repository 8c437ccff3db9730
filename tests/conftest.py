"""What all tests share: a real broker, and the policy for machines that lack one.

With `COMITY_REQUIRE_ALL=1` a missing broker fails the tests that need it; otherwise they are named loudly as
not run at the end.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from typing import NoReturn

import pytest

from comity.sdk.errors import ConfigError
from comity.transports.brokers import Broker, running

pytest.register_assert_rewrite("tests.transports", "tests.journals")

NOT_RUN = "NOT RUN: "


@pytest.fixture(scope="session")
def nats_server() -> Iterator[Broker]:
    """A nats-server that all tests of the session share; each test keeps to a namespace of its own."""
    with broker_or_policy("nats") as broker:
        yield broker


@pytest.fixture(scope="session")
def mqtt_server() -> Iterator[Broker]:
    """A mosquitto that all tests of the session share; each test keeps to a namespace of its own."""
    with broker_or_policy("mqtt") as broker:
        yield broker


@pytest.fixture(scope="session")
def kafka_server() -> Iterator[Broker]:
    """A Kafka broker that all tests of the session share; a JVM, so tests that use it keep to one worker."""
    with broker_or_policy("kafka") as broker:
        yield broker


@contextmanager
def broker_or_policy(
    name: str, config: str = "", *, nodes: int = 1, tls: bool = False
) -> Generator[Broker, None, None]:
    """A broker for the block, or the policy for machines that lack it."""
    with ExitStack() as stack:
        try:
            broker = stack.enter_context(running(name, config, nodes=nodes, tls=tls))
        except ConfigError as error:
            not_had(error)
        yield broker


def not_had(error: ConfigError) -> NoReturn:
    """What becomes of a test that needs what cannot be had here: it fails where all has to be there, else it is not run."""
    if os.environ.get("COMITY_REQUIRE_ALL") == "1":
        pytest.fail(f"COMITY_REQUIRE_ALL=1, but {error}")
    pytest.skip(f"{NOT_RUN}{error}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what was not run, and why."""
    reasons = [str(report.longrepr) for report in terminalreporter.stats.get("skipped", [])]
    missing = [reason for reason in reasons if NOT_RUN in reason]
    if missing:
        terminalreporter.section(f"{len(missing)} TESTS WERE NOT RUN", red=True, bold=True)
        for reason in sorted({text.rpartition(NOT_RUN)[2].rstrip("')") for text in missing}):
            terminalreporter.line(reason, red=True)
