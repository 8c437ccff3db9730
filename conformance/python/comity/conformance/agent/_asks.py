"""The requests of an agent as the judge keeps them, and the rows about repeating them.

Responsible for REG-AGT-001, REG-AGT-002 and the agent's part of CORE-ENV-003. Not responsible for what answers mean.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from ..judge import Judgement
from ..judge._case import Emission
from ..wire import dump, members_of

__all__ = ["PATIENCE_MS", "READS", "Ask", "Asks", "Suspects"]

PATIENCE_MS = 5_000
MEMBERSHIP = ("Register", "Renew", "Deregister")
WATCHING = ("Watch", "Unwatch")
READS = {"update": "Update", "lookup": "Lookup", "query": "Query", "list": "List", "count": "Count"}


@dataclass(slots=True)
class Ask:
    """One request. It waits until it is answered or `ended`: superseded, given up, or lost in a crash."""

    emission: Emission
    sent: list[int]
    slot: str
    waiting: bool = True
    late: bool = False
    ticket: Any = None

    @property
    def message(self) -> str:
        return self.emission.message

    @property
    def id(self) -> str:
        return str(self.emission.doc["id"])

    @property
    def data(self) -> dict[str, Any]:
        return members_of(self.emission.data) or {}


@dataclass(slots=True)
class Suspects:
    """Frames that had to be ignored and after which the agent wanted to be woken at another time."""

    seen: list[tuple[int, list[str]]] = field(default_factory=list[tuple[int, list[str]]])

    def since(self, t: int) -> list[str]:
        """Rows of such frames that came at `t` or later."""
        return [row for at, rows in self.seen if at >= t for row in rows]


class Asks:
    """All requests of one run. The caller tells it what happens, in order."""

    def __init__(self, out: Judgement, suspects: Suspects) -> None:
        self._out, self._suspects = out, suspects
        self._by_id: dict[str, Ask] = {}
        self._wanted: list[tuple[str, Any]] = []
        self._made: Counter[str] = Counter()
        self._due: Counter[str] = Counter()

    def find(self, asked: str) -> Ask | None:
        return self._by_id.get(asked)

    def waiting(self, *messages: str) -> list[Ask]:
        return [ask for ask in self._by_id.values() if ask.waiting and ask.message in messages]

    def want(self, request: str, ticket: Any) -> None:
        """The user asked for a single request."""
        self._wanted.append((READS[request], ticket))
        self._due[READS[request]] += 1

    def emit(self, emission: Emission, slot: str) -> Ask | None:
        """The agent sent a request. Gives it where it is a new one."""
        known = self._by_id.get(str(emission.doc["id"]))
        if known is not None:
            self._repeated(known, emission)
            return None
        self._renamed(emission, slot)
        ask = Ask(emission, [emission.t], slot)
        if ask.message in READS.values():
            self._take_ticket(ask)
        else:
            self.end_slot(slot)
        self._by_id[ask.id] = ask
        return ask

    def _take_ticket(self, ask: Ask) -> None:
        self._made[ask.message] += 1
        for n, (message, ticket) in enumerate(self._wanted):
            if message == ask.message:
                ask.ticket = ticket
                del self._wanted[n]
                return

    def _repeated(self, ask: Ask, emission: Emission) -> None:
        same = _plain(ask.emission) == _plain(emission)
        if not same:
            kept = ask.emission.doc["sequence"] == emission.doc["sequence"]
            rows = ["CORE-ENV-003"] if kept else ["REG-AGT-001", "CORE-ENV-003"]
            self._out.blame(rows, emission.n, "the same event, or another id", f"id {ask.id} again",
                            f"The {emission.message} shares its id with another event that was sent before.")  # fmt: skip
            return
        if ask.waiting:
            self._out.fire("REG-AGT-001")
            if not ask.late and ask.message in (*MEMBERSHIP, *WATCHING):
                self._out.fire("REG-AGT-002")
        ask.sent.append(emission.t)
        ask.late = False

    def _renamed(self, emission: Emission, slot: str) -> None:
        """REG-AGT-001: whoever sends the same wish as a new request does not repeat the old one."""
        message = emission.message
        if message in READS.values():
            extra = self._made[message] >= self._due[message]
            old = next(iter(self.waiting(message)), None) if extra else None
        else:
            old = next((ask for ask in self.waiting(message) if ask.slot == slot), None)
        if old is not None:
            self._out.fire("REG-AGT-001")
            self._out.blame(["REG-AGT-001"], emission.n, f"id {old.id} again, or nothing", f"id {emission.doc['id']}",
                            f"The {message} of {old.sent[0]} ms is unanswered and another one replaces it.")  # fmt: skip

    def pass_time(self, t: int, n: int) -> None:
        """REG-AGT-002: no write waits longer than the patience without being sent again."""
        for ask in self.waiting(*MEMBERSHIP, *WATCHING):
            if not ask.late and t > ask.sent[-1] + PATIENCE_MS:
                ask.late = True
                self._out.fire("REG-AGT-002")
                rows = [*self._suspects.since(ask.sent[-1]), "REG-AGT-002"]
                self._out.blame(rows, n, f"the {ask.message} again by {ask.sent[-1] + PATIENCE_MS} ms", "nothing",
                                f"The {ask.message} sent at {ask.sent[-1]} ms waits and was not sent again.")  # fmt: skip

    def give_up(self, ticket: Any, t: int, n: int) -> None:
        """A single request timed out."""
        for ask in self.waiting(*READS.values()):
            if ask.ticket == ticket:
                ask.waiting = False
                if len(ask.sent) == 1 and t >= ask.sent[0] + 2 * PATIENCE_MS:
                    self._out.blame(["REG-AGT-001"], n, f"the {ask.message} again", "nothing",
                                    f"The {ask.message} was given up at {t} ms and never repeated.")  # fmt: skip

    def end(self, *messages: str) -> None:
        """Nothing of these messages waits any longer; without names, nothing does at all."""
        for ask in self._by_id.values():
            if not messages or ask.message in messages:
                ask.waiting = False

    def end_slot(self, slot: str) -> None:
        """What was asked about this begins anew."""
        for ask in self._by_id.values():
            if ask.slot == slot:
                ask.waiting = False

    def crash(self) -> None:
        """The agent forgets what it asked."""
        self.end()
        self._wanted.clear()
        self._due = Counter(self._made)


def _plain(emission: Emission) -> str:
    return dump(emission.doc)
