# pyright: basic
# aiokafka is not typed; the `_kafka_` modules are the places that touch it.
"""Which partition of a Kafka topic a record key belongs to, as Kafka's own producers choose.

Responsible for the one choice that writers and readers of an address share. Not responsible for which partitions
there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TypeVar

from aiokafka.partitioner import murmur2

__all__ = ["partition_of"]

T = TypeVar("T")


def partition_of(key: bytes | None, partitions: Sequence[T]) -> T:
    """The one of all `partitions`, in rising order, for `key`; without a key the first, so that order is kept."""
    return partitions[_hashed(key) % len(partitions)] if key else partitions[0]


@lru_cache(maxsize=16384)
def _hashed(key: bytes) -> int:
    return int(murmur2(key)) & 0x7FFFFFFF
