"""Processes that outlive their starter: starting one, knowing one's own again, and ending it.

Responsible for the wait until one is ready, and for telling by process id and start time whether a process is still
the one that was started, so that nobody else's is ever ended. Not responsible for what the process does.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar

from comity.sdk.errors import TransportError

__all__ = ["alive", "end", "launch", "started"]

T = TypeVar("T")

_PATIENCE: Final = 5.0
_STEP: Final = 0.01


def launch(
    name: str, command: Sequence[str], log: Path, ready: Callable[[int], T | None], *, seconds: float
) -> tuple[int, T]:
    """Start `command`, not tied to this process, with its output in `log`; its process id and what `ready` gave for it.

    `ready` is asked again and again until it gives something. Raises `TransportError` with the end of the log where the
    process ends before, or is not ready within `seconds`; then it is gone.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    try:
        found = _wait_until_ready(name, process, ready, seconds)
    except BaseException as error:
        process.kill()
        process.wait()
        if isinstance(error, TransportError):
            tail = log.read_text(encoding="utf-8", errors="replace")[-1000:]
            raise TransportError(f"{error}; the end of its log:\n{tail}") from error
        raise
    process.returncode = 0  # from here on it is known by its id and start time
    return process.pid, found


def _wait_until_ready(
    name: str, process: subprocess.Popen[bytes], ready: Callable[[int], T | None], seconds: float
) -> T:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise TransportError(f"{name} ended at once with code {process.returncode}")
        found = ready(process.pid)
        if found is not None:
            return found
        time.sleep(_STEP)
    raise TransportError(f"{name} did not answer within {seconds:g} s")


def started(pid: int) -> str | None:
    """A text that names the start of process `pid`; None when there is none, or only its remains."""
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:
            return None
        return None if fields[0] in "ZX" else fields[19]
    asked = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    state, _, start = asked.stdout.strip().partition(" ")
    return None if not state or state.startswith("Z") else start.strip()


def alive(pid: int, start: str) -> bool:
    """Whether process `pid` runs and is the one that began at `start`."""
    return started(pid) == start


def end(pid: int, start: str, *, kill: bool = False) -> None:
    """End the process, gently first unless `kill`; does nothing to another one that got the same id."""
    for number in (signal.SIGKILL,) if kill else (signal.SIGTERM, signal.SIGKILL):
        if not alive(pid, start):
            break
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        if _gone(pid, start):
            break
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _gone(pid: int, start: str) -> bool:
    deadline = time.monotonic() + _PATIENCE
    while alive(pid, start):
        if time.monotonic() > deadline:
            return False
        time.sleep(_STEP)
    return True
