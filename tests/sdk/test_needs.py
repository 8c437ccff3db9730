"""What a protocol needs of a transport is asked for at the start."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from comity.mesh import Mesh
from comity.sdk.errors import CapabilityError
from comity.sdk.family import load_family
from comity.sdk.needs import require
from comity.sdk.ports import Capabilities, Guarantee, Ordering
from comity.transports.memory import MemoryTransport

ENOUGH = Capabilities(Ordering.KEY, frozenset({Guarantee.AT_MOST_ONCE}), groups=True)
LACKS: dict[str, dict[str, Any]] = {
    "its order kept per-key": {"ordering": Ordering.NONE},
    "at-most-once delivery": {"guarantees": frozenset({Guarantee.AT_LEAST_ONCE})},
    "messages of 262144 octets, and here 65536": {"max_payload": 65536},
}
LACKS_OF_REPLICAS: dict[str, dict[str, Any]] = {
    "groups": {"groups": False},
    "subscriptions by pattern": {"wildcards": False},
}


@pytest.mark.parametrize("role", ["registry", "agent"])
def test_enough_is_enough(role: str) -> None:
    require(ENOUGH, load_family("registry"), role)


@pytest.mark.parametrize("role", ["registry", "agent"])
@pytest.mark.parametrize("lack", LACKS)
def test_what_is_lacking_is_named(lack: str, role: str) -> None:
    with pytest.raises(CapabilityError, match=f"registry/v1 for '{role}': channel '[a-z]+' needs {lack}"):
        require(replace(ENOUGH, **LACKS[lack]), load_family("registry"), role)


@pytest.mark.parametrize("lack", LACKS_OF_REPLICAS)
def test_only_who_shares_its_work_needs_groups(lack: str) -> None:
    less = replace(ENOUGH, **LACKS_OF_REPLICAS[lack])
    with pytest.raises(CapabilityError, match=f"for 'registry': channel 'requests' needs {lack}"):
        require(less, load_family("registry"), "registry")
    require(less, load_family("registry"), "agent")


async def test_a_mesh_does_not_start_on_less(monkeypatch: pytest.MonkeyPatch) -> None:
    less = property(lambda _: replace(ENOUGH, max_payload=1000))
    monkeypatch.setattr(MemoryTransport, "capabilities", less)
    for url in ("memory://small", "memory://small?serve=registry"):
        with pytest.raises(CapabilityError, match="1000 is the most"):
            async with Mesh.connect(url, agent="a"):
                pass
