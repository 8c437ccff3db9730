"""`import comity.sdk` in a fresh interpreter, against the interpreter's own start."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from tests.benchmarks.common import Row, emit

_PROBE = (
    "import comity.sdk, sys; sys.exit(any(m in sys.modules for m in ('pydantic', 'asyncio', 'nacl', 'yaml')))"
)


def _start(code: str) -> float:
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return (time.perf_counter() - begin) * 1000


def rows() -> list[Row]:
    pairs = [(_start(_PROBE), _start("pass")) for _ in range(12)][1:]
    sdk = statistics.median(sdk - bare for sdk, bare in pairs)
    bare = statistics.median(bare for _, bare in pairs)
    note = "without Pydantic, asyncio or NaCl, which the probe asserts"
    return [Row("import comity.sdk", sdk, "ms", "≤ 150 ms", sdk <= 150, "start of Python", bare, None, note)]


if __name__ == "__main__":
    emit(rows())
