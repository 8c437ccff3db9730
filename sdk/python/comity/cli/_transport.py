"""`comity transport`: prepares a broker for the channels that the families' specs name."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

from rich.console import Console

from comity.cli._output import document, table
from comity.sdk.ports import Provisioning

__all__ = ["transport_init_command"]


def transport_init_command(
    url: str | None, namespace: str | None, families: Sequence[str], *, as_json: bool
) -> int:
    """Make or check what each channel needs at the broker, and print which of them were made."""
    from comity.sdk.address import Address
    from comity.sdk.config import load_config
    from comity.sdk.spec import families as known
    from comity.sdk.spec import load
    from comity.transports import connect
    from comity.transports._urls import masked

    config = load_config(transport=url, namespace=namespace)
    specs = [load(name) for name in families or known()]
    wanted = [
        Address(config.namespace, spec.protocol, int(spec.version.partition(".")[0]), channel).stem
        for spec in specs
        for channel in spec.channels
    ]
    transport, shown = connect(config.transport), masked(config.transport)
    made = asyncio.run(_prepare(transport, wanted)) if isinstance(transport, Provisioning) else {}
    if as_json:
        channels = [{"channel": channel, "made": fresh} for channel, fresh in made.items()]
        document({"transport": shown, "needed": bool(made), "channels": channels})
    elif not made:
        sys.stdout.write(f"{shown} needs no preparation\n")
    else:
        table(
            ["channel", "found"],
            ((name, "made" if fresh else "as it must be") for name, fresh in made.items()),
        )
    return 0


async def _prepare(transport: Provisioning, channels: Sequence[str]) -> dict[str, bool]:
    with Console(stderr=True).status("connecting") as status:
        await transport.open()
        try:
            made: dict[str, bool] = {}
            for channel in channels:
                status.update(channel)
                if (fresh := await transport.prepare(channel)) is not None:
                    made[channel] = fresh
            return made
        finally:
            await transport.close()
