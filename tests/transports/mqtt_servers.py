"""What MQTT tests share: servers that misbehave as told, and a guarantee by a short name."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

from comity.sdk.ports import Delivery, Guarantee, Transport
from comity.transports._mqtt_client import Connection
from tests.transports.contract import Inbox

SURE = Guarantee.AT_LEAST_ONCE

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


def cut(transport: Transport) -> Callable[[], bool]:
    """Break the connection under `transport` as a network does; whether it has a new one."""
    connection: Connection = transport._connection  # type: ignore[attr-defined]
    link = connection._link
    assert link is not None
    link.abort(ConnectionResetError("cut by the test"))
    return lambda: connection._link not in (None, link) and connection._up.is_set()


def free_port() -> int:
    """A port on loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def acknowledging(inbox: Inbox) -> Callable[[Delivery], None]:
    """Takes a message into `inbox` and acknowledges it."""

    def take(delivery: Delivery) -> None:
        inbox(delivery)
        delivery.ack()

    return take
