"""Lookups against the model, and why an entry that was read is not the one that was written.

Responsible for single entries at a revision and for tracing a wrong one to the rows that it breaks. Not responsible
for queries.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..expression import holds
from ._case import Case, Emission, Judgement, Request
from ._filters import MISSING
from ._history import NEVER, History, Incarnation

__all__ = ["Lookups"]


class Lookups:
    """Judges one run's reads of single entries."""

    def __init__(self, case: Case, out: Judgement, history: History, floor: list[tuple[int, int]]) -> None:
        self.case, self.out, self.history, self.floor = case, out, history, floor
        self.cursors: dict[str, tuple[str, dict[str, Any], list[Any]]] = {}

    def known_at(self, n: int) -> int:
        """Greatest revision of a write answered before record `n`."""
        best = 0
        for answered, revision in self.floor:
            if answered >= n:
                break
            best = max(best, revision)
        return best

    # ------------------------------------------------------------------ lookup

    def lookup(self, request: Request, answer: Emission) -> None:
        agent = request.data["agent"]
        revision = answer.data.get("revision")
        if revision is None:
            self._lookup_loose(request, answer, agent)
            return
        state, life = self.history.at(agent, revision, answer.t)
        found = answer.message == "Found"
        if state == "unsure":
            state = self._resolve(life, revision, found, request, answer)
        held = self._held(agent, state, life)
        for row in self.case.law.rows.values():
            if row.on == "Lookup" and holds(row.where, request.data, held):
                self.out.fire(row.id)
        if state == "live":
            assert life is not None
            if not found:
                self._missing(life, revision, answer)
            elif answer.data["entry"] != life.entry(revision):
                self._differs(life, revision, answer, answer.data["entry"], ["REG-LKP-001"])
            self._timely(life, revision, request, answer)
        elif found:
            self._extra(life, answer, ["REG-LKP-002"])
        elif answer.code != "registry.unknown_agent":
            self._wrong(answer, ["REG-LKP-002"], "Refused registry.unknown_agent")

    def _lookup_loose(self, request: Request, answer: Emission, agent: str) -> None:
        """A refusal that names no revision: some state since the read was sent has to allow it."""
        lo = self.known_at(request.sent_n) if request.data["consistency"] == "linearizable" else 0
        points = [lo, *(point for point in self.history.points(agent) if point > lo)]
        states = {self.history.at(agent, point, answer.t)[0] for point in points}
        if answer.code != "registry.unknown_agent":
            self._wrong(answer, ["REG-LKP-002"], "Found, or Refused registry.unknown_agent")
        elif states == {"live"}:
            _, life = self.history.at(agent, lo)
            assert life is not None
            self._missing(life, lo, answer)
        elif states == {"absent"}:
            self.out.fire("REG-LKP-002")

    def _held(self, agent: str, state: str, life: Incarnation | None) -> dict[str, Any]:
        return {"state": state, "epoch": life.epoch if life else 0, "revision": 0}

    def _timely(self, life: Incarnation, revision: float, request: Request, answer: Emission) -> None:
        """LEASE-002 and 003 for a linearizable read that saw the entry."""
        grant = life.grant(revision)
        if request.data["consistency"] != "linearizable" or not request.deliveries:
            return
        if answer.t < grant.earliest:
            self.out.fire("REG-LEASE-002")
            crashed = [
                crash for crash in self.case.crashes if grant.n < crash.n and crash.up_t < grant.earliest
            ]
            if crashed and request.sent_n > crashed[-1].up_n:
                self.out.fire("REG-LEASE-008")
        if request.deliveries[0].t > grant.latest + self.case.slack:
            asked = request.deliveries[0].t
            prose = (
                f"The lease and its grace ended at {grant.latest:g} ms; the entry was there at {asked} ms."
            )
            self.out.blame(["REG-LEASE-003"], answer.n, "no entry", "the entry", prose)

    def _resolve(
        self, life: Incarnation | None, revision: float, present: bool, request: Request, answer: Emission
    ) -> str:
        """An entry that may have expired: what was seen settles it, within the times that leases allow."""
        assert life is not None
        if present:
            life.lo = max(life.lo, revision)
            return "live"
        life.hi = min(life.hi, revision)
        life.expired_n = life.expired_n or answer.n
        self.out.fire("REG-LEASE-003")
        return "absent"

    # ------------------------------------------------------------------- blame

    def _wrong(self, answer: Emission, rows: list[str], allowed: str, prose: str = "") -> None:
        text = prose or f"The answer is {answer} where {allowed} is due."
        self.out.blame(rows, answer.n, allowed, str(answer), text)

    def _missing(self, life: Incarnation, revision: float, answer: Emission) -> None:
        grant = life.grant(revision)
        rows = ["REG-LKP-001"] if answer.message in ("Refused", "Found") else []
        if answer.t < grant.earliest and grant.earliest < NEVER:
            rows.append("REG-LEASE-002")
            rows += ["REG-LEASE-001"] if grant is not life.grants[0] else []
        if any(later.revision > revision for later in life.grants):
            rows.insert(0, "REG-LEASE-004")
        rows.append("REG-REV-003")
        for crash in self.case.crashes:
            if life.grants[0].n < crash.n < answer.n:
                rows[:0] = ["REG-DUR-001", "REG-LEASE-008"]
                break
        rows += self._refused_rows(life.agent, _is_deregister)
        prose = (
            f"The entry of epoch {life.epoch} was registered, and its lease runs until {grant.earliest:g} ms at least; "
            f"the answer at {answer.t} ms does not know it."
        )
        self.out.blame(rows, answer.n, "the entry", str(answer), prose)

    def _extra(self, life: Incarnation | None, answer: Emission, rows: list[str]) -> None:
        rows = [*rows, "REG-REV-003"]
        why = "it was never registered"
        if life is not None and life.reason == "deregistered":
            rows.insert(0, "REG-DRG-001")
            why = f"it was deregistered at revision {life.end:g}"
        elif life is not None:
            rows.insert(0, "REG-LEASE-003")
            why = "its lease had run out"
        else:
            rows += ["REG-REF-001"]
        prose = f"The answer has an entry that is not live at its revision: {why}."
        self.out.blame(rows, answer.n, "no entry", str(answer), prose)

    def _refused_rows(self, agent: str, fits: Callable[[dict[str, Any], str], bool]) -> list[str]:
        """Rows of refused writes that would explain what was seen."""
        found = [
            row for request, row in self.history.refused.get(agent, ()) if fits(request.data, request.message)
        ]
        return [*found, "REG-REF-001"] if found else []

    def _differs(
        self, life: Incarnation, revision: float, answer: Emission, seen: dict[str, Any], rows: list[str]
    ) -> None:
        wanted = life.entry(revision)
        names = sorted(
            n for n in wanted.keys() | seen.keys() if wanted.get(n, MISSING) != seen.get(n, MISSING)
        )
        found: list[str] = []
        for request, row in self.history.refused.get(life.agent, ()):
            if any(name in request.data and seen.get(name) == request.data[name] for name in names):
                found += [row, "REG-REF-001"]
        found += self._cause(life, revision, names, seen)
        text = ", ".join(
            f"{n} {seen.get(n, 'absent')!r} instead of {wanted.get(n, 'absent')!r}" for n in names
        )
        self.out.blame([*found, *rows, "REG-REV-003"], answer.n, "the entry as written", text[:300],
                       f"The entry is not what the writes up to revision {revision:g} make: {text[:200]}.")  # fmt: skip

    def _cause(self, life: Incarnation, revision: float, names: list[str], seen: dict[str, Any]) -> list[str]:
        versions = [version for version in life.versions if version[0] <= revision]
        found: list[str] = []
        if self.case.crashed_between(life.grants[0].n, self.case.end_n):
            found.append("REG-DUR-001")
        if names == ["revision"]:
            renewed = any(life.epoch < grant.revision <= revision for grant in life.grants)
            found += ["REG-LEASE-005"] if renewed else []
            found += ["REG-UPD-003"] if len(versions) > 1 else ["REG-REG-001"]
            return found
        if "epoch" in names:
            found.append("REG-REG-001")
        if "lease_ms" in names:
            found += ["REG-LEASE-006"] if len(life.grants) > 1 else ["REG-REG-005"]
        if len(versions) > 1:
            before = versions[-2][1]
            cleared = [n for n in names if n in seen and n not in life.entry(revision)]
            found += ["REG-UPD-002"] if any(n in before for n in cleared) else []
            found.append("REG-UPD-001")
        else:
            earlier = [other for other in self.history.lives[life.agent] if other.epoch < life.epoch]
            inherited = earlier and any(
                earlier[-1].versions[-1][1].get(n, MISSING) == seen.get(n) for n in names
            )
            found.append("REG-REG-003" if inherited else "REG-REG-001")
        return found


def _is_deregister(data: dict[str, Any], message: str) -> bool:
    return message == "Deregister"
