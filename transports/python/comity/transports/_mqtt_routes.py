"""Who on this connection gets a message: subscriptions to one topic filter, and their bounded buffers.

Responsible for pause and resume, for what a full buffer costs, and for confirming a message at QoS 1 once all who
have it have done so. Not responsible for packets or frames.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial

from comity.sdk.address import Pattern
from comity.sdk.ports import Delivery, Frame

__all__ = ["Message", "MqttSubscription", "Route"]

_log = logging.getLogger(__name__)
_MOST_OCTETS = 128 << 20  # of what waits for one subscription at QoS 0
_TURN = 64  # deliveries before others on the event loop have theirs


@dataclass(slots=True)
class Message:
    """What arrived; `confirm` where it was sent at QoS 1, called when `holders` subscriptions have let go of it."""

    address: str
    frame: Frame
    size: int
    again: bool
    confirm: Callable[[], None] | None
    holders: int = 0

    def let_go(self) -> None:
        """One subscription is done with it."""
        self.holders -= 1
        if self.holders == 0 and self.confirm is not None:
            self.confirm()


class Route:
    """One topic filter at the broker and the subscriptions that share it; in a group each message goes to one."""

    def __init__(self, pattern: Pattern, group: str | None, identifier: int, topic: str) -> None:
        self.identifier = identifier
        self.topic = topic
        self.members: deque[MqttSubscription] = deque()
        self._shared = group is not None
        self._tail = pattern if pattern.tail else None

    def deliver(self, message: Message) -> None:
        """Hand `message` to whom it is for; the filter `x/#` also brings `x`, which nobody asked for."""
        due: list[MqttSubscription] = []
        if self.members and (self._tail is None or self._tail.matches(message.address)):
            due = [self._next()] if self._shared else [*self.members]
        message.holders += len(due)
        for member in due:
            member.take(message)

    def _next(self) -> MqttSubscription:
        for _ in range(len(self.members)):
            self.members.rotate(-1)
            if not self.members[-1].paused:
                break
        return self.members[-1]


class MqttSubscription:
    """A subscription and what waits for it: at most `buffer` messages at QoS 0, and what the window lets in at QoS 1."""

    def __init__(
        self,
        route: Route,
        buffer: int,
        on_delivery: Callable[[Delivery], None],
        on_close: Callable[[MqttSubscription], Awaitable[None]],
    ) -> None:
        self.dropped = 0
        self.paused = False
        self.route = route
        self._buffer = buffer
        self._on_delivery = on_delivery
        self._on_close = on_close
        self._messages: deque[Message] = deque()
        self._octets = 0
        self._scheduled = False
        self._open = True

    def pause(self) -> None:
        """See `Subscription.pause`; what does not fit the buffer is dropped and counted, at QoS 0 only."""
        self.paused = True

    def resume(self) -> None:
        """Take from the buffer again."""
        self.paused = False
        self._schedule()

    async def close(self) -> None:
        """End the subscription; what waits in its buffer is discarded. Idempotent."""
        if self._open:
            self._open = False
            waiting = list(self._messages)
            self._messages.clear()
            self._octets = 0
            for message in waiting:
                message.let_go()
            await self._on_close(self)

    def take(self, message: Message) -> None:
        """A message has arrived for this subscription."""
        if not self.paused and not self._messages:
            self._deliver(message)
        elif message.confirm is None and not self._has_room(message):
            self.dropped += 1
        else:
            self._messages.append(message)
            self._octets += message.size
            self._schedule()

    def _has_room(self, message: Message) -> bool:
        return len(self._messages) < self._buffer and self._octets + message.size <= _MOST_OCTETS

    def _next(self) -> Message:
        message = self._messages.popleft()
        self._octets -= message.size
        return message

    def drain(self) -> None:
        """Deliver all that waits, unless paused."""
        for _ in range(len(self._messages)):
            if self.paused or not self._messages:
                return
            self._deliver(self._next())

    def _schedule(self) -> None:
        if self._messages and not self.paused and not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._take_turn)

    def _take_turn(self) -> None:
        self._scheduled = False
        for _ in range(min(_TURN, len(self._messages))):
            if self.paused or not self._messages:
                return
            self._deliver(self._next())
        self._schedule()

    def _deliver(self, message: Message) -> None:
        if message.confirm is None:
            delivery = Delivery(message.address, message.frame)
        else:
            once = iter((message,))
            delivery = Delivery(
                message.address,
                message.frame,
                message.again,
                partial(_done, once),
                partial(self._again, once),
            )
        try:
            self._on_delivery(delivery)
        except Exception:  # noqa: BLE001 - a stranger's callback may raise anything
            _log.exception("the subscriber raised on a message to %s", message.address)
            delivery.ack()

    def _again(self, once: Iterator[Message]) -> None:
        for message in once:
            message.again = True
            if self._open:
                self._messages.appendleft(message)
                self._octets += message.size
                self._schedule()
            else:
                message.let_go()


def _done(once: Iterator[Message]) -> None:
    for message in once:
        message.let_go()
