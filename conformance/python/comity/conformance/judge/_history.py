"""The model: what the answered writes make of each agent's entry, at every revision.

Responsible for folding decisions in the order of their revisions and for saying which outcome the rows allow at
each. An entry's expiry is not seen when it happens, so each incarnation keeps the interval of revisions in which
it may have. Not responsible for reads and watches; they are judged against this history.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field, replace
from typing import Any

from ..expression import holds
from ..wire import members_of
from ._case import Case, Emission, Judgement, Request

__all__ = ["NEVER", "Change", "Grant", "History", "Incarnation", "fold"]

NEVER = float("inf")
_MEMBERS = ("name", "endpoint", "capabilities", "metadata", "health", "zone", "node", "resources")
_SUCCESS = {"Register": "Registered", "Update": "Updated", "Renew": "Renewed", "Deregister": "Deregistered"}


@dataclass(slots=True)
class Grant:
    """A lease granted at `revision`: it runs out between `earliest` and `latest`, in ms of the suite's clock."""

    revision: int
    n: int
    earliest: float
    latest: float


@dataclass(slots=True)
class Incarnation:
    """One life of an entry, from its Register to its end. It was there at `lo` and gone at `hi` (revisions)."""

    agent: str
    epoch: int
    versions: list[tuple[int, dict[str, Any]]]
    grants: list[Grant]
    lo: float
    hi: float = NEVER
    end: float = NEVER
    reason: str = ""
    expired_n: int | None = None

    def entry(self, revision: float) -> dict[str, Any]:
        return self.versions[bisect_right(self.versions, revision, key=lambda v: v[0]) - 1][1]

    def grant(self, revision: float) -> Grant:
        found = [grant for grant in self.grants if grant.revision <= revision]
        return found[-1] if found else self.grants[0]

    @property
    def last(self) -> float:
        """First revision at which it is surely not there any more."""
        return min(self.hi, self.end)


@dataclass(slots=True)
class Change:
    """One change as a watcher is told of it. `before` and `after` are entries or None."""

    revision: int
    agent: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    reason: str
    n: int
    sure_t: float


@dataclass(slots=True)
class History:
    """Entries by agent and revision."""

    lives: dict[str, list[Incarnation]] = field(default_factory=dict[str, list[Incarnation]])
    changes: list[Change] = field(default_factory=list[Change])
    refused: dict[str, list[tuple[Request, str]]] = field(
        default_factory=dict[str, list[tuple[Request, str]]]
    )
    tainted: float = NEVER
    """Revision from which on nothing is certain, because some outcome was one that no row allows."""

    def at(self, agent: str, revision: float, t: float = NEVER) -> tuple[str, Incarnation | None]:
        """`live`, `absent` or `unsure` at a revision, as told at `t` ms, and the incarnation in question."""
        for life in reversed(self.lives.get(agent, [])):
            if life.epoch <= revision:
                if revision >= life.last:
                    return "absent", life
                sure = revision <= life.lo or t < life.grant(revision).earliest
                return ("live" if sure else "unsure"), life
        return "absent", None

    def points(self, agent: str) -> list[float]:
        """Revisions at which something about an agent changes, or may."""
        found: set[float] = {0}
        for life in self.lives.get(agent, []):
            found |= {float(version[0]) for version in life.versions}
            found |= {r for r in (life.hi, life.end, life.lo + 0.5) if r < NEVER}
        return sorted(found)


@dataclass(slots=True)
class Expected:
    message: str
    code: str
    rows: list[str]

    def __str__(self) -> str:
        return f"{self.message} {self.code}".strip()


def expected(message: str, data: dict[str, Any], life: Incarnation | None) -> Expected:
    """The one outcome that the rows allow for a write on a live incarnation, or on none."""
    revision = life.versions[-1][1]["revision"] if life else 0
    condition = data.get("if_revision", revision)
    prefix = {"Update": "UPD", "Renew": "LEASE", "Deregister": "DRG"}.get(message, "REG")
    if message == "Register":
        if condition != revision:
            return Expected("Refused", "registry.conflict", ["REG-REG-006"])
        rows = ["REG-REG-007"] if "if_revision" in data else []
        return Expected("Registered", "", [*rows, "REG-REG-003" if life else "REG-REG-001"])
    unknown = {"UPD": "REG-UPD-005", "LEASE": "REG-LEASE-004", "DRG": "REG-DRG-003"}[prefix]
    stale = {"UPD": "REG-UPD-004", "LEASE": "REG-LEASE-007", "DRG": "REG-DRG-002"}[prefix]
    conflict = {"UPD": "REG-UPD-006", "DRG": "REG-DRG-004"}
    if life is None:
        return Expected("Refused", "registry.unknown_agent", [unknown])
    if data["epoch"] != life.epoch:
        return Expected("Refused", "registry.stale_epoch", [stale])
    if prefix in conflict and condition != revision:
        return Expected("Refused", "registry.conflict", [conflict[prefix]])
    return Expected(_SUCCESS[message], "", [f"REG-{prefix}-001"])


