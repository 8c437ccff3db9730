"""What `nats://` does when the server, its permissions or the network are not as one wishes."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator

import nats
import pytest
from nats.aio.client import Client

from comity.sdk.errors import ConfigError, TransportError
from comity.transports import connect
from comity.transports.brokers import Broker
from tests.conftest import broker_or_policy
from tests.transports.connections import flood, opened, refused
from tests.transports.fragile import *  # noqa: F403
from tests.transports.harness import Inbox, frame, halted, until, until_only

pytestmark = pytest.mark.broker

USERS = """
authorization {
  users: [
    {user: "anna", password: "p@ss:w/ord"}
    {user: "bob", password: "bob", permissions: {
      publish: {allow: ["open.>"]}, subscribe: {allow: ["open.>", "_INBOX.>"]}}}
  ]
}
"""


@pytest.fixture(scope="module")
def guarded() -> Iterator[Broker]:
    """A server that knows two users."""
    with broker_or_policy("nats", USERS) as broker:
        yield broker


@pytest.fixture
def fragile() -> Iterator[Broker]:
    """A server that the test may kill."""
    with broker_or_policy("nats") as broker:
        yield broker


def as_user(broker: Broker, credentials: str) -> str:
    return broker.url.replace("://", f"://{credentials}@")


async def test_nobody_listens() -> None:
    """At once: the deadline of `refused` ends long before this timeout."""
    await refused(
        "nats://127.0.0.1:1", r"nats://127\.0\.0\.1:1: .*nobody listens there: start a server", timeout=60
    )


async def test_a_host_that_does_not_exist() -> None:
    await refused("nats://nowhere.invalid:4222", "cannot be reached")


async def test_a_server_that_says_nothing() -> None:
    async with await asyncio.start_server(until_eof, "127.0.0.1", 0) as silent:
        port = silent.sockets[0].getsockname()[1]
        await refused(f"nats://127.0.0.1:{port}", "no answer in time|timed out", timeout=0.3)


async def until_eof(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


async def test_something_that_is_no_nats_server() -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example.com ESMTP\r\n")
        await until_eof(reader, writer)

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as other:
        await refused(f"nats://127.0.0.1:{other.sockets[0].getsockname()[1]}", "INFO")


@pytest.mark.parametrize("credentials", ["anna:wrong-secret", "nobody:wrong-secret", "wrong-secret"])
async def test_wrong_credentials_are_named_but_never_shown(guarded: Broker, credentials: str) -> None:
    message = await refused(
        as_user(guarded, credentials), "refuses these credentials: correct user and password"
    )
    assert "wrong-secret" not in message


async def test_no_credentials_where_some_are_wanted(guarded: Broker) -> None:
    await refused(guarded.url, "refuses these credentials")


async def test_escaped_credentials_are_understood(guarded: Broker) -> None:
    async with opened(as_user(guarded, "anna:p%40ss%3Aw%2Ford")) as transport:
        await transport.flush()


async def test_a_token_is_understood() -> None:
    with broker_or_policy("nats", 'authorization {token: "s3cret"}') as broker:
        async with opened(as_user(broker, "s3cret")) as transport:
            await transport.flush()
        assert "other" not in await refused(as_user(broker, "other"), "refuses these credentials")


async def test_subscribing_without_permission_is_refused(guarded: Broker) -> None:
    async with opened(as_user(guarded, "bob:bob")) as transport:
        inbox = Inbox()
        with pytest.raises(TransportError, match=r"subscription to .closed\.test.*grant it"):
            await transport.subscribe("closed.test.v1.things", inbox)
        await transport.subscribe("open.test.v1.things", inbox)
        await transport.publish("open.test.v1.things", frame())
        await inbox.expect(1)


async def test_publishing_without_permission_is_told_by_flush_or_the_next_publish(guarded: Broker) -> None:
    async with opened(as_user(guarded, "bob:bob")) as transport:
        await transport.publish("closed.test.v1.things.Key", frame())
        with pytest.raises(TransportError, match=r"publish to .closed\.test\.v1\.things\.key.*grant it"):
            await transport.flush()
        await transport.flush()
        await transport.publish("closed.test.v1.things.Key", frame())
        await transport.subscribe("open.test.v1.things", Inbox())  # a round trip, so that the answer is here
        with pytest.raises(TransportError, match="grant it"):
            await transport.publish("closed.test.v1.things.Key", frame())
        await transport.publish("open.test.v1.things", frame())
        await transport.flush()


async def test_refusals_are_told_all_at_once_and_bounded(guarded: Broker) -> None:
    async with opened(as_user(guarded, "bob:bob")) as transport:
        for number in range(3000):
            await transport.publish(f"closed.test.v1.things.k{number}", frame())
        with pytest.raises(
            TransportError, match=r"publish to .closed.*\(and 2999 more\): grant it"
        ) as caught:
            await transport.flush()
        assert len(str(caught.value)) < 300
        await transport.flush()


async def test_a_server_that_takes_too_little_is_refused_at_start() -> None:
    with broker_or_policy("nats", "max_payload: 8000") as broker:
        await refused(broker.url, "8000 octets at most.*set its max_payload to 64KB or more")


async def test_a_subscription_over_the_limit_is_refused_and_costs_the_others_nothing() -> None:
    with broker_or_policy("nats", "max_subscriptions: 2") as broker:
        async with opened(broker.url) as sender, opened(broker.url) as transport:
            inbox = Inbox()
            for address in ("a.b.v1.c", "a.b.v1.d"):
                subscription = await transport.subscribe(address, inbox)
            with pytest.raises(
                TransportError, match="subscriptions exceeded: raise the server's max_subscri"
            ):
                await transport.subscribe("a.b.v1.e", inbox)
            await sender.publish("a.b.v1.c", frame())
            await inbox.expect(1)
            await subscription.close()
            await transport.subscribe("a.b.v1.e", inbox)
            await transport.flush()  # which would say that the connection was made anew


# ---------------------------------------------------------------- broken wires


class Recorder:
    """A server that says as little as the protocol allows, and remembers how much it had before each PING.

    It reads nothing more while its gate is shut.
    """

    def __init__(self) -> None:
        self.published = 0
        self.at_ping: list[int] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'INFO {"server_id":"x","version":"2.11.0","headers":true,"max_payload":1048576}\r\n')
        while line := await reader.readline():
            if line.startswith(b"HPUB "):
                await reader.readexactly(int(line.split()[-1]) + 2)
                self.published += 1
            elif line.startswith(b"PING"):
                self.at_ping.append(self.published)
                writer.write(b"PONG\r\n")
            await self.gate.wait()
        writer.close()


async def test_flush_is_a_barrier() -> None:
    recorder, total = Recorder(), 0
    async with (
        await asyncio.start_server(recorder, "127.0.0.1", 0) as server,
        opened(f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}", outbox=1 << 30) as transport,
    ):
        for count, size in ((1, 10), (5000, 10), (20, 900_000), (1, 10)):
            recorder.gate.clear()
            for _ in range(count):
                await transport.publish("a.b.v1.c", frame(b"x" * size))
            for _ in range(5):
                await asyncio.sleep(0)  # the client has handed over what it could and waits for the socket
            for _ in range(10):
                await transport.publish("a.b.v1.c", frame(b"behind"))
            total += count + 10
            flushing = asyncio.create_task(transport.flush())
            await asyncio.wait([flushing], timeout=0)
            recorder.gate.set()
            await flushing
            assert recorder.at_ping[-1] == total


async def test_closing_leaves_nothing_behind_where_the_server_reads_nothing(fragile: Broker) -> None:
    transport, tasks = connect(fragile.url, timeout=0.3, outbox=8 << 20), asyncio.all_tasks()
    await transport.open()
    await transport.subscribe("a.b.v1.d", Inbox())
    async with halted(fragile):
        with pytest.raises(TransportError, match="no answer"):
            await flood(transport, 100_000)
        async with asyncio.timeout(10):
            await transport.close()
        await until_only(tasks)


async def test_a_reconnection_that_fails_at_its_end_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A second timer of its own makes the next connection look dead, and outlives it."""
    monkeypatch.setattr(Client.flush, "__defaults__", (0.2,))
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        mine, pings = connections, 0
        writer.write(b'INFO {"server_id":"x","version":"2.11.0","headers":true,"max_payload":1048576}\r\n')
        while (line := await reader.readline()) and not line.startswith(b"HPUB "):
            if line.startswith(b"PING") and (mine != 2 or pings == 0):  # the second greets and says no more
                pings += 1
                writer.write(b"PONG\r\n")
        writer.close()

    async with (
        await asyncio.start_server(serve, "127.0.0.1", 0) as server,
        opened(f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}", timeout=10) as transport,
    ):
        await transport.publish("a.b.v1.c", frame())
        await until(lambda: connections == 3)
        await transport.subscribe("a.b.v1.c", Inbox())


