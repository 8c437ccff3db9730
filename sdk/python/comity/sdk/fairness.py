"""What waits to be taken in, in turn by address, so that whoever floods one address delays only itself.

Responsible for order within an address, for turns between addresses and for how much waits. Not responsible for
what to do about too much: whoever fills the queue asks `full`.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Final

from .codec import data_size
from .ports import Delivery

__all__ = ["FairQueue"]

_OCTETS: Final = 32 << 20


class FairQueue:
    """Deliveries, first in first out for each address. It is full at `limit` deliveries or 32 MiB of data."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._length = self._octets = 0
        self._waiting: OrderedDict[str, deque[tuple[int, Delivery]]] = OrderedDict()

    def __len__(self) -> int:
        return self._length

    @property
    def full(self) -> bool:
        """Whether nothing more should come for now."""
        return self._length >= self._limit or self._octets >= _OCTETS

    @property
    def relaxed(self) -> bool:
        """Whether at most half of what it takes is there."""
        return self._length <= self._limit // 2 and self._octets <= _OCTETS // 2

    def put(self, delivery: Delivery) -> None:
        """Add `delivery` behind what waits for its address."""
        octets = data_size(delivery.frame)
        self._length += 1
        self._octets += octets
        own = self._waiting.get(delivery.address)
        if own is None:
            own = self._waiting[delivery.address] = deque()
        own.append((octets, delivery))

    def take(self) -> Delivery:
        """The next of the address whose turn it is. Raises `KeyError` where nothing waits."""
        address, own = self._waiting.popitem(last=False)
        octets, delivery = own.popleft()
        self._length -= 1
        self._octets -= octets
        if own:
            self._waiting[address] = own
        return delivery