class _Fold:
    """Folds one agent's decisions."""

    def __init__(self, case: Case, out: Judgement, history: History, agent: str) -> None:
        self.case, self.out, self.history, self.agent = case, out, history, agent
        self.lives = history.lives.setdefault(agent, [])

    @property
    def life(self) -> Incarnation | None:
        """The incarnation that is live as far as is known."""
        return self.lives[-1] if self.lives and self.lives[-1].last == NEVER else None

    def expire(self, revision: int, told: Emission) -> None:
        """A watcher was told that the entry expired at `revision`."""
        life = self.life
        if life is None:
            return
        grant = life.grants[-1]
        self._expired_early(grant, told.n, told.t, [])
        if told.t > grant.latest + self.case.slack:
            self._late(grant, told.n, told.t)
        self._end(life, revision, "expired")
        life.hi, life.expired_n = revision, told.n
        self.out.fire("REG-LEASE-003")
        sure = max(grant.latest, told.t)
        entry = life.versions[-1][1]
        self.history.changes.append(Change(revision, self.agent, entry, None, "expired", told.n, sure))

    def _expired_early(self, grant: Grant, n: int, t: float, due: list[str]) -> None:
        """Blame an expiry before its time; `due` are the rows of what was due while the entry lived."""
        if t >= grant.earliest - self.case.slack / 40:
            return
        rows = ["REG-LEASE-002"]
        if self.life is not None and grant is not self.life.grants[0]:
            rows.append("REG-LEASE-001")
        if self.case.crashed_between(grant.n, n):
            rows.insert(0, "REG-LEASE-008")
        rows = [*due, *rows] if "REG-REG-006" in due else [*rows, *due]
        prose = f"The lease ran until {grant.earliest:g} ms at least, yet the entry was gone at {t:g} ms."
        self.out.blame(rows, n, "the entry is live", "the entry has expired", prose)

    def _late(self, grant: Grant, n: int, t: float) -> None:
        prose = f"The lease ran out and its grace ended at {grant.latest:g} ms, yet the entry was there at {t:g} ms."
        self.out.blame(["REG-LEASE-003"], n, "the entry has expired", "the entry is live", prose)

    def _end(self, life: Incarnation, revision: float, reason: str) -> None:
        life.end, life.reason = revision, reason

    def decide(self, request: Request, answer: Emission, revision: int) -> bool:
        """Fold one decided write. False where nothing can be known of the agent from here on."""
        life = self.life
        first = request.deliveries[0].t if request.deliveries else request.sent_t
        wanted = expected(request.message, request.data, life)
        self._fire(request, life, revision, answer)
        if str(wanted) != str(answer) and life is not None:
            gone = expected(request.message, request.data, None)
            if str(gone) == str(answer):
                self._expired_early(life.grants[-1], answer.n, answer.t, wanted.rows)
                self._fire(request, None, revision, answer)
                life.hi = revision
                life.expired_n = answer.n
                self.out.fire("REG-LEASE-003")
                wanted, life = gone, None
        if str(wanted) != str(answer):
            self._mismatch(request, answer, wanted)
            return False
        if life is not None and request.message != "Register":
            life.lo = max(life.lo, revision)
            if first > life.grants[-1].latest + self.case.slack:
                self._late(life.grants[-1], answer.n, first)
        if wanted.message == "Refused":
            self.history.refused.setdefault(self.agent, []).append((request, wanted.rows[0]))
            return True
        return self._apply(request, answer, revision, life)

    def _mismatch(self, request: Request, answer: Emission, wanted: Expected) -> None:
        rows = list(wanted.rows)
        life = self.life
        rows[:0] = self._root(request, answer)
        state = "no live entry" if life is None else f"a live entry of epoch {life.epoch}"
        prose = f"There was {state} when {request.message} was decided, so the answer is {wanted}, yet it was {answer}."
        self.out.blame(rows, answer.n, str(wanted), str(answer), prose)

    def _root(self, request: Request, answer: Emission) -> list[str]:
        """Rows that an outcome points to as its cause, because it fits a state that they should have prevented."""
        life = self.life
        if life is None:
            former = self.lives[-1] if self.lives else None
            if former is None or str(expected(request.message, request.data, former)) != str(answer):
                return []
            return ["REG-DRG-001" if former.reason == "deregistered" else "REG-LEASE-003"]
        if answer.code == "registry.unknown_agent" and self.case.crashed_between(life.grants[0].n, answer.n):
            return ["REG-DUR-001"]
        renewed = life.grants[-1].revision > life.versions[-1][0]
        return ["REG-LEASE-005"] if answer.code == "registry.conflict" and renewed else []

    def _fire(self, request: Request, life: Incarnation | None, revision: int, answer: Emission) -> None:
        if life is not None and answer.t >= life.grants[-1].earliest:
            return
        _fired(self.case, self.out, request, self.lives, life)

    # ------------------------------------------------------------------ success

    def _apply(self, request: Request, answer: Emission, revision: int, life: Incarnation | None) -> bool:
        data, said = request.data, answer.data
        if said.get("agent") != self.agent:
            return self._wrong(request, answer, [f"REG-{_AREA[request.message]}-001"], "agent", self.agent)
        match request.message:
            case "Register":
                return self._register(request, answer, revision, life)
            case "Update":
                return self._update(data, answer, revision, life, request)
            case "Renew":
                return self._renew(request, answer, revision, life)
            case _:
                assert life is not None
                self._end(life, revision, "deregistered")
                self._change(revision, life.versions[-1][1], None, "deregistered", answer)
                return True

    def _wrong(self, request: Request, answer: Emission, rows: list[str], name: str, wanted: object) -> bool:
        seen = f"{answer.message} with {name} {answer.data.get(name)}"
        prose = f"{answer.message} says {name} {answer.data.get(name)} where {wanted} is due."
        self.out.blame(rows, answer.n, f"{name} {wanted}", seen, prose)
        return False

    def _change(
        self, revision: int, before: dict[str, Any] | None, after: dict[str, Any] | None, reason: str, answer: Emission
    ) -> None:  # fmt: skip
        self.history.changes.append(Change(revision, self.agent, before, after, reason, answer.n, answer.t))

    def _grant(self, request: Request, answer: Emission, revision: int, lease: int) -> Grant:
        latest = float(answer.t + lease + self.case.grace)
        for crash in self.case.crashes:
            if crash.up_n > answer.n:
                latest = max(latest, crash.up_t + lease + self.case.grace)
        return Grant(revision, answer.n, request.sent_t + lease, latest)

    def _register(self, request: Request, answer: Emission, revision: int, life: Incarnation | None) -> bool:
        data, said = request.data, answer.data
        if self.lives and said["epoch"] <= self.lives[-1].epoch:
            wanted = f"more than {self.lives[-1].epoch}"
            return self._wrong(request, answer, ["REG-REG-002"], "epoch", wanted)
        if said["epoch"] != said["revision"]:
            row = "REG-REG-001" if life is None else "REG-REG-002"
            return self._wrong(request, answer, [row, "REG-REG-001"], "epoch", said["revision"])
        if said["lease_ms"] != data["lease_ms"]:
            return self._wrong(request, answer, ["REG-REG-005"], "lease_ms", data["lease_ms"])
        entry = {key: value for key, value in data.items() if key != "if_revision"}
        entry |= {"epoch": revision, "revision": revision}
        before = None
        if life is not None:
            before = life.versions[-1][1]
            self._end(life, revision, "replaced")
        self.lives.append(
            Incarnation(self.agent, revision, [(revision, entry)],
                        [self._grant(request, answer, revision, data["lease_ms"])], revision)
        )  # fmt: skip
        self._change(revision, before, entry, "", answer)
        return True

    def _update(
        self, data: dict[str, Any], answer: Emission, revision: int, life: Incarnation | None, request: Request
    ) -> bool:  # fmt: skip
        assert life is not None
        before = life.versions[-1][1]
        if revision <= before["revision"]:
            return self._wrong(
                request, answer, ["REG-UPD-003"], "revision", f"more than {before['revision']}"
            )
        entry = {key: value for key, value in before.items() if key not in data.get("clear", ())}
        entry |= {key: data[key] for key in _MEMBERS if key in data}
        entry["revision"] = revision
        life.versions.append((revision, entry))
        self._change(revision, before, entry, "", answer)
        return True

    def _renew(self, request: Request, answer: Emission, revision: int, life: Incarnation | None) -> bool:
        assert life is not None
        before = life.versions[-1][1]
        lease = request.data.get("lease_ms", before["lease_ms"])
        if answer.data["lease_ms"] != lease:
            return self._wrong(request, answer, ["REG-LEASE-006"], "lease_ms", lease)
        if answer.data["epoch"] != life.epoch:
            return self._wrong(request, answer, ["REG-LEASE-001"], "epoch", life.epoch)
        if lease != before["lease_ms"]:
            life.versions.append((revision, {**before, "lease_ms": lease}))
        life.grants.append(self._grant(request, answer, revision, lease))
        return True


