"""What MQTT tests share: servers that misbehave as told, and a guarantee by a short name."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

from comity.sdk.ports import Delivery, Guarantee, Transport
from tests.transports.harness import Inbox

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


def inside(transport: Transport) -> Any:
    """The connection under `transport`, for what cannot be seen from outside."""
    return cast(Any, transport)._connection


def cut(transport: Transport) -> Callable[[], bool]:
    """Break the connection under `transport` as a network does; whether it has a new one."""
    connection = inside(transport)
    link = connection._link
    link.abort(ConnectionResetError("cut by the test"))
    return lambda: connection._link not in (None, link) and bool(connection._up.is_set())


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
