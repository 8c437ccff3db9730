"""The stream to an MQTT broker inside a WebSocket, by the `websockets` library without its sockets.

Responsible for the opening handshake and for MQTT's octets in binary messages, cut anywhere. Not responsible for
what MQTT packets mean, nor for framing WebSocket messages: the library is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from websockets.client import ClientProtocol
from websockets.frames import DATA_OPCODES, Frame, Opcode
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from comity.sdk.errors import RemoteProtocolError
from comity.transports._mqtt_link import Link

__all__ = ["WebLink"]

_MQTT: Final = Subprotocol("mqtt")


class WebLink(Link):
    """See `Link`; what is sent before the handshake is done waits for it."""

    def __init__(
        self,
        on_packet: Callable[[int, bytes], None],
        on_lost: Callable[[Link, Exception | None], None],
        largest: int,
        *,
        uri: str,
    ) -> None:
        super().__init__(on_packet, on_lost, largest)
        self._web = ClientProtocol(parse_uri(uri), subprotocols=[_MQTT], max_size=2 * largest)

    async def close(self, timeout: float) -> None:
        """See `Link.close`."""
        self._write()
        if self._web.state is State.OPEN:
            self._web.send_close(1000)
            self._pass_on()
        await super().close(timeout)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._web.send_request(self._web.connect())
        self._pass_on()

    def data_received(self, data: bytes) -> None:
        self._web.receive_data(data)
        self._react()

    def eof_received(self) -> None:
        self._web.receive_eof()
        self._react()

    def _react(self) -> None:
        for event in self._web.events_received():
            if not isinstance(event, Frame):
                self._write()
            elif event.opcode is Opcode.CLOSE:
                self.abort(ConnectionResetError("the broker closed the WebSocket"))
            elif event.opcode is Opcode.TEXT:
                self.abort(RemoteProtocolError("the broker sent text, which is no MQTT"))
            elif event.opcode in DATA_OPCODES:
                super().data_received(bytes(event.data))
        self._pass_on()
        error = self._web.handshake_exc or self._web.parser_exc
        if error is not None:
            self.abort(RemoteProtocolError(f"no MQTT over WebSocket there: {error}"))

    def _write(self) -> None:
        if self._web.state is not State.CONNECTING:
            super()._write()

    def _put(self, octets: bytes) -> None:
        if self._web.state is State.OPEN:
            self._web.send_binary(octets)
            self._pass_on()

    def _pass_on(self) -> None:
        for octets in self._web.data_to_send():
            if octets:
                super()._put(octets)
