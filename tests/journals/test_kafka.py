"""`kafka:` keeps the contract of journals on a real Apache Kafka, and its own promises about topics and snapshots."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest
from aiokafka import (  # pyright: ignore[reportMissingTypeStubs]
    AIOKafkaConsumer,
    AIOKafkaProducer,
    TopicPartition,
)
from aiokafka.admin.config_resource import (  # pyright: ignore[reportMissingTypeStubs]
    ConfigResource,
    ConfigResourceType,
)
from aiokafka.errors import KafkaTimeoutError  # pyright: ignore[reportMissingTypeStubs]

from comity.sdk.errors import ConfigError, JournalError
from comity.sdk.ports import Durability, Entry, Snapshot
from comity.transports import open_journal
from comity.transports.brokers import Broker
from comity.transports.journals.kafka import KafkaJournal
from tests.journals.contract import *  # noqa: F403
from tests.journals.contract import MakeJournal, read
from tests.transports.kafka_operator import forget, make, operator, told_late

pytestmark = [pytest.mark.broker, pytest.mark.xdist_group("kafka")]

FIT = {
    "cleanup.policy": "delete",
    "retention.ms": "-1",
    "retention.bytes": "-1",
    "max.message.bytes": str(3 << 20),
    "min.insync.replicas": "1",
    "unclean.leader.election.enable": "false",
}


@pytest.fixture
def name() -> str:
    return f"t{uuid.uuid4().hex[:12]}"


@pytest.fixture
def url(kafka_server: Broker, name: str) -> str:
    return f"kafka:{kafka_server.url}/{name}"


@pytest.fixture
def make_journal(url: str) -> MakeJournal:
    return lambda: open_journal(url)


# ------------------------------------------------------------------- the place


@pytest.mark.parametrize(
    "bad",
    [
        "kafka:",
        "kafka:kafka://127.0.0.1:9092",
        "kafka:kafka://127.0.0.1:9092/a.b",
        "kafka:kafka://127.0.0.1:9092/a/b",
        "kafka:http://127.0.0.1/x",
        "kafka:kafka://[::1/x",
        "kafka:kafka://127.0.0.1/x?replicas=0",
        "kafka:kafka://127.0.0.1/x?replicas=1&replicas=3",
        "kafka:kafka://127.0.0.1/x?replica=3",
        "kafka:kafka://127.0.0.1/x?retention=60",
        "kafka:kafka://127.0.0.1/x?timeout=0",
    ],
)
def test_a_wrong_url_is_refused(bad: str) -> None:
    with pytest.raises(ConfigError):
        KafkaJournal(bad)


def test_options_come_from_the_url_and_from_the_caller(url: str) -> None:
    assert open_journal(url).durability is Durability.PROCESS
    assert open_journal(f"{url}?replicas=3&timeout=1").durability is Durability.HOST
    assert open_journal(f"{url}?timeout=1", replicas=3).durability is Durability.HOST


async def test_nobody_there_is_said_at_once() -> None:
    with pytest.raises(JournalError, match=r"kafka://127\.0\.0\.1:1/x: .*no Kafka broker answers there"):
        await open_journal("kafka:kafka://127.0.0.1:1/x").open()


# ------------------------------------------------------------------ the topics


async def test_a_cluster_that_is_busy_with_itself_is_waited_for(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker answers, but numbers for producers are not to be had for a while, as during an election."""
    start, refused = AIOKafkaProducer.start, list[Any]()

    async def starts_late(producer: Any) -> None:
        if len(refused) < 2:
            refused.append(producer)
            raise KafkaTimeoutError
        await start(producer)

    monkeypatch.setattr(AIOKafkaProducer, "start", starts_late)
    async with open_journal(url) as journal:
        assert await journal.append(b"a") == 1
    assert len(refused) == 2
    refused.clear()
    with pytest.raises(JournalError, match="no answer within"):
        await open_journal(url, patience=0.01).open()


async def test_replicas_that_the_cluster_cannot_give_are_refused(url: str) -> None:
    with pytest.raises(JournalError, match="with 3 replicas"):
        await open_journal(url, replicas=3).open()


@pytest.mark.parametrize(
    ("setting", "found"),
    [
        ("cleanup.policy", "compact"),
        ("cleanup.policy", "compact,delete"),
        ("retention.ms", "604800000"),
        ("retention.bytes", "1000000"),
        ("max.message.bytes", "1048588"),
        ("unclean.leader.election.enable", "true"),
    ],
)
async def test_a_topic_that_loses_entries_is_refused(
    url: str, name: str, kafka_server: Broker, setting: str, found: str
) -> None:
    await make(kafka_server, f"comity-{name}-1", {**FIT, setting: found})
    with pytest.raises(
        JournalError, match=rf"comity-{name}-1 .*{setting} is {found}, and .* is wanted: alter"
    ):
        await open_journal(url).open()


