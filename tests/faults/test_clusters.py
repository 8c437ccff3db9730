"""kill -9 of services and of broker nodes under load: what three replicas on three nodes promised, they keep."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..conftest import broker_or_policy
from .cluster import survives

pytestmark = [pytest.mark.broker, pytest.mark.slow]


async def test_three_replicas_on_three_nodes_of_nats(tmp_path: Path, space: str) -> None:
    with broker_or_policy("nats", nodes=3) as broker:
        scheme, _, hosts = broker.url.partition("://")
        journal = f"jetstream:{scheme}://{hosts}/{space}?replicas=3&timeout=1"
        await survives(broker, journal, space, tmp_path, seed=1, services=2, nodes=1)
