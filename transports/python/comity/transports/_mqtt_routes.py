"""Who on this connection gets a message: subscriptions to one topic filter, and their bounded buffers.

Responsible for pause and resume, for what a full buffer costs, and for confirming a message at QoS 1 once all who
have it have done so. Not responsible for packets or frames.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Collection, Coroutine, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from comity.sdk.address import Pattern
from comity.sdk.ports import Delivery, Frame
from comity.transports._ending import Ending
from comity.transports._refused import Refused

__all__ = ["Message", "MqttSubscription", "Route"]

_log = logging.getLogger(__name__)
_MOST_OCTETS = 128 << 20  # of what waits for one subscription at QoS 0
_TURN = 64  # deliveries before others on the event loop have theirs


@dataclass(slots=True, eq=False)
class Message:
    """What arrived; `packet` and `confirm` where it was sent at QoS 1: its identifier, 0 once the broker has forgotten
    it, and what to call when `holders` subscriptions have let go of it."""

    address: str
    frame: Frame
    packet: int
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
        self.shared = group is not None
        self._unconfirmed: set[Message] = set()
        self._confirmed = asyncio.Event()
        self._tail = pattern if pattern.tail else None

    def deliver(self, message: Message) -> None:
        """Hand `message` to whom it is for; the filter `x/#` also brings `x`, which nobody asked for."""
        due: list[MqttSubscription] = []
        if self.members and (self._tail is None or self._tail.matches(message.address)):
            due = [self._next()] if self.shared else [*self.members]
        message.holders += len(due)
        if self.shared and due and message.confirm is not None:
            self._unconfirmed.add(message)
            message.confirm = partial(self._confirm, message, message.confirm)
        for member in due:
            member.take(message)

    def begin(self, *, resumed: bool) -> None:
        """There is a new connection: the broker sends again what was not confirmed, if it `resumed` the session."""
        self._unconfirmed.clear()
        self._confirmed.set()
        for member in self.members:
            if resumed:
                member.expect_again()
            else:
                member.expect_nothing()

    def give_back(self, messages: Iterable[Message]) -> None:
        """What a member that left has not done goes to the others of its group on this connection."""
        lost = 0
        for message in messages:
            if self.shared and self.members:
                self._next().take(message)
            else:
                lost += 1
                message.let_go()
        if lost and self.shared:
            _log.warning("%s: %d messages that a member held are lost to the group", self.topic, lost)

    def is_without(self, member: MqttSubscription) -> bool:
        """Whether nobody would be left without `member`."""
        return all(one is member for one in self.members)

    async def settle(self) -> None:
        """Return when the members have acknowledged all that was sent to their group, but what waits."""
        while self._unconfirmed.difference(*(member.waiting for member in self.members)):
            self._confirmed.clear()
            await self._confirmed.wait()

    def _confirm(self, message: Message, confirm: Callable[[], None]) -> None:
        self._unconfirmed.discard(message)
        self._confirmed.set()
        confirm()

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
        on_close: Callable[[MqttSubscription], Coroutine[Any, Any, None]],
    ) -> None:
        self.dropped = 0
        self.paused = False
        self.route = route
        self._buffer = buffer
        self._on_delivery = on_delivery
        self._ending = Ending(partial(on_close, self))
        self._messages: deque[Message] = deque()
        self._in_hand: dict[Message, Iterator[Message]] = {}
        self._due_again: dict[int, Message] = {}
        self._refused: Refused[Message] = Refused(self._keep)
        self._times: dict[Message, int] = {}
        self._octets = 0
        self._scheduled = False
        self._open = True

    @property
    def waiting(self) -> Collection[Message]:
        """What is in its buffer, or is there again once its time has come."""
        return [*self._messages, *self._refused]

    def pause(self) -> None:
        """See `Subscription.pause`; what does not fit the buffer is dropped and counted, at QoS 0 only."""
        self.paused = True

    def resume(self) -> None:
        """Take from the buffer again."""
        self.paused = False
        self._schedule()

    async def close(self) -> None:
        """End the subscription. What waits for it or is not acknowledged is let go, or left to the rest of the group.

        Idempotent; to acknowledge afterwards does nothing.
        """
        await self._ending()

    def end(self) -> None:
        """End it at once, and leave what it had to the others. Idempotent."""
        self.route.give_back(self.stop())

    def stop(self) -> list[Message]:
        """Deliver nothing any more; what it had is returned. Idempotent."""
        if self._open:
            self._open = False
            self.route.members.remove(self)
        given = [message for once in list(self._in_hand.values()) for message in self._take_back(once)]
        for message in given:
            message.again = message.again or self.route.shared
        had = [*given, *self._refused.take(), *self._messages]
        self._messages.clear()
        self._times.clear()
        self._octets = 0
        return had

    def take(self, message: Message) -> None:
        """A message has arrived for this subscription."""
        if message.again and self._is_known(message):
            return
        if not self.paused and not self._messages:
            self._deliver(message)
        elif message.confirm is None and not self._has_room(message):
            self.dropped += 1
        else:
            self._keep(message)

    def _keep(self, message: Message) -> None:
        self._messages.append(message)
        self._octets += message.size
        self._schedule()

    def _has_room(self, message: Message) -> bool:
        return len(self._messages) < self._buffer and self._octets + message.size <= _MOST_OCTETS

    def _next(self) -> Message:
        message = self._messages.popleft()
        self._octets -= message.size
        return message

    def expect_again(self) -> None:
        """The broker sends again what was not confirmed; what waits of that is not to wait twice."""
        self._in_hand = {one: once for one, once in self._in_hand.items() if not one.packet}
        self._times = {one: times for one, times in self._times.items() if not one.packet}
        for message in self._refused.take():
            if not message.packet:
                self._refused.add(message, self._times[message])
        self._due_again = {one.packet: one for one in self._messages if one.packet}

    def expect_nothing(self) -> None:
        """The broker has forgotten what was not confirmed: what is here is all there is of it."""
        for message in (*self._in_hand, *self._refused, *self._messages):
            message.packet = 0

    def _is_known(self, message: Message) -> bool:
        """Whether `message` waits already, sent over an earlier connection; it takes that one's place."""
        known = self._due_again.pop(message.packet, None)
        if known is None or known not in self._messages or known.frame != message.frame:
            return False
        self._messages[self._messages.index(known)] = message
        known.let_go()
        return True

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
            once = self._in_hand[message] = iter((message,))
            delivery = Delivery(
                message.address,
                message.frame,
                message.again,
                partial(self._done, once),
                partial(self._again, once),
            )
        try:
            self._on_delivery(delivery)
        except Exception:  # noqa: BLE001 - a stranger's callback may raise anything
            _log.exception("the subscriber raised on a message to %s", message.address)
            delivery.ack()

    def _again(self, once: Iterator[Message]) -> None:
        for message in self._take_back(once):
            message.again = True
            if self._open:
                times = self._times[message] = self._times.get(message, 0) + 1
                self._refused.add(message, times)

    def _done(self, once: Iterator[Message]) -> None:
        for message in self._take_back(once):
            self._times.pop(message, None)
            message.let_go()

    def _take_back(self, once: Iterator[Message]) -> Iterator[Message]:
        """The message, unless it was answered before, or taken back with the end of the subscription."""
        for message in once:
            self._in_hand.pop(message, None)
            yield message
