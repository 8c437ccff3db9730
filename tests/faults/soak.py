"""`make soak`: every service and every broker node is killed, and comes back as another version, in an order that is
another one each time.

Not part of `make test`, which has no minutes for it: pytest finds this file only by its name. `COMITY_SEED` repeats a
schedule, which a failure names; the moments are the scheduler's.
"""

from __future__ import annotations

import os
import random
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import pytest

from comity.sdk.ports import Guarantee

from ..conftest import broker_or_policy
from ..transports.connections import opened
from ..transports.harness import frame
from .cluster import SERVICES, Strike, survives_schedule
from .versions import VERSIONS, fetch, starting_as

pytestmark = [pytest.mark.broker, pytest.mark.slow]


@pytest.mark.parametrize(("kind", "times"), [("nats", 2), ("kafka", 1)])
async def test_nothing_is_lost_however_long_it_goes_on(
    kind: str, times: int, tmp_path: Path, space: str
) -> None:
    """Nodes are killed and come back as a newer version, then stopped and come back as the older, on their own files."""
    seed = int(os.environ.get("COMITY_SEED") or random.randrange(1 << 32))
    dice = random.Random(seed)
    fetch(kind)
    with ExitStack() as stack:
        with starting_as(kind, VERSIONS[kind][0]):
            broker = stack.enter_context(broker_or_policy(kind, nodes=3))
        await survives_schedule(broker, space, tmp_path, seed, _rolling(kind, times, dice), dice)


def _rolling(kind: str, times: int, dice: random.Random) -> list[Strike]:
    """Up node by node and down again, and somewhere in between each service is killed so many times."""
    older, newer = VERSIONS[kind]
    nodes = [Strike("node", node, newer) for node in dice.sample(range(SERVICES), SERVICES)]
    nodes += [Strike("node", node, older, gently=True) for node in dice.sample(range(SERVICES), SERVICES)]
    services = [
        Strike("service", service) for _ in range(times) for service in dice.sample(range(SERVICES), SERVICES)
    ]
    turns = [nodes] * len(nodes) + [services] * len(services)
    dice.shuffle(turns)
    return [turn.pop(0) for turn in turns]


async def test_three_kafka_nodes_with_tls_go_on_without_one(space: str) -> None:
    """Each node gives back what was produced (or it were not ready); two of three still confirm what is published.

    Also on a channel that is first used then, though who made channels so far is the one that is gone.
    """
    with broker_or_policy("kafka", nodes=3, tls=True) as broker:
        assert broker.url.startswith("kafkas://127.0.0.1:")
        async with opened(broker.url, timeout=20) as transport:

            async def publish() -> None:
                for number in range(20):
                    address = f"{space}.test.v1.things.k{number}"
                    await transport.publish(address, frame(b"x"), guarantee=Guarantee.AT_LEAST_ONCE)

            await publish()
            asked = cast(Any, transport)._hub.clients._admin._client.cluster.controller.nodeId
            broker.kill(asked)
            assert not broker.serves
            await transport.publish(f"{space}.test.v1.late", frame(b"x"), guarantee=Guarantee.AT_LEAST_ONCE)
            await publish()
