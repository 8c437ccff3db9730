"""`make soak`: every service and every broker node is killed, in an order that is another one each time.

Not part of `make test`, which has no minutes for it: pytest finds this file only by its name. `COMITY_SEED` repeats a
schedule, which a failure names; the moments are the scheduler's.
"""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any, cast

import pytest

from comity.sdk.ports import Guarantee

from ..conftest import broker_or_policy
from ..transports.connections import opened
from ..transports.contract import frame
from .cluster import SERVICES, survives

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
