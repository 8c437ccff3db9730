"""What the benchmark scripts share: rows, interleaved timing and printing.

Each `bench_*.py` is a script: `python -m tests.benchmarks.bench_x [--json]` prints its rows. `run.py` runs them all
and writes docs/benchmarks.md. Times are medians over interleaved rounds, so that a drifting machine drifts for both.
"""

from __future__ import annotations

import argparse
import json
import signal
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

__all__ = ["Row", "emit", "interleaved"]


@dataclass(frozen=True, slots=True)
class Row:
    """One measured figure. `ratio` is ours against the peer of the same run, in the sense that `goal` states."""

    name: str
    ours: float
    unit: str
    goal: str
    met: bool
    peer: str = ""
    peer_value: float | None = None
    ratio: float | None = None
    note: str = ""


def interleaved(
    sides: Mapping[str, Callable[[], object]], *, inner: int, rounds: int = 15
) -> dict[str, float]:
    """Median seconds per call of each side, measured in turn; `inner` calls make one sample."""
    samples: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds + 1):
        for name, call in sides.items():
            begin = time.perf_counter()
            for _ in range(inner):
                call()
            samples[name].append((time.perf_counter() - begin) / inner)
    return {name: statistics.median(values[1:]) for name, values in samples.items()}


def emit(rows: Sequence[Row] | Callable[[], Sequence[Row]]) -> None:
    """Print `rows`, as JSON where the command line says `--json`.

    Where they are still to be measured, being told to end ends that in order, so that brokers and children go too.
    """
    if callable(rows):
        signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
        rows = rows()
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    if parser.parse_known_args()[0].json:
        json.dump([asdict(row) for row in rows], sys.stdout)
        return
    for row in rows:
        against = (
            f"  {row.peer} {row.peer_value:.4g} {row.unit}, ratio {row.ratio:.2f}"
            if row.peer_value and row.ratio
            else ""
        )
        print(
            f"{'ok  ' if row.met else 'MISS'} {row.name}: {row.ours:.4g} {row.unit}  (goal {row.goal}){against}  {row.note}"
        )
