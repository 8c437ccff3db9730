"""Several gateways: side by side, in a chain, and in a ring of three brokers. Everything arrives and nothing circulates."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from comity.gateway import Gateway
from comity.mesh import Mesh, running_gateway, running_registry
from comity.sdk.errors import Refused
from comity.sdk.ports import Guarantee
from tests.faults.agents import agent_on
from tests.transports.harness import Inbox, until

from .brokers import names, opened
from .cases import event

SURELY = Guarantee.AT_LEAST_ONCE
EDGE = ["edge"]


@asynccontextmanager
async def gateways(*pairs: tuple[str, str]) -> AsyncGenerator[Sequence[Gateway]]:
    """A gateway for each pair of brokers, of which the first leads to the home of `edge`."""
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(running_gateway(nearer, further, from_namespaces=EDGE))
            for nearer, further in pairs
        ]


def arrivals(joined: Sequence[Gateway]) -> int:
    """How much the gateways have taken in and dealt with."""
    tallies = [tally for gateway in joined for tally in gateway.tallies.values()]
    return sum(tally.passed + tally.refused + tally.dropped for tally in tallies)


async def test_two_side_by_side_double_and_the_receiver_knows() -> None:
    home, far = names("home", "far")
    async with running_registry(home, namespace="edge"), gateways((home, far), (home, far)) as both:
        async with agent_on(home, "edge") as near, agent_on(far, "edge") as reader:
            await reader.ask("Watch", watch="w", lease_ms=60_000)
            revisions = [(await near.register(zone=f"z{n}")).data["revision"] for n in range(50)]
            await until(lambda: [c["index"] for c in reader.changes].count(51) == 2)
        copies = Counter(change["index"] for change in reader.changes)
        assert set(copies.values()) == {2}
        firsts = list(dict.fromkeys(change["index"] for change in reader.changes))
        assert firsts == list(range(1, 52)), "the first copies come in order"
        told = [c["revision"] for change in reader.changes for c in change["changes"]]
        assert {*told} == {*revisions}
        assert all(tally.dropped == 0 for one in both for tally in one.tallies.values())


@pytest.mark.parametrize("shape", ["side by side", "ring", "ring and a way back"])
async def test_whatever_the_net_agents_read_and_do_not_write(shape: str) -> None:
    home, middle, far = names("home", "middle", "far")
    shapes = {
        "side by side": [(home, far), (home, far)],
        "ring": [(home, middle), (middle, far), (home, far)],
        "ring and a way back": [(home, middle), (middle, far), (far, middle), (home, far)],
    }
    async with (
        running_registry(home, namespace="edge"),
        gateways(*shapes[shape]),
        Mesh.connect(home, "sensor", namespace="edge") as sensor,
        Mesh.connect(far, "reader", namespace="edge") as reader,
    ):
        await sensor.registry.register(capabilities=["sense"])
        assert (await reader.registry.lookup(sensor.agent, consistency="linearizable")).name == "sensor"
        with pytest.raises(Refused, match=r"core\.read_only"):
            await reader.registry.register(capabilities=["sense"])
        seen: list[tuple[str, str | None]] = []
        async for change in reader.registry.watch(capability="sense"):
            seen.append((change.kind, change.agent))
            if change.kind == "synced":
                await sensor.registry.deregister()
            if change.kind == "delete":
                break
        assert [entry for entry in seen if entry[0] != "synced"] == [
            ("put", sensor.agent),
            ("delete", sensor.agent),
        ]
        assert await reader.registry.count(consistency="linearizable") == 0


async def test_in_a_ring_that_leads_back_home_copies_are_bounded() -> None:
    """One gateway of it takes the wrong side for home."""
    home, middle, far = names("home", "middle", "far")
    ring = [(home, middle), (middle, far), (far, home)]
    inboxes = [Inbox(), Inbox(), Inbox()]
    async with opened(home, middle, far) as transports, gateways(*ring) as joined:
        for transport, inbox in zip(transports, inboxes, strict=True):
            await transport.subscribe("edge.registry.v1.changes.>", inbox)
        for number in range(1, 101):
            address, frame = event("Changes", "edge", f"k{number % 7}", number=number)
            await transports[0].publish(address, frame, guarantee=SURELY)
        await until(lambda: arrivals(joined) == 400)
        assert [len(inbox) for inbox in inboxes] == [200, 100, 100], (
            "its home has it a second time, and that is all"
        )
        assert sum(tally.dropped for one in joined for tally in one.tallies.values()) == 100
        for inbox in inboxes:
            ids = [delivery.frame.attributes["id"] for delivery in inbox]
            assert {*ids} == {f"e{number}" for number in range(1, 101)}


async def test_a_gateway_names_itself_on_the_way() -> None:
    home, middle, far = names("home", "middle", "far")
    inbox = Inbox()
    async with opened(home, far) as (here, there), gateways((home, middle), (middle, far)) as joined:
        await there.subscribe("edge.registry.v1.changes.*", inbox)
        address, frame = event("Changes", "edge")
        await here.publish(address, frame, guarantee=SURELY)
        (delivery,) = await inbox.expect(1)
        via = " ".join(gateway.policy.agent for gateway in joined)
        assert delivery.frame.attributes == {**frame.attributes, "comityvia": via}
        assert delivery.address == address
