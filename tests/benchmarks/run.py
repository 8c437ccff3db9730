"""Runs every benchmark script and writes the results with machine and date. `make bench`.

What takes minutes runs by targets of its own, which leave their rows under `build/`; they are written as well.
"""

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
KEPT = HERE.parents[1] / "build"
PATIENCE = 1800  # seconds that one script may take
PACKAGES = (
    "pydantic",
    "jiter",
    "PyNaCl",
    "cloudevents",
    "nats-py",
    "aiokafka",
    "gmqtt",
    "faststream",
    "uvloop",
)


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
    with subprocess.Popen(
        command, cwd=HERE.parents[1], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            output, errors = process.communicate(timeout=PATIENCE)
        except BaseException:
            process.terminate()  # and not kill: it has brokers and children to end
            raise
    if process.returncode:
        raise SystemExit(f"{script.name} failed with status {process.returncode}:\n{errors}")
    rows: list[dict[str, Any]] = json.loads(output)
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


def _title(script: str) -> str:
    return script.partition("_")[2].partition(".")[0].replace("_", " ")


def _section(title: str, rows: list[dict[str, Any]]) -> str:
    table = [
        "| what | ours | peer in the same run | ratio | goal | met | note |",
        "|---|---|---|---|---|---|---|",
        *map(_row, rows),
    ]
    return (
        "\n".join(
            [f"## {title}", "", f"Measured on {datetime.datetime.now(datetime.UTC):%Y-%m-%d}.", "", *table]
        )
        + "\n"
    )


def _sections(file: Path | None) -> dict[str, str]:
    """What was written before, by title."""
    if file is None or not file.exists():
        return {}
    _, *found = file.read_text(encoding="utf-8").split("\n## ")
    return {text.partition("\n")[0]: f"## {text.rstrip()}\n" for text in found}


def report(sections: dict[str, str]) -> str:
    """docs/benchmarks.md."""
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    head = [
        "# Benchmarks",
        "",
        "Written by `make bench`; not edited by hand. Figures are medians of interleaved rounds in one run;",
        "trust the ratios more than the absolute times.",
        "",
        f"- machine: {_cpu()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}",
        f"- Python {platform.python_version()}; {packages}",
    ]
    return "\n".join(["\n".join(head) + "\n", *(sections[title] for title in sorted(sections))])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, help="file to write; standard output by default")
    parser.add_argument(
        "--only", default="", help="run what has this in its name, and keep the rest of the file"
    )
    args = parser.parse_args()
    kept = [file for file in sorted(KEPT.glob("soak_*.json")) if args.only in file.name]
    results = {_title(file.name): json.loads(file.read_text(encoding="utf-8")) for file in kept}
    for script in sorted(HERE.glob("bench_*.py")):
        if args.only in script.name:
            results[_title(script.name)] = _measure(script)
    before = _sections(args.write) if args.only else {}
    text = report(before | {title: _section(title, rows) for title, rows in results.items()})
    if args.write:
        args.write.write_text(text, encoding="utf-8")
    else:
        print(text, end="")


if __name__ == "__main__":
    main()
