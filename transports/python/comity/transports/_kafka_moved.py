# pyright: basic
# aiokafka is not typed; the `_kafka_` modules are the places that touch it.
"""Where reading goes on in a partition that no longer has the offset at which it was.

Responsible for telling a topic that was made anew, or cut off at its end, from one that deleted what nobody had read
yet, and for the warning. Not responsible for who reads: `_kafka_live.py` and `_kafka_group.py` move their positions.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from aiokafka import TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from comity.transports._kafka_client import Clients

__all__ = ["Move", "moves"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Move:
    """`place` has the offsets from `begin` up to `end` now; `anew`: not those of before, so that all are to be read."""

    place: TopicPartition
    begin: int
    end: int
    anew: bool

    def of(self, position: int) -> int:
        """Where who was at `position` goes on."""
        return self.begin if self.anew else max(position, self.begin)


async def moves(
    clients: Clients, error: OffsetOutOfRangeError, places: Mapping[TopicPartition, int]
) -> list[Move]:
    """What became of the partitions that `error` tells of, where `places` still says what was asked for then.

    Raises `TransportError` where that cannot be asked; the consumer meets the same error again.
    """
    found: list[Move] = []
    for place, offset in error.args[0].items():
        if places.get(place) == offset:
            begin, end = await clients.extent(place)
            found.append(Move(place, begin, end, anew=begin <= offset))
            _warn(found[-1], offset)
    return found


def _warn(move: Move, offset: int) -> None:
    topic, partition = move.place
    if move.anew:
        _log.warning(
            "topic %s, partition %d: it was read up to offset %d, and ended before that: it was made anew or cut off, "
            "and is read from its beginning",
            *(topic, partition, offset),
        )
    else:
        _log.warning(
            "topic %s, partition %d: offsets %d to %d were deleted before they were read: raise its retention",
            *(topic, partition, offset, move.begin - 1),
        )
