"""What `mqtt://` does when the broker, its permissions or the network are not as one wishes."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from comity.sdk.errors import CapabilityError, ConfigError, PayloadTooLarge, TransportError
from comity.sdk.ports import Delivery, Guarantee
from comity.transports import connect
from comity.transports.brokers import Broker
from tests.conftest import broker_or_policy
from tests.transports.certificates import Authority
from tests.transports.connections import flood, opened, refused
from tests.transports.contract import Inbox, frame, settle, until, until_only

pytestmark = pytest.mark.broker

SURE = Guarantee.AT_LEAST_ONCE


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker that knows two users."""
    with broker_or_policy("mqtt"):  # before its tool is called
        pass
    directory = tmp_path_factory.mktemp("users")
    passwords, rules = directory / "passwords", directory / "rules"
    passwords.write_text("anna:p@ss:w/ord\nbob:bob\n".replace("p@ss:w/ord", "p@ss-w/ord"), encoding="utf-8")
    subprocess.run(["mosquitto_passwd", "-U", passwords], check=True, timeout=10)
    rules.write_text("user anna\ntopic #\nuser bob\ntopic open/#\n", encoding="utf-8")
    for file in (directory, passwords, rules):
        file.chmod(0o755)
    config = f"allow_anonymous false\npassword_file {passwords}\nacl_file {rules}\n"
    with broker_or_policy("mqtt", config) as broker:
        yield broker


@pytest.fixture
def fragile() -> Iterator[Broker]:
    """A broker that the test may kill; what it has confirmed is on disk before it reads on."""
    with broker_or_policy("mqtt", "autosave_on_changes true") as broker:
        yield broker


def as_user(broker: Broker, credentials: str) -> str:
    return broker.url.replace("://", f"://{credentials}@")


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def served(handler: Handler) -> AsyncGenerator[str, None]:
    """The URL of something that behaves as `handler` does."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await handler(reader, writer)
        writer.close()

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
        yield f"mqtt://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def says(octets: bytes) -> Handler:
    """Somebody who answers the first packet with `octets`, and then nothing more."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(octets)
        await reader.read()

    return handler


# ------------------------------------------------------------------ connecting


async def test_nobody_listens() -> None:
    began = time.monotonic()
    await refused("mqtt://127.0.0.1:1", r"mqtt://127\.0\.0\.1:1: .*nobody listens there: start a broker")
    assert time.monotonic() - began < 1, "refused at once, not after the timeout"


async def test_a_host_that_does_not_exist() -> None:
    await refused("mqtt://nowhere.invalid", "cannot be reached")


async def test_a_server_that_says_nothing() -> None:
    async with served(says(b"")) as url:
        await refused(url, "no answer in time", timeout=0.3)


@pytest.mark.parametrize(
    "greeting", [b"220 mail.example.com ESMTP\r\n" * 3, b"HTTP/1.1 400 Bad Request\r\n\r\n" * 9, b"\xff" * 9]
)
async def test_something_that_is_no_broker(greeting: bytes) -> None:
    async with served(says(greeting)) as url:
        await refused(url, "check that an MQTT broker listens there")


@pytest.mark.parametrize("answer", [b"\x20\x02\x00\x01", b"\x20\x03\x00\x84\x00"])
async def test_a_broker_of_an_older_version_is_named(answer: bytes) -> None:
    async with served(says(answer)) as url:
        await refused(url, "speaks no MQTT 5")


async def test_a_broker_that_hangs_up_at_version_5() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)

    async with served(hang_up) as url:
        await refused(url, "hung up: it may speak no MQTT 5")


