# pyright: basic
# aiokafka is not typed.
"""An open Kafka journal: the topic of its entries, found or made anew, and its state beside it.

Responsible for which of its topics a journal lives in, and for records as entries. Not responsible for the journal's
rules.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from comity.sdk.ports import Entry
from comity.transports.journals._kafka_cluster import Cluster
from comity.transports.journals._kafka_place import Place
from comity.transports.journals._kafka_state import Life, State
from comity.transports.journals._kafka_topics import MAX_ENTRY, Topics

__all__ = ["Log"]


class Log:
    """The entries of one journal, and `state`. Positions are one above the offsets of the records."""

    def __init__(self, cluster: Cluster, topic: str, state: State) -> None:
        self._cluster = cluster
        self._topic = topic
        self.state = state

    @classmethod
    async def opened(cls, place: Place) -> Log:
        """Connect, and make or check the topics. Raises `JournalError`."""
        cluster = Cluster(place)
        await cluster.open()
        try:
            topics = Topics(cluster, place)
            await topics.ensure_state()
            state = State(cluster, topics.state)
            await state.enter(await _life(topics, state, place.incarnation))
            return cls(cluster, topics.entries(state.life.topic), state)
        except BaseException:
            await cluster.close()
            raise

    async def close(self) -> None:
        """Disconnect; readers end."""
        await self._cluster.close()

    async def append(self, data: bytes) -> int:
        """The position of a new entry, once all replicas in sync have it."""
        if len(data) > MAX_ENTRY:
            raise self._cluster.failure(
                f"an entry of {len(data)} octets is over the limit of {MAX_ENTRY}: make it smaller"
            )
        return await self._cluster.append(self._topic, data) + 1

    async def bounds(self) -> tuple[int, int]:
        """The position up to which entries are forgotten, and that of the last one ever appended."""
        return await self._cluster.bounds(self._topic)

    async def cut(self, position: int) -> None:
        """Forget entries up to and including `position`."""
        await self._cluster.cut(self._topic, position)

    async def read(self, after: int) -> AsyncGenerator[Entry]:
        """Entries behind `after`, until the reader is lost, or there is reason to see whether its place is still there."""
        position = after
        async with aclosing(self._cluster.read(self._topic, after)) as batches:
            async for batch in batches:
                for record in batch:
                    position = record.offset + 1
                    yield Entry(position, record.value or b"")
                if not batch and not await self._within(position):
                    return

    async def _within(self, position: int) -> bool:
        first, end = await self.bounds()
        return first <= position <= end


async def _life(topics: Topics, state: State, least: int) -> Life:
    """The life that the journal is in: another one where its topic of entries is missing."""
    former = await state.former()
    if former is None:
        number = await topics.latest() or least
        former = Life(number, number)
    elif not await topics.has_entries(former.topic):
        number = max(former.incarnation + 1, least)
        former = Life(number, number)
    await topics.ensure_entries(former.topic)
    return former._replace(incarnation=max(former.incarnation, least))
