"""Topics that somebody else made are looked at once; `comity transport init` makes or looks at all of them."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity.cli._run import run
from comity.sdk.errors import TransportError
from comity.sdk.ports import Guarantee
from comity.transports._kafka_topics import BATCH, MAX_RECORD, findings
from comity.transports.brokers import Broker
from tests.transports.connections import opened
from tests.transports.harness import Inbox, frame
from tests.transports.kafka_operator import alone, make, told_late

pytestmark = [pytest.mark.broker, pytest.mark.xdist_group("kafka")]

SURE = Guarantee.AT_LEAST_ONCE
SOUND = {"cleanup.policy": "delete", "max.message.bytes": str(2 * MAX_RECORD), "min.insync.replicas": "2"}


# ------------------------------------------------------------------- the rules


def test_what_we_make_ourselves_is_sound() -> None:
    assert findings(SOUND, copies=3, partitions=4) == []
    assert findings({**SOUND, "min.insync.replicas": "1"}, copies=1, partitions=4, wanted=4) == []
    assert findings({}, copies=1, partitions=1) == [], "what is not known is not held against it"


@pytest.mark.parametrize(
    ("changed", "copies", "setting", "fatal"),
    [
        ({"cleanup.policy": "compact"}, 3, "cleanup.policy", True),
        ({"cleanup.policy": "compact,delete"}, 3, "cleanup.policy", True),
        ({"max.message.bytes": str(MAX_RECORD - 1)}, 3, "max.message.bytes", False),
        ({"max.message.bytes": str(BATCH)}, 3, "max.message.bytes", True),
        ({"min.insync.replicas": "3"}, 2, "min.insync.replicas", True),
        ({"min.insync.replicas": "3"}, 3, "min.insync.replicas", False),
        ({"min.insync.replicas": "1"}, 3, "min.insync.replicas", False),
        ({"unclean.leader.election.enable": "true"}, 3, "unclean.leader.election.enable", False),
    ],
)
def test_what_is_wrong_is_named_with_its_remedy(
    changed: Mapping[str, str], copies: int, setting: str, *, fatal: bool
) -> None:
    (found,) = findings({**SOUND, **changed}, copies=copies, partitions=4)
    assert (found.setting, found.fatal) == (setting, fatal)
    assert found.found in (changed[setting], "3", "1")
    assert found.remedy
    assert f"{setting} is {found.found}, wanted " in str(found)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 64))
def test_a_topic_is_refused_only_where_nothing_could_be_published(
    copies: int, in_sync: int, partitions: int
) -> None:
    found = findings({**SOUND, "min.insync.replicas": str(in_sync)}, copies=copies, partitions=partitions)
    assert any(one.fatal for one in found) == (in_sync > copies)
    assert len(found) <= 1


# ------------------------------------------------------------------ on a broker


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ({"cleanup.policy": "compact"}, "cleanup.policy is compact, wanted delete"),
        ({"max.message.bytes": "1000"}, "max.message.bytes is 1000, wanted"),
        ({"min.insync.replicas": "2"}, "min.insync.replicas is 2, wanted 1 of 1 copies"),
    ],
)
async def test_a_topic_that_would_lose_events_is_refused(
    kafka_server: Broker, space: str, config: dict[str, str], named: str
) -> None:
    topic = f"{space}.test.v1.things"
    await make(kafka_server, topic, config)
    async with opened(kafka_server.url) as transport:
        for attempt in (
            transport.publish(topic, frame()),
            transport.subscribe(topic, Inbox()),
            transport.subscribe(topic, Inbox(), group="g"),
        ):
            with pytest.raises(TransportError, match=f"topic {topic} cannot be used: {named}"):
                await attempt
        await transport.publish(f"{space}.test.v1.others", frame(), guarantee=SURE)


async def test_a_topic_is_looked_at_even_where_its_settings_are_told_late(
    kafka_server: Broker, space: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = f"{space}.test.v1.things"
    await make(kafka_server, topic, {"cleanup.policy": "compact"})
    told = told_late(monkeypatch)
    async with opened(kafka_server.url) as transport:
        with pytest.raises(TransportError, match=r"cleanup\.policy is compact, wanted delete"):
            await transport.publish(topic, frame())
    assert told == [3, 3]


async def test_a_topic_is_made_though_the_broker_knows_of_none_not_even_itself(
    kafka_server: Broker, space: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was frozen for longer than its session, and asks for its place again."""
    async with opened(kafka_server.url) as transport:
        told = alone(monkeypatch)
        await transport.publish(f"{space}.test.v1.things", frame(), guarantee=SURE)
    assert told == [set(), set(), set()]


async def test_the_number_of_partitions_is_held_against_what_the_url_says(
    kafka_server: Broker, space: str
) -> None:
    topic = f"{space}.test.v1.things"
    await make(kafka_server, topic, partitions=3)
    async with opened(kafka_server.url, partitions=8) as transport:
        with pytest.raises(TransportError, match="partitions is 3, wanted 8: "):
            await transport.publish(topic, frame())
    for options in ({}, {"partitions": 3}):
        async with opened(kafka_server.url, **options) as transport:
            await transport.publish(topic, frame(), guarantee=SURE)


async def test_a_topic_that_is_only_a_risk_is_warned_of_once(
    kafka_server: Broker, space: str, caplog: pytest.LogCaptureFixture
) -> None:
    topic = f"{space}.test.v1.things"
    await make(kafka_server, topic, {"max.message.bytes": "600000"})
    async with opened(kafka_server.url) as transport:
        inbox = Inbox()
        await transport.subscribe(topic, inbox)
        for _ in range(3):
            await transport.publish(topic, frame(), guarantee=SURE)
        with pytest.raises(TransportError, match=r"max\.message\.bytes"):
            await transport.publish(topic, frame(bytes(700_000)), guarantee=SURE)
        await transport.publish(topic, frame(b"after"), guarantee=SURE)
        await inbox.expect(4)
    assert caplog.text.count(f"topic {topic} is at risk: max.message.bytes is 600000") == 1


def test_init_makes_topics_and_may_be_repeated(
    kafka_server: Broker, space: str, capsys: pytest.CaptureFixture[str]
) -> None:
    channels = [f"{space}.registry.v1.{name}" for name in ("requests", "replies", "changes")]
    for made in (True, False):
        command = ["transport", "init", f"{kafka_server.url}?partitions=3", "--namespace", space]
        assert run([*command, "--family", "registry", "--json"]) == 0
        shown = json.loads(capsys.readouterr().out)
        assert shown["needed"]
        assert shown["channels"] == [{"channel": name, "made": made} for name in channels]
    assert run(["transport", "init", f"{kafka_server.url}?partitions=4", "--namespace", space]) == 3
    assert "partitions is 3, wanted 4" in capsys.readouterr().err


def test_init_says_where_nothing_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["transport", "init", "mqtt://anna:geheim@h"]) == 0
    assert capsys.readouterr().out == "mqtt://anna:***@h needs no preparation\n"