async def test_what_a_broker_does_not_offer_is_refused() -> None:
    offers = b"\x24\x00" + b"\x25\x00" + b"\x2a\x00" + b"\x27" + (20_000).to_bytes(4)
    async with served(says(b"\x20" + bytes([3 + len(offers), 0, 0, len(offers)]) + offers)) as url:
        transport = connect(url, retain=5, timeout=0.2)
        await transport.open()
        able = transport.capabilities
        assert not able.groups
        assert not able.last_value
        assert able.guarantees == frozenset({Guarantee.AT_MOST_ONCE})
        assert able.max_payload == 20_000 - 8192
        with pytest.raises(CapabilityError, match="groups"):
            await transport.subscribe("a.b.v1.c", Inbox(), group="g")
        with pytest.raises(CapabilityError, match="at-least-once"):
            await transport.publish("a.b.v1.c", frame(), guarantee=SURE)
        with pytest.raises(PayloadTooLarge, match="limit of 11808"):
            await transport.publish("a.b.v1.c", frame(b"x" * 11_809))
        with pytest.raises(PayloadTooLarge, match="limit of 20000"):
            await transport.publish("a.b.v1.c", frame(one="x" * 12_000, two="x" * 9_000))
        await transport.close()


async def test_a_broker_without_subscription_identifiers_is_refused() -> None:
    async with served(says(b"\x20\x05\x00\x00\x02\x29\x00")) as url:
        await refused(url, "no subscription identifiers")


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


# ------------------------------------------------------------------------ TLS


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ours"))


def tls(authority: Authority, *, days: int = 1, verify: bool = False) -> str:
    cert, key = authority.issue(f"server{days}", days=days)
    return (
        f"certfile {cert}\nkeyfile {key}\ncafile {authority.file}\nrequire_certificate {str(verify).lower()}"
    )


def secured(broker: Broker) -> str:
    return broker.url.replace("mqtt:", "mqtts:")


async def test_tls_with_our_authority(authority: Authority, tmp_path: Path) -> None:
    with broker_or_policy("mqtt", tls(authority)) as broker:
        async with opened(f"{secured(broker)}?ca={authority.file}") as transport:
            inbox = Inbox()
            await transport.subscribe("a.b.v1.c", inbox)
            await transport.publish("a.b.v1.c", frame())
            await inbox.expect(1)
        await refused(secured(broker), "certificate is not trusted: name its authority with")
        await refused(f"{secured(broker)}?ca={Authority(tmp_path).file}", "certificate is not trusted")
        await refused(broker.url, "hung up", timeout=1)


async def test_an_expired_certificate(authority: Authority) -> None:
    with broker_or_policy("mqtt", tls(authority, days=-1)) as broker:
        await refused(f"{secured(broker)}?ca={authority.file}", "expired")


async def test_a_broker_that_wants_a_client_certificate(authority: Authority) -> None:
    cert, key = authority.issue("client")
    with broker_or_policy("mqtt", tls(authority, verify=True)) as broker:
        url = f"{secured(broker)}?ca={authority.file}"
        async with opened(f"{url}&cert={cert}&key={key}") as transport:
            await transport.flush()
        await refused(url, r"\?cert=")


# ---------------------------------------------------------------- broken wires


async def test_a_broker_killed_and_restarted_under_load(fragile: Broker) -> None:
    async with opened(fragile.url, timeout=4) as transport:
        inbox, address, sent = Inbox(), "a.b.v1.c", 0
        await transport.subscribe(address, inbox)

        async def load(seconds: float) -> None:
            nonlocal sent
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                await transport.publish(address, frame(b"%d" % sent))
                sent += 1
                await asyncio.sleep(0)

        await load(0.2)
        fragile.kill()
        await load(0.1)
        fragile.restart()
        await load(0.2)
        with pytest.raises(TransportError, match="may not have arrived"):
            await transport.flush()
        before = sent
        await load(0.1)
        await settle(transport)
        numbers = [int(data) for data in inbox.datas if isinstance(data, bytes)]
        assert numbers == sorted(set(numbers)), "in order, and nothing twice"
        assert set(range(before, sent)) <= set(numbers), "nothing that was flushed is missing"
        assert numbers[0] == 0


