"""A gateway that a process can run, from URLs.

Responsible for opening both brokers, running the gateway and closing them again. Not responsible for what it does.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Literal

from comity.gateway import Gateway, Policy, Side
from comity.sdk.errors import ConfigError
from comity.sdk.identity import Identity
from comity.transports import connect

from ._apart import check_apart

__all__ = ["running_gateway", "serve_gateway"]

Profile = Literal["open", "signed"]


@asynccontextmanager
async def running_gateway(
    from_url: str,
    to_url: str,
    *,
    from_namespaces: Iterable[str] = (),
    to_namespaces: Iterable[str] = (),
    identity: Identity | None = None,
    profile: Profile = "open",
    queue: int = 4096,
) -> AsyncGenerator[Gateway]:
    """A gateway between two brokers that carries inside the block.

    The namespaces are those at home on each broker; each can be read on the other. Without an `identity` it is somebody
    new in each run. Raises `ConfigError` where the two cannot be joined and `TransportError` where one cannot be reached.
    """
    homes = _homes(from_url, to_url, from_namespaces, to_namespaces)
    transports = {
        Side.FROM: connect(from_url),
        Side.TO: connect(to_url),
    }  # each says what is wrong with its URL
    await check_apart(from_url, to_url)
    policy = Policy(homes, identity or Identity.generate(), profile=profile)
    async with AsyncExitStack() as stack:
        for wire in transports.values():
            stack.push_async_callback(wire.close)
            await wire.open()
        yield await stack.enter_async_context(
            Gateway(policy, transports, queue=queue, lasting=identity is not None)
        )


async def serve_gateway(
    from_url: str,
    to_url: str,
    *,
    from_namespaces: Iterable[str] = (),
    to_namespaces: Iterable[str] = (),
    identity: Identity | None = None,
    profile: Profile = "open",
    ready: Callable[[Gateway], None] | None = None,
) -> None:
    """Serve a gateway until cancelled; calls `ready` once both sides are listened to. See `running_gateway`."""
    async with running_gateway(
        from_url,
        to_url,
        from_namespaces=from_namespaces,
        to_namespaces=to_namespaces,
        identity=identity,
        profile=profile,
    ) as gateway:
        if ready is not None:
            ready(gateway)
        await gateway.wait()


def _homes(
    from_url: str, to_url: str, from_namespaces: Iterable[str], to_namespaces: Iterable[str]
) -> dict[str, Side]:
    homes = dict.fromkeys(from_namespaces, Side.FROM)
    for namespace in to_namespaces:
        if namespace in homes:
            raise ConfigError(f"namespace {namespace!r} is at home on one broker only: name it on one side")
        homes[namespace] = Side.TO
    if from_url == to_url:
        raise ConfigError("a gateway joins two brokers, and both URLs are the same")
    return homes
