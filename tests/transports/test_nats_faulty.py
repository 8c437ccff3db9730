"""`nats://` over a network that fails, on a real server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from comity.transports.brokers import Broker
from tests.transports.connections import opener
from tests.transports.faulty import *  # noqa: F403
from tests.transports.faulty import PATIENCE, acknowledging, firsts, surely
from tests.transports.faulty_order import *  # noqa: F403
from tests.transports.faulty_order import crowd
from tests.transports.harness import Inbox, MakeTransport, until
from tests.transports.proxy import Proxy, proxied

pytestmark = pytest.mark.broker


@pytest.fixture
def proxy(nats_server: Broker) -> Iterator[Proxy]:
    with proxied(int(nats_server.url.rpartition(":")[2])) as proxy:
        yield proxy


@pytest.fixture(params=[{}, {"stream": 600}], ids=["core", "stream"])
def options(request: pytest.FixtureRequest) -> dict[str, float]:
    chosen: dict[str, float] = request.param
    return chosen


@pytest_asyncio.fixture
async def make_transport(nats_server: Broker, options: dict[str, float]) -> AsyncIterator[MakeTransport]:
    async with opener(nats_server.url, **options) as make:
        yield make


@pytest_asyncio.fixture
async def behind(proxy: Proxy, options: dict[str, float]) -> AsyncIterator[MakeTransport]:
    async with opener(f"nats://127.0.0.1:{proxy.port}", keepalive=2, **options) as make:
        yield make


@pytest.mark.parametrize("options", [{"stream": 600}], ids=["stream"], indirect=True)
async def test_who_waits_for_room_is_not_overtaken(
    make_transport: MakeTransport, behind: MakeTransport, proxy: Proxy, space: str
) -> None:
    address, inbox = f"{space}.test.v1.things", Inbox()
    receiver, sender = await make_transport(), await behind(timeout=30, outbox=20_000)
    await receiver.subscribe(address, acknowledging(inbox))
    await surely(sender, address, [b"first"])
    datas = [b"%d %s" % (number, b"x" * 2000) for number in range(2000)]
    await crowd(sender, address, proxy, datas)
    await until(lambda: datas[-1] in inbox.datas, PATIENCE)
    assert firsts(inbox) == [b"first", *datas]
