"""What all transports of one event loop share for one Kafka cluster, from the first opened to the last closed.

Responsible for the shared life only. Not responsible for what is done with it.
"""

from __future__ import annotations

import asyncio

from comity.transports._kafka_client import Clients, Settings
from comity.transports._kafka_live import Live

__all__ = ["Hub"]


class Hub:
    """The clients and the reader; `enter` and `leave` count who uses them."""

    clients: Clients
    live: Live

    def __init__(self, settings: Settings, among: dict[Settings, Hub]) -> None:
        self._settings = settings
        self._among = among
        self._users = 0
        self._started = False
        self._starting = asyncio.Lock()

    async def enter(self) -> None:
        """Use it; the first one connects. Raises `TransportError` where that fails."""
        self._users += 1
        try:
            async with self._starting:
                if not self._started:
                    await self._start()
                    self._started = True
        except BaseException:
            self._forget()
            raise

    async def leave(self) -> None:
        """Use it no more; the last one disconnects."""
        self._forget()
        if self._users == 0:
            await asyncio.gather(self.live.close(), self.clients.close())

    async def _start(self) -> None:
        self.clients = Clients(self._settings)
        await self.clients.open()
        self.live = Live(self.clients)
        try:
            await self.live.open()
        except BaseException:
            await self.live.close()
            await self.clients.close()
            raise

    def _forget(self) -> None:
        self._users -= 1
        if self._users == 0 and self._among.get(self._settings) is self:
            del self._among[self._settings]
