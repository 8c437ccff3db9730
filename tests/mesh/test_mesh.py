"""`Mesh` on memory://, with the registry that it brings along: what a first example relies on."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path

import pytest

from comity.mesh import Change, Mesh, running_registry
from comity.sdk.errors import ConfigError, LocalProtocolError, Refused, TimedOut
from comity.sdk.identity import Identity


def somewhere() -> str:
    return f"memory://m{uuid.uuid4().hex}?serve=registry"


async def test_an_agent_registers_and_is_found() -> None:
    async with Mesh.connect(somewhere(), agent="planner-1") as mesh:
        lease = await mesh.registry.register(
            capabilities=["ml.inference@1.2"], metadata={"zone": "us-west-1a"}, zone="n"
        )
        assert mesh.registry.lease == lease
        entry = await mesh.registry.lookup(mesh.agent, consistency="linearizable")
        assert (entry.name, entry.epoch, entry.metadata) == ("planner-1", lease.epoch, {"zone": "us-west-1a"})
        found = [
            e.agent
            async for e in mesh.registry.query(
                capability="ml.inference", zone="n", metadata={"zone": "us-west-1a"}
            )
        ]
        assert found == [mesh.agent]
        assert await mesh.registry.count(zone=["n", "s"]) == 1
        assert await mesh.registry.count({"all": [{"path": "zone", "op": "eq", "value": "s"}]}) == 0


async def test_update_replace_and_leave() -> None:
    async with Mesh.connect(somewhere(), agent="a") as mesh:
        first = await mesh.registry.register(capabilities=["x"], zone="n", health="healthy")
        revision = await mesh.registry.update(health="degraded", clear=["zone"], if_revision=first.revision)
        entry = await mesh.registry.lookup(mesh.agent)
        assert (entry.zone, entry.health, entry.revision) == (None, "degraded", revision)
        with pytest.raises(Refused) as refusal:
            await mesh.registry.update(health="healthy", if_revision=first.revision)
        assert (refusal.value.code, refusal.value.definite, refusal.value.retry) == (
            "registry.conflict",
            True,
            "never",
        )
        again = await mesh.registry.register(capabilities=["y"])
        entry = await mesh.registry.lookup(mesh.agent)
        assert (entry.capabilities, entry.health, entry.epoch) == (["y"], None, first.epoch)
        assert again.epoch == first.epoch
        longer = await mesh.registry.register(capabilities=["y"], lease_ms=60_000)
        assert longer.epoch > first.epoch
        await mesh.registry.deregister()
        assert mesh.registry.lease is None
        with pytest.raises(Refused, match=r"registry\.unknown_agent"):
            await mesh.registry.lookup(mesh.agent)
        with pytest.raises(LocalProtocolError):
            await mesh.registry.deregister()


async def test_two_agents_share_the_embedded_registry_and_watch_each_other() -> None:
    url = somewhere()
    seen: list[Change] = []
    started = asyncio.Event()

    async def watch(mesh: Mesh) -> None:
        async for change in mesh.registry.watch(capability="text.translate"):
            seen.append(change)
            started.set()
            if change.kind == "delete":
                return

    async with Mesh.connect(url, agent="reader") as reader, asyncio.TaskGroup() as group:
        group.create_task(watch(reader))
        await asyncio.wait_for(started.wait(), 5)
        async with Mesh.connect(url, agent="translator") as translator:
            await translator.registry.register(capabilities=["text.translate@2"])
            await translator.registry.update(health="degraded")
            await translator.registry.deregister()
    assert [change.kind for change in seen] == ["synced", "put", "put", "delete"]
    assert seen[1].entry is not None
    assert seen[1].entry.name == "translator"
    assert seen[-1].reason == "deregistered"


async def test_an_abandoned_watch_is_closed() -> None:
    async with Mesh.connect(somewhere(), agent="a") as mesh:
        await mesh.registry.register(capabilities=["x"])
        watch = mesh.registry.watch()
        async for change in watch:
            assert change.kind == "put"
            break
        await watch.aclose()  # type: ignore[attr-defined]
        assert await mesh.registry.count() == 1


async def test_pages_are_followed() -> None:
    url = somewhere()
    async with asyncio.timeout(20):
        meshes = [Mesh.connect(url, agent=f"a{number}") for number in range(5)]
        for mesh in meshes:
            await mesh.__aenter__()
            await mesh.registry.register(capabilities=["x"], metadata={"n": int(mesh.name[1:])})  # type: ignore[index]
        entries = [entry async for entry in meshes[0].registry.list(page=2)]
        assert [entry.agent for entry in entries] == sorted(mesh.agent for mesh in meshes)
        order = [{"path": "metadata.n", "descending": True}]
        assert [e.name async for e in meshes[0].registry.query(order_by=order, page=2)] == [
            "a4",
            "a3",
            "a2",
            "a1",
            "a0",
        ]
        for mesh in reversed(meshes):
            await mesh.__aexit__(None, None, None)


async def test_nobody_there_is_said() -> None:
    async with Mesh.connect(f"memory://m{uuid.uuid4().hex}", agent="a", request_timeout_ms=50) as mesh:
        with pytest.raises(TimedOut, match="comity serve registry"):
            await mesh.registry.count()
        with pytest.raises(TimedOut):
            await mesh.registry.register(capabilities=["x"])


async def test_the_embedded_registry_ends_with_its_last_user() -> None:
    url = somewhere()
    async with Mesh.connect(url, agent="a") as mesh:
        await mesh.registry.register(capabilities=["x"])
    async with Mesh.connect(url, agent="b") as mesh:
        assert await mesh.registry.count() == 0


async def test_signed_meshes_find_each_other() -> None:
    async with Mesh.connect(somewhere(), agent="a", profile="signed") as mesh:
        await mesh.registry.register(capabilities=["x"])
        assert await mesh.registry.count(capability="x") == 1


async def test_only_the_registry_that_was_named_is_believed() -> None:
    """Under `signed` whoever answers in the registry's place is not heard."""
    url, registry = somewhere().partition("?")[0], Identity.generate()
    async with running_registry(url, identity=registry, profile="signed"):
        async with Mesh.connect(url, profile="signed", registry=registry.agent_id) as mesh:
            await mesh.registry.register(capabilities=["x"])
        other = Identity.generate().agent_id
        async with Mesh.connect(url, profile="signed", registry=other, request_timeout_ms=100) as mesh:
            with pytest.raises(TimedOut):
                await mesh.registry.count()


