# pyright: basic
# aiokafka is not typed; the `_kafka_` modules are the places that touch it.
"""Taking records from a consumer, whatever strangers have put between them.

Responsible for passing over what aiokafka cannot read without losing what is around it, and for how far a consumer
has come where the last thing that it saw is no record. Not responsible for what records mean.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from aiokafka import TopicPartition
from aiokafka.errors import NoOffsetForPartitionError, OffsetOutOfRangeError

__all__ = ["Records", "reached", "taken"]

Records: TypeAlias = dict[TopicPartition, list[Any]]

_log = logging.getLogger(__name__)
_MOST: Final = 1000  # records that are read singly in one go
_PATIENCE: Final = 2.0  # seconds in which the record that cannot be read is to come again
_PAUSE: Final = 0.01


async def taken(
    consumer: Any,
    behind: Callable[[], Mapping[TopicPartition, int]],
    *,
    timeout_ms: int,
    most: int | None = None,
) -> Records:
    """What `consumer` has, or gets within the timeout; `behind` tells at which offsets it is to go on.

    A record with the name of a header that is not UTF-8 is passed over with a warning, and so is what follows in its
    batch, which is the same producer's. Raises `OffsetOutOfRangeError`, again and again, until who reads moves.
    """
    try:
        found: Records = await consumer.getmany(timeout_ms=timeout_ms, max_records=most)
        return found
    except NoOffsetForPartitionError:  # it was given a partition, and is not told yet where it begins
        return {}
    except UnicodeDecodeError:  # what was taken before it, also from other partitions, is lost to aiokafka
        assigned = consumer.assignment()
        for place, offset in behind().items():
            if place in assigned:
                consumer.seek(place, offset)
        return await _singly(consumer, most or _MOST)


def reached(consumer: Any) -> dict[TopicPartition, int]:
    """The offsets at which `consumer` goes on by itself, behind what was passed over and marks of transactions, too.

    `consumer.position` would wait where there is none, and hold up the other partitions.
    """
    subscription = consumer._subscription.subscription
    assignment = subscription.assignment if subscription is not None else None
    states = (
        {place: assignment.state_value(place) for place in assignment.tps} if assignment is not None else {}
    )
    return {place: state.position for place, state in states.items() if state.has_valid_position}


async def _singly(consumer: Any, most: int) -> Records:
    """Up to `most` records, one by one: so nothing is lost where one cannot be read, and its place is known."""
    found: Records = {}
    clock, count = asyncio.get_running_loop().time, 0
    deadline = clock() + _PATIENCE
    while count < most and clock() < deadline:
        before = count
        for place in consumer.assignment():
            try:
                one = await consumer.getmany(place, timeout_ms=0, max_records=1) if count < most else {}
            except UnicodeDecodeError as error:
                _pass_over(consumer, place, error)
                return found
            except (NoOffsetForPartitionError, OffsetOutOfRangeError):  # it comes again
                return found
            for records in one.values():
                found.setdefault(place, []).extend(records)
                count += len(records)
        await asyncio.sleep(0 if count > before else _PAUSE)
    return found


def _pass_over(consumer: Any, place: TopicPartition, error: UnicodeDecodeError) -> None:
    """Go on behind the batch: to read what follows in it aiokafka would have to read this record, too."""
    at = reached(consumer)[place]
    further = max(at + 1, _end_of_batch(error))
    _log.warning(
        "topic %s, partition %d: offsets %d to %d were ignored, since a header's name is not UTF-8",
        *(*place, at, further - 1),
    )
    consumer.seek(place, further)


def _end_of_batch(error: UnicodeDecodeError) -> int:
    """The offset behind the batch in which aiokafka met `error`, which only its frames know; 0 where they do not."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if (batch := frame.f_locals.get("next_batch")) is not None:
            return int(batch.next_offset)
    return 0
