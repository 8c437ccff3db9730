"""`jetstream:` keeps the contract of journals on a real server, and its own promises about repetition and restarts."""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from collections.abc import Iterator

import pytest
from nats.aio.client import Client

from comity.sdk.errors import ConfigError, JournalError
from comity.sdk.ports import Durability, Entry, Snapshot
from comity.transports import open_journal
from comity.transports.brokers import Broker
from comity.transports.journals import _jetstream_state
from comity.transports.journals.jetstream import JetStreamJournal
from tests.conftest import broker_or_policy
from tests.faults.processes import eventually
from tests.journals.contract import *  # noqa: F403
from tests.journals.contract import MakeJournal, read
from tests.journals.lives import outlived

pytestmark = [pytest.mark.broker]


@pytest.fixture(scope="module")
def server() -> Iterator[Broker]:
    """A server that takes messages over 1 MiB."""
    with broker_or_policy("nats", "max_payload: 4MB") as broker:
        yield broker


@pytest.fixture
def own_server() -> Iterator[Broker]:
    """A server of one test's own, to be killed."""
    with broker_or_policy("nats") as broker:
        yield broker


@pytest.fixture
def url(server: Broker) -> str:
    return f"jetstream:{server.url}/t{uuid.uuid4().hex[:12]}"


@pytest.fixture
def make_journal(url: str) -> MakeJournal:
    return lambda: open_journal(url)


@pytest.mark.parametrize(
    "bad",
    [
        "jetstream:",
        "jetstream:nats://127.0.0.1:4222",
        "jetstream:nats://127.0.0.1:4222/a.b",
        "jetstream:http://127.0.0.1/x",
        "jetstream:nats://127.0.0.1/x?replicas=2",
        "jetstream:nats://127.0.0.1/x?replica=3",
        "jetstream:nats://127.0.0.1/x?patience=61",
        "jetstream:nats://127.0.0.1/x?ca=/no/such/file",
    ],
)
def test_a_wrong_url_is_refused(bad: str) -> None:
    with pytest.raises(ConfigError):
        JetStreamJournal(bad)


def test_durability_follows_the_replicas(url: str) -> None:
    assert open_journal(url).durability is Durability.PROCESS
    assert open_journal(url, replicas=3).durability is Durability.HOST


async def test_nobody_there_is_said_at_once() -> None:
    with pytest.raises(JournalError, match="nobody listens"):
        await open_journal("jetstream:nats://127.0.0.1:1/x").open()


async def test_a_server_without_jetstream_is_said_at_once() -> None:
    """Not after the patience, which is for servers that come and go."""
    with broker_or_policy("nats", "jetstream: disabled") as plain:
        async with asyncio.timeout(10):
            with pytest.raises(JournalError, match="JetStream is disabled: start the server with -js"):
                await open_journal(f"jetstream:{plain.url}/x").open()


async def test_replicas_that_the_server_cannot_give_are_refused(url: str) -> None:
    with pytest.raises(JournalError, match="replicas"):
        await open_journal(url, replicas=3).open()


async def test_a_stream_that_forgets_on_its_own_is_no_journal(url: str, server: Broker) -> None:
    name = f"comity-{url.rpartition('/')[2]}"
    client = Client()
    await client.connect(server.url)
    config = {"name": name, "subjects": [name], "max_msgs": 10}
    await client.request(f"$JS.API.STREAM.CREATE.{name}", json.dumps(config).encode(), timeout=5)
    await client.close()
    with pytest.raises(JournalError, match="forgets on its own"):
        await open_journal(url).open()


async def test_a_stream_that_is_deleted_under_way_is_said(url: str, server: Broker) -> None:
    async with open_journal(url, patience=1) as journal:
        await journal.append(b"a")
        await forget(server, f"comity-{url.rpartition('/')[2]}")
        with pytest.raises(JournalError):
            await journal.append(b"b")
        with pytest.raises(JournalError):
            await read(journal, 0, 1)


async def test_an_entry_over_the_limit_is_refused_and_harms_nobody(url: str) -> None:
    async with open_journal(url) as journal:
        with pytest.raises(JournalError, match="max_payload"):
            await journal.append(b"x" * (4 << 20))
        assert await journal.append(b"small") == 1


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
        await asyncio.gather(*both, return_exceptions=True)
        assert await two.load_snapshot() == Snapshot(10, b"10")


async def test_a_snapshot_of_entries_that_are_gone_is_refused(url: str, server: Broker) -> None:
    async with open_journal(url) as journal:
        await journal.save_snapshot(Snapshot(await journal.append(b"a"), b"state"))
    await forget(server, f"comity-{url.rpartition('/')[2]}")
    async with open_journal(url) as journal:
        with pytest.raises(JournalError, match="the snapshot is at 1 and the entries end at 0") as caught:
            await journal.load_snapshot()
    advice = re.search(r"nats stream purge (\S+) --subject=(\S+)$", str(caught.value))
    assert advice is not None
    await asked(server, f"STREAM.PURGE.{advice[1]}", filter=advice[2])
    async with open_journal(url) as journal:
        assert await journal.load_snapshot() is None
        assert journal.incarnation == 2, "what was numbered by the one before is not numbered again"


