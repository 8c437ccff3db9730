"""Indexes over the entries: from a path and a value to the agents that have it.

Responsible for finding the candidates of a filter without a scan. Postings of single paths are always kept; a
compound posting over several paths is built once the intersections of its shape have cost as much as building
it. Not responsible for operators (see `query`) nor for order (see `order`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any, TypeAlias

from .query import Filter
from .values import Entry, getter, key_of, leaves

__all__ = ["Index", "Slot", "by_agent"]

_SCALARS = ("name", "endpoint", "health", "zone", "node")
_MAPS = ("metadata", "resources")
_MAX_COMPOUNDS = 8
_MAX_SHAPES = 64
_WHATEVER = ("",)


class Slot:
    """The fixed place of an agent; `entry` is replaced whole by every change. `names` are its bare capabilities."""

    __slots__ = ("agent", "entry", "names")

    def __init__(self, entry: Entry) -> None:
        self.agent: str = entry["agent"]
        self.entry = entry
        self.names = _names(entry)


by_agent = attrgetter("agent")
_Postings: TypeAlias = dict[Any, Slot | set[Slot]]
_Act: TypeAlias = Callable[[_Postings, Any, Slot], None]


class Index:
    """All postings of one registry; `agents` are the slots by agent."""

    __slots__ = ("_compounds", "_effort", "_paths", "agents")

    def __init__(self) -> None:
        self.agents: dict[str, Slot] = {}
        self._paths: dict[str, _Postings] = {path: {} for path in ("capabilities", *_SCALARS)}
        self._compounds: dict[tuple[str, ...], _Compound] = {}
        self._effort: dict[tuple[str, ...], int] = {}

    def add(self, slot: Slot) -> None:
        """File a new slot under everything in its entry."""
        self.agents[slot.agent] = slot
        self._each(slot, _add)
        for compound in self._compounds.values():
            compound.add(slot)

    def remove(self, slot: Slot) -> None:
        """Take a slot out of everything in its entry."""
        del self.agents[slot.agent]
        self._each(slot, _discard)
        for compound in self._compounds.values():
            compound.remove(slot)

    def replace(self, slot: Slot, after: Entry) -> None:
        """Give the slot another entry and move it where that differs."""
        before, names = slot.entry, slot.names
        slot.entry = after
        for member in _SCALARS:
            if (old := before.get(member)) != (new := after.get(member)):
                self._move(member, slot, (old,), (new,))
        if before["capabilities"] != after["capabilities"]:
            slot.names = _names(after)
            self._move("capabilities", slot, names, slot.names)
        for member in _MAPS:
            if (old := before.get(member)) is not (new := after.get(member)):
                self._move_leaves(slot, set(leaves(member, old)), set(leaves(member, new)))
        for compound in self._compounds.values():
            compound.replace(slot, before, names)

    def find(self, chosen: Filter) -> list[Slot] | set[Slot]:
        """The slots that have what `chosen` wants of the index; a list comes in the order of agents, a set in none.

        What is returned is the index's own and must not be changed.
        """
        shape = tuple(sorted(chosen.equal))
        compound = self._compounds.get(shape) if len(shape) > 1 else None
        if compound is not None and not chosen.among:
            return compound.get(chosen.equal)
        found = [self._posting(path, key) for path, key in chosen.equal.items()]
        found += [set[Slot]().union(*(self._posting(path, k) for k in keys)) for path, keys in chosen.among]
        found.sort(key=len)
        if len(shape) > 1 and "agent" not in shape:
            self._note_effort(shape, len(found[0]))
        return found[0].intersection(*found[1:]) if len(found) > 1 else found[0]

    def _each(self, slot: Slot, act: _Act) -> None:
        paths, entry = self._paths, slot.entry
        for member in _SCALARS:
            if (value := entry.get(member)) is not None:
                act(paths[member], value, slot)
        postings = paths["capabilities"]
        for name in slot.names:
            act(postings, name, slot)
        for member in _MAPS:
            for path, key in leaves(member, entry.get(member)):
                act(self._at(path), key, slot)

    def _at(self, path: str) -> _Postings:
        postings = self._paths.get(path)
        if postings is None:
            postings = self._paths[path] = {}
        return postings

    def _move(self, path: str, slot: Slot, old: Iterable[Any], new: Iterable[Any]) -> None:
        postings = self._paths[path]
        for key in old:
            if key is not None:
                _discard(postings, key, slot)
        for key in new:
            if key is not None:
                _add(postings, key, slot)

    def _move_leaves(self, slot: Slot, old: set[tuple[str, Any]], new: set[tuple[str, Any]]) -> None:
        for path, key in old - new:
            _discard(self._paths[path], key, slot)
        for path, key in new - old:
            _add(self._at(path), key, slot)

    def _posting(self, path: str, key: Any) -> set[Slot]:
        postings = self.agents if path == "agent" else self._paths.get(path, {})
        found = postings.get(key)
        return found if isinstance(found, set) else {found} if found else set()

    def _note_effort(self, shape: tuple[str, ...], effort: int) -> None:
        spent = self._effort.pop(shape, 0) + effort
        if spent < len(self.agents):
            self._effort[shape] = spent
            if len(self._effort) > _MAX_SHAPES:
                del self._effort[next(iter(self._effort))]
            return
        if len(self._compounds) == _MAX_COMPOUNDS:
            del self._compounds[next(iter(self._compounds))]
        compound = self._compounds[shape] = _Compound(shape)
        for slot in self.agents.values():
            compound.add(slot)


class _Posting(set[Slot]):
    """Slots with the same values; `order` is their list by agent once it was asked for."""

    __slots__ = ("order",)
    order: list[Slot] | None


class _Compound:
    """Postings by the values at several paths together: first the scalars, then the capability where one is asked."""

    __slots__ = ("_cells", "_paths", "_read", "_with_capability")

    def __init__(self, shape: Sequence[str]) -> None:
        self._with_capability = "capabilities" in shape
        self._paths = [path for path in shape if path != "capabilities"]
        self._read = [getter(path) for path in self._paths]
        self._cells: dict[tuple[Any, ...], dict[Any, _Posting]] = {}

    def add(self, slot: Slot) -> None:
        self._enter(slot, self._scalars(slot.entry), slot.names)

    def remove(self, slot: Slot) -> None:
        self._leave(slot, self._scalars(slot.entry), slot.names)

    def replace(self, slot: Slot, before: Entry, names: Sequence[str]) -> None:
        old, new = self._scalars(before), self._scalars(slot.entry)
        if old != new or (self._with_capability and names is not slot.names):
            self._leave(slot, old, names)
            self._enter(slot, new, slot.names)

    def _enter(self, slot: Slot, scalars: tuple[Any, ...], names: Sequence[str]) -> None:
        if None in scalars:
            return
        cell = self._cells.get(scalars)
        if cell is None:
            cell = self._cells[scalars] = {}
        for name in names if self._with_capability else _WHATEVER:
            posting = cell.get(name)
            if posting is None:
                posting = cell[name] = _Posting()
            posting.add(slot)
            posting.order = None

    def _leave(self, slot: Slot, scalars: tuple[Any, ...], names: Sequence[str]) -> None:
        if None in scalars:
            return
        cell = self._cells[scalars]
        for name in names if self._with_capability else _WHATEVER:
            posting = cell[name]
            posting.discard(slot)
            posting.order = None
            if not posting:
                del cell[name]
        if not cell:
            del self._cells[scalars]

    def get(self, values: dict[str, Any]) -> list[Slot]:
        cell = self._cells.get(tuple([values[path] for path in self._paths]))
        posting = cell.get(values.get("capabilities", "")) if cell else None
        if posting is None:
            return []
        if posting.order is None:
            posting.order = sorted(posting, key=by_agent)
        return posting.order

    def _scalars(self, entry: Entry) -> tuple[Any, ...]:
        return tuple([v if type(v := read(entry)) is str else key_of(v) for read in self._read])


def _names(entry: Entry) -> tuple[str, ...]:
    return tuple({capability.partition("@")[0] for capability in entry["capabilities"]})


def _add(postings: _Postings, key: Any, slot: Slot) -> None:
    held = postings.get(key)
    if held is None:
        postings[key] = slot
    elif type(held) is set:
        held.add(slot)
    else:
        postings[key] = {held, slot}  # type: ignore[arg-type]


def _discard(postings: _Postings, key: Any, slot: Slot) -> None:
    held = postings[key]
    if type(held) is set:
        held.discard(slot)
    if not held or held is slot:
        del postings[key]
