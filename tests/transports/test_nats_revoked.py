"""What `nats://` does when the server takes back what it has granted while a connection lasts."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator

import pytest

from comity.sdk.errors import TransportError
from comity.transports import _nats_refusals
from comity.transports._nats_client import Connection
from comity.transports.brokers import Broker
from tests.conftest import broker_or_policy
from tests.transports.connections import opened
from tests.transports.harness import Inbox, frame, until

pytestmark = pytest.mark.broker

ADDRESS = "a.test.v1.things"
GRANTED, REVOKED = (f'subscribe: {{allow: ["{one}", "_INBOX.>"]}}' for one in ("a.>", "b.>"))
USERS = (
    'authorization {users: [{user: "anna", password: "a", permissions: {%s}}, {user: "bob", password: "b"}]}'
)


@pytest.fixture
def server() -> Iterator[Broker]:
    """A server whose settings the test may change; what anna may not do, bob may."""
    with broker_or_policy("nats", USERS % GRANTED) as broker:
        yield broker


def change(broker: Broker, old: str, new: str) -> None:
    """As an operator does it: in the file, and with a signal to read it again."""
    file = broker.now.layout.seats[0].directory / "nats.conf"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")
    os.kill(broker.now.pid, signal.SIGHUP)


def as_user(broker: Broker, credentials: str) -> str:
    return broker.url.replace("://", f"://{credentials}@")


async def test_a_subscription_that_is_revoked_is_told_and_hears_again_once_it_is_granted(
    server: Broker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(_nats_refusals, "_AGAIN", 0.1)
    caplog.set_level(logging.INFO, "comity.transports")
    async with (
        opened(as_user(server, "bob:b")) as bob,
        opened(as_user(server, "anna:a")) as anna,
    ):
        inbox, later = Inbox(), Inbox()
        await anna.subscribe(ADDRESS, inbox)
        change(server, GRANTED, REVOKED)
        await until(lambda: "nothing arrives there until it is granted again" in caplog.text)
        await bob.publish(ADDRESS, frame(b"unheard"))
        await bob.flush()
        await anna.flush()
        change(server, REVOKED, GRANTED)
        await until(lambda: "heard again" in caplog.text)
        await bob.publish(ADDRESS, frame(b"heard"))
        await inbox.expect(1)
        assert inbox.datas == [b"heard"]
        await anna.subscribe(ADDRESS, later)
        await bob.publish(ADDRESS, frame())
        await later.expect(1)
        await inbox.expect(2)
    (error,) = [one for one in caplog.records if one.levelno == logging.ERROR]
    assert ADDRESS in error.getMessage()


async def test_credentials_that_are_refused_later_are_told_once_with_what_to_do(
    server: Broker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    attempts: list[Exception] = []
    explained = Connection._explained  # pyright: ignore[reportPrivateUsage]

    def counted(self: Connection, error: Exception) -> TransportError:
        if "uthorization" in str(error):
            attempts.append(error)
        return explained(self, error)

    monkeypatch.setattr(Connection, "_explained", counted)
    file = server.now.layout.seats[0].directory / "nats.conf"
    good = file.read_text(encoding="utf-8")
    async with opened(as_user(server, "bob:b"), timeout=10) as bob:
        server.kill()
        file.write_text(good.replace('password: "b"', 'password: "c"'), encoding="utf-8")
        server.restart()
        await until(lambda: len(attempts) >= 3, 20)
        server.kill()
        file.write_text(good, encoding="utf-8")
        server.restart()
        await bob.subscribe(ADDRESS, Inbox())  # which waits for the connection
    (told,) = [one.getMessage() for one in caplog.records if "uthorization" in one.getMessage()]
    assert told.startswith("nats://bob:***@")
    assert "refuses these credentials: correct user and password" in told
