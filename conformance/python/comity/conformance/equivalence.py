"""Transport equivalence (REG-EQV-001): what a plan shows wherever it runs, and whether two runs show the same.

Responsible for the normal form of a run: answers by the agent that asked, in order; what each watch was told, in order;
the entries at the end, which every plan's audit reads. Revisions are named by the plan's own writes, agents by their
numbers; instants, opaque texts, the service's own name, how changes were batched and what became of other plans' agents
are left out, since the spec lets them differ. Not responsible for which plans are run (see `generate._alike`) nor where.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections import Counter
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Final

from .generate import ALIKE
from .judge import Judgement
from .plan import Plan, identity
from .wire import Lexical, NotAnEvent, data_of, document, dump, items_of, members_of

__all__ = ["History", "compare", "history"]

_WRITES: Final = frozenset({"Register", "Update", "Renew", "Deregister"})
_OPAQUE: Final = frozenset({"cursor", "index"})
_REVISIONS: Final = frozenset({"epoch", "revision"})
_NOTHING: Final = "nothing more"


@dataclass(frozen=True, slots=True)
class History:
    """What one run showed: by stream (an agent's answers, a watch's changes) the items, each with its record."""

    streams: dict[str, list[tuple[int, str]]]
    changes: int

    @property
    def digest(self) -> str:
        """SHA-256 of the normal form; equal runs have equal ones."""
        plain = {stream: [item for _, item in items] for stream, items in sorted(self.streams.items())}
        return hashlib.sha256(dump(plain).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class _Seen:
    """One event that reached a client, first time only."""

    n: int
    client: int
    op: str | None
    asked: str
    message: str
    names: list[str]
    data: dict[str, Any]


def history(plan: Plan, journal: list[dict[str, Any]]) -> History | None:
    """The normal form of a run, or None where a request had to be sent more often than planned: that run says nothing."""
    sent: dict[str, dict[str, Any]] = {r["op"]: r for r in journal if r["what"] == "sent"}
    if _repeated(plan, journal) or journal[-1]["what"] == "broken":
        return None
    ops = {str(_doc(record)["id"]): (op, _message(_doc(record))) for op, record in sent.items()}
    seen = _arrivals(journal, ops)
    form = _Form(plan, _marks(seen))
    streams: dict[str, list[tuple[int, str]]] = {}
    changes = 0
    for event in seen:
        items = form.items(event)
        changes += len(items) if event.message == "Changes" else 0
        for stream, item in items:
            streams.setdefault(stream, []).append((event.n, item))
    return History(streams, changes)


def _repeated(plan: Plan, journal: list[dict[str, Any]]) -> bool:
    asked = Counter(op["of"] for op in plan.operations if op["op"] == "repeat")
    sends = Counter(record["op"] for record in journal if record["what"] == "sent")
    return any(count > 1 + asked[op] for op, count in sends.items())


def _doc(record: dict[str, Any]) -> dict[str, Any]:
    frame = record["frame"]
    return document(frame.encode() if isinstance(frame, str) else b"")


def _message(doc: dict[str, Any]) -> str:
    return str(doc.get("type")).rpartition(".")[2]


def _arrivals(journal: list[dict[str, Any]], ops: dict[str, tuple[str, str]]) -> list[_Seen]:
    """What reached a client, in order, each event once: a broker may bring it again."""
    found: list[_Seen] = []
    known: set[tuple[str, str]] = set()
    for record in journal:
        if record["what"] != "arrived":
            continue
        n: int = record["of"]
        try:
            doc = _doc(journal[n])
            data = members_of(data_of(doc))
        except (NotAnEvent, Lexical):
            continue  # for other rows to blame
        name = (str(doc.get("source")), str(doc.get("id")))
        if data is None or name in known:
            continue
        known.add(name)
        op, asked = ops.get(str(doc.get("correlationid")), (None, ""))
        names = sorted(doc.keys() - {"data", "data_base64"})
        found.append(_Seen(n, record["client"], op, asked, _message(doc), names, data))
    return found


def _marks(seen: list[_Seen]) -> list[int]:
    """The revisions that the plan's own writes were given, in order."""
    own = [event.data for event in seen if event.asked in _WRITES]
    return sorted({data[name] for data in own for name in _REVISIONS if isinstance(data.get(name), int)})


class _Form:
    """Normal forms of the events of one run."""

    def __init__(self, plan: Plan, marks: list[int]) -> None:
        self._agents = {identity(f"{plan.label}{n}").agent: f"@{n}" for n in range(plan.clients)}
        self._marks = marks

    def items(self, event: _Seen) -> list[tuple[str, str]]:
        """What an event adds to which stream."""
        if event.message == "Changes":
            stream = f"what watch {event.data['watch']} of client {event.client} was told"
            own = [change for change in event.data["changes"] if change["agent"] in self._agents]
            return [(stream, dump(self._plain(change))) for change in own]
        data = self._plain(event.data)
        if (
            event.asked not in _WRITES and "revision" in data
        ):  # it may take account of what others wrote since
            data["revision"] = f"since write {bisect_right(self._marks, event.data['revision'])}"
        item = dump([event.op, event.message, data, event.names])
        return [(f"the answers to client {event.client}", item)]

    def _plain(self, value: Any) -> Any:
        members = members_of(value)
        if members is not None:
            return {name: self._member(name, item) for name, item in members.items() if name not in _OPAQUE}
        items = items_of(value)
        if items is not None:
            return [self._plain(item) for item in items]
        return self._agents.get(value, value) if isinstance(value, str) else value

    def _member(self, name: str, item: Any) -> Any:
        if name not in _REVISIONS or type(item) is not int:
            return self._plain(item)
        place = bisect_left(self._marks, item)
        own = place < len(self._marks) and self._marks[place] == item
        return f"write {place + 1}" if own else f"behind write {place}"


def compare(judgement: Judgement, seen: History | None, expected: History | None, where: str) -> None:
    """Enter into `judgement` whether a run shows what the run `where` showed; nothing where one of them says nothing."""
    if seen is None or expected is None:
        return
    for stream in sorted(seen.streams.keys() | expected.streams.keys()):
        pairs = zip_longest(seen.streams.get(stream, ()), expected.streams.get(stream, ()))
        for place, (ours, theirs) in enumerate(pairs, 1):
            if ours is None or theirs is None or ours[1] != theirs[1]:
                _blame(judgement, stream, place, ours, theirs, where)
                return
    if judgement.fired and not judgement.violations:
        judgement.fire(ALIKE)


def _blame(
    judgement: Judgement, stream: str, place: int, ours: tuple[int, str] | None, theirs: tuple[int, str] | None, where: str
) -> None:  # fmt: skip
    n, item = ours or (0, _NOTHING)
    allowed = theirs[1] if theirs else _NOTHING
    prose = f"Item {place} of {stream} is not the one that it was {where}."
    judgement.blame([ALIKE], n, allowed, item, prose)
