"""Indexes over the entries: from a path and a value to the agents that have it.

Responsible for finding the candidates of a filter without a scan. Postings of single paths are always kept; a
compound posting over several paths is built once the intersections of its shape have cost as much as building
it. Not responsible for operators (see `query`) nor for order (see `order`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterable, Sequence
from operator import attrgetter
from typing import Any, TypeAlias

from .query import Filter, bare
from .values import Entry, getter, key_of, leaves

__all__ = ["MEMBERS", "Index", "Slot", "by_agent"]

MEMBERS = ("capabilities", "name", "endpoint", "health", "zone", "node", "metadata", "resources")
_SCALARS = ("name", "endpoint", "health", "zone", "node")
_MAPS = ("metadata", "resources")
_TOP = ("capabilities", *_SCALARS)
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
        self._paths: dict[str, _Postings] = {path: {} for path in _TOP}
        self._compounds: dict[tuple[str, ...], _Compound] = {}
        self._effort: dict[tuple[str, ...], int] = {}

    def add(self, slot: Slot) -> None:
        """File a new slot under everything in its entry."""
        self.agents[slot.agent] = slot
        self._each(slot, _add)
        for compound in self._compounds.values():
            compound.add(slot)

    def load(self, slots: Iterable[Slot]) -> None:
        """File many new slots: as `add` would, posting by posting."""
        slots = list(slots)
        self.agents.update(zip(map(by_agent, slots), slots, strict=True))
        for member in _SCALARS:
            _fill(self._paths[member], ((slot.entry.get(member), slot) for slot in slots))
        _fill(self._paths["capabilities"], ((name, slot) for slot in slots for name in slot.names))
        for slot in slots:
            for member in _MAPS:
                if member in slot.entry:
                    for path, key in leaves(member, slot.entry[member]):
                        self._on_leaf(_add, path, key, slot)
        for compound in self._compounds.values():
            for slot in slots:
                compound.add(slot)

    def remove(self, slot: Slot) -> None:
        """Take a slot out of everything in its entry."""
        del self.agents[slot.agent]
        self._each(slot, _discard)
        for compound in self._compounds.values():
            compound.remove(slot)

    def replace(self, slot: Slot, after: Entry, members: Collection[str] = MEMBERS) -> None:
        """Give the slot another entry, which differs in `members` at most, and move it where that shows."""
        before, names = slot.entry, slot.names
        slot.entry = after
        for member in members:
            old, new = before.get(member), after.get(member)
            if old is new:
                continue
            if member == "capabilities":
                slot.names = _names(after)
                self._move(member, slot, names, slot.names)
            elif member in _MAPS:
                self._move_leaves(slot, set(leaves(member, old)), set(leaves(member, new)))
            else:
                if old is not None:
                    _discard(self._paths[member], old, slot)
                if new is not None:
                    _add(self._paths[member], new, slot)
        for compound in self._compounds.values():
            if not compound.members.isdisjoint(members):
                compound.replace(slot, names, members)

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
            if member in entry:
                act(paths[member], entry[member], slot)
        postings = paths["capabilities"]
        for name in slot.names:
            act(postings, name, slot)
        for member in _MAPS:
            if member in entry:
                for path, key in leaves(member, entry[member]):
                    self._on_leaf(act, path, key, slot)

    def _on_leaf(self, act: _Act, path: str, key: Any, slot: Slot) -> None:
        postings = self._paths.get(path)
        if postings is None:
            postings = self._paths[path] = {}
        act(postings, key, slot)
        if not postings:
            del self._paths[path]  # whoever chooses the keys does not choose how many are remembered

    def _move(self, path: str, slot: Slot, old: Iterable[str], new: Iterable[str]) -> None:
        postings = self._paths[path]
        for key in old:
            _discard(postings, key, slot)
        for key in new:
            _add(postings, key, slot)

    def _move_leaves(self, slot: Slot, old: set[tuple[str, Any]], new: set[tuple[str, Any]]) -> None:
        for path, key in old - new:
            self._on_leaf(_discard, path, key, slot)
        for path, key in new - old:
            self._on_leaf(_add, path, key, slot)

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


class _Cell(dict[str, _Posting]):
    """The postings of one `key`, the values at the scalar paths of a compound, by capability."""

    __slots__ = ("key",)
    key: tuple[Any, ...]


class _Compound:
    """Postings by the values at several paths together: first the scalars, then the capability where one is asked."""

    __slots__ = ("_cells", "_of", "_paths", "_read", "_with_capability", "members")

    def __init__(self, shape: Sequence[str]) -> None:
        self.members = {path.partition(".")[0] for path in shape}
        self._with_capability = "capabilities" in shape
        self._paths = [path for path in shape if path != "capabilities"]
        self._read = [(path.partition(".")[0], _reader(path)) for path in self._paths]
        self._cells: dict[tuple[Any, ...], _Cell] = {}
        self._of: dict[Slot, _Cell] = {}

    def add(self, slot: Slot) -> None:
        self._enter(slot, tuple([read(slot.entry) for _, read in self._read]))

    def remove(self, slot: Slot) -> None:
        self._leave(slot, slot.names)

    def replace(self, slot: Slot, names: Sequence[str], members: Container[str]) -> None:
        """Move a slot, which had the capabilities `names`, to where its entry belongs now."""
        after, key = slot.entry, self._of[slot].key
        new = tuple(
            [
                read(after) if member in members else value
                for value, (member, read) in zip(key, self._read, strict=True)
            ]
        )
        if new != key or (self._with_capability and names is not slot.names):
            self._leave(slot, names)
            self._enter(slot, new)

    def get(self, values: dict[str, Any]) -> list[Slot]:
        cell = self._cells.get(tuple([values[path] for path in self._paths]))
        posting = cell.get(values.get("capabilities", "")) if cell else None
        if posting is None:
            return []
        if posting.order is None:
            posting.order = sorted(posting, key=by_agent)
        return posting.order

    def _enter(self, slot: Slot, key: tuple[Any, ...]) -> None:
        cell = self._cells.get(key)
        if cell is None:
            cell = self._cells[key] = _Cell()
            cell.key = key
        self._of[slot] = cell
        for name in slot.names if self._with_capability else _WHATEVER:
            posting = cell.get(name)
            if posting is None:
                posting = cell[name] = _Posting()
            posting.add(slot)
            posting.order = None

    def _leave(self, slot: Slot, names: Sequence[str]) -> None:
        cell = self._of.pop(slot)
        for name in names if self._with_capability else _WHATEVER:
            posting = cell[name]
            posting.discard(slot)
            posting.order = None
            if not posting:
                del cell[name]
        if not cell and self._cells.get(cell.key) is cell:  # slots without a capability may have outlived it
            del self._cells[cell.key]


def _names(entry: Entry) -> tuple[str, ...]:
    return tuple(set(map(bare, entry["capabilities"])))


def _reader(path: str) -> Callable[[Entry], Any]:
    """What gives an entry's index key at a path."""
    read = getter(path)
    return read if path in _SCALARS else lambda entry: key_of(read(entry))


def _add(postings: _Postings, key: Any, slot: Slot) -> None:
    held = postings.setdefault(key, slot)
    if type(held) is set:
        held.add(slot)
    elif held is not slot:
        postings[key] = {held, slot}  # type: ignore[arg-type]


def _fill(postings: _Postings, pairs: Iterable[tuple[Any, Slot]]) -> None:
    """`_add` for many, without those that have no key."""
    for key, slot in pairs:
        if key is not None:
            held = postings.setdefault(key, slot)
            if type(held) is set:
                held.add(slot)
            elif held is not slot:
                postings[key] = {held, slot}  # type: ignore[arg-type]


def _discard(postings: _Postings, key: Any, slot: Slot) -> None:
    held = postings[key]
    if type(held) is set:
        held.discard(slot)
    if not held or held is slot:
        del postings[key]
