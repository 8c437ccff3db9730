"""The report in a terminal: progress while it runs, then a table by area and what failed, with its shortest case.

Colour and boxes where a terminal shows them; plain text, one line per fact, where output is piped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from ._text import HEADLINES, MARKS, VERDICTS, area, area_name, mode_name, overall, plan_steps, visible

__all__ = ["progress", "show"]

_STYLES = {"pass": "green", "fail": "bold red", "inconclusive": "yellow", "not-run": "dim", "n/a": "dim"}
_HEADS = {"conformant": "bold green", "not conformant": "bold red", "incomplete": "bold yellow"}


@contextmanager
def progress(console: Console) -> Generator[Callable[..., None]]:
    """A callback `(done, total, rows fired, rows)` for the engine, called after each plan.

    Draws a bar in a terminal, and begins another one when `done` starts over for a further mode; where output is piped
    it stays silent.
    """
    words = TextColumn("{task.fields[fired]} of {task.fields[rows]} requirements came up")
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        words,
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        last = 0

        def on_progress(done: int, total: int, fired: int, rows: int) -> None:
            nonlocal last
            if not bars.tasks or done < last:
                bars.add_task("Plans", total=total, fired=fired, rows=rows)
            bars.update(bars.tasks[-1].id, completed=done, total=total, fired=fired, rows=rows)
            last = done

        yield on_progress


def show(report: Mapping[str, Any], console: Console) -> None:
    """Print the whole report."""
    subject = report["subject"]
    _line(
        console,
        f"{subject['name']} {subject['version']} ({subject['language']}), {report['family']} {report['role']}",
    )
    if console.is_terminal:
        console.print(_table(report))
    else:
        _lines(report, console)
    for found in report["counterexamples"]:
        _failure(found, report, console)
    for note in report["notes"]:
        _line(console, f"note: {note}", "dim")
    counts = Counter(map(overall, report["requirements"]))
    tally = ", ".join(
        f"{counts[verdict]} {name.lower()}" for verdict, name in VERDICTS.items() if counts[verdict]
    )
    _line(console, f"{HEADLINES[report['verdict']]}: {tally}", _HEADS[report["verdict"]])


def _line(console: Console, words: str, style: str = "") -> None:
    console.print(escape(visible(words)), style=style, highlight=False, soft_wrap=not console.is_terminal)


def _by_area(report: Mapping[str, Any], key: str) -> dict[str, Counter[str]]:
    counts: dict[str, Counter[str]] = {}
    for row in report["requirements"]:
        verdict = row["cells"].get(key, {"verdict": "not-run"})["verdict"]
        counts.setdefault(area(row["id"]), Counter())[verdict] += 1
    return counts


def _table(report: Mapping[str, Any]) -> Table:
    keys = [mode["key"] for mode in report["modes"]]
    counted = {key: _by_area(report, key) for key in keys}
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("Area", "", *map(mode_name, keys)):
        table.add_column(escape(visible(name)))
    for code in dict.fromkeys(area(row["id"]) for row in report["requirements"]):
        table.add_row(area_name(code), f"[dim]{code}[/]", *(_counts(counted[key][code]) for key in keys))
    return table


def _counts(counts: Counter[str]) -> str:
    return "  ".join(f"[{_STYLES[each]}]{MARKS[each]} {counts[each]}[/]" for each in VERDICTS if counts[each])


def _lines(report: Mapping[str, Any], console: Console) -> None:
    """One line per requirement and mode, separated by tabs: what a script greps."""
    for row in report["requirements"]:
        for key, cell in row["cells"].items():
            fields = (cell["verdict"], row["id"], key, f"{cell['fired']}/{cell['needed']}", row["text"])
            console.file.write("\t".join(visible(field).replace("\n", " ") for field in fields) + "\n")


def _failure(found: Mapping[str, Any], report: Mapping[str, Any], console: Console) -> None:
    row = next((row for row in report["requirements"] if row["id"] == found["requirement"]), None)
    _line(console, f"\n{MARKS['fail']} {found['requirement']}, {mode_name(found['mode'])}", "bold red")
    if row:
        _line(console, f"  {row['text']}", "bold")
        _line(console, f"  {row['why']}", "dim")
    _line(console, f"  {found['prose']}")
    for number, step in enumerate(plan_steps(found["plan"]), 1):
        _line(console, f"    {number}. {step}")
    for allowed in found["allowed"]:
        _line(console, f"  allowed: {allowed}", "green")
    _line(console, f"  seen:    {found['seen']}", "red")
    _line(console, f"  replay:  comity replay {found['replay']}")
