"""The registry as an agent's author sees it.

Responsible for turning calls into commands of the client endpoint, and notifications into values and errors.
Not responsible for the protocol.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal

from comity.sdk.errors import LocalProtocolError

from ._calls import Calls
from ._filter import build
from ._values import Change, Entry, Lease

__all__ = ["RegistryFace"]

Consistency = Literal["eventual", "linearizable"]
Health = Literal["healthy", "degraded", "unhealthy", "unknown"]
_CLEARABLE = ("endpoint", "metadata", "health", "zone", "node", "resources")
_MAX_WAITING = 10_000


class RegistryFace:
    """Register, find others and watch them. All requests raise `Refused` or `TimedOut`, as the case may be.

    `consistency`: `eventual` answers at once, `linearizable` sees every write answered before it was asked.
    """

    def __init__(self, calls: Calls, agent: str, name: str | None) -> None:
        self._calls = calls
        self._agent = agent
        self._name = name
        self._lease: Lease | None = None

    @property
    def lease(self) -> Lease | None:
        """The lease that is held, `None` while there is none. It is renewed by itself."""
        return self._lease

    # ----------------------------------------------------------------- being there

    async def register(
        self,
        *,
        capabilities: Sequence[str] = (),
        metadata: Mapping[str, Any] | None = None,
        name: str | None = None,
        endpoint: str | None = None,
        health: Health | None = None,
        zone: str | None = None,
        node: str | None = None,
        resources: Mapping[str, Any] | None = None,
        lease_ms: int = 30_000,
        if_revision: int | None = None,
        on_lost: Callable[[str | None], None] | None = None,
    ) -> Lease:
        """Be found, until `deregister` or disconnection; what an earlier call stated is replaced.

        `on_lost` is called when the lease is lost, with the code of the refusal, or `None` where nobody answered and
        registering goes on by itself.
        """
        entry = _given(
            capabilities=list(capabilities),
            metadata=metadata,
            name=name or self._name,
            endpoint=endpoint,
            health=health,
            zone=zone,
            node=node,
            resources=resources,
            if_revision=if_revision,
        )
        if self._lease is not None:
            if self._lease.lease_ms == lease_ms:
                return await self._replace(self._lease, entry)
            await self.deregister()

        def told(event: str, data: Mapping[str, Any]) -> None:
            if event == "joined":
                self._lease = self._granted(data)
            elif event == "lost":
                self._lease = None
                if on_lost is not None:
                    on_lost(data.get("code"))

        wish = {**entry, "lease_ms": lease_ms}
        data = await self._calls.ask("join", wish, done="joined", then=told, undo="leave")
        self._lease = self._granted(data)
        return self._lease

    async def update(
        self,
        *,
        clear: Sequence[str] = (),
        capabilities: Sequence[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        name: str | None = None,
        endpoint: str | None = None,
        health: Health | None = None,
        zone: str | None = None,
        node: str | None = None,
        resources: Mapping[str, Any] | None = None,
        if_revision: int | None = None,
    ) -> int:
        """Change what is given and remove what `clear` names; the entry's new revision."""
        args = _given(
            capabilities=None if capabilities is None else list(capabilities),
            clear=list(clear) or None,
            metadata=metadata,
            name=name,
            endpoint=endpoint,
            health=health,
            zone=zone,
            node=node,
            resources=resources,
            if_revision=if_revision,
        )
        return int((await self._ask("update", args))["revision"])

    async def deregister(self) -> None:
        """Be gone at once. Raises `LocalProtocolError` where nothing is registered."""
        await self._calls.ask("leave", {}, done="left")
        self._lease = None

    # --------------------------------------------------------------- finding others

    async def lookup(self, agent: str, *, consistency: Consistency = "eventual") -> Entry:
        """The entry of `agent`; `Refused` with `registry.unknown_agent` where it has none."""
        data = await self._ask("lookup", {"agent": agent, "consistency": consistency})
        return Entry(**data["entry"])

    async def count(
        self, where: Mapping[str, Any] | None = None, *, consistency: Consistency = "eventual", **wanted: Any
    ) -> int:
        """How many agents match; the arguments are those of `query`."""
        args = {**_given(where=build(where, wanted)), "consistency": consistency}
        return int((await self._ask("count", args))["count"])

    async def query(
        self,
        where: Mapping[str, Any] | None = None,
        *,
        order_by: Sequence[Mapping[str, Any]] = (),
        page: int = 100,
        consistency: Consistency = "eventual",
        **wanted: Any,
    ) -> AsyncIterator[Entry]:
        """All agents that match, in order, fetched by pages of `page`.

        `wanted` are common criteria: `capability`, `name`, `health`, `zone`, `node`, `agent`, and `metadata` and
        `resources` as mappings; `where` is a filter of the spec, which holds as well. `order_by` lists
        `{"path": …, "descending": …}`.
        """
        args = {
            **_given(where=build(where, wanted), order_by=list(order_by) or None),
            "consistency": consistency,
        }
        async for entry in self._pages("query", {**args, "limit": page}):
            yield entry

    async def list(self, *, page: int = 100, consistency: Consistency = "eventual") -> AsyncIterator[Entry]:
        """All agents, in the order of their ids."""
        async for entry in self._pages("list", {"limit": page, "consistency": consistency}):
            yield entry

    # ------------------------------------------------------------------- watching

    async def watch(
        self,
        where: Mapping[str, Any] | None = None,
        *,
        after: int | None = None,
        lease_ms: int = 30_000,
        **wanted: Any,
    ) -> AsyncIterator[Change]:
        """Everything that matches now, and then every change, once and in order, until the iterator is closed.

        With `after`, the changes behind that revision instead. The arguments are otherwise those of `query`. A watch
        that is not read while 10,000 batches of changes arrive is closed, and raises `LocalProtocolError`.
        """
        arrived: asyncio.Queue[tuple[str, Mapping[str, Any]]] = asyncio.Queue()
        args = {**_given(where=build(where, wanted), after=after), "lease_ms": lease_ms}

        def told(event: str, data: Mapping[str, Any]) -> None:
            if arrived.qsize() >= _MAX_WAITING:
                while not arrived.empty():
                    arrived.get_nowait()
                self._unwatch(ticket)
                event, data = "failed", {"error": _too_slow()}
            arrived.put_nowait((event, data))

        ticket = self._calls.begin("watch", args, told)
        try:
            while True:
                event, data = await arrived.get()
                if event == "failed":
                    raise data["error"]
                for change in _changes(event, data):
                    yield change
        finally:
            self._unwatch(ticket)

    # -------------------------------------------------------------------- private

    def _unwatch(self, ticket: int) -> None:
        self._calls.end(ticket)
        with suppress(LocalProtocolError):  # the watch or the session may be over already
            self._calls.again("unwatch", ticket)

    async def _replace(self, held: Lease, entry: dict[str, Any]) -> Lease:
        clear = [member for member in _CLEARABLE if member not in entry]
        revision = (await self._ask("update", {**entry, "clear": clear}))["revision"]
        self._lease = Lease(self._agent, held.epoch, revision, held.lease_ms)
        return self._lease

    async def _ask(self, command: str, args: Mapping[str, Any]) -> Mapping[str, Any]:
        outcome = await self._calls.ask(command, {**args, "timeout_ms": self._calls.timeout_ms})
        data: Mapping[str, Any] = outcome["data"]
        return data

    async def _pages(self, command: str, args: Mapping[str, Any]) -> AsyncIterator[Entry]:
        more: dict[str, Any] = {}
        while True:
            found = await self._ask(command, {**args, **more})
            for entry in found["entries"]:
                yield Entry(**entry)
            if "cursor" not in found:
                return
            more = {"cursor": found["cursor"]}

    def _granted(self, data: Mapping[str, Any]) -> Lease:
        return Lease(self._agent, data["epoch"], data["revision"], data["lease_ms"])


def _too_slow() -> LocalProtocolError:
    return LocalProtocolError(
        f"over {_MAX_WAITING} batches of changes waited to be read: the watch is closed; read faster, or watch again"
    )


def _given(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _changes(event: str, data: Mapping[str, Any]) -> list[Change]:
    if event == "reset":
        return [Change("reset")]
    if event != "changes":
        return []
    changes = [Change.of(change) for change in data["changes"]]
    return [*changes, Change("synced", revision=data["revision"])] if data.get("synced") else changes
