"""What an MQTT client waits for on one connection: CONNACK, SUBACK and UNSUBACK by packet, PINGRESP in turn.

Responsible for waking who waits, also when the connection breaks, and for what a CONNACK says. Not responsible for
what is asked.
"""

from __future__ import annotations

import asyncio
from collections import deque
from itertools import chain
from typing import Final

from comity.sdk.errors import TransportError
from comity.transports._mqtt_refusals import refusal
from comity.transports._mqtt_wire import Properties, Property, read_properties

__all__ = ["RESUMED", "Answers", "read_connack"]

RESUMED: Final = b"\x01"
"""How a CONNACK begins where the broker still knows the session."""


def read_connack(shown: str, body: bytes) -> tuple[bool, Properties]:
    """Whether the broker still knows the session, and what it offers.

    Raises `TransportError` where it refuses the connection, or lacks what is needed here.
    """
    if len(body) < 2 or body[1]:
        code = body[1] if len(body) > 1 else 0x80
        raise TransportError(refusal(shown, code, body[2:], connecting=True))
    offers, _ = read_properties(body, 2)
    if offers.numbers.get(Property.IDENTIFIERS_AVAILABLE) == 0:
        raise TransportError(f"{shown}: the broker offers no subscription identifiers: use another one")
    return body[:1] == RESUMED, offers


class Answers:
    """The answers that are due. Where the connection breaks, `ConnectionResetError` is the answer to all."""

    def __init__(self) -> None:
        self.connack: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._acks: dict[int, asyncio.Future[bytes]] = {}
        self._pings: deque[asyncio.Future[bytes] | None] = deque()

    def __contains__(self, packet: int) -> bool:
        return packet in self._acks

    async def ack(self, packet: int) -> bytes:
        """The codes of the SUBACK or UNSUBACK for `packet`."""
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._acks[packet] = answer
        try:
            return await answer
        finally:
            del self._acks[packet]

    def expect_pong(self) -> asyncio.Future[bytes]:
        """A PINGREQ was sent; done with its PINGRESP."""
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._pings.append(answer)
        return answer

    def expect_beat(self) -> None:
        """A PINGREQ was sent for whose PINGRESP nobody waits."""
        self._pings.append(None)

    def on_ack(self, body: bytes) -> None:
        """A SUBACK or UNSUBACK came."""
        answer = self._acks.get(int.from_bytes(body[:2]))
        if answer is not None and not answer.done():
            _, at = read_properties(body, 2)
            answer.set_result(body[at:])

    def on_pong(self) -> None:
        """A PINGRESP came."""
        answer = self._pings.popleft() if self._pings else None
        if answer is not None and not answer.done():
            answer.set_result(b"")

    def fail(self, error: Exception) -> None:
        """The connection is gone. Who waits for the CONNACK is told why."""
        for answer in chain((self.connack,), self._acks.values(), self._pings):
            if answer is not None and not answer.done():
                answer.set_exception(error if answer is self.connack else ConnectionResetError(str(error)))
                answer.exception()  # who waits sees it; nobody else has to
        self._pings.clear()
