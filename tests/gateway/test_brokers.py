"""`comity serve gateway` between real brokers: what is signed verifies on the far side, and no kill loses anything."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from comity.mesh import Mesh, running_registry
from comity.sdk.errors import Refused, RemoteProtocolError, TimedOut
from comity.sdk.keyfile import load_identity
from comity.sdk.ports import Delivery, Guarantee
from comity.sdk.security import verify_frame
from comity.transports.brokers import Broker
from tests.faults.processes import Service, eventually, serving
from tests.transports.harness import Inbox, until

from ..conftest import broker_or_policy
from .brokers import opened
from .cases import event

pytestmark = [pytest.mark.broker, pytest.mark.slow]


@pytest.fixture
def space() -> str:
    """A namespace that no other test uses."""
    return f"g{uuid.uuid4().hex[:12]}"


@pytest.fixture
def edge() -> Iterator[Broker]:
    """A mosquitto of this test alone."""
    with broker_or_policy("mqtt") as broker:
        yield broker


@pytest.fixture
def core() -> Iterator[Broker]:
    """A nats-server of this test alone."""
    with broker_or_policy("nats") as broker:
        yield broker


class GatewayProcess(Service):
    """`comity serve gateway` in a process of its own, that keeps its identity from run to run."""

    def __init__(self, directory: Path, from_: str, to: str, namespace: str, *options: str) -> None:
        super().__init__(from_, directory / "no-journal", namespace)
        self.identity = directory / "gateway.key"
        self._arguments = (
            *("serve", "gateway", "--from", from_, "--from-namespace", namespace, "--to", to),
            *("--identity", str(self.identity), "--json", *options),
        )


@asynccontextmanager
async def joining(
    directory: Path, from_: str, to: str, namespace: str, *options: str
) -> AsyncGenerator[GatewayProcess]:
    """A gateway that runs when the block begins and is gone after it."""
    process = GatewayProcess(directory, from_, to, namespace, *options)
    try:
        await process.start()
        yield process
    finally:
        await process.clear()


class Stream:
    """What a writer at home was answered and what a watcher on the far side saw, as revisions."""

    def __init__(self) -> None:
        self.answered: list[int] = []
        self.seen: list[int] = []
        self.refusals: list[str] = []
        self.stop = asyncio.Event()

    async def watch(self, mesh: Mesh) -> None:
        """See every change; a short lease, so that what a kill cost is missed soon."""
        async for change in mesh.registry.watch(capability="x", lease_ms=1500):
            if change.kind == "put":
                self.seen.append(change.revision)

    async def write(self, mesh: Mesh) -> None:
        """Change the own entry again and again."""
        number = 0
        while not self.stop.is_set():
            number += 1
            try:
                self.answered.append(await mesh.registry.update(metadata={"n": number}))
            except TimedOut:
                continue
            except Refused as refusal:
                self.refusals.append(refusal.code)

    async def go_on(self) -> None:
        """Return when there was more writing, and the far side has seen of it."""
        enough, shown = len(self.answered) + 20, len(self.seen)
        await eventually(lambda: len(self.answered) >= enough, "writing stands still", 30)
        await eventually(lambda: len(self.seen) > shown, "the watch stands still", 30)


async def test_whoever_is_killed_the_far_side_sees_every_change_once(
    edge: Broker, core: Broker, tmp_path: Path, space: str
) -> None:
    stream, forged, verified = Stream(), list[str](), list[str]()
    signed = ("--profile", "signed")
    key = tmp_path / "registry.key"

    def check(delivery: Delivery) -> None:
        try:
            verify_frame(delivery.frame)
            assert delivery.frame.attributes["source"] == load_identity(key).agent_id
            verified.append(delivery.frame.attributes["id"])
        except (RemoteProtocolError, AssertionError) as error:
            forged.append(str(error))

    async with (
        asyncio.timeout(120),
        serving(edge.url, tmp_path / "edge.db", space, *signed, "--identity", str(key)) as registry,
        joining(tmp_path, edge.url, core.url, space, *signed) as gateway,
        opened(core.url) as (far,),
        Mesh.connect(edge.url, "writer", namespace=space, profile="signed") as writer,
        Mesh.connect(
            core.url,
            "watcher",
            namespace=space,
            profile="signed",
            registry=load_identity(key).agent_id,
            gateway=load_identity(gateway.identity).agent_id,
        ) as watcher,
    ):
        await far.subscribe(f"{space}.registry.v1.changes.>", check)
        lease = await writer.registry.register(capabilities=["x"], lease_ms=600_000)
        with pytest.raises(Refused, match=r"core\.read_only"):
            await watcher.registry.register(capabilities=["x"])
        watching = asyncio.create_task(stream.watch(watcher))
        writing = asyncio.create_task(stream.write(writer))
        await stream.go_on()
        await gateway.kill()
        await gateway.start()
        await stream.go_on()
        for broker in (core, edge):
            await asyncio.to_thread(broker.kill)
            await asyncio.to_thread(broker.restart)
            await stream.go_on()
        stream.stop.set()
        await writing
        assert stream.refusals == []
        last = (await watcher.registry.lookup(writer.agent, consistency="linearizable")).revision
        await eventually(lambda: stream.seen[-1] == last, "the watch stands still", 30)
        assert stream.seen == sorted(set(stream.seen))
        assert {revision for revision in stream.answered if revision > stream.seen[0]} <= set(stream.seen)
        assert stream.seen[0] >= lease.revision
        watching.cancel()
        await asyncio.wait({watching})
        ended = await gateway.stop()
        assert ended.code == 0, ended.err
        assert "Traceback" not in ended.err
        assert json.loads(ended.out.splitlines()[-1])["stopped"] is True
        assert (await registry.stop()).code == 0
    assert forged == []
    assert len({*verified}) >= 50


@pytest.mark.parametrize(
    "keeping", [pytest.param("kafka", marks=pytest.mark.xdist_group("kafka")), "nats with streams"]
)
async def test_what_a_broker_has_confirmed_crosses_although_the_gateway_was_dead(
    keeping: str, mqtt_server: Broker, tmp_path: Path, space: str, request: pytest.FixtureRequest
) -> None:
    name = keeping.partition(" ")[0]
    server: Broker = request.getfixturevalue(f"{name}_server")
    url = server.url if name == "kafka" else f"{server.url}?stream=600"
    inbox, surely = Inbox(), Guarantee.AT_LEAST_ONCE

    async def send(numbers: range) -> None:
        for number in numbers:
            address, frame = event("Changes", space, f"k{number % 3}", number=number)
            await keeper.publish(address, frame, guarantee=surely)

    def arrived() -> set[str]:
        return {delivery.frame.attributes["id"] for delivery in inbox}

    async with (
        asyncio.timeout(120),
        opened(url, mqtt_server.url) as (keeper, mqtt),
        joining(tmp_path, url, mqtt_server.url, space) as gateway,
        running_registry(url, namespace=space),
        Mesh.connect(mqtt_server.url, "reader", namespace=space) as reader,
    ):
        await mqtt.subscribe(f"{space}.registry.v1.changes.>", inbox)
        assert await reader.registry.count(consistency="linearizable") == 0
        await send(range(1, 101))
        await until(lambda: len(arrived()) >= 20, 30)
        await gateway.kill()
        await send(range(101, 201))
        await gateway.start()
        await until(lambda: len(arrived()) == 200, 60)
        assert await reader.registry.count() == 0
    for key in (
        range(3) if name == "kafka" else ()
    ):  # a stream sends what was unacknowledged behind what is new
        mine = [one.frame.attributes["id"] for one in inbox if one.address.endswith(f"k{key}")]
        firsts = list(dict.fromkeys(mine))
        assert firsts == [f"e{number}" for number in range(1, 201) if number % 3 == key]