_AREA = {"Register": "REG", "Update": "UPD", "Renew": "LEASE", "Deregister": "DRG"}


def _decided(case: Case, out: Judgement, writes: list[Request]) -> dict[str, list[tuple[int, int, Any]]]:
    """Decisions and seen expiries by agent: (revision, 1 or 0, what)."""
    found: dict[str, list[tuple[int, int, Any]]] = {}
    for request in writes:
        answer = request.answer
        said = None if answer is None else members_of(answer.data)
        if answer is None or said is None:
            continue
        revision = said.get("revision")
        if isinstance(revision, int) and (answer.message != "Refused" or answer.code.startswith("registry.")):
            found.setdefault(request.source, []).append((revision, 1, request))
    seen: set[tuple[str, int]] = set()
    own = {request.source for request in case.requests.values()}
    left = {
        (w.source, w.answer.data.get("revision"))
        for w in writes
        if w.answer and w.answer.message == "Deregistered"
    }
    for emission in case.emissions:
        data = members_of(emission.data)
        if emission.message != "Changes" or data is None or emission.wrong:
            continue
        for change in data.get("changes", []):
            key = (str(change["agent"]), int(change["revision"]))
            if change.get("reason") == "expired" and key not in seen | left and key[0] in own:
                seen.add(key)
                found.setdefault(key[0], []).append((key[1], 0, emission))
    return found


