"""Judging a run of an agent from its plan and journal alone.

Responsible for the order of events, for which frames an agent has to act on or ignore, and for what earns a row. Not
responsible for requests, leases and watches, each of which has a module.
"""

from __future__ import annotations

import base64
from itertools import islice
from typing import Any, Final

from ..errors import SelfCheckError
from ..judge import Judgement
from ..judge._case import Case, Emission, read
from ..judge._monitors import judge_events
from ..law import Law
from ..plan import Plan
from ..wire import millis
from ._asks import READS, Ask, Asks, Suspects
from ._frames import AHEAD_MS, Arrival, inspect
from ._lease import Leases
from ._streams import Streams

__all__ = ["judge"]

Record = dict[str, Any]
_COMMANDS: Final = ("started", "asked", "handed", "persisted", "ticked", "crashed")
_TOLD: Final = frozenset(
    ["joined", "refused", "lost", "left", "changes", "reset", "closed", "answered", "timed_out"]
)
_REFUSED: Final = {
    "Register": "refused",
    "Renew": "lost",
    "Deregister": "left",
    "Watch": "reset",
    "Unwatch": "closed",
}
_SAID: Final = {
    "Registered": "joined",
    "Deregistered": "left",
    "Unwatched": "closed",
    "Renewed": "",
    "Watching": "",
}
_BROKEN: Final = {
    "garbage": "DRV-LINE-003",
    "schema": "DRV-LINE-003",
    "flood": "DRV-TIME-001",
    "restless": "DRV-TIME-001",
}


def judge(plan: Plan, journal: list[Record], law: Law) -> Judgement:
    """Say what a run shows. Raises `SelfCheckError` where the suite sent what it did not mean to."""
    out = Judgement()
    case = read(plan, journal, law)
    if case.broken:
        _broken(case, journal, out)
        return out
    judge_events(case, out)
    run = _Run(case, journal, out)
    run.walk()
    if out.violations or not run.acted:
        out.fired.clear()
    return out


def _broken(case: Case, journal: list[Record], out: Judgement) -> None:
    n, kind, quote = case.broken[0]
    out.lost = f"{kind}: {quote}"
    last: Record = next((r for r in reversed(journal) if r["what"] in _COMMANDS), journal[0])
    rows = ["CORE-ENV-006"] if last.get("craft") == "unreadable" else []
    out.blame([*rows, _BROKEN.get(kind, "DRV-LINE-001")], n, "one line for each line", out.lost,
              f"The conversation with the subject broke ({out.lost})")  # fmt: skip


