"""Messages at QoS 1 that were sent and that the broker has not confirmed yet.

Responsible for how many there may be, for sending them again over a new connection, and for telling who waits.
Not responsible for packet identifiers or the connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from comity.sdk.errors import TransportError
from comity.transports._mqtt_refusals import refusal
from comity.transports._mqtt_window import Window

__all__ = ["Unconfirmed"]


@dataclass(slots=True)
class _Message:
    """How it is written, and who waits."""

    write: Callable[[int, bool], bytes]
    done: asyncio.Future[None]


class Unconfirmed:
    """By packet identifier, in the order of sending. Who adds one has entered `window`, and leaves with the answer."""

    def __init__(self) -> None:
        self.window = Window()
        self._messages: dict[int, _Message] = {}

    def __contains__(self, packet: int) -> bool:
        return packet in self._messages

    def add(self, packet: int, write: Callable[[int, bool], bytes]) -> asyncio.Future[None]:
        """A message was sent; done with its answer."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._messages[packet] = _Message(write, done)
        return done

    def confirm(self, packet: int, body: bytes, shown: str) -> None:
        """A PUBACK came from the broker that is `shown` so."""
        message = self._messages.pop(packet, None)
        if message is None:
            return
        self.window.leave()
        if message.done.done():
            return
        if len(body) > 2 and body[2] >= 0x80:
            message.done.set_exception(TransportError(refusal(shown, body[2], body[3:])))
        else:
            message.done.set_result(None)

    def send_again(self, send: Callable[[bytes], None], *, resumed: bool) -> None:
        """Over a new connection, flagged as sent before where the broker `resumed` the session."""
        for packet, message in list(self._messages.items()):
            if message.done.done():
                del self._messages[packet]  # nobody waits any more, so nothing is sent late
                self.window.leave()
            else:
                send(message.write(packet, resumed))

    def fail(self, error: TransportError) -> None:
        """No answer will come any more."""
        for message in self._messages.values():
            if not message.done.done():
                message.done.set_exception(error)
                message.done.exception()  # who waits sees it; nobody else has to

    async def answered(self) -> None:
        """Return when none of those that are there now waits."""
        if self._messages:
            await asyncio.wait([message.done for message in self._messages.values()])
