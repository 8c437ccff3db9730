# pyright: basic
# aiokafka is not typed.
"""The order in which `kafka://` takes records while there is no room for all: no broker, room is made by hand."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import suppress
from typing import Any, Final

import pytest
from aiokafka.errors import UnknownError
from aiokafka.protocol.metadata import MetadataResponse_v1
from hypothesis import given
from hypothesis import strategies as st

from comity.sdk.errors import TransportError
from comity.transports._kafka_client import Clients
from comity.transports._kafka_producer import Producer
from comity.transports._kafka_url import read_options, read_settings
from tests.transports.harness import until

URL: Final = "kafka://127.0.0.1:1"
TOPIC: Final = "space.test.v1.things"
ROOM: Final = 1000
LARGE: Final = 700  # octets, of which there is no room for two


class Full(Clients):
    """Clients whose producer has room for `ROOM` octets, and sends only when told."""

    def __init__(self, timeout: float = 60) -> None:
        super().__init__(read_settings(URL, read_options(URL, {"timeout": timeout})))
        self._known.add(TOPIC)
        self._latest_first: list[Producer] = []
        self._producer = self._made()
        self._sent = 0

    def _made(self) -> Producer:
        producer = Producer(
            bootstrap_servers=URL.removeprefix("kafka://"),
            max_batch_size=ROOM,
            request_timeout_ms=int(self.timeout * 1000),
        )
        topics = [(0, TOPIC, False, [(0, 0, 0, [0], [0])])]
        found: Any = MetadataResponse_v1([(0, "127.0.0.1", 1, None)], 0, topics)
        producer.client.cluster.update_metadata(found)
        producer._closed = True  # it is never started
        numbers: Any = producer._txn_manager
        numbers.set_pid_and_epoch(1, 0)
        self._latest_first.insert(0, producer)
        return producer

    async def _new_producer(self) -> Producer:
        return self._made()

    @property
    def producer(self) -> Producer:
        return self._latest_first[0]

    @property
    def spent(self) -> bool:
        return bool(self._producer.spent)

    @property
    def renewing(self) -> bool:
        return self._renewal is not None

    def refuse(self) -> None:
        """As if a batch had been refused."""
        self._producer.spent = True

    def drain(self) -> None:
        """Send what was taken, which makes room; as if a broker had acknowledged it."""
        for batch in self.batches():
            batch.done(self._sent)
            self._sent += batch.record_count

    def batches(self) -> list[Any]:
        """What was taken, on its way."""
        drained = [one._message_accumulator.drain_by_nodes(()) for one in self._latest_first]
        return [batch for nodes, _ in drained for some in nodes.values() for batch in some.values()]

    def publish(self, size: int, key: bytes | None = b"k") -> asyncio.Task[int]:
        return asyncio.create_task(self._offset(size, key))

    async def _offset(self, size: int, key: bytes | None) -> int:
        future = await self.send(TOPIC, key, bytes(size), [])
        await self.confirmed(future)
        return int(future.result().offset)

    async def finish(self, tasks: list[asyncio.Task[int]]) -> None:
        """Make room until all `tasks` are done, and see that no line is left."""
        async with asyncio.timeout(60):
            while not all(task.done() for task in tasks):
                self.drain()
                await asyncio.sleep(0)
        assert self._lines == {}


async def test_who_comes_when_room_was_just_made_does_not_overtake() -> None:
    """aiokafka takes what comes before those who waited have heard of the room."""
    clients = Full()
    tasks = [clients.publish(LARGE), clients.publish(LARGE)]
    await asyncio.sleep(0)
    clients.drain()
    tasks.append(clients.publish(1))
    await clients.finish(tasks)
    assert [task.result() for task in tasks] == [0, 1, 2]


@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"j", b"k", None]), st.sampled_from([1, LARGE]), st.sampled_from("pppdtcr")
        ),
        max_size=40,
    )
)
def test_records_of_one_key_are_taken_in_the_order_of_the_calls(
    script: list[tuple[bytes | None, int, str]],
) -> None:
    """Whoever publishes, waits, is cancelled, or finds room: p, t(ime passes), c, d(rain), r(efused)."""

    async def run() -> None:
        clients, calls = Full(), defaultdict[bytes | None, list[asyncio.Task[int]]](list)
        for key, size, what in script:
            if what == "p":
                calls[key].append(clients.publish(size, key))
            elif what == "d":
                clients.drain()
            elif what == "t":
                await asyncio.sleep(0)
            elif what == "r":
                clients.refuse()
            elif calls[key]:
                calls[key][len(calls[key]) // 2].cancel()
        await clients.finish([task for some in calls.values() for task in some])
        for some in calls.values():
            offsets = [task.result() for task in some if not task.cancelled()]
            assert offsets == sorted(offsets)

    asyncio.run(run())


async def test_nobody_stands_in_line_for_longer_than_the_timeout() -> None:
    clients = Full(timeout=0.05)
    tasks = [clients.publish(LARGE) for _ in range(5)]
    async with asyncio.timeout(60):
        outcomes = await asyncio.gather(*tasks[1:], return_exceptions=True)
    assert all(isinstance(one, TransportError) and "finds no room" in str(one) for one in outcomes)
    await clients.finish(tasks[:1])


@pytest.mark.parametrize("late", [True, False])
async def test_a_refusal_is_noted_though_who_waited_for_it_is_cancelled(late: bool) -> None:
    """Else the next record is refused for the number that is missing, and the error told to nobody is logged."""
    clients = Full()
    waiting = clients.publish(1)
    await asyncio.sleep(0)
    (batch,) = clients.batches()
    for act in (waiting.cancel, lambda: batch.failure(UnknownError()))[:: 1 if late else -1]:
        act()
        if late:
            await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert clients.spent


async def test_what_its_publisher_gave_up_on_is_not_sent_beside_what_comes_instead() -> None:
    """Nor does it keep the room; what somebody still waits for stays, and so does what was sent once."""
    clients = Full()
    gone = clients.publish(LARGE)
    await asyncio.sleep(0)
    gone.cancel()
    tasks = [clients.publish(LARGE)]
    await asyncio.sleep(0)
    other = clients.publish(1)
    await asyncio.sleep(0)
    other.cancel()
    tasks.append(clients.publish(1))
    await clients.finish([*tasks, gone, other])
    assert [task.result() for task in tasks] == [0, 2]


async def test_all_who_wait_for_a_new_producer_wait_for_the_same_one_and_not_for_each_other() -> None:
    class Away(Full):
        asked = 0

        async def _new_producer(self) -> Producer:
            self.asked += 1
            await asyncio.Event().wait()
            return self.producer

    clients = Away(timeout=0.2)
    clients.refuse()
    tasks = [clients.publish(1, b"%d" % number) for number in range(10)]
    async with asyncio.timeout(60):
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(
            isinstance(one, TransportError) and "no answer within 0.2 s" in str(one) for one in outcomes
        )
        assert clients.asked == 1
        await until(lambda: not clients.renewing)
        waiting = clients.publish(1)
        await until(lambda: clients.asked == 2)
        await clients.close()
        with pytest.raises(TransportError, match="the connection is closed"):
            await waiting


async def test_another_key_does_not_wait_in_that_line() -> None:
    clients = Full()
    tasks = [clients.publish(LARGE), clients.publish(LARGE)]
    await asyncio.sleep(0)
    clients.drain()
    other = clients.publish(1, b"j")
    await clients.finish([*tasks, other])
    assert other.result() == 1, "it found room at once"
    assert tasks[1].result() == 2


async def test_who_waits_for_room_goes_on_with_the_producer_that_follows() -> None:
    """Else what finds room in one that is being replaced is sent beside what the next one sends."""
    clients = Full()
    tasks = [clients.publish(LARGE), clients.publish(LARGE)]
    await asyncio.sleep(0)
    clients.refuse()
    before = clients.producer
    tasks.append(clients.publish(1))
    other = clients.publish(1, b"j")
    await asyncio.sleep(0)
    clients.drain()
    await until(lambda: clients.producer is not before)
    await clients.finish([*tasks, other])
    offsets = [task.result() for task in tasks]
    assert offsets == sorted(offsets)


@pytest.mark.parametrize("turns", range(4))
async def test_who_is_cancelled_in_line_lets_the_next_one_go(turns: int) -> None:
    clients = Full()
    tasks = [clients.publish(LARGE) for _ in range(4)]
    await asyncio.sleep(0)
    clients.drain()
    for _ in range(turns):
        await asyncio.sleep(0)
    tasks[2].cancel()
    await clients.finish(tasks)
    with suppress(asyncio.CancelledError):
        tasks[2].result()
    assert tasks[0].result() < tasks[1].result() < tasks[3].result()