async def test_what_was_confirmed_arrives_though_the_broker_is_killed(fragile: Broker) -> None:
    async with opened(fragile.url, timeout=5) as sender, opened(fragile.url, timeout=5) as receiver:
        address, confirmed = "a.b.v1.c", list[bytes]()
        arrived: set[object] = set()

        def acknowledge(delivery: Delivery) -> None:
            arrived.add(delivery.frame.data)
            delivery.ack()

        subscription = await receiver.subscribe(address, acknowledge)
        subscription.pause()

        async def send(first: int) -> None:
            for number in range(first, first + 100):
                await sender.publish(address, frame(b"%d" % number), guarantee=SURE)
                confirmed.append(b"%d" % number)

        await send(0)
        sending = asyncio.create_task(send(100))
        await until(lambda: len(confirmed) > 120)
        fragile.kill()
        fragile.restart()
        await sending
        subscription.resume()
        await until(lambda: arrived >= set(confirmed))
        assert len(confirmed) == 200


async def test_what_is_published_while_disconnected_is_kept_and_sent(fragile: Broker) -> None:
    async with opened(fragile.url, timeout=1) as transport:
        inbox, address = Inbox(), "a.b.v1.c"
        await transport.subscribe(address, inbox)
        fragile.kill()
        with pytest.raises(TransportError, match=r"no answer within 1 s \(.*see whether the broker is up"):
            await transport.flush()
        with pytest.raises(TransportError, match="nothing was sent"):
            await transport.publish(address, frame(b"never"), guarantee=SURE)
        for number in range(100):
            await transport.publish(address, frame(b"%d" % number))
        fragile.restart()
        await inbox.expect(100)
        assert inbox.datas == [b"%d" % number for number in range(100)]
        await transport.flush()


async def test_what_waits_while_disconnected_is_bounded(fragile: Broker) -> None:
    async with opened(fragile.url, outbox=20_000) as transport:
        fragile.kill()
        with pytest.raises(TransportError, match="publish again later"):
            await flood(transport, 1000)
        fragile.restart()
        inbox = Inbox()
        await transport.subscribe("a.b.v1.d", inbox)
        await transport.publish("a.b.v1.d", frame(b"after"))
        await inbox.expect(1)


async def test_a_broker_that_hangs_blocks_nobody_for_ever(fragile: Broker) -> None:
    async with opened(fragile.url, timeout=0.5, outbox=100_000) as transport:
        os.kill(fragile.now.pid, signal.SIGSTOP)
        try:
            with pytest.raises(TransportError, match=r"no answer within 0\.5 s"):
                await flood(transport, 10_000)
            with pytest.raises(TransportError, match="no answer"):
                await transport.flush()
            with pytest.raises(TransportError, match="no answer"):
                await transport.subscribe("a.b.v1.c", Inbox())
            with pytest.raises(TransportError, match="may have arrived all the same"):
                await transport.publish("a.b.v1.c", frame(), guarantee=SURE)
        finally:
            os.kill(fragile.now.pid, signal.SIGCONT)


async def test_a_connection_on_which_nothing_is_heard_is_given_up() -> None:
    connections = 0

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.read(1000)
        writer.write(b"\x20\x06\x00\x00\x03\x13\x00\x01")  # keep alive: one second
        while await reader.read(1000):
            pass

    async with served(mute) as url:
        transport = connect(url, timeout=0.5)
        await transport.open()
        await until(lambda: connections > 1, 5)
        with pytest.raises(TransportError, match="no answer"):
            await transport.flush()
        await transport.close()


async def test_closing_while_disconnected_ends_in_time(fragile: Broker) -> None:
    transport = connect(fragile.url, timeout=1)
    tasks = asyncio.all_tasks()
    await transport.open()
    await transport.subscribe("a.b.v1.c", Inbox())
    await transport.publish("a.b.v1.c", frame())
    fragile.kill()
    async with asyncio.timeout(4):
        await transport.close()
    await until_only(tasks)


