"""Services that a process can run: a registry on a transport and a journal.

Responsible for opening, running and closing what a service needs, in the right order. Not responsible for what the
service does.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Literal
from weakref import WeakKeyDictionary

from comity.registry import RegistryService
from comity.sdk.family import load_family
from comity.sdk.identity import Identity
from comity.sdk.needs import require
from comity.sdk.session import Listen, Session
from comity.transports import connect, open_journal

__all__ = ["embedded_registry", "running_registry", "serve"]

Profile = Literal["open", "signed"]


async def serve(
    transport: str,
    journal: str,
    *,
    namespace: str = "default",
    identity: Identity | None = None,
    profile: Profile = "open",
    history: int = 10_000,
    max_pending: int = 4096,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serve the registry of `namespace` until cancelled; calls `ready` with its agent id once requests are answered.

    `transport` and `journal` are URLs. Without an `identity` the service signs with a key of this run only. Raises
    `ConfigError`, `TransportError` or `JournalError` where they cannot be opened, or what ended the service.
    """
    identity = identity or Identity.generate()
    async with running_registry(
        transport,
        journal,
        namespace=namespace,
        identity=identity,
        profile=profile,
        history=history,
        max_pending=max_pending,
    ) as session:
        if ready is not None:
            ready(identity.agent_id)
        await session.wait()


@asynccontextmanager
async def running_registry(
    transport: str,
    journal: str = "memory:",
    *,
    namespace: str = "default",
    identity: Identity | None = None,
    profile: Profile = "open",
    history: int = 10_000,
    max_pending: int = 4096,
) -> AsyncGenerator[Session]:
    """A registry that serves inside the block; the arguments are those of `serve`."""
    async with AsyncExitStack() as stack:
        log = await stack.enter_async_context(open_journal(journal))
        wire = connect(transport)
        stack.push_async_callback(wire.close)
        await wire.open()
        require(wire.capabilities, load_family("registry"), "registry")
        service = RegistryService(
            namespace=namespace,
            identity=identity or Identity.generate(),
            entropy=os.urandom(16),
            profile=profile,
            incarnation=log.incarnation,
            history=history,
            max_pending=max_pending,
        )
        listens = [Listen(pattern, "registry") for pattern in service.subscriptions]
        yield await stack.enter_async_context(Session(service, wire, subscriptions=listens, journal=log))


class _Shared:
    """One embedded registry, which lives as long as somebody in this loop uses it."""

    def __init__(self) -> None:
        self.users = 0
        self.lock = asyncio.Lock()
        self.stack = AsyncExitStack()


_SHARED: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, str], _Shared]] = WeakKeyDictionary()


@asynccontextmanager
async def embedded_registry(transport: str, *, namespace: str, profile: Profile) -> AsyncGenerator[None]:
    """A registry in this process on a journal in memory, shared by all who ask for it on the same loop."""
    services = _SHARED.setdefault(asyncio.get_running_loop(), {})
    shared = services.setdefault((transport, namespace), _Shared())
    async with shared.lock:
        if not shared.users:
            await shared.stack.enter_async_context(
                running_registry(transport, namespace=namespace, profile=profile)
            )
        shared.users += 1
    try:
        yield
    finally:
        async with shared.lock:
            shared.users -= 1
            if not shared.users:
                await shared.stack.aclose()
