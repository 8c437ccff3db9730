"""Connections as the tests of real brokers make them: none leaves a task behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from comity.sdk.errors import TransportError
from comity.sdk.ports import Transport
from comity.transports import connect

from .harness import MakeTransport, frame, until_only


@asynccontextmanager
async def opened(url: str, **options: str | float) -> AsyncGenerator[Transport, None]:
    """A connection for the block, and no task left after it."""
    tasks = asyncio.all_tasks()
    transport = connect(url, **options)
    await transport.open()
    try:
        yield transport
    finally:
        await transport.close()
    await until_only(tasks)


@asynccontextmanager
async def opener(url: str, **given: str | float) -> AsyncGenerator[MakeTransport]:
    """Opens connections with these options and others; all are closed after the block."""
    async with AsyncExitStack() as stack:

        async def make(**options: str | float) -> Transport:
            transport = connect(url, **given, **options)
            await transport.open()
            stack.push_async_callback(transport.close)
            return transport

        yield make


async def refused(url: str, match: str, **options: str | float) -> str:
    """Assert that opening fails in time with that message, and leaves no task; returns the message."""
    tasks = asyncio.all_tasks()
    async with asyncio.timeout(15):
        with pytest.raises(TransportError, match=match) as caught:
            await connect(url, **{"timeout": 2} | options).open()
    await until_only(tasks)
    return str(caught.value)


async def flood(transport: Transport, size: int, address: str = "a.b.v1.c") -> None:
    """Publish without end."""
    async with asyncio.timeout(30):
        while True:
            await transport.publish(address, frame(b"x" * size))
            await asyncio.sleep(0)
