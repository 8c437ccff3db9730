"""How a mutant is put on and taken off, and how it proves that it ran.

Responsible for patching names and machine edges for the length of a block and for counting the calls of what was put
in their place. Not responsible for what a mutant changes.
"""

# pyright: basic
# what is patched is private and untyped here on purpose: a mutant reaches where no caller may
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

__all__ = ["MUTANTS", "Mutant", "Patch", "applied", "mutant"]


class Patch:
    """The changes of one mutant. `hits` counts how often changed code ran."""

    def __init__(self) -> None:
        self.hits = 0
        self._undo: list[Callable[[], None]] = []

    def around(self, owner: Any, name: str, change: Callable[..., Any]) -> None:
        """Let `change(original, *args)` stand for the function or method `owner.name`."""
        kept = vars(owner)[name]
        original = kept.__func__ if isinstance(kept, staticmethod) else kept

        def changed(*args: Any, **named: Any) -> Any:
            self.hits += 1
            return change(original, *args, **named)

        setattr(owner, name, staticmethod(changed) if isinstance(kept, staticmethod) else changed)
        self._undo.append(lambda: setattr(owner, name, kept))

    def item(self, table: Any, key: Any, value: Callable[..., Any]) -> None:
        """Put a function into a table."""
        kept = table[key]

        def changed(*args: Any) -> Any:
            self.hits += 1
            return value(*args)

        table[key] = changed
        self._undo.append(lambda: table.update({key: kept}))

    def edge(self, machine: Any, name: str, guard: Callable[..., object] | None = None, **more: Any) -> None:
        """Give the edges of this name another guard, or other parts."""
        for key, edges in list(machine.table.items()):
            if any(edge.id == name for edge in edges):
                changes = {**more, "guard": self._counted(guard)} if guard is not None else more
                new = tuple(replace(edge, **changes) if edge.id == name else edge for edge in edges)
                machine.table[key] = new
                self._undo.append(partial(machine.table.update, {key: edges}))
                if guard is None:
                    self.hits += 1

    def _counted(self, guard: Callable[..., object]) -> Callable[..., object]:
        def changed(event: Any, instance: Any) -> object:
            self.hits += 1
            return guard(event, instance)

        return changed

    def undo(self) -> None:
        """Take everything off again, the last first."""
        while self._undo:
            self._undo.pop()()


@dataclass(frozen=True, slots=True)
class Mutant:
    """One named change of the reference and the requirement that it breaks in a role."""

    row: str
    name: str
    put_on: Callable[[Patch], None]
    role: str = "registry"


MUTANTS: dict[str, Mutant] = {}


def mutant(
    row: str, name: str, role: str = "registry"
) -> Callable[[Callable[[Patch], None]], Callable[[Patch], None]]:
    """Enter a mutant into the table. `role` is the one that the mutated reference plays."""

    def enter(put_on: Callable[[Patch], None]) -> Callable[[Patch], None]:
        if name in MUTANTS:
            raise ValueError(f"two mutants are called {name}")
        MUTANTS[name] = Mutant(row, name, put_on, role)
        return put_on

    return enter


@contextmanager
def applied(subject: Mutant) -> Iterator[Patch]:
    """The reference with this mutant on."""
    patch = Patch()
    try:
        subject.put_on(patch)
        yield patch
    finally:
        patch.undo()
