"""A registry service as a real process, run by the `comity` command, that tests may starve, kill and end.

Responsible for starting it, watching it and never leaving it behind. Not responsible for what is asked of it.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

__all__ = ["COMITY", "Ended", "Service", "comity", "eventually", "serving"]

COMITY = (sys.executable, "-m", "comity.cli")
_PATIENCE = 20.0
_START = 60.0  # seconds, in which it replays its journal


class Ended(NamedTuple):
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str


async def comity(*arguments: str, cwd: Path) -> Ended:
    """Run `comity ARGUMENTS` to its end, away from any settings of the checkout."""
    process = await asyncio.create_subprocess_exec(*COMITY, *arguments, stdout=PIPE, stderr=PIPE, cwd=cwd)
    return await _outcome(process)


async def _outcome(process: Process) -> Ended:
    try:
        async with asyncio.timeout(_PATIENCE):
            out, err = await process.communicate()
    except BaseException:
        process.kill()
        await process.wait()
        raise
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), err.decode())


class Service:
    """`comity serve registry` on `url` and `journal`, in a process of its own; it can be started again and again.

    `journal` is a file for SQLite, or a URL; the process runs in `directory`, by default beside the file.
    """

    def __init__(
        self, url: str, journal: Path | str, namespace: str, *options: str, directory: Path | None = None
    ) -> None:
        kept = f"sqlite:{journal}" if isinstance(journal, Path) else journal
        self._directory = directory or Path(kept.partition(":")[2]).parent
        self._arguments = (
            *("serve", "registry", "--transport", url, "--journal", kept),
            *("--namespace", namespace, "--json", *options),
        )
        self._process: Process | None = None

    async def start(self) -> None:
        """Start it and wait until it says that it serves."""
        process = self._process = await asyncio.create_subprocess_exec(
            *COMITY, *self._arguments, stdout=PIPE, stderr=PIPE, cwd=self._directory
        )
        assert process.stdout is not None
        async with asyncio.timeout(_START):
            line = await process.stdout.readline()
        if not line:
            raise AssertionError(f"the service did not start: {await _outcome(process)}")
        assert json.loads(line)["ready"] is True

    async def kill(self) -> Ended:
        """End it as `kill -9` does."""
        self._running.kill()
        return await self.ended()

    async def stop(self) -> Ended:
        """End it as an operator does, with SIGTERM."""
        self._running.send_signal(signal.SIGTERM)
        return await self.ended()

    async def ended(self) -> Ended:
        """Wait for its end."""
        process = self._running
        self._process = None
        return await _outcome(process)

    def pause(self) -> None:
        """Let it stand still."""
        self._running.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it run again."""
        self._running.send_signal(signal.SIGCONT)

    def limit_files(self, octets: int | None) -> None:
        """Let no file grow beyond `octets`, as a full disk would; `None` gives the room back."""
        most = resource.RLIM_INFINITY if octets is None else octets
        resource.prlimit(self._running.pid, resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))

    @property
    def memory(self) -> int:
        """Octets of memory that it holds now."""
        pages = Path(f"/proc/{self._running.pid}/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    @property
    def _running(self) -> Process:
        assert self._process is not None, "the service is not running"
        return self._process

    async def clear(self) -> None:
        """Whatever happened, leave no process behind."""
        if self._process is not None and self._process.returncode is None:
            await self.kill()


@asynccontextmanager
async def serving(url: str, journal: Path, namespace: str, *options: str) -> AsyncGenerator[Service]:
    """A service that runs when the block begins and is gone after it."""
    service = Service(url, journal, namespace, *options)
    try:
        await service.start()
        yield service
    finally:
        await service.clear()


async def eventually(condition: Callable[[], bool], what: str, seconds: float = _PATIENCE) -> None:
    """Return once `condition` holds; fail with `what` where it does not within `seconds`."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not condition():
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"after {seconds:g} s: {what}")
        await asyncio.sleep(0.01)
