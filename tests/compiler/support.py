"""A tiny family to break on purpose: each test says which text of which file it replaces."""

from __future__ import annotations

import shutil
from pathlib import Path

from comity.compiler import CompilerError, Diagnostic, lint, load

__all__ = ["PINGPONG", "ROOT", "broken", "complaints", "edit", "lints"]

ROOT = Path(__file__).parents[2]
PINGPONG = Path(__file__).parent / "specs" / "pingpong" / "v1"


def edit(file: Path, old: str, new: str) -> int:
    """Replace `old`, which stands once in `file`, and return the line on which `new` ends up."""
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {file.name}"
    file.write_text(text.replace(old, new), encoding="utf-8")
    return text[: text.index(old)].count("\n") + 1


def broken(directory: Path, file: str, old: str, new: str) -> tuple[Path, int]:
    """A copy of ping-pong with one replacement, and the line of it."""
    copy = directory / "pingpong"
    shutil.copytree(PINGPONG, copy)
    return copy, edit(copy / file, old, new)


def complaints(spec: Path) -> list[Diagnostic]:
    """The errors for which `spec` cannot be loaded; none when it can."""
    try:
        load(spec)
    except CompilerError as error:
        return list(error.diagnostics)
    return []


def lints(spec: Path) -> list[Diagnostic]:
    return lint(load(spec))
