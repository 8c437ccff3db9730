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
from .cluster import SERVICES, Strike, survives, survives_schedule
from .versions import VERSIONS, fetch, starting_as

pytestmark = [pytest.mark.broker, pytest.mark.slow]


@pytest.mark.parametrize(("kind", "times"), [("nats", 2), ("kafka", 1)])
async def test_nothing_is_lost_however_long_it_goes_on(
    kind: str, times: int, tmp_path: Path, space: str
) -> None:
    seed = int(os.environ.get("COMITY_SEED") or random.randrange(1 << 32))
    with broker_or_policy(kind, nodes=3) as broker:
        await survives(broker, space, tmp_path, seed=seed, services=times * SERVICES, nodes=times * SERVICES)


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


@pytest.mark.parametrize("kind", list(VERSIONS))
async def test_nodes_come_back_as_another_version(kind: str, tmp_path: Path, space: str) -> None:
    """A rolling upgrade and back, on the same files, while all go on and a service starts on the mixed cluster."""
    older, newer = VERSIONS[kind]
    fetch(kind)
    seed = int(os.environ.get("COMITY_SEED") or random.randrange(1 << 32))
    dice = random.Random(seed)
    schedule: list[Strike] = []
    for to in (newer, older):
        first, *others = dice.sample(range(SERVICES), SERVICES)
        schedule += [Strike("node", first, to), Strike("service", dice.randrange(SERVICES))]
        schedule += [Strike("node", node, to) for node in others]
    with ExitStack() as stack:
        with starting_as(kind, older):
            broker = stack.enter_context(broker_or_policy(kind, nodes=3))
        await survives_schedule(broker, space, tmp_path, seed, schedule, dice)
