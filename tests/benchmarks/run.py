"""Runs every benchmark script and writes the results with machine and date. `make bench`."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")),
        platform.machine(),
    )


def _measure(script: Path) -> list[dict[str, Any]]:
    print(f"{script.name} …", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", f"tests.benchmarks.{script.stem}", "--json"]
    done = subprocess.run(command, cwd=HERE.parents[1], capture_output=True, text=True, timeout=900)
    if done.returncode:
        raise SystemExit(f"{script.name} failed with status {done.returncode}:\n{done.stderr}")
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"


def _row(row: dict[str, Any]) -> str:
    peer = (
        f"{row['peer']}: {_number(row['peer_value'])}"
        if row["peer"] and row["peer_value"] is not None
        else row["peer"]
    )
    ratio = "" if row["ratio"] is None else f"{row['ratio']:,.2f}"
    cells = [
        row["name"],
        f"{_number(row['ours'])} {row['unit']}",
        peer,
        ratio,
        row["goal"],
        "yes" if row["met"] else "**no**",
        row["note"],
    ]
    return "| " + " | ".join(cells) + " |"


def report(results: dict[str, list[dict[str, Any]]]) -> str:
    """docs/benchmarks.md."""
    packages = ", ".join(
        f"{name} {version(name)}" for name in ("pydantic", "jiter", "PyNaCl", "cloudevents", "nats-py")
    )
    head = [
        "# Benchmarks",
        "",
        "Written by `make bench`; not edited by hand. Figures are medians of interleaved rounds in one run;",
        "trust the ratios more than the absolute times.",
        "",
        f"- date: {datetime.datetime.now(datetime.UTC):%Y-%m-%d}",
        f"- machine: {_cpu()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}",
        f"- Python {platform.python_version()}; {packages}",
    ]
    for script, rows in results.items():
        title = script.removeprefix("bench_").removesuffix(".py").replace("_", " ")
        head += [
            "",
            f"## {title}",
            "",
            "| what | ours | peer in the same run | ratio | goal | met | note |",
            "|---|---|---|---|---|---|---|",
        ]
        head += [_row(row) for row in rows]
    return "\n".join(head) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, help="file to write; standard output by default")
    parser.add_argument("--only", default="", help="run the scripts whose name contains this")
    args = parser.parse_args()
    text = report({s.name: _measure(s) for s in sorted(HERE.glob("bench_*.py")) if args.only in s.name})
    if args.write:
        args.write.write_text(text, encoding="utf-8")
    else:
        print(text, end="")


if __name__ == "__main__":
    main()