def _as_of(life: Incarnation, revision: float) -> Incarnation:
    """The incarnation with the versions that it had at a revision."""
    versions = [version for version in life.versions if version[0] <= revision]
    return replace(life, versions=versions or life.versions[:1])


def _unplaced(case: Case, out: Judgement, history: History, request: Request, peers: list[Request]) -> None:
    """A refusal that names no revision: a state that the entry had between question and answer has to call for it."""
    answer, agent = request.answers[0], request.source
    placed = [(w, w.answers[0].data.get("revision")) for w in peers if w.answers and w.source == agent]
    known = [(w, r) for w, r in placed if isinstance(r, int)]
    lo = max((r for w, r in known if w.answers[0].n < request.sent_n), default=0)
    hi = min((r for w, r in known if w.sent_n > answer.n), default=NEVER)
    due: dict[str, tuple[Expected, Incarnation | None]] = {}
    for point in {float(lo), *(p for p in history.points(agent) if lo < p < hi)}:
        state, life = history.at(agent, point, answer.t)
        for one in (None,) if state == "absent" else (life,) if state == "live" else (life, None):
            found = expected(request.message, request.data, _as_of(one, point) if one else None)
            due[str(found)] = found, one
    if str(answer) not in due:
        rows = [row for found, _ in due.values() for row in found.rows]
        prose = (
            f"Whenever {request.message} was decided, the answer is {' or '.join(due)}, yet it was {answer}."
        )
        out.blame(rows, answer.n, list(due), str(answer), prose)
        return
    found, life = due[str(answer)]
    history.refused.setdefault(agent, []).append((request, found.rows[0]))
    if len(due) == 1:
        _fired(case, out, request, history.lives.get(agent, []), life)


def _fired(
    case: Case, out: Judgement, request: Request, lives: list[Incarnation], life: Incarnation | None
) -> None:
    """Fire the rows whose trigger speaks of this message in this state of the entry."""
    epoch = lives[-1].epoch if lives else 0
    held: dict[str, Any] = {"state": "buried" if lives else "absent", "epoch": epoch, "revision": 0}
    if life is not None:
        held = {"state": "live", "epoch": life.epoch, "revision": life.versions[-1][1]["revision"]}
    for row in case.law.rows.values():
        if row.on == request.message and holds(row.where, request.data, held):
            out.fire(row.id)


def fold(case: Case, out: Judgement, writes: list[Request]) -> History:
    """Fold the writes that reached a decision into a history, blaming each outcome that no row allows."""
    history = History()
    for agent, items in _decided(case, out, writes).items():
        folding = _Fold(case, out, history, agent)
        for revision, kind, what in sorted(items, key=lambda item: item[:2]):
            if kind == 0:
                folding.expire(revision, what)
            elif not folding.decide(what, what.answer, revision):
                history.tainted = min(history.tainted, revision)
                break
    history.changes.sort(key=lambda change: change.revision)
    if history.tainted == NEVER:
        for request in writes:
            answer = request.answer
            if (
                answer
                and not answer.wrong
                and answer.code.startswith("registry.")
                and "revision" not in answer.data
            ):
                _unplaced(case, out, history, request, writes)
    return history
