"""Registries that are wrong in one subtle way each, and registries that differ and are right: changes of the starter's text.

Responsible for reading the two tables and for making a subject of the changed text in this process. Not responsible for
the verdicts on them. They are other defects than those of the mutants and of the starter's own table.

A table has `=== name | row`, then for each edit `--- file`, the old text, `+++` and the new text. A text that ends with
its line is followed by an empty one. `row` is the requirement that the attack breaks; variants have none.
"""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from comity.conformance import starter

__all__ = ["ATTACKS", "VARIANTS", "Change", "subject"]

_COUNT = itertools.count()
_EDIT = re.compile(r"^--- (\S+)\n(.*?)\n\+\+\+\n(.*?)\n(?=---|\Z)", re.DOTALL | re.MULTILINE)


class Change(NamedTuple):
    """`edits` are (file, old text, new text); `row` is the requirement that an attack breaks, "" for a variant."""

    name: str
    row: str
    edits: tuple[tuple[str, str, str], ...]

    def __str__(self) -> str:
        return self.name.replace(" ", "-")

    def applied(self, files: dict[str, str]) -> dict[str, str]:
        """`files` with the edits. Raises `ValueError` where an old text does not stand there exactly once."""
        found = dict(files)
        for file, old, new in self.edits:
            if found[file].count(old) != 1:
                raise ValueError(f"{self.name}: {old!r} stands {found[file].count(old)} times in {file}")
            found[file] = found[file].replace(old, new)
        return found


def _read(name: str) -> tuple[Change, ...]:
    text = Path(__file__).with_name(name).read_text(encoding="utf-8")
    found: list[Change] = []
    for part in text.split("=== ")[1:]:
        head, _, body = part.partition("\n")
        title, _, row = head.partition(" | ")
        found.append(Change(title, row, tuple(match.groups() for match in _EDIT.finditer(body))))  # type: ignore[misc]
    return tuple(found)


ATTACKS = _read("attacks.txt")
VARIANTS = _read("variants.txt")


def subject(change: Change) -> Callable[[], Callable[[bytes], bytes]]:
    """What makes drivers of the starter with a change. Raises `ValueError` where an edit does not fit."""
    package = f"changed_starter_{next(_COUNT)}"
    sys.modules[package] = ModuleType(package)
    sys.modules[package].__path__ = []
    files = change.applied(starter.files("registry"))
    for file in ("wire.py", "query.py", "state.py", "registry.py"):
        module = ModuleType(f"{package}.{file.removesuffix('.py')}")
        module.__package__ = package
        sys.modules[module.__name__] = module
        text = re.sub("^from (wire|query|state) ", r"from .\1 ", files[file], flags=re.MULTILINE)
        exec(compile(text, file, "exec"), vars(module))
    made: dict[str, Any] = vars(sys.modules[f"{package}.registry"])

    def factory() -> Callable[[bytes], bytes]:
        one = made["Subject"]()
        return lambda line: made["compact"](one.answer(line))

    return factory
