"""Handing deliveries to one subscriber: pause, resume, a bounded buffer, refused deliveries again.

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

    `forget` is told whether it may have been delivered before.
    """

    address: str
    frame: Frame
    redelivered: bool = False
    ack: Callable[[], None] = _nothing
    forget: Callable[[bool], None] = _forget


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
        self._octets = 0
        self._scheduled = self._closed = False

    @property
    def ready(self) -> bool:
        """Whether it takes what comes without keeping it."""
        return not (self.paused or self._waiting or self._closed)

    def put(self, item: Item, *, bounded: bool = True) -> bool:
        """Deliver or keep `item`; false, and nothing done, where it is `bounded` and there is no room."""
        if self.ready:
            self._deliver(item)
        elif bounded and (len(self._waiting) >= self._buffer or self._octets >= OCTETS):
            return False
        else:
            self._waiting.append(item)
            self._octets += _size(item)
            self._schedule()
        return True

    def pause(self) -> None:
        """Keep what comes from now on."""
        self.paused = True

    def resume(self) -> None:
        """Deliver what was kept, soon."""
        self.paused = False
        self._schedule()

    def clear(self) -> None:
        """Forget what was kept."""
        while self._waiting:
            item = self._waiting.pop()
            item.forget(item.redelivered)
        self._octets = 0

    def close(self) -> None:
        """Forget what was kept, and deliver nothing more."""
        self._closed = True
        self.clear()

    def drain(self) -> None:
        """Deliver what was kept, at once, unless paused."""
        while self._waiting and not self.paused:
            self._deliver(self._next())

    def _next(self) -> Item:
        item = self._waiting.popleft()
        self._octets -= _size(item)
        return item

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
        address, frame, redelivered, ack, _ = item
        once = iter((item,))
        try:
            self._on_delivery(Delivery(address, frame, redelivered, ack, partial(self._again, once)))
        except Exception:  # noqa: BLE001 - a stranger's callback may raise anything
            _log.exception("the subscriber raised on a message to %s", address)
            for _ in once:  # it was not refused, so it counts as taken
                ack()

    def _again(self, once: Iterator[Item]) -> None:
        for item in once:
            if not self._closed:
                self._waiting.appendleft(item._replace(redelivered=True))
                self._octets += _size(item)
                self._schedule()
