"""Who reads which partitions of a Kafka topic without a group, and how far.

Responsible for which partitions a pattern needs, for who wants which, and for the offsets behind which reading
goes on. Not responsible for fetching: `_kafka_live.py` is; nothing here does I/O.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from comity.sdk.address import Pattern, parse_address, to_kafka
from comity.sdk.ports import Delivery
from comity.transports._kafka_partition import partition_of
from comity.transports._outlet import Outlet

__all__ = ["Channel", "Reading", "needed"]

_MOST_FOUND: Final = 4096


def needed(pattern: Pattern, partitions: Sequence[int]) -> list[int]:
    """The `partitions` in which records that `pattern` asks for may be: the key's own one where it names a key."""
    key = to_kafka(parse_address(str(pattern)))[1] if pattern.literal else None
    return [partition_of(key, partitions)] if key is not None else list(partitions)


class Reading:
    """A subscription without a group. `next` is where it goes on in each partition that it needs."""

    dropped = 0  # what finds no room is read again

    def __init__(
        self,
        pattern: Pattern,
        on_delivery: Callable[[Delivery], None],
        buffer: int,
        on_room: Callable[[], None],
        on_close: Callable[[Reading], None],
    ) -> None:
        self.pattern = pattern
        self.next: dict[int, int] = {}
        self.outlet = Outlet(on_delivery, buffer, on_room)
        self._on_close = on_close

    def move(self, partition: int, moved: Callable[[int], int]) -> None:
        """Go on in `partition`, where it is needed, at what `moved` says of its position."""
        if partition in self.next:
            self.next[partition] = moved(self.next[partition])

    def fits(self, partitions: Sequence[int]) -> bool:
        """Whether it goes on in all of these that it needs, and in no others."""
        return set(needed(self.pattern, partitions)) <= self.next.keys() <= set(partitions)

    def fit(self, partitions: Sequence[int]) -> None:
        """Go on in these: from their beginning where it did not so far, and no more where they are gone."""
        new = dict.fromkeys(needed(self.pattern, partitions), 0)
        self.next = {number: offset for number, offset in (new | self.next).items() if number in partitions}

    def pause(self) -> None:
        """See `Subscription.pause`."""
        self.outlet.pause()

    def resume(self) -> None:
        """See `Subscription.resume`."""
        self.outlet.resume()

    async def close(self) -> None:
        """End the subscription; what waits in its buffer is discarded. Idempotent."""
        self.outlet.close()
        self._on_close(self)


class Channel:
    """A topic that is read: by whom, and the next offset of each partition that is.

    `size` is how many partitions it has, `ignored` how many records came that nobody wants any more.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.ignored = 0
        self.positions: dict[int, int] = {}
        self._exact: dict[str, list[Reading]] = {}
        self._wild: list[Reading] = []
        self._wanted: Counter[int] = Counter()
        self._found: dict[str, list[Reading]] = {}  # by address, as long as nobody comes or goes

    def __iter__(self) -> Iterator[Reading]:
        for some in self._exact.values():
            yield from some
        yield from self._wild

    def wants(self, partition: int) -> bool:
        """Whether somebody here needs `partition`."""
        return self._wanted[partition] > 0

    def wanting(self, address: str) -> Sequence[Reading]:
        """Those whose pattern `address` matches."""
        found = self._found.get(address)
        if found is None:
            wild = (one for one in self._wild if one.pattern.matches(address))
            found = [*self._exact.get(address, ()), *wild]
            if len(self._found) >= _MOST_FOUND:
                self._found.clear()
            self._found[address] = found
        return found

    def suits(self, reading: Reading) -> bool:
        """Whether nothing that `reading` still needs was read here already."""
        return all(self.positions.get(number, offset) <= offset for number, offset in reading.next.items())

    def add(self, reading: Reading) -> bool:
        """Count `reading` in, which this must suit; whether partitions are to be read that were not so far."""
        self._found = {}
        self._wanted.update(reading.next.keys())
        pattern, before = reading.pattern, len(self.positions)
        (self._exact.setdefault(str(pattern), []) if pattern.literal else self._wild).append(reading)
        for number, offset in reading.next.items():
            self.positions.setdefault(number, offset)
        return len(self.positions) > before

    def reach(self, partition: int, offset: int) -> None:
        """Note that `partition`, if it is read, was read up to `offset`."""
        if partition in self.positions:
            self.positions[partition] = max(offset, self.positions[partition])

    def move(self, partition: int, moved: Callable[[int], int]) -> None:
        """Go on in `partition`, and let everybody here begin in it, where `moved` says of each position."""
        if partition in self.positions:
            self.positions[partition] = moved(self.positions[partition])
        for reading in self:
            reading.move(partition, moved)

    def keep(self, partitions: Sequence[int]) -> None:
        """Read no others than these, which are all that there are."""
        self.size = len(partitions)
        self.positions = {number: offset for number, offset in self.positions.items() if number in partitions}

    def discard(self, reading: Reading) -> None:
        """Count `reading` out, if it is in."""
        self._found = {}
        name = str(reading.pattern)
        among = self._exact.get(name, []) if reading.pattern.literal else self._wild
        if reading in among:
            among.remove(reading)
            self._wanted.subtract(reading.next.keys())
        if name in self._exact and not self._exact[name]:
            del self._exact[name]

    def leave(self, reading: Reading) -> None:
        """Count `reading` out, and note how far it has come."""
        self.discard(reading)
        for number, offset in reading.next.items():
            reading.next[number] = max(offset, self.positions.get(number, 0))
