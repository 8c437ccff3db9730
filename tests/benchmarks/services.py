"""`comity serve registry` in a process of its own, for the length of a block."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager

__all__ = ["registry"]


@contextmanager
def registry(url: str, journal: str = "memory:") -> Generator[int]:
    """A registry that serves on `url` when the block begins, and is gone when it ends; its process id."""
    command = [sys.executable, "-m", "comity.cli", "serve", "registry", "--transport", url]
    process = subprocess.Popen(
        [*command, "--journal", journal, "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    out = process.stdout
    assert out is not None
    try:
        ready, _, _ = select.select([out], [], [], 60)
        line = out.readline() if ready else b""
        if not line or not json.loads(line)["ready"]:
            raise RuntimeError(f"no registry served on {url} within 60 s")
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        out.close()
