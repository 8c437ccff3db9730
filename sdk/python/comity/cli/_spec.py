"""`comity spec` and `comity generate`: the compiler and the coverage table on the command line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

from comity.cli._output import document, files_written, table
from comity.sdk.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from comity.compiler import Diagnostic

__all__ = ["coverage_command", "generate_command", "lint_command"]


def lint_command(path: Path, *, as_json: bool) -> int:
    """Print every finding in the families at or below `path`; 0 when there is none, else 1."""
    from comity.compiler import CompilerError, lint, load

    families = _families(path)
    found: list[Diagnostic] = []
    for family in families:
        try:
            found += lint(load(family))
        except CompilerError as error:
            found += error.diagnostics
    return _report(sorted(set(found)), families, as_json=as_json)


def generate_command(specdir: Path, out: Path, target: str, *, as_json: bool) -> int:
    """Write one target of the family in `specdir` into `out`; 1 when the spec is unsound."""
    from comity.compiler import TARGETS, CompilerError, generate_to

    if target not in TARGETS:
        raise ConfigError(f"--target {target}: unknown; known are {', '.join(TARGETS)}")
    if not (specdir / "protocol.yaml").is_file():
        raise ConfigError(f"{specdir}: no protocol.yaml there; name the directory of one family")
    try:
        written = generate_to(specdir, out, target)
    except CompilerError as error:
        return _report(error.diagnostics, [specdir], as_json=as_json)
    files_written(map(str, written), as_json=as_json)
    return 0


def coverage_command(write: Path | None, *, as_json: bool) -> int:
    """Print for each requirement its properties and mutants, or write the page of source features."""
    from comity.cli._coverage import coverage_markdown, coverage_rows

    if write is not None:
        write.write_text(coverage_markdown(Path()), encoding="utf-8")
        files_written([str(write)], as_json=as_json)
        return 0
    rows = coverage_rows()
    if as_json:
        document(rows)
        return 0
    columns = ("id", "level", "role", "profile", "observe", "properties", "mutants")
    table(columns, ([_cell(row[column]) for column in columns] for row in rows))
    return 0


def _cell(value: object) -> str:
    return ", ".join(cast("list[str]", value)) if isinstance(value, list) else str(value)


def _families(path: Path) -> list[Path]:
    if (path / "protocol.yaml").is_file():
        return [path]
    found = sorted(file.parent for file in path.glob("**/protocol.yaml"))
    if not found:
        raise ConfigError(
            f"{path}: no protocol.yaml at or below it; name a family's directory or a tree of them"
        )
    return found


def _report(found: Iterable[Diagnostic], families: list[Path], *, as_json: bool) -> int:
    rows = list(found)
    if as_json:
        document([row._asdict() for row in rows])
    else:
        for row in rows:
            sys.stdout.write(f"{row}\n")
        count = "no findings" if not rows else f"{len(rows)} finding{'s' if len(rows) > 1 else ''}"
        sys.stdout.write(f"{count} in {', '.join(map(str, families))}\n")
    return 1 if rows else 0