# ------------------------------------------------------------------- strangers


async def test_messages_of_other_programs_are_read_or_ignored(
    nats_server: Broker, space: str, caplog: pytest.LogCaptureFixture
) -> None:
    stranger = await nats.connect(nats_server.url)  # pyright: ignore[reportUnknownMemberType]
    async with opened(nats_server.url) as transport:
        inbox, subject = Inbox(), f"{space}.test.v1.things.k"
        await transport.subscribe(f"{space}.test.v1.things.>", inbox)
        document = b'{"specversion":"1.0","id":"1","source":"/x","type":"T","data":{"n":1}}'
        await stranger.publish(subject, document, headers={"Content-Type": "application/cloudevents+json"})
        await stranger.publish(subject, b"{}", headers={"ce-id": "%C0%A0"})
        await stranger.publish(subject, b"not json", headers={"Content-Type": "application/cloudevents+json"})
        await stranger.publish(f"{space}.test.v1.things.%2e", b"{}", headers={"ce-id": "1"})
        await stranger.publish(subject, b"bare")
        await stranger.flush()
        await twice(nats_server, subject)
        await inbox.expect(3)
        assert inbox[0].frame.attributes["id"] == "1"
        assert inbox[1].frame == ({}, b"bare")
        assert caplog.text.count("is no event and was ignored") == 4
        assert "'id' is given twice" in caplog.text
    await stranger.close()


