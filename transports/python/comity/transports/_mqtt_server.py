"""Finding and starting a real mosquitto on loopback.

Responsible for the binary, its configuration file and the question whether a published message comes back. Not
responsible for processes, nor for keeping track of what runs: `brokers.py` is.
"""

from __future__ import annotations

import os
import re
import shutil
import ssl
import subprocess
from typing import Final

from comity.sdk.errors import ConfigError
from comity.transports._layout import HOST, Layout, Seat, opened

__all__ = ["MqttServer", "find", "version"]

_READY: Final = 10.0
_SYSTEM: Final = "/usr/local/sbin:/usr/sbin:/sbin"
_PROBE: Final = (  # CONNECT, SUBSCRIBE and PUBLISH to a topic of its own, MQTT 5
    b"\x10\x1c\x00\x04MQTT\x05\x02\x00\x05\x00\x00\x0fcomity-is-it-up",
    b"\x82\x0f\x00\x01\x00\x00\x09comity/up\x00",
    b"\x30\x0f\x00\x09comity/up\x00yes",
)
_DISCONNECT: Final = b"\xe0\x00"
_CAME_BACK: Final = b"comity/up\x00yes"


def find() -> str:
    """Path of the mosquitto to use. Raises `ConfigError` that says how to get one.

    `COMITY_MOSQUITTO` if set, else that of PATH or of the system's directories for servers.
    """
    named = os.environ.get("COMITY_MOSQUITTO")
    if named:
        if not os.access(named, os.X_OK):
            raise ConfigError(f"COMITY_MOSQUITTO={named} is no program that can be run")
        return named
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path=_SYSTEM)
    if found is None:
        raise ConfigError("no mosquitto here: apt-get install mosquitto, or set COMITY_MOSQUITTO to one")
    return found


def version(binary: str) -> str:
    """What `mosquitto -h` says, such as `2.0.11`."""
    asked = subprocess.run([binary, "-h"], capture_output=True, text=True, timeout=_READY, check=False)
    match = re.search(r"mosquitto version (\d\S*)", asked.stdout)
    if match is None:
        raise ConfigError(f"{binary} is no mosquitto: {(asked.stdout or asked.stderr).strip()[:200]}")
    return match[1]


class MqttServer:
    """mosquitto. It has no clustering: one node."""

    schemes = ("mqtt", "mqtts")
    clusters = False
    patience = 10.0

    def version(self) -> str:
        """See `Server.version`."""
        return version(find())

    def prepare(self, layout: Layout) -> None:
        """See `Server.prepare`."""
        for seat in layout.seats:
            text = f"{_configuration(layout, seat)}{layout.config}\n"
            (seat.directory / "mosquitto.conf").write_text(text, encoding="utf-8")

    def command(self, seat: Seat) -> list[str]:
        """See `Server.command`."""
        return [find(), "-c", str(seat.directory / "mosquitto.conf")]

    def answers(self, layout: Layout, seat: Seat) -> bool:
        """See `Server.answers`."""
        return _answers(seat.port, layout.trust())

    def serves(self, layout: Layout) -> bool:
        """See `Server.serves`."""
        return all(self.answers(layout, seat) for seat in layout.seats)


def _configuration(layout: Layout, seat: Seat) -> str:
    """Nothing is dropped for want of room, and what has to outlive `kill -9` is on disk within a second."""
    lines = [
        f"listener {seat.port} {HOST}",
        "allow_anonymous true",
        "persistence true",
        f"persistence_location {seat.directory}/",
        "autosave_interval 1",
        "max_queued_messages 0",
        "max_inflight_messages 0",
        "set_tcp_nodelay true",
        "log_dest stderr",
    ]
    if layout.tls:
        lines += [f"certfile {layout.certificate}", f"keyfile {layout.key}"]
    if os.geteuid() == 0:
        lines.append("user root")  # else it becomes a user who cannot read the directory
    return "\n".join(lines) + "\n"


def _answers(port: int, trust: ssl.SSLContext | None) -> bool:
    """Whether a message comes back; a refusal of our missing credentials or of plain text is an answer too."""
    try:
        with opened(port, trust) as connection:
            connection.sendall(b"".join(_PROBE))
            received = b""
            while _CAME_BACK not in received:
                more = connection.recv(1024)
                if not more:
                    return True
                received += more
            connection.sendall(_DISCONNECT)
            return True
    except ConnectionResetError:
        return True
    except OSError:
        return False
