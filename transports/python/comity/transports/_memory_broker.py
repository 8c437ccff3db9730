"""The broker behind `memory://`: who gets what, in which order, and who has to wait.

Responsible for matching, groups, buffers, back-pressure and last values on one event loop. Not responsible for
URLs, sizes or connections: `memory.py` is.

Every subscription, and every group, is a `Channel` with one bounded buffer; its members take from it in turn.
A publisher that must wait stands, in order of arrival, at one channel that is full. When there is room it is
looked at again: its message goes into all its channels at once, or it moves to another one that is full. So
order is total, a slow subscriber holds up only those who publish to it, and a cancelled publish has reached
either every subscriber or none.
"""

from __future__ import annotations

import asyncio
import logging
from bisect import insort
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import NamedTuple

from comity.sdk.address import Pattern
from comity.sdk.ports import Delivery, Frame
from comity.transports._refused import Refused

__all__ = ["Broker", "Channel", "Member"]

_log = logging.getLogger(__name__)
_TURN = 64  # deliveries before others on the event loop have theirs


class Message(NamedTuple):
    """What waits in a buffer; `repeatable` where it was published at least once, so that a nack repeats it.

    `refused`: how often it was.
    """

    address: str
    frame: Frame
    repeatable: bool = False
    refused: int = 0


@dataclass(slots=True, order=True)
class Waiting:
    """A message that waits until all its channels have room, standing at one that has none."""

    ticket: int
    message: Message = field(compare=False)
    channels: list[Channel] = field(compare=False)
    done: asyncio.Future[None] = field(compare=False)


class Broker:
    """All channels of one name on one event loop."""

    def __init__(self, retain: int) -> None:
        self.connections = 0
        self.last: dict[str, Frame] = {}
        self._retain = retain
        self._exact: dict[str, list[Channel]] = {}
        self._wild: list[Channel] = []
        self._tickets = count()

    def publish(self, address: str, frame: Frame) -> None:
        """Deliver where there is room; where there is none, count a drop."""
        self._keep(address, frame)
        for channel in self._due(address):
            if channel.full:
                channel.dropped += 1
            else:
                channel.put(Message(address, frame))

    async def publish_waiting(self, address: str, frame: Frame) -> None:
        """Deliver to all, once all have room."""
        waiting = self.enqueue(address, frame)
        try:
            await waiting.done
        except asyncio.CancelledError:
            for channel in waiting.channels:
                if waiting in channel.waiting:
                    channel.waiting.remove(waiting)
            raise

    def enqueue(self, address: str, frame: Frame) -> Waiting:
        """Deliver to all, now or once all have room."""
        done = asyncio.get_running_loop().create_future()
        message = Message(address, frame, repeatable=True)
        waiting = Waiting(next(self._tickets), message, self._due(address), done)
        self.look_at(waiting)
        return waiting

    def join(
        self, pattern: Pattern, group: str | None, buffer: int, on_delivery: Callable[[Delivery], None]
    ) -> Member:
        """Add a member to the group's channel, or to a channel of its own."""
        channels = self._exact.setdefault(str(pattern), []) if pattern.literal else self._wild
        channel = next(
            (one for one in channels if group is not None and (one.group, one.pattern) == (group, pattern)),
            None,
        )
        if channel is None:
            channel = Channel(self, pattern, group, buffer)
            channels.append(channel)
        member = Member(channel, on_delivery)
        channel.members.append(member)
        channel.schedule()
        return member

    def remove(self, channel: Channel) -> None:
        """Forget a channel whose last member has left; nobody waits for it any more."""
        if channel.pattern.literal:
            channels = self._exact[str(channel.pattern)]
            channels.remove(channel)
            if not channels:
                del self._exact[str(channel.pattern)]
        else:
            self._wild.remove(channel)
        channel.admit()

    def look_at(self, waiting: Waiting) -> None:
        """Put a waiting message into its channels, or let it stand at one that is full."""
        full = next((channel for channel in waiting.channels if channel.full), None)
        if full is not None:
            insort(full.waiting, waiting)
            return
        self._keep(waiting.message.address, waiting.message.frame)
        for channel in waiting.channels:
            channel.put(waiting.message)
        if not waiting.done.done():
            waiting.done.set_result(None)

    def _due(self, address: str) -> list[Channel]:
        return self._exact.get(address, []) + [one for one in self._wild if one.pattern.matches(address)]

    def _keep(self, address: str, frame: Frame) -> None:
        self.last.pop(address, None)
        self.last[address] = frame
        if len(self.last) > self._retain:
            del self.last[next(iter(self.last))]


