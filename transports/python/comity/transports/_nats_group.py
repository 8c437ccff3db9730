# pyright: basic
# nats-py is only partly typed.
"""Reading a stream as a member of a group: a durable consumer, from which all members pull.

Responsible for acknowledgements, for keeping what a member holds away from the others while it lives, and for handing
it over when the member leaves. Not responsible for pulling: `_nats_reading.py` is.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from functools import partial
from typing import Final

from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig, ConsumerInfo
from nats.js.errors import NotFoundError

from comity.sdk.address import Pattern, to_nats
from comity.sdk.ports import Delivery
from comity.transports._nats_reading import SECOND, Reading, starting
from comity.transports._nats_stream import Stream, Streams
from comity.transports._refused import delay

__all__ = ["Member"]

_HELD: Final = 6.0  # seconds for which what a member holds is its own, counted from its last sign of life
_FORGOTTEN: Final = 7 * 86400.0  # seconds after which a group without members is forgotten


class Member(Reading):
    """A subscription with a group: a durable consumer that all members pull from."""

    def __init__(
        self,
        streams: Streams,
        pattern: Pattern,
        on_delivery: Callable[[Delivery], None],
        buffer: int,
        since: float | None,
        group: str,
    ) -> None:
        super().__init__(streams, pattern, on_delivery, buffer, since)
        self._name = _name(pattern, group)
        self._about = f"{pattern} {group}"
        self._held: dict[str, None] = {}
        self._unsent: dict[str, bytes] = {}
        self._doubtful = 0  # up to here a server may have sent what it does not remember: it was killed

    def _room(self) -> int:
        return self._limit - self._asked - len(self._held)

    async def _attach(self) -> None:
        await super()._attach()
        unsent, self._unsent = self._unsent, {}
        for reply, answer in unsent.items():
            self._connection.push(reply, answer)

    async def _bind(self, stream: Stream, *, anew: bool) -> ConsumerInfo:
        """A group that is known goes on behind what was acknowledged; one that is new begins here."""
        if anew:
            self._held.clear()  # the same subject for replies may mean another message now
            self._unsent.clear()
        self._doubtful = stream.last if self._consumer and not anew else 0
        js = self._streams.js
        try:
            return await self._streams.ask(lambda: js.consumer_info(stream.name, self._name))
        except NotFoundError:
            pass
        config = ConsumerConfig(
            name=self._name,
            durable_name=self._name,
            description=self._about[:4000],
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=_HELD,
            max_deliver=-1,
            max_ack_pending=-1,
            filter_subject=to_nats(self._pattern),
            inactive_threshold=max(_FORGOTTEN, self._streams.seconds),
            **starting(self._since, anew=anew),
        )
        return await self._streams.ask(lambda: js.add_consumer(stream.name, config))

    def _take(self, message: Msg, delivered: int, sequence: int, count: int, stamp: int) -> None:
        if self._closed:
            self._connection.push(message.reply, b"-NAK")
            return
        item = self._item(
            message,
            redelivered=delivered > 1 or sequence <= self._doubtful,
            ack=partial(self._ack, message.reply),
            nack=partial(self._nack, message.reply, delivered),
        )
        if item is None:
            self._connection.push(message.reply, b"+TERM")
            return
        self._held[message.reply] = None
        self.outlet.put(item, bounded=False)  # no more was asked for than there is room for

    def _ack(self, reply: str) -> None:
        self._answer(reply, b"+ACK")

    def _nack(self, reply: str, delivered: int) -> None:
        """It comes again to any member, and until then takes no room here."""
        self._answer(reply, b'-NAK {"delay": %d}' % (delay(delivered) * SECOND))

    def _answer(self, reply: str, answer: bytes) -> None:
        """On a connection that was made anew only once it is known that the stream was not."""
        if reply not in self._held:
            return
        del self._held[reply]
        if self._connection.connected and self._life == self._connection.lives:
            self._connection.push(reply, answer)
        else:
            self._unsent[reply] = answer
        self._ask()

    def _sign(self) -> None:
        """What is held stays held."""
        if self._connection.connected:
            for reply in self._held:
                self._connection.push(reply, b"+WPI")

    async def _leave(self) -> None:
        """Hand to the other members what was not acknowledged, and what is still on its way here."""
        held, self._held = self._held, {}
        try:
            if self._native is not None and self._connection.connected:
                await self._native.drain()  # type: ignore[no-untyped-call]
            else:
                await self._unsubscribe()
        finally:
            for reply in held:  # only now, or the server would send it here again
                self._connection.push(reply, b"-NAK")


def _name(pattern: Pattern, group: str) -> str:
    """Names of consumers admit few characters: what an operator recognises, and what tells it from all others."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", group)[:32]
    return f"{plain}-{hashlib.sha256(f'{pattern}/{group}'.encode()).hexdigest()[:16]}"