async def test_an_identity_in_a_file_is_the_same_agent_again(tmp_path: Path) -> None:
    url, key = somewhere(), str(tmp_path / "agent.key")
    agents: list[str] = []
    async with Mesh.connect(url, agent="keeper"):
        for storage in ("memory:", "memory:", f"file:{tmp_path}/store", f"file:{tmp_path}/store"):
            async with Mesh.connect(url, agent="a", identity=key, storage=storage) as mesh:
                agents.append(mesh.agent)
                if not storage.startswith("file"):
                    await mesh.registry.register(capabilities=["x"])
                assert await mesh.registry.count() == 1
    assert len(set(agents)) == 1


def test_wrong_settings_are_named() -> None:
    with pytest.raises(ConfigError, match="serve=registry"):
        Mesh.connect("nats://127.0.0.1:4222?serve=registry")
    with pytest.raises(ConfigError, match="serve=registry"):
        Mesh.connect("memory://x?serve=broker")
    with pytest.raises(ConfigError):
        Mesh.connect("memory://x", colour="red")


async def test_use_before_and_after_connection_is_refused() -> None:
    mesh = Mesh.connect(somewhere(), agent="a")
    with pytest.raises(LocalProtocolError, match="async with"):
        await mesh.registry.count()
    async with mesh:
        await mesh.registry.count()
        with pytest.raises(LocalProtocolError, match="no criterion"):
            await mesh.registry.count(colour="red")
    with pytest.raises(LocalProtocolError):
        await mesh.registry.count()
    with pytest.raises(LocalProtocolError):
        await mesh.__aenter__()


async def test_no_task_is_left_behind() -> None:
    before = asyncio.all_tasks()
    async with Mesh.connect(somewhere(), agent="a") as mesh:
        await mesh.registry.register(capabilities=["x"])
    assert asyncio.all_tasks() == before
