"""`ws://` and `wss://` on a real mosquitto: what of the contract of transports hangs on the stream, and what goes wrong.

The rest of the contract is kept by the code that `mqtt://` runs too. It is not run again here, since mosquitto
2.0.11 looks after its WebSockets some twenty times a second only.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from comity.sdk.errors import ConfigError, PayloadTooLarge
from comity.transports import connect
from comity.transports.brokers import Broker
from tests.conftest import broker_or_policy
from tests.transports.certificates import Authority
from tests.transports.connections import opened, opener, refused
from tests.transports.contract import (
    test_a_closed_transport_refuses,
    test_a_death_notice_is_published_once_and_only_after_death_or_is_refused,
    test_a_frame_arrives_as_it_was_sent,
    test_a_refused_delivery_comes_again_flagged,
    test_at_least_once_waits_for_room_there_or_here_or_is_refused,
    test_cancelling_leaves_no_task_and_no_harm,
    test_closing_delivers_what_was_published,
    test_each_publisher_keeps_its_order,
    test_what_was_flushed_is_with_the_broker,
)
from tests.transports.harness import Inbox, MakeTransport, frame, until
from tests.transports.mqtt_servers import SURE, cut, free_port, says, served

__all__ = [
    "test_a_closed_transport_refuses",
    "test_a_death_notice_is_published_once_and_only_after_death_or_is_refused",
    "test_a_frame_arrives_as_it_was_sent",
    "test_a_refused_delivery_comes_again_flagged",
    "test_at_least_once_waits_for_room_there_or_here_or_is_refused",
    "test_cancelling_leaves_no_task_and_no_harm",
    "test_closing_delivers_what_was_published",
    "test_each_publisher_keeps_its_order",
    "test_what_was_flushed_is_with_the_broker",
]

pytestmark = pytest.mark.broker


@pytest.fixture(scope="module")
def web_server() -> Iterator[str]:
    """The URL of a mosquitto that speaks MQTT over WebSocket."""
    port = free_port()
    with broker_or_policy("mqtt", f"listener {port} 127.0.0.1\nprotocol websockets"):
        yield f"ws://127.0.0.1:{port}"


@pytest_asyncio.fixture
async def make_transport(web_server: str) -> AsyncIterator[MakeTransport]:
    async with opener(web_server) as make:
        yield make


async def test_the_payload_limit_is_kept_and_survived(web_server: str, space: str) -> None:
    """In place of the contract's: this mosquitto stalls where a message to a WebSocket fills the socket's buffer."""
    inbox, address = Inbox(), f"{space}.test.v1.things"
    async with opened(web_server) as sender, opened(web_server) as receiver:
        await receiver.subscribe(address, inbox)
        limit = sender.capabilities.max_payload
        with pytest.raises(PayloadTooLarge):
            await sender.publish(address, frame(b"x" * (limit + 1)))
        await sender.publish(f"{address}.unread", frame(b"x" * limit), guarantee=SURE)
        await sender.publish(address, frame(b"x" * 32_768))
        await inbox.expect(1)


async def test_a_lost_connection_comes_back(web_server: str, space: str) -> None:
    async with opened(web_server) as transport:
        inbox, address = Inbox(), f"{space}.test.v1.things"
        await transport.subscribe(address, inbox)
        await transport.publish(address, frame(b"before"), guarantee=SURE)
        await until(cut(transport))
        await transport.publish(address, frame(b"after"), guarantee=SURE)
        await until(lambda: inbox.datas[-1:] == [b"after"])


async def test_those_on_a_websocket_and_those_on_tcp_meet(space: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    cert, key = authority.issue("server")
    port = free_port()
    config = f"listener {port} 127.0.0.1\nprotocol websockets\ncertfile {cert}\nkeyfile {key}"
    with broker_or_policy("mqtt", config) as broker:
        url, address, inbox = f"wss://127.0.0.1:{port}/mqtt", f"{space}.test.v1.things", Inbox()
        async with opened(f"{url}?ca={authority.file}") as receiver, opened(broker.url) as sender:
            await receiver.subscribe(address, inbox)
            await sender.publish(address, frame(b"x" * 100_000), guarantee=SURE)
            await inbox.expect(1)
        await refused(url, "certificate is not trusted: name its authority with")


async def test_credentials_are_for_the_broker_and_not_for_the_web_server() -> None:
    requests: list[bytes] = []

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await reader.readuntil(b"\r\n\r\n"))

    async with served(note) as url:
        for path in ("", "/broker/ws"):
            await refused(f"{url.replace('mqtt://', 'ws://anna:secret@')}{path}", "hung up|no MQTT over")
    assert [request.split()[1] for request in requests] == [b"/mqtt", b"/broker/ws"]
    for request in requests:
        assert b"secret" not in request
        assert b"Authorization" not in request
        assert b"Sec-WebSocket-Protocol: mqtt\r\n" in request


async def test_a_server_that_speaks_http_only() -> None:
    answer = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
    async with served(says(answer)) as url:
        await refused(url.replace("mqtt:", "ws:"), "no MQTT over WebSocket there: .*404")


@pytest.mark.parametrize("answer", [b"220 mail.example.com ESMTP\r\n", b"\x20\x03\x00\x00\x00" * 9])
async def test_something_that_is_no_web_server(answer: bytes) -> None:
    async with served(says(answer)) as url:
        await refused(url.replace("mqtt:", "ws:"), "check that an MQTT broker listens there", timeout=0.5)


async def test_a_broker_that_expects_no_websocket(mqtt_server: Broker) -> None:
    await refused(mqtt_server.url.replace("mqtt:", "ws:"), "check that|hung up", timeout=1)


@pytest.mark.parametrize("bad", ["ws:", "ws://", "ws://h?ca=x", "wss://h?key=x"])
def test_a_wrong_url_of_a_websocket_is_refused(bad: str) -> None:
    with pytest.raises(ConfigError):
        connect(bad)


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "comity.transports._mqtt_web", raising=False)
    monkeypatch.setitem(sys.modules, "websockets.client", None)
    with pytest.raises(ConfigError, match=r"ws://anna:\*\*\*@h needs websockets: pip install comity\[mqtt\]"):
        connect("ws://anna:secret@h")
