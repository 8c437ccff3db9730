"""Handing deliveries to one subscriber: pause, resume, a bounded buffer, refused deliveries later again.

Responsible for the order of what waits and for a subscriber that raises. Not responsible for where deliveries
come from, nor for what happens to those that find no room.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final, NamedTuple

from comity.sdk.ports import Delivery, Frame
from comity.transports._refused import Refused

__all__ = ["OCTETS", "Item", "Outlet"]

_log = logging.getLogger(__name__)
OCTETS: Final = 128 << 20
"""Of data that may wait for one subscriber, with as many messages as there may be."""
_TURN: Final = 64  # deliveries before others on the event loop have theirs


def _nothing() -> None:
    pass


def _forget(seen: bool) -> None:
    pass


class Item(NamedTuple):
    """What is to be delivered; what its acknowledgement does, and what is done where it is forgotten instead.

    `forget` is told whether it may have been delivered before. Where there is a `nack`, whoever put the item sees to
    it that it comes again; otherwise the outlet does, which counts how many `times` it was refused.
    """

    address: str
    frame: Frame
    redelivered: bool = False
    ack: Callable[[], None] = _nothing
    forget: Callable[[bool], None] = _forget
    nack: Callable[[], None] | None = None
    times: int = 0


def _size(item: Item) -> int:
    data = item.frame.data
    return len(data) if isinstance(data, bytes) else 0


class Outlet:
    """Delivers at once, or keeps `buffer` items, of 128 MiB, while paused; `on_room` is told when all was taken."""

    def __init__(
        self, on_delivery: Callable[[Delivery], None], buffer: int, on_room: Callable[[], None]
    ) -> None:
        self.paused = False
        self._on_delivery = on_delivery
        self._buffer = buffer
        self._on_room = on_room
        self._waiting: deque[Item] = deque()
        self._refused: Refused[Item] = Refused(self._keep)
        self._octets = self._cleared = 0
        self._scheduled = self._closed = False

    @property
    def ready(self) -> bool:
        """Whether it takes what comes without keeping it."""
        return not (self.paused or self._waiting or self._closed or self._full)

    @property
    def _full(self) -> bool:
        return len(self._waiting) + len(self._refused) >= self._buffer or self._octets >= OCTETS

    def put(self, item: Item, *, bounded: bool = True) -> bool:
        """Deliver or keep `item`; false, and nothing done, where it is `bounded` and there is no room.

        Once closed it forgets what comes, so that nothing is delivered any more.
        """
        if self.ready:
            self._deliver(item)
        elif self._closed:
            item.forget(item.redelivered)
        elif bounded and self._full:
            return False
        else:
            self._octets += _size(item)
            self._keep(item)
        return True

    def pause(self) -> None:
        """Keep what comes from now on."""
        self.paused = True

    def resume(self) -> None:
        """Deliver what was kept, soon."""
        self.paused = False
        self._schedule()

    def clear(self) -> None:
        """Forget what was kept, and what was delivered before, where it is refused from now on."""
        self._cleared += 1
        while self._waiting:
            item = self._waiting.pop()
            item.forget(item.redelivered)
        for item in self._refused.take():
            item.forget(item.redelivered)
        self._octets = 0

    def close(self) -> None:
        """Forget what was kept, and deliver nothing more."""
        self._closed = True
        self.clear()

    def drain(self) -> None:
        """Deliver what was kept, at once, unless paused; not what was refused, before its time."""
        while self._waiting and not self.paused:
            self._deliver(self._next())

    def _next(self) -> Item:
        item = self._waiting.popleft()
        self._octets -= _size(item)
        return item

    def _keep(self, item: Item) -> None:
        self._waiting.append(item)
        self._schedule()

    def _schedule(self) -> None:
        if not (self._scheduled or self.paused):
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._take_turn)

    def _take_turn(self) -> None:
        self._scheduled = False
        for _ in range(_TURN):
            if not self._waiting or self.paused:
                break
            self._deliver(self._next())
        if self._waiting:
            self._schedule()
        elif self.ready:
            self._on_room()

    def _deliver(self, item: Item) -> None:
        once = iter((item,))
        again = partial(self._again, once, self._cleared)
        try:
            self._on_delivery(Delivery(item.address, item.frame, item.redelivered, item.ack, again))
        except Exception:  # noqa: BLE001 - a stranger's callback may raise anything
            _log.exception("the subscriber raised on a message to %s", item.address)
            for _ in once:  # it was not refused, so it counts as taken
                item.ack()

    def _again(self, once: Iterator[Item], cleared: int) -> None:
        for item in once:
            if item.nack is not None:
                item.nack()
            elif cleared != self._cleared:
                item.forget(True)
            elif not self._closed:
                times = item.times + 1
                self._octets += _size(item)
                self._refused.add(item._replace(redelivered=True, times=times), times)
