"""What `kafka:` has acknowledged survives its own process and the broker's, and is there once."""

from __future__ import annotations

import asyncio
import json
import sys
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from aiokafka.client import AIOKafkaClient  # pyright: ignore[reportMissingTypeStubs]
from aiokafka.errors import KafkaConnectionError  # pyright: ignore[reportMissingTypeStubs]
from aiokafka.protocol.produce import ProduceRequest  # pyright: ignore[reportMissingTypeStubs]

from comity.mesh import Mesh
from comity.transports import open_journal
from comity.transports.brokers import Broker
from tests.journals.contract import read
from tests.journals.lives import outlived, survived

pytestmark = [pytest.mark.broker, pytest.mark.slow, pytest.mark.xdist_group("kafka")]


@pytest.fixture
def url(kafka_server: Broker) -> str:
    return f"kafka:{kafka_server.url}/t{uuid.uuid4().hex[:12]}"


async def test_an_append_whose_answer_is_lost_is_there_once(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker has the batch, the connection breaks before it says so, and the producer sends it again."""
    send: Any = AIOKafkaClient.send  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    lost = Counter[str]()

    async def losing(self: Any, node: int, request: Any, **options: Any) -> Any:
        answer: Any = await send(self, node, request, **options)
        if isinstance(request, ProduceRequest):
            lost["asked"] += 1
            if lost["asked"] % 2:
                lost["lost"] += 1
                raise KafkaConnectionError("lost on the way back")
        return answer

    async with open_journal(url) as journal:
        monkeypatch.setattr(AIOKafkaClient, "send", losing)
        datas = [b"%d" % number for number in range(40)]
        acknowledged = {await journal.append(data): data for data in datas[:5]}
        positions = await asyncio.gather(*map(journal.append, datas[5:]))
        acknowledged |= dict(zip(positions, datas[5:], strict=True))
        assert lost["lost"] >= 6
        assert await journal.end() == 40
        assert dict(await read(journal, 0, 40)) == acknowledged


def test_nothing_acknowledged_is_lost_over_kills_of_the_writer(url: str, tmp_path: Path) -> None:
    survived(url, tmp_path / "acknowledged", lives=8, entries=100)


async def test_nothing_acknowledged_is_lost_over_a_kill_of_the_broker(kafka_server: Broker, url: str) -> None:
    await outlived(url, kafka_server, kills=1, timeout=2, patience=60)


async def test_a_registry_goes_on_where_it_was_killed(kafka_server: Broker, url: str, tmp_path: Path) -> None:
    """`comity serve registry --journal kafka:…`, killed; the next one knows what the first had answered for."""
    space = f"n{uuid.uuid4().hex[:12]}"
    command = [sys.executable, "-m", "comity.cli", "serve", "registry", "--transport", kafka_server.url]
    command += ["--journal", url, "--namespace", space, "--json"]

    async def serve() -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(*command, cwd=tmp_path, stdout=asyncio.subprocess.PIPE)
        assert process.stdout is not None
        async with asyncio.timeout(30):
            assert json.loads(await process.stdout.readline())["ready"] is True
        return process

    process = await serve()
    async with Mesh.connect(kafka_server.url, agent="a", namespace=space) as mesh:
        await mesh.registry.register(capabilities=["x"])
        process.kill()
        await process.wait()
        process = await serve()
        assert [entry.name async for entry in mesh.registry.query(capability="x")] == ["a"]
    process.terminate()
    assert await process.wait() == 0
