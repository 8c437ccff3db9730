"""`make soak`: every service and every broker node is killed twice, in an order that is another one each time.

Not part of `make test`, which has no minutes for it: pytest finds this file only by its name. `COMITY_SEED` repeats a
schedule, which a failure names; the moments are the scheduler's.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from ..conftest import broker_or_policy
from .cluster import KINDS, SERVICES, survives

pytestmark = [pytest.mark.broker, pytest.mark.slow]


@pytest.mark.parametrize("kind", KINDS)
async def test_nothing_is_lost_however_long_it_goes_on(kind: str, tmp_path: Path, space: str) -> None:
    seed = int(os.environ.get("COMITY_SEED") or random.randrange(1 << 32))
    with broker_or_policy(kind, nodes=3) as broker:
        await survives(broker, space, tmp_path, seed=seed, services=2 * SERVICES, nodes=2 * SERVICES)
