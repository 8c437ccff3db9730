"""Users and what they may do: `mqtt://` says what is not permitted as far as the broker does."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator

import pytest

from comity.sdk.errors import TransportError
from comity.transports import connect
from comity.transports.brokers import Broker
from tests.conftest import broker_or_policy
from tests.transports.connections import opened, refused
from tests.transports.contract import Inbox, frame
from tests.transports.mqtt_servers import SURE, served

pytestmark = pytest.mark.broker


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker that knows two users."""
    with broker_or_policy("mqtt"):  # before its tool is called
        pass
    directory = tmp_path_factory.mktemp("users")
    passwords, rules = directory / "passwords", directory / "rules"
    passwords.write_text("anna:p@ss-w/ord\nbob:bob\n", encoding="utf-8")
    subprocess.run(["mosquitto_passwd", "-U", passwords], check=True, timeout=10)
    rules.write_text("user anna\ntopic #\nuser bob\ntopic open/#\n", encoding="utf-8")
    for file in (directory, passwords, rules):
        file.chmod(0o755)
    config = f"allow_anonymous false\npassword_file {passwords}\nacl_file {rules}\n"
    with broker_or_policy("mqtt", config) as broker:
        yield broker


def as_user(broker: Broker, credentials: str) -> str:
    return broker.url.replace("://", f"://{credentials}@")


@pytest.mark.parametrize("credentials", ["anna:wrong-secret", "nobody:wrong-secret", "wrong-secret"])
async def test_wrong_credentials_are_named_but_never_shown(guarded: Broker, credentials: str) -> None:
    message = await refused(
        as_user(guarded, credentials), "refuses these credentials: correct user and password"
    )
    assert "wrong-secret" not in message


async def test_no_credentials_where_some_are_wanted(guarded: Broker) -> None:
    await refused(guarded.url, "refuses these credentials")


async def test_escaped_credentials_are_understood(guarded: Broker) -> None:
    async with opened(as_user(guarded, "anna:p%40ss-w%2Ford")) as transport:
        await transport.flush()


async def test_what_is_not_permitted_is_refused_where_the_broker_says_so(guarded: Broker) -> None:
    async with opened(as_user(guarded, "bob:bob")) as transport:
        inbox = Inbox()
        with pytest.raises(TransportError, match="not permitted: grant it"):
            await transport.publish("closed.test.v1.things", frame(), guarantee=SURE)
        await transport.subscribe("open.test.v1.things", inbox)
        await transport.publish("open.test.v1.things", frame(), guarantee=SURE)
        await inbox.expect(1)


async def test_a_subscription_that_is_refused_is_told() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(b"\x20\x03\x00\x00\x00")
        packet = await reader.read(1000)
        writer.write(b"\x90\x04" + packet[2:4] + b"\x00\x87")
        await reader.read()

    async with served(refuse) as url:
        transport = connect(url, timeout=0.3)
        await transport.open()
        with pytest.raises(TransportError, match="subscription to 'a/b/v1/c': code 0x87: not permitted"):
            await transport.subscribe("a.b.v1.c", Inbox())
        await transport.close()
