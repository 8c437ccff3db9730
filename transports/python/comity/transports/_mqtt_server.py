"""Finding and starting a real mosquitto on loopback.

Responsible for the binary, its configuration file and the wait until a published message comes back. Not
responsible for keeping track of what runs: `brokers.py` is.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Final

from comity.sdk.errors import ConfigError, TransportError
from comity.transports._processes import launch

__all__ = ["find", "start", "version"]

_READY: Final = 10.0
_ATTEMPTS: Final = 5
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


def start(binary: str, directory: Path, *, config: str, port: int | None) -> tuple[int, int]:
    """Start a broker that keeps everything in `directory`; return its process id and port once it answers.

    `config` is added to its configuration file as it is. Without `port` a free one is chosen, again where
    somebody else was faster. The process is not tied to this one. Raises `TransportError` with the end of its
    log when it does not come up.
    """
    for _ in range(_ATTEMPTS - 1 if port is None else 0):
        try:
            return _start(binary, directory, config, _free_port())
        except TransportError as error:
            if "Address already in use" not in str(error):
                raise
    return _start(binary, directory, config, port or _free_port())


def _start(binary: str, directory: Path, config: str, port: int) -> tuple[int, int]:
    file, log = directory / "mosquitto.conf", directory / "mosquitto.log"
    file.write_text(_configuration(directory, port) + config + "\n", encoding="utf-8")
    command = [binary, "-c", str(file)]
    return launch("mosquitto", command, log, lambda _: port if _answers(port) else None, seconds=_READY)


def _configuration(directory: Path, port: int) -> str:
    """Nothing is dropped for want of room, and what has to outlive `kill -9` is on disk within a second."""
    lines = [
        f"listener {port} 127.0.0.1",
        "allow_anonymous true",
        "persistence true",
        f"persistence_location {directory}/",
        "autosave_interval 1",
        "max_queued_messages 0",
        "max_inflight_messages 0",
        "set_tcp_nodelay true",
        "log_dest stderr",
    ]
    if os.geteuid() == 0:
        lines.append("user root")  # else it becomes a user who cannot read the directory
    return "\n".join(lines) + "\n"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    """Whether a message comes back; a refusal of our missing credentials or of plain text is an answer too."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
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
