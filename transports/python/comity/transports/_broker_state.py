"""Which brokers `comity brokers up` started, across processes.

Responsible for the file that says so and for one process at a time. Not responsible for whether they still run.

It is kept in a directory of the user's: `COMITY_STATE_DIR`, else `comity` under `XDG_STATE_HOME`, else a directory of
the user's own under the system's temporary one.
"""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from comity.sdk.errors import ConfigError
from comity.transports._broker_nodes import Running, recall

__all__ = ["held"]


@contextmanager
def held() -> Generator[dict[str, Running], None, None]:
    """What is known, held alone for the length of the block and written back after it, also when it fails."""
    directory = _directory()
    file = directory / "brokers.json"
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        state: dict[str, Running] = {}
        with suppress(
            OSError, ValueError, TypeError, AttributeError, KeyError
        ):  # a damaged file knows nothing
            known = json.loads(file.read_text(encoding="utf-8"))
            state = {name: recall(one) for name, one in known.items()}
        try:
            yield state
        finally:
            fresh = file.with_suffix(".new")
            fresh.write_text(json.dumps({name: asdict(one) for name, one in state.items()}), encoding="utf-8")
            fresh.replace(file)


def _directory() -> Path:
    own, shared = os.environ.get("COMITY_STATE_DIR"), os.environ.get("XDG_STATE_HOME")
    if own or shared:
        directory = Path(own) if own else Path(shared or "", "comity")
    else:
        directory = Path(tempfile.gettempdir(), f"comity-{os.getuid()}")
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if directory.stat().st_uid != os.getuid():
        raise ConfigError(
            f"{directory} belongs to another user: set COMITY_STATE_DIR to a directory of yours"
        )
    return directory
