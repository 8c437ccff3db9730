"""Indexes over the entries: from a path and a value to the agents that have it.

Responsible for finding the candidates of a filter without a scan. Postings of single paths are always kept; a
compound posting over several paths is built once the intersections of its shape have cost as much as building
it. Not responsible for operators (see `query`) or for order (see `order`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from operator import attrgetter
from typing import Any

from .query import Term, capability_keys
from .values import Entry, getter, key_of, leaves

__all__ = ["Index", "Slot"]

_SCALARS = ("name", "endpoint", "health", "zone", "node")
_MAPS = ("metadata", "resources")
_MAX_COMPOUNDS = 8
_EMPTY: frozenset[Any] = frozenset()
_agent = attrgetter("agent")


class Slot:
    """The fixed place of an agent; `entry` is replaced whole by every change."""

    __slots__ = ("agent", "entry")

    def __init__(self, entry: Entry) -> None:
        self.agent: str = entry["agent"]
        self.entry = entry


class _Compound:
    """Postings by the values at several paths together, with their order by agent kept once it was asked for."""

    __slots__ = ("_capability", "_paths", "_postings", "_sorted")

    def __init__(self, paths: Sequence[str]) -> None:
        self._paths = [(path, getter(path)) for path in paths]
        self._postings: dict[tuple[Any, ...], set[Slot]] = {}
        self._sorted: dict[tuple[Any, ...], list[Slot]] = {}

    def touches(self, members: Iterable[str]) -> bool:
        return any(path.partition(".")[0] in members for path, _ in self._paths)

    def keys(self, entry: Entry) -> Iterator[tuple[Any, ...]]:
        return product(*(_keys_at(path, read(entry)) for path, read in self._paths))

    def add(self, slot: Slot, entry: Entry) -> None:
        for key in self.keys(entry):
            self._sorted.pop(key, None)
            _add(self._postings, key, slot)

    def remove(self, slot: Slot, entry: Entry) -> None:
        for key in self.keys(entry):
            self._sorted.pop(key, None)
            _discard(self._postings, key, slot)

    def get(self, key: tuple[Any, ...]) -> list[Slot]:
        found = self._sorted.get(key)
        if found is None:
            found = sorted(self._postings.get(key, _EMPTY), key=_agent)
            if found:
                self._sorted[key] = found
        return found


class Index:
    """All postings of one registry."""

    __slots__ = ("_compounds", "_effort", "_paths", "_size")

    def __init__(self) -> None:
        self._size = 0
        self._paths: dict[str, dict[Any, set[Slot]]] = {}
        self._compounds: dict[tuple[str, ...], _Compound] = {}
        self._effort: dict[tuple[str, ...], int] = {}

    def add(self, slot: Slot) -> None:
        """File a new slot under everything in its entry."""
        self._size += 1
        for path, key in _filed(slot.entry):
            _add(self._paths.setdefault(path, {}), key, slot)
        for compound in self._compounds.values():
            compound.add(slot, slot.entry)

    def remove(self, slot: Slot) -> None:
        """Take a slot out of everything in its entry."""
        self._size -= 1
        for path, key in _filed(slot.entry):
            _discard(self._paths[path], key, slot)
        for compound in self._compounds.values():
            compound.remove(slot, slot.entry)

    def replace(self, slot: Slot, after: Entry) -> None:
        """Give the slot another entry and move it where that differs."""
        before = slot.entry
        changed = [member for member in _MEMBERS if before.get(member) is not after.get(member)]
        old, new = set(_filed(before, changed)), set(_filed(after, changed))
        for path, key in old - new:
            _discard(self._paths[path], key, slot)
        for path, key in new - old:
            _add(self._paths.setdefault(path, {}), key, slot)
        for compound in self._compounds.values():
            if compound.touches(changed):
                compound.remove(slot, before)
                compound.add(slot, after)
        slot.entry = after

    def find(self, terms: Sequence[Term]) -> list[Slot] | set[Slot]:
        """The slots that satisfy every term; a list comes in the order of agents, a set in none.

        What is returned is the index's own and must not be changed.
        """
        if len(terms) > 1 and (compound := self._compound(terms)) is not None:
            return compound.get(tuple(term.keys[0] for term in sorted(terms)))
        smallest, *others = sorted(map(self._posting, terms), key=len)
        if others:
            self._note_effort(terms, len(smallest))
        return smallest.intersection(*others) if others else smallest

    def _posting(self, term: Term) -> set[Slot]:
        postings = self._paths.get(term.path)
        if postings is None:
            return set()
        if len(term.keys) == 1:
            return postings.get(term.keys[0]) or set()
        return set[Slot]().union(*(postings.get(key, _EMPTY) for key in term.keys))

    def _compound(self, terms: Sequence[Term]) -> _Compound | None:
        shape = _shape(terms)
        return self._compounds.get(shape) if shape else None

    def _note_effort(self, terms: Sequence[Term], effort: int) -> None:
        shape = _shape(terms)
        if not shape:
            return
        spent = self._effort.pop(shape, 0) + effort
        if spent < self._size:
            self._effort[shape] = spent
            if len(self._effort) > 8 * _MAX_COMPOUNDS:
                del self._effort[next(iter(self._effort))]
        else:
            self._build(shape)

    def _build(self, shape: tuple[str, ...]) -> None:
        compound = _Compound(shape)
        for slot in set[Slot]().union(*self._paths[shape[0]].values()):
            compound.add(slot, slot.entry)
        if len(self._compounds) == _MAX_COMPOUNDS:
            del self._compounds[next(iter(self._compounds))]
        self._compounds[shape] = compound


_MEMBERS = ("capabilities", *_SCALARS, *_MAPS)


def _filed(entry: Entry, members: Iterable[str] = _MEMBERS) -> Iterator[tuple[str, Any]]:
    for member in members:
        value = entry.get(member)
        if value is None:
            continue
        if member in _SCALARS:
            yield member, value
        elif member == "capabilities":
            for key in _keys_at(member, value):
                yield member, key
        else:
            yield from leaves(member, value)


def _keys_at(path: str, value: Any) -> Iterable[Any]:
    if path == "capabilities":
        return dict.fromkeys(key for capability in value for key in capability_keys(capability))
    key = key_of(value)
    return () if key is None else (key,)


def _shape(terms: Sequence[Term]) -> tuple[str, ...]:
    """The paths of the terms where each is asked for one value, in order; empty where no compound can answer."""
    paths = sorted(term.path for term in terms if len(term.keys) == 1)
    return tuple(paths) if len(set(paths)) == len(terms) else ()


def _add(postings: dict[Any, set[Slot]], key: Any, slot: Slot) -> None:
    posting = postings.get(key)
    if posting is None:
        postings[key] = {slot}
    else:
        posting.add(slot)


def _discard(postings: dict[Any, set[Slot]], key: Any, slot: Slot) -> None:
    posting = postings[key]
    posting.discard(slot)
    if not posting:
        del postings[key]
