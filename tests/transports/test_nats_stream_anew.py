"""What becomes of who subscribed to a stream of `nats://` that is made anew, or set back to what it was before."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from comity.transports import _nats_reading
from comity.transports.brokers import Broker
from comity.transports.nats import NatsTransport
from tests.conftest import broker_or_policy
from tests.transports.connections import opened, opener
from tests.transports.harness import Inbox, frame, settle, until
from tests.transports.nats_streams import SURE, acking, flags, jetstream, numbers

pytestmark = pytest.mark.broker


@pytest.fixture
def fragile() -> Iterator[Broker]:
    """A server that the test may kill."""
    with broker_or_policy("nats") as broker:
        yield broker


async def test_who_subscribes_to_a_stream_that_was_made_anew_begins_there(
    nats_server: Broker, space: str
) -> None:
    """Though its connection knew the one before, and no sooner than it subscribes."""
    address, stream = f"{space}.test.v1.things", f"comity_{space}_test_v1_things"
    async with opened(nats_server.url, stream=600) as transport, jetstream(nats_server) as other:
        await transport.publish(address, frame(b"0"), guarantee=SURE)
        await other.delete_stream(stream)
        member = Inbox()
        await transport.subscribe(address, acking(member), group="g")
        async with opened(nats_server.url, stream=600) as stranger:
            await other.delete_stream(stream)
            await stranger.publish(address, frame(b"1"), guarantee=SURE)
        inbox = Inbox()
        await transport.subscribe(address, inbox)
        for consumer in await other.consumers_info(stream):
            await other.delete_consumer(stream, consumer.name)
        await transport.publish(address, frame(b"2"), guarantee=SURE)
        await inbox.expect(1)
        await settle(transport)
        assert numbers(inbox) == [2]


async def test_an_old_acknowledgement_counts_for_nothing_in_a_stream_made_anew(
    nats_server: Broker, space: str
) -> None:
    """Its messages are answered on the same subjects as those of the one before."""
    address, stream = f"{space}.test.v1.things", f"comity_{space}_test_v1_things"
    async with opened(nats_server.url, stream=600) as transport, jetstream(nats_server) as other:
        inbox = Inbox()
        await transport.subscribe(address, inbox, group="g")
        await transport.publish(address, frame(b"old"), guarantee=SURE)
        (old,) = await inbox.expect(1)
        await other.delete_stream(stream)
        await transport.publish(address, frame(b"new"), guarantee=SURE)
        await inbox.expect(2)
        old.ack()
        await transport.flush()
        (info,) = await other.consumers_info(stream)
        assert info.num_ack_pending == 1
        inbox[1].ack()
        async with asyncio.timeout(10):
            while info.num_ack_pending:  # the stream takes it in after the connection's barrier
                (info,) = await other.consumers_info(stream)


async def test_an_answer_without_a_connection_counts_for_nothing_in_a_stream_made_anew(
    fragile: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There, another member holds the message of that number."""
    address, inbox, others = "a.test.v1.things", Inbox(), Inbox()
    async with opened(fragile.url, stream=600, timeout=10) as transport:
        assert isinstance(transport, NatsTransport)
        connection = transport._connection  # pyright: ignore[reportPrivateUsage]
        assert connection is not None
        with monkeypatch.context() as late:
            late.setattr(_nats_reading, "_FIRST_PAUSE", 1.0)
            await transport.subscribe(address, inbox, group="g")
        await transport.publish(address, frame(b"old"), guarantee=SURE)
        (old,) = await inbox.expect(1)
        fragile.kill()
        await until(lambda: not connection.connected)
        old.ack()
        shutil.rmtree(fragile.now.layout.seats[0].directory / "jetstream")
        fragile.restart()
        async with opener(fragile.url, stream=600) as make:
            other = await make()
            await other.subscribe(address, others, group="g")
            await other.publish(address, frame(b"new"), guarantee=SURE)
            (new,) = await others.expect(1)
            await until(lambda: connection.lives == 1)
            new.nack()
            await until(lambda: len(inbox) + len(others) == 3)


async def test_an_answer_without_a_connection_is_sent_once_there_is_one(fragile: Broker) -> None:
    address, inbox = "a.test.v1.things", Inbox()
    async with opened(fragile.url, stream=600, timeout=10) as transport:
        await transport.subscribe(address, inbox, group="g")
        await transport.publish(address, frame(), guarantee=SURE)
        (taken,) = await inbox.expect(1)
        fragile.kill()
        await asyncio.to_thread(fragile.restart)
        taken.ack()
        async with jetstream(fragile) as other, asyncio.timeout(5):  # sooner than the server would ask again
            while (await other.consumers_info("comity_a_test_v1_things"))[0].num_ack_pending:  # noqa: ASYNC110
                await asyncio.sleep(0.02)


async def test_what_a_server_forgot_that_it_sent_is_flagged(fragile: Broker, tmp_path: Path) -> None:
    """One that was killed has every message, and not every note of having sent it."""
    address, inbox = "a.test.v1.things", Inbox()
    files = fragile.now.layout.seats[0].directory / "jetstream"
    async with opened(fragile.url, stream=600, timeout=10) as transport:
        await transport.subscribe(address, inbox, group="g")
        fragile.stop()
        (notes,) = files.rglob("obs")
        shutil.copytree(notes, tmp_path / "notes")
        fragile.restart()
        await transport.publish(address, frame(b"0"), guarantee=SURE)
        await inbox.expect(1)
        fragile.kill()
        shutil.rmtree(notes)
        shutil.copytree(tmp_path / "notes", notes)
        fragile.restart()
        await inbox.expect(2)
        await transport.publish(address, frame(b"1"), guarantee=SURE)
        await inbox.expect(3)
        assert flags(inbox)[1:] == [(0, True), (1, False)]


async def test_a_stream_that_is_set_back_is_read_on(
    fragile: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by loss of power, or from a backup: its numbers come again, for other messages."""
    address, early, late = "a.test.v1.things", Inbox(), Inbox()
    files = fragile.now.layout.seats[0].directory / "jetstream"
    async with opened(fragile.url, stream=600, timeout=10) as transport:
        await transport.subscribe(address, early)
        monkeypatch.setattr(_nats_reading, "_FIRST_PAUSE", 0.3)  # so that its place is taken by then
        await transport.subscribe(address, late)
        fragile.stop()
        shutil.copytree(files, tmp_path / "backup")
        fragile.restart()
        for number in range(3):
            await transport.publish(address, frame(b"%d" % number), guarantee=SURE)
        await early.expect(3)
        await late.expect(3)
        fragile.kill()
        shutil.rmtree(files)
        shutil.copytree(tmp_path / "backup", files)
        fragile.restart()
        for number in range(3, 9):
            await transport.publish(address, frame(b"%d" % number), guarantee=SURE)
        await early.expect(9)
        await late.expect(9)
        assert numbers(early) == numbers(late) == list(range(9))
