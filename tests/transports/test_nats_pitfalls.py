"""What nats-py is known to do wrong, and `nats://` must not: one test for each report that concerns us.

That `flush()` is no barrier is `test_flush_is_a_barrier` in `test_nats_server.py`; what a publish does that timed out
and was stored stands in `test_nats_stream_server.py`; slow consumers of core NATS are in the contract.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest
from nats.errors import ConnectionClosedError
from nats.js.errors import APIError

from comity.sdk.errors import TransportError
from comity.sdk.ports import Delivery
from comity.transports import _nats_reading, connect
from comity.transports._nats_reading import Live
from comity.transports.brokers import Broker
from comity.transports.nats import NatsTransport
from tests.conftest import broker_or_policy
from tests.transports.connections import flood, opened
from tests.transports.harness import Inbox, frame, until
from tests.transports.nats_streams import SURE, acking, jetstream, numbers

pytestmark = pytest.mark.broker


@pytest.fixture
def fragile() -> Iterator[Broker]:
    """A server that the test may kill."""
    with broker_or_policy("nats") as broker:
        yield broker


async def test_504_pulling_goes_on_after_the_server_was_restarted(fragile: Broker) -> None:
    address = "a.test.v1.things"
    async with opened(fragile.url, stream=600, timeout=10) as transport:
        inbox, member = Inbox(), Inbox()
        await transport.subscribe(address, inbox)
        await transport.subscribe(address, acking(member), group="g")
        for number in range(3):
            await asyncio.to_thread(fragile.restart)
            await transport.publish(address, frame(b"%d" % number), guarantee=SURE)
            await until(lambda number=number: len(inbox) > number)  # type: ignore[misc]
        assert numbers(inbox) == [0, 1, 2]
        await until(lambda: set(numbers(member)) == {0, 1, 2}, 20)


async def test_510_a_consumer_that_falls_silent_is_replaced(
    nats_server: Broker, space: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even its end is heard of: only the heartbeats are missing."""
    monkeypatch.setattr(_nats_reading, "_SILENCE", 0.5)
    monkeypatch.setattr(_nats_reading, "_SIGN", 0.1)
    told = Live._told  # pyright: ignore[reportPrivateUsage]

    def deaf(self: Live, headers: dict[str, str]) -> None:
        if headers.get("Status") == "100":
            told(self, headers)

    monkeypatch.setattr(Live, "_told", deaf)
    address, name, inbox = f"{space}.test.v1.things", f"comity_{space}_test_v1_things", Inbox()
    async with opened(nats_server.url, stream=600) as transport:
        await transport.subscribe(address, inbox)
        await transport.publish(address, frame(b"0"), guarantee=SURE)
        await inbox.expect(1)
        async with jetstream(nats_server) as other:
            for consumer in await other.consumers_info(name):
                await other.delete_consumer(name, consumer.name)
        await transport.publish(address, frame(b"1"), guarantee=SURE)
        await inbox.expect(2)
        assert numbers(inbox) == [0, 1]


async def test_a_subscription_that_is_closed_as_an_answer_arrives_ends(
    nats_server: Broker, space: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python 3.11's `wait_for`, by which nats-py waits for answers, may swallow the cancellation."""
    monkeypatch.setattr(_nats_reading, "_FIRST_PAUSE", 0.0)
    address = f"{space}.test.v1.things"
    async with opened(nats_server.url, stream=600) as transport:
        for turns in range(16):
            subscription = await transport.subscribe(address, Inbox())
            assert isinstance(subscription, Live)
            subscription._lost = True  # pyright: ignore[reportPrivateUsage]
            subscription._stirred.set()  # pyright: ignore[reportPrivateUsage]
            for _ in range(turns):
                await asyncio.sleep(0)
            async with asyncio.timeout(10):
                await subscription.close()


async def test_a_request_that_is_under_way_ends_with_its_connection(nats_server: Broker) -> None:
    transport = connect(nats_server.url)
    assert isinstance(transport, NatsTransport)
    await transport.open()
    connection = transport._connection  # pyright: ignore[reportPrivateUsage]
    assert connection is not None
    await transport.subscribe("silent.test.v1.things", Inbox())
    asking = asyncio.create_task(connection.native.request("silent.test.v1.things", b"", timeout=60))
    await transport.flush()
    await transport.close()
    async with asyncio.timeout(15):  # long before its own
        with pytest.raises(ConnectionClosedError):
            await asking


@pytest.mark.parametrize("group", [None, "g"])
async def test_298_and_372_what_was_pulled_is_never_dropped_as_slow(
    nats_server: Broker, space: str, group: str | None
) -> None:
    """A subscriber that holds up the event loop, while as much arrives as was asked for."""
    address, inbox, total = f"{space}.test.v1.things", Inbox(), 2000

    def slow(delivery: Delivery) -> None:
        if len(inbox) % 500 == 0:
            time.sleep(0.1)
        inbox(delivery)
        delivery.ack()

    async with opened(nats_server.url, stream=600) as transport:
        subscription = await transport.subscribe(address, slow, group=group)
        subscription.pause()
        for number in range(total):
            await transport.publish(address, frame(b"%d" % number + b" " * 4096))
        await transport.flush()
        subscription.resume()
        await inbox.expect(total)
        assert numbers(inbox) == list(range(total))
        assert not any(delivery.redelivered for delivery in inbox)
        assert subscription.dropped == 0


@pytest.mark.parametrize("group", [None, "g"])
async def test_418_a_request_that_nothing_came_for_is_made_again(
    nats_server: Broker, space: str, group: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_nats_reading, "_EXPIRES", 1)
    monkeypatch.setattr(_nats_reading, "_HEARTBEAT", 0)
    asked: list[Any] = []
    told = Live._told  # pyright: ignore[reportPrivateUsage]

    def hearing(self: Any, headers: dict[str, str]) -> None:
        asked.append(headers.get("Status"))
        told(self, headers)

    monkeypatch.setattr(_nats_reading.Reading, "_told", hearing)
    address, inbox = f"{space}.test.v1.things", Inbox()
    async with opened(nats_server.url, stream=600) as transport:
        await transport.subscribe(address, acking(inbox), group=group)
        await until(lambda: asked.count("408") == 2)
        await transport.publish(address, frame(b"0"), guarantee=SURE)
        await inbox.expect(1)


async def test_289_what_waits_for_the_connection_is_bounded_with_streams_too(fragile: Broker) -> None:
    address = "a.test.v1.things"
    async with opened(fragile.url, stream=600, outbox=20_000) as transport:
        await transport.publish(address, frame(), guarantee=SURE)
        fragile.kill()
        with pytest.raises(TransportError, match="publish again later"):
            await flood(transport, 1000, address)
        fragile.restart()
        await transport.publish(address, frame(b"after"), guarantee=SURE)


async def test_an_answer_that_refuses_is_raised_and_not_waited_for(nats_server: Broker, space: str) -> None:
    """`APIError.from_error` raises what its name says that it returns."""
    address = f"{space}.test.v1.things"
    async with opened(nats_server.url, stream=600, timeout=30) as transport:
        await transport.publish(address, frame(), guarantee=SURE)
        async with jetstream(nats_server) as other:
            info = await other.stream_info(f"comity_{space}_test_v1_things")
            info.config.sealed = True
            await other.update_stream(info.config)
        async with asyncio.timeout(15):  # long before the transport's own
            with pytest.raises(TransportError, match="the server refuses") as caught:
                await transport.publish(address, frame(), guarantee=SURE)
        assert isinstance(caught.value.__cause__, APIError)
