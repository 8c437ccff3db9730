"""The permissions in docs/brokers/nats.md let an agent do its work, and nobody else's; its settings are those there are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from comity.cli._run import run
from comity.sdk.errors import TransportError
from comity.sdk.ports import Guarantee
from comity.transports._nats_url import NUMBERS, STREAMS, TEXTS
from comity.transports.brokers import Broker
from tests.conftest import broker_or_policy
from tests.docs.pages import ROOT, blocks
from tests.transports.connections import opened
from tests.transports.harness import Inbox, frame

pytestmark = pytest.mark.broker

AGENT, OTHER = "did:key:z6MkAgent", "did:key:z6MkOther"
SURE = Guarantee.AT_LEAST_ONCE


PAGE = ROOT / "docs" / "brokers" / "nats.md"


@pytest.fixture(scope="module")
def bound() -> Iterator[Broker]:
    """A server with the documented permissions for an agent, in both ways, and a user who may do everything."""
    page = blocks(PAGE)
    core, stream = (block.text for block in page if "permissions" in block.words)
    users = ['{user: "registry", password: "r"}']
    for way, text in (("core", core), ("stream", stream)):
        allowed = text.replace("AGENT", AGENT)
        users.append(f'{{user: "agent-{way}", password: "p", permissions: {{\n{allowed}}}}}')
    with broker_or_policy("nats", f"authorization {{ users: [\n{chr(10).join(users)}\n] }}") as broker:
        yield broker


def url(broker: Broker, user: str) -> str:
    return broker.url.replace("://", f"://{user}@")


async def test_on_core_an_agent_has_its_own_subjects_and_no_others(bound: Broker) -> None:
    asked, answered = Inbox(), Inbox()
    async with opened(url(bound, "registry:r"), timeout=1) as registry:
        await registry.subscribe("town.registry.v1.requests.*", asked)
        async with opened(url(bound, "agent-core:p"), timeout=1) as agent:
            await agent.subscribe(f"town.registry.v1.replies.{AGENT}", answered)
            await agent.publish(f"town.registry.v1.requests.{AGENT}", frame(b"mine"))
            await agent.flush()
            await registry.publish(f"town.registry.v1.replies.{AGENT}", frame(b"yours"))
            assert (await answered.expect(1)).datas == [b"yours"]
            for pattern in (f"town.registry.v1.replies.{OTHER}", "town.registry.v1.replies.*"):
                with pytest.raises(TransportError, match="grant it"):
                    await agent.subscribe(pattern, Inbox())
            await agent.publish(f"town.registry.v1.requests.{OTHER}", frame(b"forged"))
            with pytest.raises(TransportError, match="grant it"):
                await agent.flush()
        assert asked.datas == [b"mine"]


async def test_with_streams_an_agent_has_its_own_subjects_and_no_others(bound: Broker) -> None:
    asked, answered = Inbox(), Inbox()
    async with opened(url(bound, "registry:r"), stream=600, timeout=2) as registry:
        await registry.subscribe("town.registry.v1.requests.*", asked)
        for channel in ("replies", "changes"):
            await registry.publish(f"town.registry.v1.{channel}.{OTHER}", frame(b"not yours"), guarantee=SURE)
        async with opened(
            url(bound, "agent-stream:p"), stream=600, timeout=1, inbox=f"_INBOX_{AGENT}"
        ) as agent:
            await agent.subscribe(f"town.registry.v1.replies.{AGENT}", answered)
            await agent.subscribe(f"town.registry.v1.changes.{AGENT}", answered)
            await agent.publish(f"town.registry.v1.requests.{AGENT}", frame(b"surely"), guarantee=SURE)
            await agent.publish(f"town.registry.v1.requests.{AGENT}", frame(b"perhaps"))
            await agent.flush()
            await registry.publish(f"town.registry.v1.replies.{AGENT}", frame(b"yours"), guarantee=SURE)
            assert (await answered.expect(1)).datas == [b"yours"]
            for pattern in (f"town.registry.v1.replies.{OTHER}", "town.registry.v1.replies.*"):
                with pytest.raises(TransportError, match=r"consumer\.create.*grant it"):
                    await agent.subscribe(pattern, Inbox())
            with pytest.raises(TransportError, match="grant it"):
                await agent.publish(f"town.registry.v1.requests.{OTHER}", frame(b"forged"), guarantee=SURE)
        assert asked.datas == [b"surely", b"perhaps"]


def test_every_option_is_documented() -> None:
    table = PAGE.read_text(encoding="utf-8").partition("## Settings")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.*?) \| ", table, re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == {*NUMBERS, *TEXTS, *STREAMS}


def test_init_makes_streams_and_may_be_repeated(
    nats_server: Broker, space: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those who may not make streams find them there."""
    channels = [f"{space}.registry.v1.{name}" for name in ("requests", "replies", "changes")]
    command = ["transport", "init", "--namespace", space, "--family", "registry", "--json"]
    for made in (True, False):
        assert run([*command, f"{nats_server.url}?stream=600"]) == 0
        shown = json.loads(capsys.readouterr().out)
        assert shown["needed"]
        assert shown["channels"] == [{"channel": name, "made": made} for name in channels]
    assert run([*command, f"{nats_server.url}?stream=6000"]) == 3
    assert "stream=6000 is asked for" in capsys.readouterr().err
    assert run([*command, nats_server.url]) == 0
    assert not json.loads(capsys.readouterr().out)["needed"]
