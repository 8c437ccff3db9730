"""What the tests of streams share: what arrived, JetStream as others use it, and a server that hangs."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import nats

from comity.sdk.ports import Delivery, Guarantee
from comity.transports.brokers import Broker

from .harness import Inbox

__all__ = ["SURE", "acking", "flags", "jetstream", "numbers"]

SURE = Guarantee.AT_LEAST_ONCE


def numbers(inbox: Inbox) -> list[int]:
    return [int(data) for data in inbox.datas if isinstance(data, bytes)]


def flags(inbox: Inbox) -> list[tuple[int, bool]]:
    """What arrived, and whether it was flagged as redelivered."""
    return [(number, one.redelivered) for number, one in zip(numbers(inbox), inbox, strict=True)]


def acking(inbox: Inbox) -> Inbox:
    """What is delivered is acknowledged and kept in `inbox`."""

    class Acking(Inbox):
        def __call__(self, delivery: Delivery) -> None:
            inbox(delivery)
            delivery.ack()

    return Acking()


@asynccontextmanager
async def jetstream(broker: Broker) -> AsyncGenerator[Any, None]:
    """JetStream of that server, as any other program uses it."""
    stranger: Any = await nats.connect(broker.url)  # pyright: ignore[reportUnknownMemberType]
    try:
        yield stranger.jetstream()
    finally:
        await stranger.close()