# ------------------------------------------------- acknowledgements and bounds


async def test_what_was_not_acknowledged_comes_again_flagged(fragile: Broker) -> None:
    address, held = "a.b.v1.c", list[Delivery]()
    async with opened(fragile.url, timeout=5) as receiver, opened(fragile.url) as sender:
        await receiver.subscribe(address, held.append)
        for number in range(3):
            await sender.publish(address, frame(b"%d" % number), guarantee=SURE)
        await until(lambda: len(held) == 3)
        held[0].ack()
        await receiver.flush()
        fragile.kill()
        fragile.restart()
        await until(lambda: len(held) >= 5)
        held[1].ack()  # of a connection that is gone: it confirms nothing
        assert [(each.frame.data, each.redelivered) for each in held[3:]] == [(b"1", True), (b"2", True)]
        for each in held[3:]:
            each.ack()
        await receiver.flush()
        await sender.publish(address, frame(b"3"), guarantee=SURE)
        await until(lambda: len(held) > 5)
        assert [each.frame.data for each in held[5:]] == [b"3"]


async def test_a_session_left_behind_is_ended(mqtt_server: Broker, space: str) -> None:
    address, client = f"{space}.test.v1.things", f"client-{space}"
    script = (
        "import asyncio, os, sys\n"
        "from comity.transports import connect\n"
        "async def main():\n"
        "    transport = connect(sys.argv[1], client=sys.argv[2])\n"
        "    await transport.open()\n"
        "    await transport.subscribe(sys.argv[3], print)\n"
        "    os._exit(0)\n"
        "asyncio.run(main())\n"
    )
    arguments = [sys.executable, "-c", script, mqtt_server.url, client, address]
    assert await (await asyncio.create_subprocess_exec(*arguments)).wait() == 0
    async with opened(mqtt_server.url) as sender:
        await sender.publish(address, frame(b"missed"), guarantee=SURE)
        async with opened(mqtt_server.url, client=client) as receiver:
            inbox = Inbox()
            await receiver.subscribe(address, inbox)
            await sender.publish(address, frame(b"new"), guarantee=SURE)
            await settle(receiver)
            assert inbox.datas == [b"new"]


async def test_the_window_holds_back_what_is_not_acknowledged(mqtt_server: Broker, space: str) -> None:
    address, held = f"{space}.test.v1.things", list[Delivery]()
    async with opened(mqtt_server.url, window=5) as receiver, opened(mqtt_server.url) as sender:
        await receiver.subscribe(address, held.append)
        for number in range(20):
            await sender.publish(address, frame(b"%d" % number), guarantee=SURE)
        await settle(sender, receiver)
        assert len(held) == 5, "the broker keeps the rest"
        done = 0
        while done < 20:
            await until(lambda at=done: len(held) > at)  # type: ignore[misc]
            held[done].ack()
            held[done].ack()
            done += 1
        assert [each.frame.data for each in held] == [b"%d" % number for number in range(20)]


def acknowledging(inbox: Inbox) -> Callable[[Delivery], None]:
    """Takes a message into `inbox` and acknowledges it."""

    def take(delivery: Delivery) -> None:
        inbox(delivery)
        delivery.ack()

    return take


async def test_a_paused_subscriber_is_sent_no_more_than_the_window(mqtt_server: Broker, space: str) -> None:
    address = f"{space}.test.v1.things"
    async with opened(mqtt_server.url, window=8) as receiver, opened(mqtt_server.url) as sender:
        inbox, other = Inbox(), Inbox()
        subscription = await receiver.subscribe(address, acknowledging(inbox))
        subscription.pause()
        async with opened(mqtt_server.url) as quick:
            await quick.subscribe(address, acknowledging(other))
            for number in range(100):
                await sender.publish(address, frame(b"%d" % number), guarantee=SURE)
            await other.expect(100)
        await settle(receiver)
        assert len(subscription._messages) == 8  # type: ignore[attr-defined]
        subscription.resume()
        await inbox.expect(100)
        assert (inbox.datas, subscription.dropped) == ([b"%d" % number for number in range(100)], 0)


