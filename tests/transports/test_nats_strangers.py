"""Other programs' messages on our subjects: what is no event of ours is ignored, and holds nothing up."""

from __future__ import annotations

import asyncio
from itertools import product

import pytest

from comity.transports.brokers import Broker
from comity.transports.nats import NatsTransport
from tests.transports.connections import opened
from tests.transports.harness import Inbox, frame, until
from tests.transports.nats_streams import SURE, acking, jetstream

pytestmark = pytest.mark.broker

PLAIN = [
    b"",
    b"NATS/1.0\r\n\r\n",
    b"\xff\xfe\r\n\r\n",
    b"NATS/1.0 503 no\r\n: \r\n:::\r\nce-id\r\n\r\n",
]
GARBAGE = [
    b"NATS/1.0\r\nce-\xff: \xfe\r\n\r\n",
    b"NATS/1.0\r\nce-id: %zz\r\n\r\n",
    b"NATS/1.0\r\nce-id: 1\r\nce-id: 2\r\n\r\n",
    b"NATS/1.0\r\ncontent-type: application/cloudevents+json\r\n\r\n",
    b"NATS/1.0\r\ncontent-type: application/cloudevents-batch+json\r\n\r\n",
]
PAYLOADS = [b"", b"\xff", b"[" * 100_000]


async def shout(broker: Broker, *messages: tuple[bytes, bytes, bytes]) -> None:
    """Publish subjects, headers and payloads as they are, by a program without a library's care."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(broker.url.rpartition(":")[2]))
    await reader.readline()
    writer.write(b'CONNECT {"verbose":false,"headers":true}\r\n')
    for subject, headers, payload in messages:
        kind, sizes = (b"HPUB", b"%d " % len(headers)) if headers else (b"PUB", b"")
        size = len(headers) + len(payload)
        writer.write(b"%b %b %b%d\r\n%b%b\r\n" % (kind, subject, sizes, size, headers, payload))
    writer.write(b"PING\r\n")
    async with asyncio.timeout(10):
        assert await reader.readline() == b"PONG\r\n"
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize("stream", [0, 600], ids=["core", "stream"])
@pytest.mark.parametrize("group", [None, "g"])
@pytest.mark.parametrize("last", [b"\xff\xfe", b"a\x0bb", b"a\x0b1", b"\x00", "\u00e9".encode()])
async def test_a_subject_that_is_no_text_stops_nobody(
    nats_server: Broker, space: str, stream: int, group: str | None, last: bytes
) -> None:
    address, inbox = f"{space}.test.v1.things", Inbox()
    async with opened(nats_server.url, **({"stream": stream} if stream else {})) as transport:
        await transport.subscribe(f"{address}.*", acking(inbox), group=group)
        await transport.publish(f"{address}.k", frame(b"before"))
        await transport.flush()
        await inbox.expect(1)
        await shout(nats_server, (address.encode() + b"." + last, b"", b"x"))
        await transport.publish(f"{address}.k", frame(b"after"))
        await transport.flush()
        await until(lambda: b"after" in inbox.datas)
        assert inbox.datas == [b"before", b"after"]


@pytest.mark.parametrize("stream", [0, 600], ids=["core", "stream"])
@pytest.mark.parametrize("group", [None, "g"])
async def test_headers_and_data_that_are_garbage_hold_nothing_up(
    nats_server: Broker, space: str, stream: int, group: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    address, inbox = f"{space}.test.v1.things", Inbox()
    async with opened(nats_server.url, **({"stream": stream} if stream else {})) as transport:
        await transport.subscribe(address, acking(inbox), group=group)
        await shout(nats_server, *product([address.encode()], PLAIN + GARBAGE, PAYLOADS))
        await transport.publish(address, frame(b"after"))
        await transport.flush()
        await until(lambda: b"after" in inbox.datas)
        assert caplog.text.count("is no event and was ignored") == len(GARBAGE) * len(PAYLOADS)
        assert len(inbox) == len(PLAIN) * len(PAYLOADS) + 1
        if stream and group:
            await until_all_is_acknowledged(nats_server, f"comity_{space}_test_v1_things")


@pytest.mark.parametrize("kind", [b"ce-id: %zz", b"content-type: application/cloudevents+json"])
async def test_a_last_message_that_is_garbage_is_no_last_value(
    nats_server: Broker, space: str, caplog: pytest.LogCaptureFixture, kind: bytes
) -> None:
    address = f"{space}.test.v1.things.k"
    async with opened(nats_server.url, stream=600) as transport:
        assert isinstance(transport, NatsTransport)
        await transport.publish(address, frame(b"ours"), guarantee=SURE)
        await shout(nats_server, (address.encode(), b"NATS/1.0\r\n%b\r\n\r\n" % kind, b"junk"))
        await until_it_is_the_last(nats_server, address)
        assert await transport.last_value(address) is None
        assert "is no event, so that there is no last value" in caplog.text
        await transport.publish(address, frame(b"ours again"), guarantee=SURE)
        found = await transport.last_value(address)
        assert found is not None
        assert found.data == b"ours again"


async def until_it_is_the_last(broker: Broker, address: str) -> None:
    async with jetstream(broker) as other, asyncio.timeout(10):
        name = f"comity_{address.rpartition('.')[0].replace('.', '_')}"
        while (await other.get_last_msg(name, address)).data != b"junk":  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)


async def until_all_is_acknowledged(broker: Broker, name: str) -> None:
    async with jetstream(broker) as other, asyncio.timeout(10):
        while any(one.num_ack_pending for one in await other.consumers_info(name)):  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)