async def test_a_topic_with_partitions_is_refused(url: str, name: str, kafka_server: Broker) -> None:
    await make(kafka_server, f"comity-{name}-1", FIT, partitions=2)
    with pytest.raises(JournalError, match=rf"comity-{name}-1 .*partitions is 2, and 1 is wanted: delete it"):
        await open_journal(url).open()


async def test_a_state_that_is_not_compacted_is_refused(url: str, name: str, kafka_server: Broker) -> None:
    await make(kafka_server, f"comity-{name}-state", FIT)
    with pytest.raises(JournalError, match=rf"comity-{name}-state .*cleanup.policy is delete, and compact"):
        await open_journal(url).open()


async def test_topics_made_by_hand_are_used(url: str, name: str, kafka_server: Broker) -> None:
    await make(kafka_server, f"comity-{name}-4", FIT)
    await make(kafka_server, f"comity-{name}-state", {**FIT, "cleanup.policy": "compact"})
    async with open_journal(url) as journal:
        assert journal.incarnation == 4
        assert await journal.append(b"a") == 1


async def test_settings_that_are_told_late_are_waited_for(
    url: str, name: str, kafka_server: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replica finds the topic that another has just made, and asks a broker that has not heard of it yet."""
    await make(kafka_server, f"comity-{name}-1", {**FIT, "retention.ms": "1"})
    told = told_late(monkeypatch)
    with pytest.raises(JournalError, match=r"retention.ms is 1, and -1 is wanted"):
        await open_journal(url).open()
    assert told == [3, 3]


async def test_a_topic_that_is_deleted_under_way_is_said(url: str, name: str, kafka_server: Broker) -> None:
    async with open_journal(url, patience=1, timeout=1) as journal:
        await journal.append(b"a")
        await forget(kafka_server, f"comity-{name}-1")
        with pytest.raises(JournalError, match="topic is there"):
            await journal.append(b"b")
        with pytest.raises(JournalError, match="topic is there"):
            await read(journal, 0, 1)


async def test_a_journal_made_anew_has_a_higher_incarnation_and_no_snapshot(
    url: str, name: str, kafka_server: Broker
) -> None:
    async with open_journal(url) as journal:
        before = journal.incarnation
        await journal.save_snapshot(Snapshot(await journal.append(b"lost"), b"lost"))
    await forget(kafka_server, f"comity-{name}-{before}")
    replicas = [open_journal(url) for _ in range(3)]
    await asyncio.gather(*(one.open() for one in replicas))
    assert {one.incarnation for one in replicas} == {before + 1}
    assert await replicas[0].end() == 0
    assert await replicas[0].load_snapshot() is None
    await replicas[0].append(b"new")
    assert await read(replicas[1], 0, 1) == await read(replicas[2], 0, 1) == [Entry(1, b"new")]
    await replicas[1].save_snapshot(Snapshot(1, b"new"))
    assert await replicas[2].load_snapshot() == Snapshot(1, b"new")
    for one in replicas:
        await one.close()


async def test_whoever_restores_raises_the_incarnation(url: str, name: str, kafka_server: Broker) -> None:
    async with open_journal(url) as journal:
        assert journal.incarnation == 1
        await journal.append(b"kept")
    for options in ({"incarnation": 5}, {}):
        async with open_journal(url, **options) as journal:
            assert journal.incarnation == 5
            assert await journal.end() == 1
    await forget(kafka_server, f"comity-{name}-1")
    async with open_journal(url) as journal:
        assert journal.incarnation == 6


async def test_replicas_that_start_together_share_a_journal(url: str) -> None:
    replicas = [open_journal(url) for _ in range(5)]
    await asyncio.gather(*(one.open() for one in replicas))
    assert {one.incarnation for one in replicas} == {1}
    positions = await asyncio.gather(*(one.append(b"x") for one in replicas))
    assert sorted(positions) == [1, 2, 3, 4, 5]
    for one in replicas:
        await one.close()


# ----------------------------------------------------------- entries, snapshots


async def test_an_entry_over_the_limit_is_refused_and_harms_nobody(url: str) -> None:
    async with open_journal(url) as journal:
        with pytest.raises(JournalError, match="over the limit of 2097152"):
            await journal.append(b"x" * ((2 << 20) + 1))
        assert await journal.append(b"x" * (2 << 20)) == 1
        assert len((await read(journal, 0, 1))[0].data) == 2 << 20


async def test_a_refused_entry_is_said_and_others_go_on(url: str, name: str, kafka_server: Broker) -> None:
    """A refused batch leaves a gap in the numbers of an idempotent producer, which another one has to fill in for."""
    async with open_journal(url) as journal:
        await journal.append(b"before")
        async with operator(kafka_server) as admin:
            lower = {"max.message.bytes": "10000"}
            await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, f"comity-{name}-1", lower)])
        with pytest.raises(JournalError, match=r"max\.message\.bytes"):
            await journal.append(b"x" * 20_000)
        positions = await asyncio.gather(*(journal.append(b"%d" % number) for number in range(20)))
        assert sorted(positions) == list(range(2, 22))
        ordered = [b"%d" % number for _, number in sorted(zip(positions, range(20), strict=True))]
        assert [entry.data for entry in await read(journal, 0, 21)] == [b"before", *ordered]


async def test_nothing_follows_what_is_not_there(url: str) -> None:
    async with open_journal(url) as journal:
        await journal.append(b"a")
        with pytest.raises(JournalError, match="ends at 1, so nothing can follow 7"):
            await read(journal, 7, 1)


async def test_processes_share_one_order_and_the_latest_snapshot(url: str) -> None:
    async with open_journal(url) as one, open_journal(url) as two:
        await asyncio.gather(*(journal.append(b"%d" % n) for n in range(100) for journal in (one, two)))
        assert await read(one, 0, 200) == await read(two, 0, 200)
        big = b"s" * 1_000_000
        await one.save_snapshot(Snapshot(50, b"older"))
        await two.save_snapshot(Snapshot(150, big))
        with pytest.raises(JournalError) as refused:
            await one.save_snapshot(Snapshot(100, b"late"))
        assert refused.value.code == "local.snapshot_outdated"
        assert await one.load_snapshot() == Snapshot(150, big)


async def test_snapshots_taken_at_once_leave_the_later_one(url: str) -> None:
    async with open_journal(url) as one, open_journal(url) as two:
        for n in range(20):
            await one.append(b"%d" % n)
        both = [one.save_snapshot(Snapshot(n, b"%d" % n)) for n in range(1, 11)]
        both += [two.save_snapshot(Snapshot(n, b"%d" % n)) for n in range(1, 11)]
        for outcome in await asyncio.gather(*both, return_exceptions=True):
            assert outcome is None or getattr(outcome, "code", "") == "local.snapshot_outdated"
        assert await two.load_snapshot() == Snapshot(10, b"10")


async def test_strangers_in_the_state_are_ignored(url: str, name: str, kafka_server: Broker) -> None:
    async with open_journal(url) as journal:
        await journal.save_snapshot(Snapshot(await journal.append(b"a"), b"kept"))
        stranger: Any = AIOKafkaProducer(bootstrap_servers=kafka_server.url.removeprefix("kafka://"))
        await stranger.start()
        for key in (b"", b"\xff", b"1", b"1/x", b"1/9/", b"life/", b"1/9/place/0"):
            await stranger.send_and_wait(f"comity-{name}-state", b"{}", key=key)
        await stranger.stop()
        await journal.save_snapshot(Snapshot(await journal.append(b"b"), b"later"))
        assert await journal.load_snapshot() == Snapshot(2, b"later")


@pytest.mark.parametrize(
    ("key", "value"),
    [("life", "junk"), ("life", '{"topic": 1}'), ("life", "[]"), ("1/1", "junk"), ("1/1", "{}")],
)
async def test_a_stranger_in_place_of_the_state_is_named(
    url: str, name: str, kafka_server: Broker, key: str, value: str
) -> None:
    async with open_journal(url) as journal:
        await journal.append(b"a")
    stranger: Any = AIOKafkaProducer(bootstrap_servers=kafka_server.url.removeprefix("kafka://"))
    await stranger.start()
    await stranger.send_and_wait(f"comity-{name}-state", value.encode(), key=key.encode())
    await stranger.stop()
    with pytest.raises(
        JournalError, match=f"the record '{key}' in the topic comity-{name}-state is none of a journal"
    ):
        async with open_journal(url) as journal:
            await journal.load_snapshot()


async def test_former_snapshots_are_swept(url: str, name: str, kafka_server: Broker) -> None:
    async with open_journal(url) as journal:
        for n in range(1, 6):
            await journal.append(b"")
            await journal.save_snapshot(Snapshot(n, b"s" * 300_000))
        assert await journal.load_snapshot() == Snapshot(5, b"s" * 300_000)
    kept = sorted(name.split("/") for name in await last_values(kafka_server, f"comity-{name}-state"))
    place = kept[1][2]
    assert kept == [["1", "5"], ["1", "5", place, "0"], ["1", "5", place, "1"], ["life"]]


async def last_values(server: Broker, topic: str) -> set[str]:
    """The keys that compaction would leave in `topic`."""
    reader: Any = AIOKafkaConsumer(bootstrap_servers=server.url.removeprefix("kafka://"))
    await reader.start()
    place, found, offset = TopicPartition(topic, 0), dict[str, bytes | None](), 0
    reader.assign([place])
    await reader.seek_to_beginning(place)
    end = (await reader.end_offsets([place]))[place]
    async with asyncio.timeout(20):
        while offset < end:
            record = await reader.getone()
            offset = record.offset + 1
            found[record.key.decode()] = record.value
    await reader.stop()
    return {key for key, value in found.items() if value is not None}
