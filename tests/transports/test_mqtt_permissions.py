"""Users and what they may do: `mqtt://` says what is not permitted as far as the broker does."""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from comity.mesh import Mesh, running_registry
from comity.sdk.errors import TransportError
from comity.transports import connect
from comity.transports.brokers import Broker
from tests.conftest import broker_or_policy
from tests.transports.certificates import Authority
from tests.transports.connections import opened, refused
from tests.transports.harness import Inbox, frame
from tests.transports.mqtt_servers import SURE, inside, served

pytestmark = pytest.mark.broker

PAGE = Path(__file__).parents[2] / "docs/brokers/mqtt.md"


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


async def test_what_is_not_permitted_at_most_once_is_told_by_the_next_flush(guarded: Broker) -> None:
    """mosquitto 2.0.11 ends the connection of who publishes at QoS 0 what he may not."""
    async with opened(as_user(guarded, "bob:bob")) as transport:
        await transport.publish("closed.test.v1.things", frame())
        with pytest.raises(TransportError, match=r"the connection broke: .* may not have arrived"):
            await transport.flush()
        inbox = Inbox()
        await transport.subscribe("open.test.v1.things", inbox)
        await transport.publish("open.test.v1.things", frame())
        await inbox.expect(1)


async def test_a_client_of_a_name_that_goes_on_with_what_is_not_permitted_is_told_that_it_may_be_that(
    guarded: Broker, space: str
) -> None:
    """It cannot be told from another client of that name: both end the connection without a word."""
    async with opened(as_user(guarded, "bob:bob"), client=f"client-{space}") as transport:
        async with asyncio.timeout(20):
            while not inside(transport)._over:
                await transport.publish("closed.test.v1.things", frame())
                with pytest.raises(TransportError):
                    await transport.flush()
        assert "or is it not permitted what it publishes at most once" in str(await transport.lost())


async def test_a_death_notice_that_is_not_permitted_is_not_published(guarded: Broker) -> None:
    """mosquitto accepts the connection and says nothing of it."""
    async with opened(as_user(guarded, "anna:p%40ss-w%2Ford")) as witness:
        inbox = Inbox()
        await witness.subscribe("closed.test.v1.things", inbox)
        await witness.subscribe("open.test.v1.things", inbox)
        for address in ("closed.test.v1.things", "open.test.v1.things"):
            transport = connect(as_user(guarded, "bob:bob"))
            transport.on_death(address, frame())
            await transport.open()
            transport.abort()  # type: ignore[attr-defined]
        await inbox.expect(1)
        assert inbox[0].address == "open.test.v1.things"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def binding(authority: Authority) -> Iterator[Broker]:
    """A broker with the rules of its page, whose users are the common names of certificates."""
    rules = authority.directory / "rules"
    blocks = re.findall(r"```text\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (written,) = (block for block in blocks if "pattern write" in block)
    rules.write_text(written.replace("NAMESPACE", "default"), encoding="utf-8")
    cert, key = authority.issue("server")
    config = (
        f"acl_file {rules}\ncertfile {cert}\nkeyfile {key}\ncafile {authority.file}\n"
        "require_certificate true\nuse_identity_as_username true"
    )
    with broker_or_policy("mqtt", config) as broker:
        yield broker


def certified(broker: Broker, authority: Authority, name: str) -> str:
    cert, key = authority.issue(name)
    return f"{broker.url.replace('mqtt:', 'mqtts:')}?ca={authority.file}&cert={cert}&key={key}"


async def test_certificates_bind_agents_to_what_they_may_write_and_read(
    binding: Broker, authority: Authority
) -> None:
    mine, other = "did:key:z6MkMine", "did:key:z6MkOther"
    async with (
        opened(certified(binding, authority, "registry")) as registry,
        opened(certified(binding, authority, mine)) as agent,
    ):
        requests, replies = Inbox(), Inbox()
        await registry.subscribe("default.registry.v1.requests.*", requests)
        await agent.subscribe("default.registry.v1.replies.*", replies)
        await agent.publish(f"default.registry.v1.requests.{mine}", frame(b"mine"), guarantee=SURE)
        for address in (f"default.registry.v1.requests.{other}", f"default.registry.v1.replies.{other}"):
            with pytest.raises(TransportError, match="not permitted"):
                await agent.publish(address, frame(b"forged"), guarantee=SURE)
        for data, name in ((b"theirs", other), (b"ours", mine)):
            await registry.publish(f"default.registry.v1.replies.{name}", frame(data), guarantee=SURE)
        await requests.expect(1)
        await replies.expect(1)
        assert (requests.datas, replies.datas) == ([b"mine"], [b"ours"])


async def test_the_rules_of_the_page_are_enough_for_an_agent_and_its_registry(
    binding: Broker, authority: Authority
) -> None:
    directory, address = authority.directory, binding.url.replace("mqtt:", "mqtts:")
    files = f"?ca={authority.file}&cert={directory / 'agent.pem'}&key={directory / 'agent.key'}"
    mesh = Mesh.connect(f"{address}{files}", agent="anna")
    for made, wanted in zip(authority.issue(mesh.agent), ("agent.pem", "agent.key"), strict=True):
        made.rename(directory / wanted)
    async with running_registry(certified(binding, authority, "registry")), mesh:
        await mesh.registry.register(capabilities=["a.b"])
        async for change in mesh.registry.watch(capability="a.b"):
            assert change.entry is not None
            assert change.entry.name == "anna"
            break
