"""The compiler of the spec language: loads a family, judges it, and generates everything from it.

`load` gives a sound `Spec` or raises `CompilerError` with every error as `file:line: RULE message`. `generate` and
`check` serve this repository; `generate_to` serves any spec written in the language.
"""

from __future__ import annotations

from ._diagnostics import CompilerError, Diagnostic
from ._generate import TARGETS, check, generate, generate_to
from ._ir import Spec
from ._lint import lint
from ._load import load

__all__ = [
    "TARGETS",
    "CompilerError",
    "Diagnostic",
    "Spec",
    "check",
    "generate",
    "generate_to",
    "lint",
    "load",
]
