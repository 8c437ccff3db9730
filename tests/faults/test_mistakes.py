"""What people get wrong: one clear message on standard error, exit 3, no traceback; and nobody there is a timeout."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from comity.mesh import Mesh
from comity.sdk.errors import TimedOut
from comity.transports.brokers import Broker

from ..conftest import broker_or_policy
from .agents import agent_on
from .processes import Ended, comity, serving

pytestmark = pytest.mark.broker

GUARDED = 'authorization { user: "u", password: "right" }'


@pytest.fixture
def guarded_server() -> Iterator[Broker]:
    """A nats-server that asks for a password."""
    with broker_or_policy("nats", GUARDED) as broker:
        yield broker


async def serve(cwd: Path, transport: str, journal: str = "memory:", *more: str) -> Ended:
    return await comity("serve", "registry", "--transport", transport, "--journal", journal, *more, cwd=cwd)


def said(ended: Ended, *words: str) -> None:
    """One message that names what is wrong, and exit 3."""
    assert (ended.code, ended.out) == (3, ""), ended
    assert ended.err.startswith("comity: ")
    assert len(ended.err.splitlines()) == 1
    for word in words:
        assert word in ended.err


async def test_wrong_urls_are_named(tmp_path: Path) -> None:
    said(await serve(tmp_path, "nats://127.0.0.1:1"), "nats://127.0.0.1:1", "nobody listens")
    said(await serve(tmp_path, "amqp://127.0.0.1"), "amqp://127.0.0.1", "nats:")
    said(await serve(tmp_path, "memory://here"), "memory://here", "nobody outside")
    said(await serve(tmp_path, "nats://127.0.0.1:1", "oracle:x"), "oracle:x", "sqlite:")
    said(await serve(tmp_path, "nats://127.0.0.1:1?colour=red"), "colour")


async def test_a_wrong_password_is_named_and_not_shown(guarded_server: Broker, tmp_path: Path) -> None:
    url = guarded_server.url.replace("//", "//u:wr0ng@")
    ended = await serve(tmp_path, url)
    said(ended, "credentials")
    assert "wr0ng" not in ended.err


@pytest.mark.slow
async def test_a_broken_journal_is_named(nats_server: Broker, tmp_path: Path, space: str) -> None:
    url, more = nats_server.url, ("--namespace", space)
    garbage, cut, foreign = (tmp_path / name for name in ("garbage.db", "cut.db", "foreign.db"))
    garbage.write_bytes(b"this was never a journal" * 1000)
    said(await serve(tmp_path, url, f"sqlite:{garbage}", *more), str(garbage), "another path")
    with closing(sqlite3.connect(foreign)) as file:
        file.execute("CREATE TABLE theirs (x)")
    said(await serve(tmp_path, url, f"sqlite:{foreign}", *more), str(foreign), "another application")
    said(await serve(tmp_path, url, f"sqlite:{tmp_path}/no/where.db", *more), "no/where.db", "create")
    async with serving(url, cut, space) as service, agent_on(url, space) as agent:
        for number in range(50):
            await agent.register(metadata={"k": "v" * 4000, "n": number})
        await service.stop()
    cut.write_bytes(cut.read_bytes()[:50_000])
    said(await serve(tmp_path, url, f"sqlite:{cut}", *more), str(cut), "backup")


async def test_entries_that_cannot_be_read_are_named(nats_server: Broker, tmp_path: Path, space: str) -> None:
    journal = tmp_path / "registry.db"
    async with serving(nats_server.url, journal, space) as service:
        await service.stop()
    with closing(sqlite3.connect(journal)) as file, file:
        file.execute("INSERT INTO entries (data) VALUES (?)", (b"{nonsense",))
    said(await serve(tmp_path, nats_server.url, f"sqlite:{journal}", "--namespace", space), "journal entry")


async def test_a_snapshot_that_cannot_be_read_is_named(
    nats_server: Broker, tmp_path: Path, space: str
) -> None:
    journal = tmp_path / "registry.db"
    async with serving(nats_server.url, journal, space) as service, agent_on(nats_server.url, space) as agent:
        await agent.register()
        await service.stop()
    for text in (
        b"\xff",
        b"[]",
        b'{"format":"comity-registry-snapshot/9"}',
        b'{"format":"comity-registry-snapshot/1"}',
    ):
        with closing(sqlite3.connect(journal)) as file, file:
            file.execute("INSERT OR REPLACE INTO snapshot VALUES (1, 1, ?)", (text,))
        ended = await serve(tmp_path, nats_server.url, f"sqlite:{journal}", "--namespace", space)
        said(ended, "snapshot")


async def test_a_locked_journal_is_named(nats_server: Broker, tmp_path: Path, space: str) -> None:
    journal = tmp_path / "registry.db"
    async with serving(nats_server.url, journal, space) as service:
        await service.stop()
    with closing(sqlite3.connect(journal, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        ended = await serve(tmp_path, nats_server.url, f"sqlite:{journal}?busy=0.2", "--namespace", space)
        said(ended, str(journal), "another process")


async def test_nobody_there_is_a_timeout(nats_server: Broker, space: str) -> None:
    async with Mesh.connect(nats_server.url, agent="a", namespace=space, request_timeout_ms=300) as mesh:
        for _ in range(2):
            async with asyncio.timeout(15):
                with pytest.raises(TimedOut, match=r"within 0\.3 s.*comity serve registry"):
                    await mesh.registry.register(capabilities=["x"])


async def test_who_tried_before_the_registry_came_can_register(
    nats_server: Broker, tmp_path: Path, space: str
) -> None:
    async with Mesh.connect(nats_server.url, agent="a", namespace=space, request_timeout_ms=2000) as mesh:
        with pytest.raises(TimedOut):
            await mesh.registry.register(capabilities=["x"])
        async with serving(nats_server.url, tmp_path / "registry.db", space):
            lease = await mesh.registry.register(capabilities=["y"])
            entry = await mesh.registry.lookup(mesh.agent, consistency="linearizable")
            assert (list(entry.capabilities), entry.epoch) == (["y"], lease.epoch)