async def test_publishing_surely_keeps_to_the_window_of_the_broker() -> None:
    unconfirmed: list[bytes] = []
    gate = asyncio.Event()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(b"\x20\x06\x00\x00\x03\x21\x00\x03")
        while first := await reader.read(1):
            length = (await reader.readexactly(1))[0]
            body = await reader.readexactly(length)
            if first[0] >> 4 == 3:
                at = 2 + int.from_bytes(body[:2])
                unconfirmed.append(body[at : at + 2])
                if gate.is_set():
                    writer.write(b"\x40\x02" + unconfirmed.pop())
            elif first[0] >> 4 == 12:
                writer.write(b"\xd0\x00")
                if gate.is_set():
                    while unconfirmed:
                        writer.write(b"\x40\x02" + unconfirmed.pop())

    async with served(slow) as url, opened(url) as transport:
        sending = [
            asyncio.create_task(transport.publish("a.b.v1.c", frame(), guarantee=SURE)) for _ in range(8)
        ]
        await transport.flush()
        assert len(unconfirmed) == 3
        sending[4].cancel()
        await asyncio.wait({sending[4]})
        gate.set()
        await transport.flush()
        await asyncio.gather(*sending[:4], *sending[5:])
        assert sending[4].cancelled()


async def test_two_subscriptions_to_one_pattern_both_have_all(mqtt_server: Broker, space: str) -> None:
    address, inboxes = f"{space}.test.v1.things", [Inbox(), Inbox()]
    async with opened(mqtt_server.url, retain=60) as transport:
        first, _ = [await transport.subscribe(address, inbox) for inbox in inboxes]
        await transport.publish(address, frame(b"1"), guarantee=SURE)
        for inbox in inboxes:
            await inbox.expect(1)
        await first.close()
        await transport.publish(address, frame(b"2"))
        await inboxes[1].expect(2)
        assert len(inboxes[0]) == 1


async def test_a_tail_does_not_bring_its_parent(mqtt_server: Broker, space: str) -> None:
    async with opened(mqtt_server.url) as transport:
        inbox = Inbox()
        await transport.subscribe(f"{space}.test.v1.things.>", inbox)
        await transport.publish(f"{space}.test.v1.things", frame(b"parent"), guarantee=SURE)
        await transport.publish(f"{space}.test.v1.things.k", frame(b"child"), guarantee=SURE)
        await settle(transport)
        assert inbox.datas == [b"child"]


async def test_asking_for_the_last_value_disturbs_no_subscription(mqtt_server: Broker, space: str) -> None:
    address = f"{space}.test.v1.things"
    async with opened(mqtt_server.url, retain=60) as transport:
        inbox = Inbox()
        await transport.subscribe(address, inbox)
        for number in range(3):
            await transport.publish(address, frame(b"%d" % number))
            assert await transport.last_value(address) == frame(b"%d" % number)  # type: ignore[attr-defined]
            asking: asyncio.Task[object] = asyncio.create_task(transport.last_value(address))  # type: ignore[attr-defined]
            await asyncio.wait({asking}, timeout=0)
            asking.cancel()
            await asyncio.wait({asking})
        await settle(transport)
        assert inbox.datas == [b"0", b"1", b"2"]


async def test_an_empty_last_value_is_remembered_too(mqtt_server: Broker, space: str) -> None:
    async with opened(mqtt_server.url, retain=60) as transport:
        address = f"{space}.test.v1.things"
        await transport.publish(address, frame(b"full"))
        await transport.publish(address, frame(b""))
        found = await transport.last_value(address)  # type: ignore[attr-defined]
        assert found == frame(b"")


# ------------------------------------------------------------------- strangers


