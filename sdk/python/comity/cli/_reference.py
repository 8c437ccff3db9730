"""Starting the reference registry for a live certification, in this process or as one of its own.

Responsible for having it ready on entry and gone on exit. Not responsible for brokers.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from comity.sdk.errors import TransportError

__all__ = ["as_process", "in_process"]

_READY_SECONDS = 20.0
Service = Callable[[], AbstractAsyncContextManager[object]]


def in_process(url: str, namespace: str) -> Service:
    """A service in this process, on a journal in memory."""

    def serving() -> AbstractAsyncContextManager[object]:
        from comity.mesh import running_registry

        return running_registry(url, namespace=namespace)

    return serving


def as_process(url: str, namespace: str, journal: str | None = None) -> Service:
    """`comity serve registry` as a process of its own, on `journal` or a sqlite journal that goes with it."""

    @asynccontextmanager
    async def serving() -> AsyncGenerator[None]:
        with TemporaryDirectory(prefix="comity-") as home:
            process = await _spawn(url, namespace, journal or f"sqlite:{Path(home) / 'registry.db'}")
            try:
                yield
            finally:
                if process.returncode is None:
                    process.terminate()
                await process.wait()

    return serving


async def _spawn(url: str, namespace: str, journal: str) -> asyncio.subprocess.Process:
    arguments = (
        "serve",
        "registry",
        "--transport",
        url,
        "--journal",
        journal,
        "--namespace",
        namespace,
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "comity.cli", *arguments, "--json", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        ready = await asyncio.wait_for(process.stdout.readline(), _READY_SECONDS)
    except TimeoutError:
        ready = b""
    if not ready:
        if process.returncode is None:
            process.kill()
        await process.wait()
        raise TransportError(f"the reference registry did not come up on {url} within {_READY_SECONDS:g} s")
    return process
