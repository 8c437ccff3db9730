"""How commands print: tables and colour in a terminal, plain text when piped, one JSON document on request."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

__all__ = ["console", "document", "files_written", "table"]


def console() -> Console:
    """A console on standard output; 100 columns where nobody looks."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else 100)


def document(value: object) -> None:
    """Print one JSON document."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows under `columns`; tab-separated and without decoration when piped."""
    if not sys.stdout.isatty():
        for row in rows:
            sys.stdout.write("\t".join(row) + "\n")
        return
    grid = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        grid.add_column(column, overflow="fold")
    for row in rows:
        grid.add_row(*row)
    console().print(grid)


def files_written(paths: Iterable[str], *, as_json: bool) -> None:
    """Say which files a command wrote."""
    names = [str(path) for path in paths]
    if as_json:
        document({"written": names})
    else:
        for name in names:
            sys.stdout.write(f"wrote {name}\n")
