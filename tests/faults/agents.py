"""An agent below the SDK's client: it sends the very events that a test wants, again where it wants, and remembers.

Responsible for requests, their answers and repetition under the same id and sequence. Not responsible for leases,
watches or any protocol: what the service does is to be seen as it is.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from comity.sdk.codec import decode_data
from comity.sdk.errors import TransportError
from comity.sdk.family import load_family
from comity.sdk.identity import Identity
from comity.sdk.outbox import Outbox
from comity.sdk.ports import Delivery, Frame, Now, Send, Transport
from comity.transports import connect

__all__ = ["Agent", "Answer", "Silence", "agent_on"]

FAMILY = load_family("registry")


class Silence(Exception):
    """Nobody answered in time."""


class Answer:
    """An answer: the name of the message, its data, and the id of its event."""

    def __init__(self, frame: Frame) -> None:
        message = FAMILY.by_type[frame.attributes["type"]]
        assert isinstance(frame.data, bytes)
        self.name = message.__name__
        self.data: dict[str, Any] = decode_data(frame.data, message).model_dump()
        self.id = frame.attributes["id"]

    def __repr__(self) -> str:
        return f"{self.name} {self.data}"


class Agent:
    """One identity on one connection. `changes` are the data of all Changes that came, in the order of arrival."""

    def __init__(self, transport: Transport, namespace: str) -> None:
        identity = Identity.generate()
        self.id = identity.agent_id
        self.transport = transport
        self.changes: list[dict[str, Any]] = []
        self._namespace = namespace
        self._outbox = Outbox(FAMILY, identity, namespace=namespace, entropy=os.urandom(16))
        self._waiting: dict[str, asyncio.Future[Answer]] = {}

    async def listen(self) -> None:
        """Receive what is sent to this agent."""
        for channel in ("replies", "changes"):
            await self.transport.subscribe(
                f"{self._namespace}.registry.v1.{channel}.{self.id}", self._arrived
            )

    def make(self, name: str, **data: Any) -> Send:
        """A request under the next sequence."""
        return self._outbox.request(FAMILY.messages[name].model_validate(data), Now(0.0, time.time()))

    async def ask(self, name: str, *, within: float = 20.0, **data: Any) -> Answer:
        """Send a new request, and again until it is answered."""
        return await self.send(self.make(name, **data), within=within)

    async def send(self, send: Send, *, within: float = 20.0, every: float = 0.25) -> Answer:
        """Send `send` unchanged until it is answered. Raises `Silence`."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[send.frame.attributes["id"]] = answer
        deadline = time.monotonic() + within
        try:
            while time.monotonic() < deadline:
                await self.publish(send)
                done, _ = await asyncio.wait({answer}, timeout=every)
                if done:
                    return answer.result()
            raise Silence(f"{send.frame.attributes['type']} was not answered within {within:g} s")
        finally:
            del self._waiting[send.frame.attributes["id"]]

    async def publish(self, send: Send) -> None:
        """Send it once; what a broken connection costs is lost, as on any network."""
        try:
            await self.transport.publish(send.address, send.frame)
        except TransportError:
            return

    async def register(self, lease_ms: int = 600_000, **members: Any) -> Answer:
        """Register, with capabilities of no importance."""
        entry: dict[str, Any] = {"capabilities": ["x"], **members, "agent": self.id, "lease_ms": lease_ms}
        return await self.ask("Register", **entry)

    def _arrived(self, delivery: Delivery) -> None:
        answer = Answer(delivery.frame)
        if answer.name == "Changes":
            self.changes.append(answer.data)
            return
        waiting = self._waiting.get(delivery.frame.attributes["correlationid"])
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)


@asynccontextmanager
async def agent_on(url: str, namespace: str) -> AsyncGenerator[Agent]:
    """An agent with a connection of its own."""
    transport = connect(url)
    await transport.open()
    try:
        agent = Agent(transport, namespace)
        await agent.listen()
        yield agent
    finally:
        await transport.close()