async def test_a_journal_made_anew_has_a_higher_incarnation(url: str, server: Broker) -> None:
    async with open_journal(url) as journal:
        before = journal.incarnation
        await journal.append(b"lost")
    await forget(server, f"comity-{url.rpartition('/')[2]}")
    async with open_journal(url) as journal:
        assert journal.incarnation == before + 1
        assert await journal.end() == 0
    async with open_journal(url, incarnation=before + 5) as journal:
        assert journal.incarnation == before + 5


async def test_entries_without_their_incarnation_are_refused(url: str, server: Broker) -> None:
    """Begun anew at 1, it would number again what others know by those numbers."""
    async with open_journal(url, incarnation=5) as journal:
        await journal.append(b"a")
    await forget(server, f"comity-{url.rpartition('/')[2]}-state")
    with pytest.raises(JournalError, match=r"their incarnation is lost: restore the stream comity-\w+-state"):
        await open_journal(url).open()
    async with open_journal(url, incarnation=6) as journal:
        assert journal.incarnation == 6
    async with open_journal(url) as journal:
        assert await read(journal, 0, 1) == [Entry(1, b"a")]
        assert journal.incarnation == 6


async def test_a_stream_that_is_made_anew_takes_nothing_of_who_knew_the_one_before(
    url: str, server: Broker
) -> None:
    """Acknowledged under the wrong life, an entry would be at a position that its writer takes for another one's."""
    async with open_journal(url) as old:
        seen: list[Entry] = []

        async def follow() -> None:
            async for entry in old.follow(0):
                seen.append(entry)

        follower = asyncio.create_task(follow())
        for number in range(1, 51):
            assert await old.append(b"old") == number
        await eventually(lambda: len(seen) == 50, "the follower stands still")
        await forget(server, f"comity-{url.rpartition('/')[2]}")
        async with open_journal(url) as new:
            assert await new.append(b"new") == 1
            for refused in (old.append(b"astray"), old.end(), read(old, 50, 1)):
                with pytest.raises(
                    JournalError, match="was replaced while it was open: restart this process"
                ):
                    await asyncio.wait_for(refused, 20)
            with pytest.raises(JournalError, match=r"was replaced|not found"):
                await asyncio.wait_for(follower, 20)
            for number in range(2, 61):
                assert await new.append(b"new") == number
            assert await read(new, 0, 60) == [Entry(number, b"new") for number in range(1, 61)]
        assert len(seen) == 50


async def test_nobody_follows_behind_the_end(url: str) -> None:
    async with open_journal(url, timeout=0.2) as journal:
        await journal.append(b"a")
        with pytest.raises(JournalError, match="the journal ends at 1, so nothing can follow 5"):
            await asyncio.wait_for(read(journal, 5, 1), 20)


async def test_following_without_permission_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_jetstream_state, "_SILENCE", 0.2)
    denied = "{publish: {deny: ['$JS.API.CONSUMER.MSG.NEXT.>']}}"
    users = f"authorization {{users: [{{user: bob, password: bob, permissions: {denied}}}]}}"
    with broker_or_policy("nats", users) as broker:
        async with open_journal(f"jetstream:{broker.url.replace('://', '://bob:bob@')}/x") as journal:
            await journal.append(b"a")
            with pytest.raises(JournalError, match=r"permissions violation.*msg\.next.*grant it"):
                await read(journal, 0, 1)


async def test_a_stream_of_several_subjects_is_no_journal(url: str, server: Broker) -> None:
    name = f"comity-{url.rpartition('/')[2]}"
    await asked(server, f"STREAM.CREATE.{name}", name=name, subjects=[f"{name}.*"])
    with pytest.raises(JournalError, match="a journal's has one, without wildcards"):
        await open_journal(url).open()


async def test_a_follower_that_is_cancelled_as_an_entry_arrives_ends(url: str) -> None:
    """Python 3.11's `wait_for` swallows such a cancellation; nobody who ends a follower is to wait for ever."""
    async with open_journal(url) as journal:
        for turns in range(40):
            seen: list[Entry] = []

            async def follow(seen: list[Entry] = seen) -> None:
                async for entry in journal.follow(await journal.end() - 1):
                    seen.append(entry)

            await journal.append(b"first")
            follower = asyncio.create_task(follow())
            await eventually(lambda seen=seen: bool(seen), "the follower stands still")  # type: ignore[misc]
            await journal.append(b"second")
            for _ in range(turns):
                await asyncio.sleep(0)
            follower.cancel()
            done, _ = await asyncio.wait({follower}, timeout=10)
            assert done, f"{turns} turns after the entry was appended"


async def forget(server: Broker, stream: str) -> None:
    """Delete a stream, as an operator would."""
    await asked(server, f"STREAM.DELETE.{stream}")


async def asked(server: Broker, what: str, **config: object) -> None:
    """Have JetStream do it, as `nats` does."""
    client = Client()
    await client.connect(server.url)
    await client.request(f"$JS.API.{what}", json.dumps(config).encode(), timeout=5)
    await client.close()


async def test_nothing_acknowledged_is_lost_over_kill_9(own_server: Broker) -> None:
    await outlived(f"jetstream:{own_server.url}/killed", own_server, kills=3, timeout=1)
