"""Processes that outlive their starter: knowing one's own again, and ending it.

Responsible for telling by process id and start time whether a process is still the one that was started, so
that nobody else's is ever ended. Not responsible for what the process does.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Final

__all__ = ["alive", "end", "started"]

_PATIENCE: Final = 5.0
_STEP: Final = 0.01


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