def tool(name: str) -> str:
    """One of mosquitto's clients, or the policy for machines that lack it."""
    found = shutil.which(name)
    if found is None:
        if os.environ.get("COMITY_REQUIRE_ALL") == "1":
            pytest.fail(f"COMITY_REQUIRE_ALL=1, but no {name} here: apt-get install mosquitto-clients")
        pytest.skip(f"NOT RUN: no {name} here: apt-get install mosquitto-clients")
    return found


async def test_a_plain_client_reads_structured_messages(mqtt_server: Broker, space: str) -> None:
    port = mqtt_server.url.rpartition(":")[2]
    arguments = ["-p", port, "-V", "mqttv311", "-C", "1", "-W", "10", "-t", f"{space}/test/v1/things/#"]
    listening = await asyncio.create_subprocess_exec(
        tool("mosquitto_sub"), *arguments, stdout=asyncio.subprocess.PIPE
    )
    heard = asyncio.create_task(listening.communicate())
    async with opened(mqtt_server.url, mode="structured") as transport:
        while not heard.done():
            await transport.publish(f"{space}.test.v1.things.k", frame(b'{"n":1}'))
            await asyncio.wait({heard}, timeout=0.02)
    output = heard.result()[0].decode()
    assert output == '{"specversion":"1.0","id":"1","source":"/test","type":"Test","data":{"n":1}}\n'


async def test_messages_of_other_programs_are_read_or_ignored(
    mqtt_server: Broker, space: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(mqtt_server.url) as transport:
        inbox, topic = Inbox(), f"{space}/test/v1/things"

        async def stranger(payload: str, *more: str, topic: str = topic, version: str = "5") -> None:
            port = mqtt_server.url.rpartition(":")[2]
            arguments = ["-p", port, "-V", version, "-q", "1", "-t", topic, "-m", payload, *more]
            done = await asyncio.create_subprocess_exec(tool("mosquitto_pub"), *arguments)
            assert await done.wait() == 0

        kind = ["-D", "publish", "content-type"]
        document = '{"specversion":"1.0","id":"1","source":"/x","type":"T","data":{"n":1}}'
        await transport.subscribe(f"{space}.test.v1.things", inbox)
        await stranger(document, *kind, "application/cloudevents+json; charset=utf-8")
        await stranger(document, version="mqttv311")
        await stranger("bare", version="mqttv311")
        await stranger("{}", "-D", "publish", "user-property", "id", "7", *kind, "application/json")
        await stranger("not json", *kind, "application/cloudevents+json")
        await stranger("{}", *kind, "application/cloudevents+avro")
        await stranger("{}", *(["-D", "publish", "user-property", "id", "1"] * 2))
        await stranger("{}", topic=f"{topic}/%2e")
        await settle(transport)
        await inbox.expect(4)
        assert [dict(each.frame.attributes).get("id") for each in inbox] == ["1", "1", None, "7"]
        assert inbox[2].frame == ({}, b"bare")
        assert inbox[3].frame == ({"datacontenttype": "application/json", "id": "7"}, b"{}")
        assert caplog.text.count("is no event and was ignored") == 3
        assert "'id' is given twice" in caplog.text


@pytest.mark.parametrize(
    "bad",
    [
        "mqtt:",
        "mqtt://",
        "mqtt://h/path",
        "mqtt://h?timeout=0",
        "mqtt://h?timeout=x",
        "mqtt://h?ca=x",
        "mqtts://h?key=x",
        "mqtt://h?window=65536",
        "mqtt://h?mode=avro",
        "mqtt://h?retain=0",
    ],
)
def test_a_wrong_url_is_refused(bad: str) -> None:
    with pytest.raises(ConfigError):
        connect(bad)


def test_a_certificate_file_that_is_missing_is_named() -> None:
    with pytest.raises(ConfigError, match="certificate file cannot be used"):
        connect("mqtts://h?ca=/nowhere/ca.pem")
