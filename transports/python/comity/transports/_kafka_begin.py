# pyright: basic
# aiokafka is not typed; the `_kafka_` modules are the places that touch it.
"""Clients of aiokafka that leave no connection open where their beginning is cancelled.

Responsible for the connection over which a client asks its first broker for all others: aiokafka keeps it nowhere until
it has the answer. Not responsible for what a client keeps, which its own end closes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

import aiokafka.client

__all__ = ["begin"]

_connect = aiokafka.client.create_conn
_begun: ContextVar[list[Any] | None] = ContextVar("comity_kafka_begun", default=None)


async def begin(client: Any, start: Callable[[], Awaitable[None]]) -> None:
    """Call `start`, which connects `client`. Raises its errors."""
    made: list[Any] = []
    token = _begun.set(made)
    try:
        await start()
    except BaseException:
        for connection in made:
            if connection not in client._conns.values():
                connection.close()
        raise
    finally:
        _begun.reset(token)
        made.append(None)  # the tasks that were started have it, too, and are to leave it as it is


async def _create_conn(*args: Any, **options: Any) -> Any:
    connection = await _connect(*args, **options)
    made = _begun.get()
    if made is not None and None not in made:
        made.append(connection)
    return connection


aiokafka.client.create_conn = _create_conn
