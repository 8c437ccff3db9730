"""`Mesh`: one agent's connection to its mesh.

Responsible for putting settings, transport, identity, storage and the endpoints of the families together, and for
taking them apart in order. Not responsible for any protocol.
"""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from comity.registry import RegistryClient
from comity.sdk.config import Config, load_config
from comity.sdk.errors import ConfigError, LocalProtocolError
from comity.sdk.family import load_family
from comity.sdk.identity import Identity
from comity.sdk.keyfile import load_identity
from comity.sdk.needs import require
from comity.sdk.session import Listen, Session
from comity.transports import connect
from comity.transports.storage import open_storage

from ._calls import Calls
from ._registry import RegistryFace
from ._serve import embedded_registry

__all__ = ["Mesh"]


class Mesh:
    """An agent in a mesh: `async with Mesh.connect(url, agent="planner-1") as mesh`, then `mesh.registry`.

    `agent` is the agent's id, derived from its key; `name` its human name.
    """

    def __init__(self, config: Config) -> None:
        self._transport, self._serve = _split(config.transport)
        self._config = config
        self._identity = _identity(config)
        self._calls = Calls(self._transport, config.request_timeout_ms)
        self._stack = AsyncExitStack()
        self._entered = False
        self.agent = self._identity.agent_id
        self.name = config.name
        self.registry = RegistryFace(self._calls, self.agent, config.name)

    @classmethod
    def connect(
        cls,
        url: str | None = None,
        agent: str | None = None,
        *,
        config: Config | None = None,
        **settings: Any,
    ) -> Self:
        """A mesh on the transport `url`, for an agent of that name; it connects on `async with`.

        What is not given comes from `config`, or else from the environment and `comity.toml`; `settings` are those of
        `comity.sdk.config.Config`. `memory://NAME?serve=registry` brings a registry along in this process. Raises
        `ConfigError` where a setting cannot be used; entering raises `TransportError` where nobody can be reached.
        """
        if config is None:
            config = load_config(transport=url, name=agent, **settings)
        elif url is not None or agent is not None or settings:
            raise ConfigError("give either a config or settings, not both")
        return cls(config)

    async def __aenter__(self) -> Self:
        if self._entered:
            raise LocalProtocolError("a mesh connects once: make another one")
        self._entered = True
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    async def _start(self) -> None:
        config, stack = self._config, self._stack
        if self._serve:
            shared = embedded_registry(self._transport, namespace=config.namespace, profile=config.profile)
            await stack.enter_async_context(shared)
        wire = connect(self._transport)
        stack.push_async_callback(wire.close)
        await wire.open()
        require(wire.capabilities, load_family("registry"), "agent")
        storage = open_storage(config.storage)
        stored = await storage.load()
        client = RegistryClient(
            namespace=config.namespace,
            identity=self._identity,
            entropy=os.urandom(16),
            profile=config.profile,
            stored=stored or _by_the_clock(),
            registry=config.registry,
            gateway=config.gateway,
        )
        session = Session(
            client,
            wire,
            subscriptions=[Listen(pattern) for pattern in client.subscriptions],
            storage=storage,
            on_notify=self._calls.notify,
        )
        await stack.enter_async_context(session)
        self._calls.attach(session)
        watcher = asyncio.create_task(self._report_failure(session), name="comity-mesh")
        stack.push_async_callback(_cancel, watcher)

    async def _report_failure(self, session: Session) -> None:
        try:
            await session.wait()
        except Exception as error:  # noqa: BLE001  # handed to everybody who waits, and raised again by the session
            self._calls.fail(error)


def _split(url: str) -> tuple[str, bool]:
    """The transport's own URL, and whether a registry is to be brought along."""
    parts = urlsplit(url)
    options = parse_qsl(parts.query, keep_blank_values=True)
    served = [value for name, value in options if name == "serve"]
    if not served:
        return url, False
    if parts.scheme != "memory" or served != ["registry"]:
        raise ConfigError(
            f"{url!r}: `serve=registry` is for memory://NAME; elsewhere run `comity serve registry`"
        )
    rest = urlencode([(name, value) for name, value in options if name != "serve"])
    return urlunsplit(parts._replace(query=rest)), True


def _identity(config: Config) -> Identity:
    return Identity.generate() if config.identity is None else load_identity(Path(config.identity))


def _by_the_clock() -> dict[str, bytes]:
    """Sequences that start above those of former runs, for an agent that stored none."""
    return {"registry-sequence": str(time.time_ns() // 1000).encode()}


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})
