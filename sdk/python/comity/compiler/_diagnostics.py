"""What the compiler says about a spec: diagnostics with file, line and a stable rule name.

Responsible for collecting every complaint of one run. Not responsible for deciding what is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["CompilerError", "Diagnostic", "Log"]


class Diagnostic(NamedTuple):
    """One complaint. `str()` gives `file:line: RULE message`."""

    file: str
    line: int
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.rule} {self.message}"


class CompilerError(Exception):
    """A spec that cannot be compiled. `diagnostics` holds every error of the run, in file and line order."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        self.diagnostics = tuple(sorted(set(diagnostics)))
        super().__init__("\n".join(map(str, self.diagnostics)))


class Log:
    """Collects diagnostics; `check` raises when there are any."""

    def __init__(self) -> None:
        self.diagnostics: list[Diagnostic] = []

    def add(self, file: str, line: int, rule: str, message: str) -> None:
        self.diagnostics.append(Diagnostic(file, line, rule, message))

    def check(self) -> None:
        """Raise `CompilerError` when anything was reported."""
        if self.diagnostics:
            raise CompilerError(self.diagnostics)