class Channel:
    """A bounded buffer and the members that take from it in turn."""

    def __init__(self, broker: Broker, pattern: Pattern, group: str | None, buffer: int) -> None:
        self.broker = broker
        self.pattern = pattern
        self.group = group
        self.dropped = 0
        self.members: deque[Member] = deque()
        self.waiting: list[Waiting] = []
        self._buffer = buffer
        self._messages: deque[Message] = deque()
        self._refused: Refused[Message] = Refused(self.put)
        self._scheduled = False

    @property
    def size(self) -> int:
        """Messages that wait for a member."""
        return len(self._messages)

    @property
    def full(self) -> bool:
        """Whether no further message fits. Nobody waits for a channel that has no members."""
        return len(self._messages) + len(self._refused) >= self._buffer and bool(self.members)

    def put(self, message: Message) -> None:
        """Add a message, if anybody is there."""
        if self.members:
            self._messages.append(message)
            self.schedule()

    def again(self, message: Message) -> None:
        """Add a message that was refused, later, room or not."""
        if self.members:
            self._refused.add(message._replace(refused=message.refused + 1), message.refused + 1)

    def schedule(self) -> None:
        """Deliver soon, if there is anything and anybody."""
        if not self._scheduled and self._messages:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._take_turn)

    def deliver(self, limit: int, only: Member | None = None) -> None:
        """Hand up to `limit` messages to the members that are not paused, in turn."""
        while limit and self._messages:
            member = only or self._next()
            if member is None or member.paused:
                return
            limit -= 1
            member.deliver(self._messages.popleft())
            if self.waiting:
                self.admit()

    def admit(self) -> None:
        """Look again at those who wait here, as long as there is room."""
        while self.waiting and not self.full:
            self.broker.look_at(self.waiting.pop(0))

    def leave(self, member: Member) -> None:
        """Take `member` out; what waits goes to those who stay, or is lost with the last."""
        self.members.remove(member)
        if self.members:
            self.schedule()
        else:
            self._messages.clear()
            self._refused.take()
            self.broker.remove(self)

    def _take_turn(self) -> None:
        self._scheduled = False
        self.deliver(_TURN)
        if any(not member.paused for member in self.members):
            self.schedule()

    def _next(self) -> Member | None:
        for _ in range(len(self.members)):
            self.members.rotate(-1)
            if not self.members[-1].paused:
                return self.members[-1]
        return None


class Member:
    """One subscription; alone in its channel, or one of a group."""

    def __init__(self, channel: Channel, on_delivery: Callable[[Delivery], None]) -> None:
        self.paused = False
        self.on_close: Callable[[Member], None] = _nothing
        self._channel = channel
        self._on_delivery = on_delivery
        self._open = True

    @property
    def dropped(self) -> int:
        """Messages lost to a full buffer; the members of a group share the count."""
        return self._channel.dropped

    def pause(self) -> None:
        """See `Subscription.pause`."""
        self.paused = True

    def resume(self) -> None:
        """Take from the buffer again."""
        self.paused = False
        self._channel.schedule()

    def drain(self) -> None:
        """Take all that waits, unless paused or others of the group can."""
        if self._open and not self.paused and len(self._channel.members) == 1:
            self._channel.deliver(self._channel.size, self)

    async def close(self) -> None:
        """End the subscription. Idempotent."""
        self.leave()

    def leave(self) -> None:
        """End the subscription, at once. Idempotent."""
        if self._open:
            self._open = False
            self._channel.leave(self)
            self.on_close(self)

    def deliver(self, message: Message) -> None:
        """Call back; a callback that raises is the subscriber's defect, logged, and harms nobody else."""
        address, frame, repeatable, refused = message
        delivery = Delivery(address, frame, refused > 0)
        if repeatable:
            delivery = Delivery(address, frame, refused > 0, nack=partial(self._again, iter((message,))))
        try:
            self._on_delivery(delivery)
        except Exception:  # noqa: BLE001 - a stranger's callback may raise anything
            _log.exception("the subscriber of %s raised on a message to %s", self._channel.pattern, address)

    def _again(self, once: Iterator[Message]) -> None:
        for message in once:
            self._channel.again(message)


def _nothing(member: Member) -> None:
    pass
