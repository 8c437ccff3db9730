"""One TCP or TLS stream to an MQTT broker: octets out in few writes, packets in.

Responsible for framing and for the end of the stream. Not responsible for what the packets mean.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final, cast

from comity.sdk.errors import ComityError
from comity.transports._mqtt_wire import Framer

__all__ = ["Link"]

_AT_ONCE: Final = 1 << 16  # octets after which it does not wait for the end of the loop's turn


class Link(asyncio.Protocol):
    """The stream. `on_packet` has each packet; what it raises of ours ends the stream; `on_lost` is told why."""

    def __init__(
        self,
        on_packet: Callable[[int, bytes], None],
        on_lost: Callable[[Link, Exception | None], None],
        largest: int,
    ) -> None:
        self.received = 0
        self._on_packet = on_packet
        self._on_lost = on_lost
        self._framer = Framer(largest)
        self._transport: asyncio.Transport | None = None
        self._out: list[bytes] = []
        self._size = 0
        self._error: Exception | None = None
        self._gone = asyncio.get_running_loop().create_future()

    @property
    def waiting(self) -> int:
        """Octets that the system has not taken yet."""
        return self._size + (self._transport.get_write_buffer_size() if self._transport else 0)

    def send(self, octets: bytes) -> None:
        """Write soon, together with what else is sent in this turn of the loop."""
        if not self._out:
            asyncio.get_running_loop().call_soon(self._write)
        self._out.append(octets)
        self._size += len(octets)
        if self._size > _AT_ONCE:
            self._write()

    def abort(self, error: Exception | None = None) -> None:
        """End the stream without sending what waits."""
        self._error = self._error or error
        if self._transport is not None:
            self._transport.abort()

    async def close(self, timeout: float) -> None:
        """Send what waits and end the stream, within `timeout` seconds."""
        self._write()
        if self._transport is None:
            return
        self._transport.close()
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await self._gone
        finally:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        try:
            for first, body in self._framer.feed(data):
                self._on_packet(first, body)
        except ComityError as error:
            self.abort(error)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._gone.done():
            self._gone.set_result(None)
        self._on_lost(self, self._error or exc)

    def _write(self) -> None:
        if self._out:
            self._put(b"".join(self._out))
        self._out.clear()
        self._size = 0

    def _put(self, octets: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(octets)