async def twice(server: Broker, subject: str) -> None:
    """Publish an event with one attribute given twice, and one more event."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
    headers = b"NATS/1.0\r\nce-id: 1\r\nce-id: 2\r\n\r\n"
    writer.write(b'CONNECT {"headers":true,"verbose":false}\r\n')
    writer.write(b"HPUB %b %d %d\r\n%b\r\n" % (subject.encode(), len(headers), len(headers), headers))
    writer.write(b"PUB %b 4\r\nlast\r\nPING\r\n" % subject.encode())
    while not (await reader.readline()).startswith(b"PONG"):
        pass
    writer.close()


@pytest.mark.parametrize(
    "bad",
    [
        "nats:",
        "nats://",
        "nats://h/path",
        "nats://h?timeout=0",
        "nats://h?timeout=x",
        "nats://h?ca=x",
        "tls://h?key=x",
    ],
)
def test_a_wrong_url_is_refused(bad: str) -> None:
    with pytest.raises(ConfigError):
        connect(bad)


def test_without_nats_py_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "comity.transports._nats_client", raising=False)
    monkeypatch.setitem(sys.modules, "nats", None)
    monkeypatch.setitem(sys.modules, "nats.errors", None)
    with pytest.raises(ConfigError, match=r"pip install comity\[nats\]"):
        connect("nats://anna:secret@h")
