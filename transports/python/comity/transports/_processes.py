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
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from comity.sdk.errors import TransportError

__all__ = ["Command", "alive", "end", "launch", "started"]

_PATIENCE: Final = 5.0
_STEP: Final = 0.01


class Command(NamedTuple):
    """What to start, and the file for its output."""

    arguments: Sequence[str]
    log: Path


def launch(name: str, commands: Sequence[Command], ready: Callable[[], bool], *, seconds: float) -> list[int]:
    """Start `commands`, not tied to this process; their process ids, once `ready` says so.

    Raises `TransportError` with the end of their logs where one of them ends before, or they are not ready within
    `seconds`; then all of them are gone.
    """
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for command in commands:
            processes.append(_start(command))
        _wait_until_ready(name, processes, ready, seconds)
    except BaseException as error:
        dead = [process.poll() is not None for process in processes]
        for process in processes:
            process.kill()
            process.wait()
        if isinstance(error, TransportError):
            told = [command for command, ended in zip(commands, dead, strict=True) if ended] or commands
            raise TransportError(f"{error}; the end of its log:\n{_tails(told)}") from error
        raise
    for process in processes:
        process.returncode = 0  # from here on it is known by its id and start time
    return [process.pid for process in processes]


def _start(command: Command) -> subprocess.Popen[bytes]:
    with command.log.open("ab") as output:
        return subprocess.Popen(
            command.arguments, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )


def _wait_until_ready(
    name: str, processes: Sequence[subprocess.Popen[bytes]], ready: Callable[[], bool], seconds: float
) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for process in processes:
            if process.poll() is not None:
                raise TransportError(f"{name} ended at once with code {process.returncode}")
        if ready():
            return
        time.sleep(_STEP)
    raise TransportError(f"{name} did not answer within {seconds:g} s")


def _tails(commands: Sequence[Command]) -> str:
    return "\n".join(
        command.log.read_text(encoding="utf-8", errors="replace")[-1000:] for command in commands
    )


def started(pid: int) -> str | None:
    """A text that names the start of process `pid`; None when there is none, or only its remains."""
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:
            return None
        # the first thread may be a zombie while others still hold the process's ports
        return None if fields[0] in "ZX" and int(fields[17]) <= 1 else fields[19]
    asked = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    state, _, start = asked.stdout.strip().partition(" ")
    return None if not state or state.startswith("Z") else start.strip()


def alive(pid: int, start: str) -> bool:
    """Whether process `pid` runs and is the one that began at `start`."""
    return started(pid) == start


def end(processes: Iterable[tuple[int, str]], *, kill: bool = False) -> None:
    """End those processes, each given by its id and start, gently first unless `kill`.

    Does nothing to another one that got the same id.
    """
    processes = list(processes)
    for number in (signal.SIGKILL,) if kill else (signal.SIGTERM, signal.SIGKILL):
        left = [one for one in processes if alive(*one)]
        for pid, _ in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        if _gone(left):
            break
    for pid, _ in processes:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def _gone(processes: Iterable[tuple[int, str]]) -> bool:
    deadline = time.monotonic() + _PATIENCE
    while any(alive(*one) for one in processes):
        if time.monotonic() > deadline:
            return False
        time.sleep(_STEP)
    return True
