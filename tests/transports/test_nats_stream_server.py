"""What `nats://` with streams does when the server, its streams or a neighbour are not as one wishes."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from nats.js.api import RetentionPolicy, StorageType, StreamConfig

from comity.sdk.errors import CapabilityError, ConfigError, PayloadTooLarge, TransportError
from comity.sdk.ports import Entry
from comity.transports import connect, open_journal
from comity.transports.brokers import Broker
from comity.transports.nats import NatsTransport
from tests.conftest import broker_or_policy
from tests.journals.contract import read
from tests.transports.connections import opened
from tests.transports.harness import Inbox, frame, halted, settle, until, until_only
from tests.transports.nats_streams import SURE, acking, jetstream, numbers

pytestmark = pytest.mark.broker


@pytest.fixture
def fragile() -> Iterator[Broker]:
    """A server that the test may kill."""
    with broker_or_policy("nats") as broker:
        yield broker


# ----------------------------------------------------------------- broken wires


async def test_a_server_killed_and_restarted_under_load_loses_nothing_acknowledged(fragile: Broker) -> None:
    address, total = "a.test.v1.things.k", 600
    async with opened(fragile.url, stream=600, timeout=20) as transport:
        inbox, member = Inbox(), Inbox()
        await transport.subscribe("a.test.v1.things.>", inbox)
        await transport.subscribe("a.test.v1.things.*", acking(member), group="g")
        sent = 0

        async def load(window: range) -> None:
            nonlocal sent
            for number in window:
                await transport.publish(f"{address}{window.start}", frame(b"%d" % number), guarantee=SURE)
                sent += 1

        async def kill() -> None:
            for count in (150, 400):
                await until(lambda count=count: sent >= count, 30)  # type: ignore[misc]
                fragile.kill()
                await asyncio.to_thread(fragile.restart)

        await asyncio.gather(kill(), *(load(range(at, at + 100)) for at in range(0, total, 100)))
        await until(lambda: len(inbox) >= total, 30)
        await settle(transport)
        for at in range(0, total, 100):
            mine = [number for number in numbers(inbox) if at <= number < at + 100]
            assert mine == list(range(at, at + 100)), "in order, nothing missing and nothing twice"
        await until(lambda: set(numbers(member)) == set(range(total)), 30)


async def test_a_server_that_lets_little_be_asked_for_at_once_is_asked_for_so_much(fragile: Broker) -> None:
    file, address = fragile.now.layout.seats[0].directory / "nats.conf", "a.test.v1.things"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("jetstream: {", "jetstream: {limits: {max_request_batch: 5}, "), "utf-8")
    fragile.restart()
    async with opened(fragile.url, stream=600) as transport:
        inbox, member = Inbox(), Inbox()
        await transport.subscribe(address, inbox)
        await transport.subscribe(address, acking(member), group="g")
        for number in range(20):
            await transport.publish(address, frame(b"%d" % number), guarantee=SURE)
        await inbox.expect(20)
        await member.expect(20)
        assert numbers(inbox) == numbers(member) == list(range(20))
    async with open_journal(f"jetstream:{fragile.url}/small") as journal:
        written = [Entry(await journal.append(b"%d" % number), b"%d" % number) for number in range(20)]
        assert await read(journal, 0, 20) == written


async def test_a_publish_that_timed_out_and_was_stored_is_stored_once(fragile: Broker) -> None:
    """What is published during an outage may arrive after its time is up; publishing it again is harmless."""
    address = "a.test.v1.things"
    async with opened(fragile.url, stream=600, timeout=1) as transport:
        inbox = Inbox()
        await transport.subscribe(address, inbox)
        async with halted(fragile):
            with pytest.raises(TransportError, match="may have happened"):
                await transport.publish(address, frame(b"1"), guarantee=SURE)
        await inbox.expect(1)
        await transport.publish(address, frame(b"1"), guarantee=SURE)
        await transport.publish(address, frame(b"1"), guarantee=SURE)
        await inbox.expect(2)
        await settle(transport)
        assert len(inbox) == 2, "the second publish repeated the first, and the third is one of its own"


async def test_a_publish_without_a_connection_fails_in_time_or_arrives_once(fragile: Broker) -> None:
    address = "a.test.v1.things"
    async with opened(fragile.url, stream=600, timeout=2) as transport:
        inbox = Inbox()
        await transport.subscribe(address, inbox)
        fragile.kill()
        async with asyncio.timeout(15):
            with pytest.raises(TransportError):
                await transport.publish(address, frame(b"0"), guarantee=SURE)
        sending = asyncio.create_task(transport.publish(address, frame(b"1"), guarantee=SURE))
        await asyncio.to_thread(fragile.restart)
        await sending
        await transport.publish(address, frame(b"2"), guarantee=SURE)
        await until(lambda: len(inbox) >= 2)
        await settle(transport)
        assert [number for number in numbers(inbox) if number] == [1, 2]


async def test_a_server_that_hangs_blocks_nobody_for_ever(fragile: Broker) -> None:
    async with opened(fragile.url, stream=600, timeout=0.5) as transport:
        assert isinstance(transport, NatsTransport)
        await transport.publish("a.test.v1.things", frame(), guarantee=SURE)
        async with halted(fragile):
            attempts: list[Callable[[], Awaitable[object]]] = [
                lambda: transport.publish("a.test.v1.things", frame(), guarantee=SURE),
                lambda: transport.publish("a.test.v1.others", frame()),
                lambda: transport.subscribe("a.test.v1.things", Inbox()),
                lambda: transport.subscribe("a.test.v1.things", Inbox(), group="g"),
                lambda: transport.last_value("a.test.v1.things"),
                transport.flush,
            ]
            for attempt in attempts:
                async with asyncio.timeout(15):
                    with pytest.raises(TransportError, match="no answer within"):
                        await attempt()


async def test_closing_while_disconnected_ends_in_time(fragile: Broker) -> None:
    transport = connect(fragile.url, stream=600, timeout=1)
    tasks = asyncio.all_tasks()
    await transport.open()
    await transport.subscribe("a.test.v1.things", Inbox())
    await transport.subscribe("a.test.v1.things", Inbox(), group="g")
    publishing = asyncio.create_task(transport.publish("a.test.v1.things", frame(), guarantee=SURE))
    fragile.kill()
    async with asyncio.timeout(8):
        await transport.close()
        await asyncio.wait({publishing})
    await until_only(tasks)


async def test_a_stream_that_somebody_deletes_is_made_again_and_read_from_its_beginning(
    nats_server: Broker, space: str
) -> None:
    address = f"{space}.test.v1.things"
    async with opened(nats_server.url, stream=600) as transport:
        inbox, member = Inbox(), Inbox()
        await transport.subscribe(address, inbox)
        await transport.subscribe(address, acking(member), group="g")
        for number in range(3):
            await transport.publish(address, frame(b"%d" % number), guarantee=SURE)
        await inbox.expect(3)
        await member.expect(3)
        async with jetstream(nats_server) as other:
            await other.delete_stream(f"comity_{space}_test_v1_things")
        await transport.publish(address, frame(b"3"), guarantee=SURE)
        await inbox.expect(4)
        await member.expect(4)


async def test_a_consumer_that_is_lost_is_replaced_without_a_gap(nats_server: Broker, space: str) -> None:
    address = f"{space}.test.v1.things"
    name = f"comity_{space}_test_v1_things"
    async with opened(nats_server.url, stream=600) as transport:
        inbox = Inbox()
        await transport.subscribe(address, inbox)
        for number in range(300):
            await transport.publish(address, frame(b"%d" % number))
            if number % 100 == 50:
                async with jetstream(nats_server) as other:
                    for consumer in await other.consumers_info(name):
                        await other.delete_consumer(name, consumer.name)
        await inbox.expect(300)
        assert numbers(inbox) == list(range(300))


# ------------------------------------------------------ replay and mixed traffic


async def test_what_is_kept_is_replayed_from_a_time(nats_server: Broker, space: str) -> None:
    address = f"{space}.test.v1.things"
    async with opened(nats_server.url, stream=600) as transport:
        assert isinstance(transport, NatsTransport)
        began = time.time()
        await transport.publish(address, frame(b"0"), guarantee=SURE)
        await transport.publish(address, frame(b"1"), guarantee=SURE)
        middle = time.time()
        await transport.publish(address, frame(b"2"), guarantee=SURE)
        everything, later, member = Inbox(), Inbox(), Inbox()
        await transport.subscribe(address, everything, since=began - 60)
        await transport.subscribe(address, later, since=middle)
        await transport.subscribe(address, acking(member), group="g", since=began - 60)
        await transport.publish(address, frame(b"3"), guarantee=SURE)
        assert numbers(await everything.expect(4)) == [0, 1, 2, 3]
        assert numbers(await later.expect(2)) == [2, 3]
        assert numbers(await member.expect(4)) == [0, 1, 2, 3]


async def test_what_is_no_time_is_refused_and_leaves_nothing(nats_server: Broker, space: str) -> None:
    async with opened(nats_server.url, stream=600) as transport:
        for since in (1e30, float("nan")):
            with pytest.raises(ConfigError, match="is no time"):
                await transport.subscribe(f"{space}.test.v1.things", Inbox(), since=since)


async def test_core_and_stream_hear_each_other_and_nothing_twice(nats_server: Broker, space: str) -> None:
    """Processes with streams and without them share a mesh, and both guarantees an address."""
    address = f"{space}.test.v1.things"
    async with opened(nats_server.url) as core:
        heard, read = Inbox(), Inbox()
        await core.subscribe(f"{space}.test.v1.things.>", heard)
        async with opened(nats_server.url, stream=600) as durable:
            await durable.subscribe(f"{space}.test.v1.things.>", read)
            for number in range(30):
                await core.publish(f"{address}.k", frame(b"%d" % (3 * number)))
                await core.flush()
                await durable.publish(f"{address}.k", frame(b"%d" % (3 * number + 1)))
                await durable.publish(f"{address}.k", frame(b"%d" % (3 * number + 2)), guarantee=SURE)
            await settle(core, durable)
            await heard.expect(90)
            assert sorted(numbers(await read.expect(90))) == sorted(numbers(heard)) == list(range(90))


async def test_a_burst_without_acknowledgements_overruns_no_stream(nats_server: Broker, space: str) -> None:
    """JetStream drops what has no reply when 10,000 messages wait for a stream: fewer are on their way."""
    address, total = f"{space}.test.v1.things", 30_000
    async with opened(nats_server.url, stream=600, timeout=30) as transport:
        await transport.publish(address, frame(), guarantee=SURE)
        for _ in range(total):
            await transport.publish(address, frame())
        await transport.flush()
        async with jetstream(nats_server) as other:
            info = await other.stream_info(f"comity_{space}_test_v1_things")
        assert info.state.messages == total + 1


async def test_flush_covers_a_burst_whose_publisher_gave_up_waiting(fragile: Broker) -> None:
    async with opened(fragile.url, stream=600, timeout=1) as transport:
        await transport.publish("a.test.v1.things", frame(), guarantee=SURE)
        async with halted(fragile):

            async def burst() -> None:
                for _ in range(512):
                    await transport.publish("a.test.v1.things", frame())

            publishing = asyncio.create_task(burst())
            await asyncio.wait({publishing}, timeout=0.1)
            assert not publishing.done()
            with pytest.raises(TransportError, match="no answer within"):
                await transport.flush()
            with pytest.raises(TransportError, match="no answer within"):
                await publishing
        await transport.flush()
        async with jetstream(fragile) as other:
            assert (await other.stream_info("comity_a_test_v1_things")).state.messages == 513


# --------------------------------------------------------- refused, and at start


async def test_without_jetstream_streams_are_refused_at_start_and_named() -> None:
    off = "accounts: {A: {users: [{user: anna, password: secret}]}}"
    with broker_or_policy("nats", off) as broker:
        url = broker.url.replace("://", "://anna:secret@")
        tasks = asyncio.all_tasks()
        with pytest.raises(CapabilityError, match=r"at-least-once.*JetStream, which is disabled") as caught:
            await connect(url, stream=600).open()
        assert "secret" not in str(caught.value)
        await until_only(tasks)
        async with opened(url) as transport:
            await transport.publish("a.test.v1.things", frame())


async def test_a_server_that_is_too_old_for_streams_is_refused_at_start() -> None:
    async def old(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'INFO {"server_id":"x","version":"2.8.4","headers":true,"max_payload":1048576}\r\n')
        while line := await reader.readline():
            if line.startswith(b"PING"):
                writer.write(b"PONG\r\n")
        writer.close()

    async with await asyncio.start_server(old, "127.0.0.1", 0) as server:
        url = f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(CapabilityError, match=r"nats-server 2\.9 or later, and this is .*2.*8.*4"):
            await connect(url, stream=600).open()


async def test_core_nats_says_which_option_gives_what_it_lacks(nats_server: Broker) -> None:
    async with opened(nats_server.url) as transport:
        assert isinstance(transport, NatsTransport)
        for attempt in (
            transport.publish("a.test.v1.things", frame(), guarantee=SURE),
            transport.last_value("a.test.v1.things"),
            transport.subscribe("a.test.v1.things", Inbox(), since=0),
        ):
            with pytest.raises(CapabilityError, match=r"set \?stream=SECONDS"):
                await attempt


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ({"max_age": 10}, "keeps messages for 10 s, and stream=600"),
        ({"storage": StorageType.MEMORY}, "is in memory"),
        ({"retention": RetentionPolicy.INTEREST}, "forgets what some have not read"),
        ({"max_msgs_per_subject": 1}, "forgets what some have not read"),
        ({"duplicate_window": 1}, "knows repetitions for 1 s"),
        ({"subjects": ["elsewhere.{space}"]}, "captures no _comity.mark.{space}"),
    ],
)
async def test_a_stream_that_exists_is_checked_and_what_is_wrong_is_named(
    nats_server: Broker, space: str, config: dict[str, Any], complaint: str
) -> None:
    stem = f"{space}.test.v1.things"
    subjects = [
        each.format(space=space)
        for each in config.pop("subjects", [stem, f"{stem}.>", f"_comity.mark.{stem}"])
    ]
    name = f"comity_{stem.replace('.', '_')}"
    async with jetstream(nats_server) as other:
        await other.add_stream(StreamConfig(name=name, subjects=subjects, **config))
    async with opened(nats_server.url, stream=600) as transport:
        for attempt in (
            transport.publish(stem, frame(), guarantee=SURE),
            transport.publish(stem, frame()),
            transport.subscribe(stem, Inbox()),
        ):
            with pytest.raises(TransportError, match=complaint.format(space=space)) as caught:
                await attempt
            assert name in str(caught.value)
            assert "nats stream edit" in str(caught.value)
    async with jetstream(nats_server) as other:
        await other.delete_stream(name)


async def test_a_subject_that_belongs_to_another_stream_is_refused_with_the_reason(
    nats_server: Broker, space: str
) -> None:
    async with jetstream(nats_server) as other:
        await other.add_stream(StreamConfig(name=f"all_{space}", subjects=[f"{space}.>"]))
    async with opened(nats_server.url, stream=600) as transport:
        with pytest.raises(TransportError, match=r"subjects overlap.*the other stream"):
            await transport.publish(f"{space}.test.v1.things", frame(), guarantee=SURE)
    async with jetstream(nats_server) as other:
        await other.delete_stream(f"all_{space}")


async def test_publishing_surely_without_permission_is_told_at_once() -> None:
    users = (
        "authorization {users: [{user: bob, password: bob, permissions: "
        "{publish: {deny: ['a.test.v1.closed.>', '$JS.API.STREAM.CREATE.comity_a_test_v1_others']}}}]}"
    )
    with broker_or_policy("nats", users) as broker:
        url = broker.url.replace("://", "://bob:bob@")
        async with opened(url, stream=600, timeout=60) as transport, asyncio.timeout(15):
            every = [transport.publish("a.test.v1.closed.k", frame(), guarantee=SURE) for _ in range(50)]
            for error in await asyncio.gather(*every, return_exceptions=True):
                assert isinstance(error, TransportError)
                assert re.search("permissions violation.*grant it", str(error))
        async with opened(url, stream=600, timeout=1) as transport:
            with pytest.raises(TransportError, match=r"permissions violation.*stream\.create.*grant it"):
                await transport.publish("a.test.v1.others", frame(), guarantee=SURE)


async def test_reading_without_permission_is_told(caplog: pytest.LogCaptureFixture) -> None:
    users = (
        "authorization {users: [{user: bob, password: bob, permissions: "
        "{publish: {deny: ['$JS.API.CONSUMER.MSG.NEXT.comity_a_test_v1_closed.>', '$JS.ACK.>']}}}]}"
    )
    with broker_or_policy("nats", users) as broker:
        async with opened(broker.url.replace("://", "://bob:bob@"), stream=600) as transport:
            for group in (None, "g"):
                with pytest.raises(TransportError, match=r"permissions violation.*msg\.next.*grant it"):
                    await transport.subscribe("a.test.v1.closed", Inbox(), group=group)
            member = Inbox()
            await transport.subscribe("a.test.v1.things", acking(member), group="g")
            for _ in range(2):
                await transport.publish("a.test.v1.things", frame(), guarantee=SURE)
            await member.expect(2)
            with pytest.raises(TransportError, match=r"permissions violation.*js\.ack"):
                await transport.flush()
    (error,) = [one.getMessage() for one in caplog.records if one.levelno == logging.ERROR]
    assert "what groups are given comes again until it is granted" in error


async def test_a_message_over_the_streams_own_limit_is_too_large(nats_server: Broker, space: str) -> None:
    stem = f"{space}.test.v1.things"
    subjects = [stem, f"{stem}.>", f"_comity.mark.{stem}"]
    name = f"comity_{stem.replace('.', '_')}"
    async with jetstream(nats_server) as other:
        await other.add_stream(StreamConfig(name=name, subjects=subjects, max_msg_size=2000))
    async with opened(nats_server.url, stream=600) as transport:
        with pytest.raises(PayloadTooLarge, match="max_msg_size"):
            await transport.publish(stem, frame(b"x" * 3000), guarantee=SURE)
    async with jetstream(nats_server) as other:
        await other.delete_stream(name)


@pytest.mark.parametrize(
    "bad",
    [
        "stream=0",
        "stream=x",
        "stream=60&replicas=1.5",
        "replicas=3",
        "stream=9",
        "stream=600&timeout=61",
        "inbox=a.*",
    ],
)
def test_a_wrong_option_is_refused(bad: str) -> None:
    with pytest.raises(ConfigError):
        connect(f"nats://h?{bad}")