class _Run:
    """One walk over the journal."""

    def __init__(self, case: Case, journal: list[Record], out: Judgement) -> None:
        self._case, self._journal, self._out = case, journal, out
        self._emissions = {emission.n: emission for emission in case.emissions}
        suspects = Suspects()
        self._suspects, self._asks = suspects, Asks(out, suspects)
        self._leases = Leases(out, suspects)
        self._streams = Streams(out, self._asks, suspects)
        self._held: list[Arrival] = []
        self.acted = False

    def walk(self) -> None:
        """Judge record by record, up to the first breach: behind it model and agent part, and the rest follows."""
        known = len(self._out.violations)
        breach = min((violation.n for violation in self._out.violations), default=len(self._journal))
        for n, record in enumerate(self._journal[: breach + 1]):
            if len(self._out.violations) > known:
                return
            t = record["t"]
            self._pass_time(t, n)
            if record["what"] in _COMMANDS:
                self._release(record, n)
            self._one(record, n)

    def _pass_time(self, t: int, n: int) -> None:
        lease = self._leases.held
        self._asks.pass_time(t if lease is None else min(t, lease.ends), n)
        if self._leases.pass_time(t, n):
            self._asks.end("Renew", "Deregister")
        self._asks.pass_time(t, n)
        self._streams.pass_time(t, n)

    def _one(self, record: Record, n: int) -> None:
        match record["what"]:
            case "asked":
                self._asked(record, n)
            case "emitted":
                self._emitted(self._emissions[n])
            case "handed":
                self._handed(record, n)
            case "notified":
                self._notified(record, n)
            case "crashed":
                self._asks.crash()
                self._leases.drop()
                self._streams.crash()
                self._held.clear()
            case _:
                pass

    # ------------------------------------------------------------------ the agent

    def _asked(self, record: Record, n: int) -> None:
        if self._journal[n + 1]["what"] == "declined":
            return
        request, args = record["request"], record["args"]
        match request:
            case "leave":
                self._asks.end("Register", "Renew")
                if self._leases.held is not None:
                    self._leases.held.renewed = self._leases.held.leaving = True
            case "watch":
                self._streams.open(args)
            case "unwatch":
                self._streams.close(args["ticket"])
            case _ if request in READS:
                self._asks.want(request, args["ticket"])
            case _:
                pass

    def _emitted(self, emission: Emission) -> None:
        if emission.wrong:
            return
        message, data = emission.message, emission.data
        slot = self._streams.slot(message, data) if message in ("Watch", "Unwatch") else message
        slot = "membership" if message in ("Register", "Renew", "Deregister") else slot
        ask = self._asks.emit(emission, slot)
        if ask is None:
            return
        if message == "Renew":
            self._leases.renewing(emission.t)
        elif message == "Watch":
            self._streams.sent(ask)

    def _notified(self, record: Record, n: int) -> None:
        data = record["data"]
        match record["event"]:
            case "lost":
                self._leases.told()
                self._asks.end("Renew")
            case "left":
                self._leases.drop()
                self._asks.end("Deregister")
            case "timed_out":
                self._asks.give_up(data.get("ticket"), record["t"], n)
            case "changes":
                self._streams.told(data, n)
            case _:
                pass

    # ----------------------------------------------------------------- what comes

    def _handed(self, record: Record, n: int) -> None:
        arrival = self._inspect(record)
        if arrival.ignore:
            self._has_to_ignore(arrival.rows, record, n)
            return
        ahead = (millis(arrival.doc["time"]) or 0) - record["wall"] > AHEAD_MS
        if ahead:
            self._hold(arrival, n)
        elif self._strays(arrival):
            self._has_to_ignore(["REG-AGT-005"], record, n)
        else:
            self._take(arrival, record, n)

    def _inspect(self, record: Record) -> Arrival:
        frame = record["frame"]
        raw = frame.encode() if isinstance(frame, str) else base64.b64decode(frame["b64"])
        try:
            found = inspect(
                raw, self._case.law, namespace=self._case.namespace, profile=self._case.plan.profile
            )
        except ValueError as error:
            raise SelfCheckError(f"a frame for the agent is wrong: {error}") from error
        wanted = record["craft"]
        if wanted != "ahead" and found.facts != ({wanted} if wanted else set()):
            raise SelfCheckError(f"a frame was meant to be {wanted or 'good'} and is {found.facts or 'good'}")
        return found

    def _hold(self, arrival: Arrival, n: int) -> None:
        """CORE-CLK-001: what is stamped ahead counts later."""
        arrival.facts.add("ahead")
        if self._reactions(n):
            self._out.fire("CORE-CLK-001")
            self._out.blame(["CORE-CLK-001"], n, "nothing yet", ", ".join(self._reactions(n)),
                            f"The {arrival.message} is stamped {arrival.doc['time']} and was acted on at once.")  # fmt: skip
        elif all(other.doc["id"] != arrival.doc["id"] for other in self._held):
            self._held.append(arrival)

    def _release(self, record: Record, n: int) -> None:
        for arrival in list(self._held):
            if (millis(arrival.doc["time"]) or 0) - record["wall"] <= AHEAD_MS:
                self._held.remove(arrival)
                if not self._strays(arrival):
                    self._take(arrival, record, n)

    def _ask(self, arrival: Arrival) -> Ask | None:
        """The request that waits for this reply."""
        ask = self._asks.find(str(arrival.doc.get("correlationid")))
        return ask if ask is not None and ask.waiting else None

    def _strays(self, arrival: Arrival) -> bool:
        return arrival.message != "Changes" and self._ask(arrival) is None

    def _has_to_ignore(self, rows: list[str], record: Record, n: int) -> None:
        for row in rows:
            self._out.fire(row)
        reactions = self._reactions(n)
        if reactions:
            self._out.blame(rows, n, "nothing", ", ".join(reactions),
                            f"A {record['message']} that had to be ignored led to {', '.join(reactions)}.")  # fmt: skip
        elif record["idle"] != record["idle_after"]:
            self._suspects.seen.append((record["t"], rows))

    def _take(self, arrival: Arrival, record: Record, n: int) -> None:
        """A frame that counts: let the model follow, and see that the agent did."""
        expected = self._follow(arrival, record["t"], n)
        seen = expected in self._reactions(n)
        self.acted = self.acted or seen
        for row in arrival.rows if expected else []:
            self._out.fire(row)
            if not seen:
                self._out.blame([row], n, expected, ", ".join(self._reactions(n)) or "nothing",
                                f"A {arrival.message} that counts was not acted on.")  # fmt: skip

    def _reactions(self, n: int) -> list[str]:
        """What the agent told its user, or sent, because of the command in record `n`."""
        found: list[str] = []
        for record in islice(self._journal, n + 1, None):
            if record["what"] in _COMMANDS:
                break
            if record["what"] == "emitted":
                found.append("a message")
            elif record["what"] == "notified" and record["event"] in _TOLD:
                found.append(record["event"])
        return found

    # ------------------------------------------------------------------ the model

    def _follow(self, arrival: Arrival, t: int, n: int) -> str:
        """Let the model take a frame in. Gives the notification that the user has to get, "" for none."""
        data = arrival.data
        if arrival.message == "Changes":
            return "changes" if self._streams.changes(data, t) else ""
        ask = self._ask(arrival)
        assert ask is not None, "strays are sorted out before"
        ask.waiting = False
        match arrival.message:
            case "Registered" | "Renewed":
                self._leases.grant(data["epoch"], data["lease_ms"], ask.sent[0], t)
            case "Watching":
                self._streams.watching(data, t)
            case "Refused":
                if ask.message in ("Renew", "Deregister"):
                    self._leases.drop()
                elif ask.message == "Watch" and self._streams.refused(ask.data, data["code"], t):
                    return ""
                return _REFUSED.get(ask.message, "refused")
            case "Deregistered":
                self._leases.drop()
            case _:
                pass
        return _SAID.get(arrival.message, "answered")
