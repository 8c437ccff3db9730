"""`comity serve gateway`: joins two brokers until it is told to stop, says when it is ready and what it did."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._serve import until_told

if TYPE_CHECKING:
    from comity.gateway import Gateway

__all__ = ["serve_gateway_command"]


def serve_gateway_command(
    from_: tuple[str, Sequence[str]],
    to: tuple[str, Sequence[str]],
    profile: str | None,
    identity: Path | None,
    *,
    as_json: bool,
) -> int:
    """Join the brokers of two pairs of URL and namespaces until SIGINT or SIGTERM."""
    from comity.mesh import serve_gateway
    from comity.sdk.config import load_config
    from comity.sdk.errors import ConfigError
    from comity.sdk.keyfile import load_identity

    config = load_config(profile=profile)
    for url, _ in (from_, to):
        if url.startswith("memory:"):
            raise ConfigError(
                f"{url} reaches nobody outside this process; join brokers such as mqtt:// and nats://"
            )
    if not from_[1] and not to[1]:
        raise ConfigError("nothing to mirror: name what is at home with --from-namespace or --to-namespace")
    started: list[Gateway] = []

    def ready(gateway: Gateway) -> None:
        started.append(gateway)
        _say_ready(gateway, config.profile, [from_, to], named=identity is not None, as_json=as_json)

    asyncio.run(
        until_told(
            serve_gateway(
                from_[0],
                to[0],
                from_namespaces=from_[1],
                to_namespaces=to[1],
                identity=None if identity is None else load_identity(identity),
                profile=config.profile,
                ready=ready,
            )
        )
    )
    for gateway in started:
        _say_done(gateway, as_json=as_json)
    return 0


def _say_ready(
    gateway: Gateway, profile: str, sides: Sequence[tuple[str, Sequence[str]]], *, named: bool, as_json: bool
) -> None:
    from comity.transports import masked

    (from_url, from_namespaces), (to_url, to_namespaces) = ((masked(url), names) for url, names in sides)
    agent = gateway.policy.agent
    if not named:
        sys.stderr.write(
            "comity: without --identity this gateway is somebody new in each run: brokers keep nothing for it while it "
            "is away, and nobody can know whose refusals to believe.\n"
        )
    if as_json:
        _document(
            {"ready": True, "from": from_url, "from_namespaces": list(from_namespaces)}
            | {"to": to_url, "to_namespaces": list(to_namespaces), "profile": profile, "agent": agent}
        )
    else:
        home = " and ".join(
            f"{', '.join(names)} of {url}"
            for url, names in ((from_url, from_namespaces), (to_url, to_namespaces))
            if names
        )
        _line(f"joining {from_url} and {to_url}, mirroring {home}, profile {profile}, as {agent}")


def _say_done(gateway: Gateway, *, as_json: bool) -> None:
    tallies = {str(side): asdict(tally) for side, tally in gateway.tallies.items()}
    if as_json:
        _document({"stopped": True, **tallies, "lost": gateway.lost})
    else:
        for side, tally in tallies.items():
            _line(f"from side {side!r}: " + ", ".join(f"{count} {what}" for what, count in tally.items()))
        if gateway.lost:
            _line(f"lost for lack of room, on a broker that keeps nothing: {gateway.lost}")


def _document(value: dict[str, Any]) -> None:
    _line(json.dumps(value))


def _line(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
