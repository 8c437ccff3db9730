"""`comity serve`: runs a service until it is told to stop, and says when it is ready."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Coroutine
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from comity.sdk.config import Config

__all__ = ["serve_registry_command", "until_told"]


def serve_registry_command(
    transport: str | None,
    journal: str | None,
    namespace: str | None,
    profile: str | None,
    identity: Path | None,
    *,
    as_json: bool,
) -> int:
    """Serve a registry until SIGINT or SIGTERM; what was acknowledged is in the journal at any moment."""
    from comity.sdk.config import load_config
    from comity.sdk.errors import ConfigError

    config = load_config(
        transport=transport,
        journal=journal,
        namespace=namespace,
        profile=profile,
        identity=None if identity is None else str(identity),
    )
    if config.transport.startswith("memory:"):
        raise ConfigError(
            f"{config.transport} reaches nobody outside this process; serve on a broker such as nats://127.0.0.1:4222, "
            "or let the agent bring its registry along with memory://NAME?serve=registry"
        )
    asyncio.run(_until_told(config, as_json=as_json))
    return 0


async def _until_told(config: Config, *, as_json: bool) -> None:
    from comity.mesh import serve
    from comity.sdk.keyfile import load_identity

    await until_told(
        serve(
            config.transport,
            config.journal,
            namespace=config.namespace,
            identity=None if config.identity is None else load_identity(Path(config.identity)),
            profile=config.profile,
            ready=lambda agent: _say_ready(config, agent, as_json=as_json),
        )
    )


async def until_told(service: Coroutine[None, None, None]) -> None:
    """Run `service` until it ends, or cancel it at SIGINT or SIGTERM."""
    serving = asyncio.create_task(service)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, serving.cancel)
    try:
        await serving
    except asyncio.CancelledError:
        if not serving.cancelled():
            raise


def _say_ready(config: Config, agent: str, *, as_json: bool) -> None:
    from comity.transports import masked

    settings = {name: masked(value) for name, value in asdict(config).items() if name in _SHOWN} | {
        "agent": agent
    }
    if as_json:
        line = json.dumps({"ready": True, **settings})
    else:
        line = "serving the registry of {namespace} on {transport}, journal {journal}, profile {profile}, as {agent}".format(
            **settings
        )
    if config.journal.startswith("memory:"):
        sys.stderr.write(
            "comity: the journal memory: keeps nothing. After a restart, revisions and epochs are given a second time; "
            "use sqlite:PATH for anything but an experiment.\n"
        )
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


_SHOWN = ("transport", "journal", "namespace", "profile")
