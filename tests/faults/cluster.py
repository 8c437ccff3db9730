"""Replicas of the registry on a broker of several nodes, and kills in an order that a seed decides.

Responsible for the processes and the schedule of their deaths, under a load that is judged by its history. Not
responsible for the verdict (`load.py`), nor for which journal is used: whoever calls names it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from comity.transports import connect
from comity.transports.brokers import Broker

from .load import Load
from .order import told_out_of_order
from .processes import Service, eventually
from .versions import starting_as
from .watching import Watched, watched_on

__all__ = [
    "KINDS",
    "SERVICES",
    "Cluster",
    "Strike",
    "cluster_on",
    "schedule_of",
    "survives",
    "survives_schedule",
]

SERVICES = 3
KINDS = {
    "kafka": "kafka:{url}/{name}?replicas=3",
    "nats": "jetstream:{url}/{name}?replicas=3&timeout=1",
}
"""Brokers that keep a journal, and its URL."""
OPENING = {"kafka": "?timeout=20", "nats": ""}
"""What services are told of the transport: connecting to Kafka is five requests, and one of its brokers is dying."""
LOADS = 4
STANDSTILL = 60.0


class Strike(NamedTuple):
    """Whom it hits, a `service` or a `node`; the node is stopped where it goes `gently`, and comes back as `version`.

    Everything else is killed, and comes back as what starts by default.
    """

    kind: str
    number: int
    version: str | None = None
    gently: bool = False


class Cluster:
    """A broker, three services on one journal in it, and agents who ask all of them."""

    def __init__(self, broker: Broker, services: list[Service], loads: list[Load], pair: Watched) -> None:
        self.broker, self.services, self.loads, self.pair = broker, services, loads, pair

    async def survive(self, schedule: list[Strike], dice: random.Random) -> None:
        """Strike what the schedule names, let the load go on without it, start it again; all under load.

        In the end one service is left, which has to account for everything that any of them acknowledged. Fails where
        the load stands still with one dead.
        """
        async with asyncio.TaskGroup() as group:
            for load in self.loads:
                group.create_task(load.run())
            group.create_task(self.pair.write())
            await self._go_on(dice.randrange(50, 200))
            for strike in schedule:
                await self._strike(strike, dice.randrange(50, 200))
                await self._go_on(dice.randrange(1, 100))
            for service in dice.sample(self.services, SERVICES - 1):
                assert (await service.stop()).code == 0
            await self._go_on(50)
            for load in self.loads:
                load.stop()
            self.pair.stop()

    async def _strike(self, strike: Strike, enough: int) -> None:
        for load in self.loads:
            load.killed()
        if strike.kind == "service":
            service = self.services[strike.number]
            await service.kill()
            await self._go_on(enough)
            await service.start()
        else:
            await asyncio.to_thread(self._end_node, strike)
            await self._go_on(enough)
            await asyncio.to_thread(self._start_node, strike)
        for load in self.loads:
            load.restarted()

    def _end_node(self, strike: Strike) -> None:
        node = self.broker.nodes[strike.number]
        if strike.gently:
            node.stop()
        else:
            node.kill()

    def _start_node(self, strike: Strike) -> None:
        node = self.broker.nodes[strike.number]
        if strike.version is None:
            node.restart()
        else:
            with starting_as(self.broker.now.name, strike.version):
                node.restart()
            assert strike.version in Path(f"/proc/{node.now.pid}/cmdline").read_text(encoding="utf-8")

    async def _go_on(self, more: int) -> None:
        enough = self._answered() + more
        await eventually(lambda: self._answered() >= enough, "the load stands still", STANDSTILL)

    def _answered(self) -> int:
        return sum(load.answered for load in self.loads)


@asynccontextmanager
async def cluster_on(
    broker: Broker, journal: str, namespace: str, directory: Path, seed: int
) -> AsyncGenerator[Cluster]:
    """Three services on `journal`, a URL, and load with connections of its own; gone after the block."""
    url = broker.url + OPENING[broker.now.name]
    services = [Service(url, journal, namespace, directory=directory) for _ in range(SERVICES)]
    async with AsyncExitStack() as stack:
        for service in services:
            stack.push_async_callback(service.clear)
        async with asyncio.TaskGroup() as starting:  # whoever fails to start is told, not the others
            for service in services:
                starting.create_task(service.start())
        loads: list[Load] = []
        for number in range(LOADS):
            transport = connect(broker.url)
            stack.push_async_callback(transport.close)
            await transport.open()
            loads.append(Load(seed, number, transport, namespace))
        pair = await stack.enter_async_context(watched_on(broker.url, namespace))
        yield Cluster(broker, services, loads, pair)


def schedule_of(seed: int, services: int, nodes: int) -> tuple[list[Strike], random.Random]:
    """So many kills of services and of nodes, in an order that the seed decides; each of them once before one again."""
    dice = random.Random(seed)
    whom = dice.sample(range(SERVICES), SERVICES), dice.sample(range(SERVICES), SERVICES)
    kills = [Strike("service", whom[0][n % SERVICES]) for n in range(services)]
    kills += [Strike("node", whom[1][n % SERVICES]) for n in range(nodes)]
    dice.shuffle(kills)
    return kills, dice


async def survives(
    broker: Broker, namespace: str, directory: Path, *, seed: int, services: int, nodes: int
) -> None:
    """Assert that so many kills break none of the protocol's promises.

    REG-DUR-001, REG-REV-002 and REG-REV-004 are put to the test in every load, and nothing is violated.
    """
    schedule, dice = schedule_of(seed, services, nodes)
    await survives_schedule(broker, namespace, directory, seed, schedule, dice)


async def survives_schedule(
    broker: Broker, namespace: str, directory: Path, seed: int, schedule: list[Strike], dice: random.Random
) -> None:
    """See `survives`."""
    journal = KINDS[broker.now.name].format(url=broker.url, name=namespace)
    told = f"seed {seed}: {schedule}"
    async with cluster_on(broker, journal, namespace, directory, seed) as cluster:
        try:
            await cluster.survive(schedule, dice)
            await cluster.pair.check()
        except BaseException as error:
            error.add_note(told)
            raise
    assert told_out_of_order(cluster.loads) == [], told
    for load in cluster.loads:
        found = load.judged()
        assert not found.lost, told
        assert [violation.prose for violation in found.violations] == [], told
        for row in ("REG-DUR-001", "REG-REV-002", "REG-REV-004"):
            assert found.fired.get(row), f"{row} was never put to the test; {told}"
