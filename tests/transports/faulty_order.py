"""The order of concurrent publishes over a network that fails, for adapters whose publishes wait for room in their order.

An adapter's test module takes these with `from … import *`, and provides the fixtures that `faulty.py` names.
"""

from __future__ import annotations

import asyncio

from comity.sdk.ports import Guarantee, Transport

from .faulty import PATIENCE, acknowledging, firsts, surely
from .harness import Inbox, MakeTransport, best, frame, until
from .proxy import Proxy

__all__ = [
    "crowd",
    "test_concurrent_publishes_keep_their_order_though_the_publisher_is_cut_off",
]


async def crowd(transport: Transport, address: str, proxy: Proxy, datas: list[bytes]) -> None:
    """Publish all at the same time, in their order, over a connection that twice carries nothing more, and then breaks."""
    publishing: list[asyncio.Task[None]] = []
    for number, data in enumerate(datas, 1):
        coming = transport.publish(address, frame(data), guarantee=best(transport))
        publishing.append(asyncio.create_task(coming))
        if number % 10 == 0:
            await asyncio.sleep(0.001)
        if number % (len(datas) // 2) == len(datas) // 10:
            proxy.silence()
        if number % (len(datas) // 2) == 0:
            proxy.speak()
            proxy.cut()
    async with asyncio.timeout(PATIENCE):
        outcomes = await asyncio.gather(*publishing, return_exceptions=True)
    for outcome in outcomes:
        if outcome is not None and best(transport) is Guarantee.AT_LEAST_ONCE:
            raise outcome


async def test_concurrent_publishes_keep_their_order_though_the_publisher_is_cut_off(
    make_transport: MakeTransport, behind: MakeTransport, proxy: Proxy, space: str
) -> None:
    address, inbox = f"{space}.test.v1.things.k", Inbox()
    receiver, sender = await make_transport(), await behind(timeout=30)
    await receiver.subscribe(address, acknowledging(inbox))
    await surely(sender, address, [b"first"])
    datas = [b"%d %s" % (number, b"x" * 10_000) for number in range(2000)]
    await crowd(sender, address, proxy, datas)
    await surely(sender, address, [b"last"])
    await until(lambda: b"last" in inbox.datas, PATIENCE)
    everything = [b"first", *datas, b"last"]
    if best(sender) is Guarantee.AT_LEAST_ONCE:
        assert firsts(inbox) == everything
    else:
        assert firsts(inbox) == [data for data in everything if data in inbox.datas]
    assert proxy.accepted > 2, "nothing was cut"
