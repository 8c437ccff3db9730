"""Reads against the model: lookups, queries, lists and counts at the revision that their answer names.

Responsible for saying whether an answer is one that the rows allow, and which rows a wrong one breaks. Not
responsible for writes or watches.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..expression import holds
from ..wire import items_of, members_of
from ._case import Case, Emission, Judgement, Request
from ._filters import MISSING, criteria, kind_of, matches, place, satisfies, sort_key, value_at
from ._history import NEVER, History, Incarnation

__all__ = ["judge_reads"]

OPS = ("eq", "ne", "gt", "gte", "lt", "lte", "in", "not_in", "contains", "prefix", "exists")
OP_ROW = {op: f"REG-QRY-{n:03d}" for n, op in enumerate(OPS, 2)}


class _Reads:
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

    # ----------------------------------------------------------------- queries

    def population(
        self, revision: float, answer: Emission, request: Request
    ) -> list[tuple[Incarnation, str]]:
        """Incarnations that are or may be live at a revision."""
        found: list[tuple[Incarnation, str]] = []
        for agent in self.history.lives:
            state, life = self.history.at(agent, revision, answer.t)
            if life is not None and state != "absent":
                found.append((life, state))
        return found

    def page(self, request: Request, answer: Emission) -> None:
        """Judge a Page as the answer to a Query or List."""
        data, said = request.data, answer.data
        query = request.message == "Query"
        revision, where = said["revision"], data.get("where") if query else None
        order: list[dict[str, Any]] = data.get("order_by", []) if query else []
        behind: list[Any] | None = None
        if "cursor" in data:
            behind = self._behind(request, answer)
            if behind is None:
                return
        seen = {entry["agent"]: entry for entry in said["entries"]}
        live: list[dict[str, Any]] = []
        unseen_unsure = False
        for life, state in self.population(revision, answer, request):
            entry = life.entry(revision)
            fits = matches(entry, where)
            if state == "unsure" and fits:
                if life.agent in seen:
                    self._resolve(life, revision, True, request, answer)
                elif "cursor" not in said and behind is None:
                    self._resolve(life, revision, False, request, answer)
                    continue
                else:
                    unseen_unsure = True
                    continue
            if fits:
                live.append(entry)
            if life.agent in seen and seen[life.agent] != entry and fits:
                self._differs(
                    life, revision, answer, seen[life.agent], ["REG-QRY-001" if query else "REG-LST-001"]
                )
                return
        self._facts(request, live, revision, answer, behind)
        key = sort_key(order)
        live.sort(key=lambda entry: key(place(entry, order)))
        if behind is not None:
            live = [entry for entry in live if key(place(entry, order)) > key(behind)]
        if unseen_unsure:
            return
        self._compare(request, answer, live, where, behind)
        if "cursor" in said and said["entries"]:
            last = place(said["entries"][-1], order)
            self.cursors.setdefault(said["cursor"], (request.message, data, last))

    def _behind(self, request: Request, answer: Emission) -> list[Any] | None:
        data = request.data
        given = self.cursors.get(data["cursor"])
        same = given is not None and given[0] == request.message and all(
            given[1].get(name) == data.get(name) for name in ("where", "order_by")
        )  # fmt: skip
        if same:
            assert given is not None
            return given[2]
        if request.message == "Query":
            self._wrong(answer, ["REG-QRY-019"], "Refused registry.bad_cursor")
        return None

    def _compare(
        self,
        request: Request,
        answer: Emission,
        live: list[dict[str, Any]],
        where: Any,
        behind: list[Any] | None,
    ) -> None:
        data, said = request.data, answer.data
        query = request.message == "Query"
        base = "REG-QRY-001" if query else "REG-LST-001"
        wanted, limit = live[: data["limit"]], data["limit"]
        agents, due = [e["agent"] for e in said["entries"]], [e["agent"] for e in wanted]
        if agents != due:
            rows = self._page_rows(
                agents, [e["agent"] for e in live], due, where, answer, base, behind, limit
            )
            prose = (
                f"At revision {said['revision']} {len(live)} entries are due and the page has {len(agents)}: "
                f"{_short(agents)} instead of {_short(due)}."
            )
            self.out.blame(rows, answer.n, f"entries {_short(due)}", f"entries {_short(agents)}", prose)
        elif ("cursor" in said) != (len(live) > limit):
            rows = ["REG-QRY-014"] if query else ["REG-LST-001", "REG-QRY-014"]
            rest = "further entries match" if len(live) > limit else "no further entry matches"
            seen = "a cursor" if "cursor" in said else "no cursor"
            self.out.blame(rows, answer.n, rest, seen, f"The page has {seen} although {rest}.")

    def _page_rows(
        self, agents: list[str], live: list[str], due: list[str], where: Any, answer: Emission, base: str,
        behind: list[Any] | None, limit: int,
    ) -> list[str]:  # fmt: skip
        if len(agents) > limit:
            return ["REG-QRY-014", base]
        if behind is not None:
            return ["REG-QRY-018", base]
        if sorted(agents) == sorted(due) or (set(agents) <= set(live) and len(agents) == len(due)):
            return ["REG-QRY-017", base] if base != "REG-LST-001" else [base, "REG-QRY-017"]
        if set(agents) < set(due) and len(due) == limit:
            return ["REG-QRY-014", base]
        return [*self._filter_rows(agents, due, where, answer), base, "REG-REV-003"]

    def _filter_rows(self, agents: list[str], due: list[str], where: Any, answer: Emission) -> list[str]:
        rows: list[str] = []
        revision = answer.data["revision"]
        for agent in set(agents) ^ set(due):
            state, life = self.history.at(agent, revision, answer.t)
            if life is None or state == "absent":
                rows += ["REG-DRG-001"] if life and life.reason == "deregistered" else ["REG-LEASE-003"]
                continue
            entry = life.entry(revision)
            for criterion in criteria(where):
                rows += self._criterion_rows(entry, criterion, agent in agents)
        return rows

    def _criterion_rows(self, entry: dict[str, Any], criterion: dict[str, Any], extra: bool) -> list[str]:
        if criterion["path"] == "metadata.case" or (extra and satisfies(entry, criterion)):
            return []
        value, wanted = value_at(entry, criterion["path"]), criterion.get("value", True)
        rows = [OP_ROW[criterion["op"]]]
        if value is MISSING:
            rows.insert(0, "REG-QRY-013")
        elif _mismatch(criterion, value, wanted):
            rows.insert(0, "REG-QRY-015")
        elif _bare(criterion):
            rows.insert(0, "REG-QRY-016")
        return rows

    def _facts(
        self,
        request: Request,
        live: list[dict[str, Any]],
        revision: int,
        answer: Emission,
        behind: list[Any] | None,
    ) -> None:
        """Fire what this answered query exercised."""
        fire = self.out.fire
        entries = [
            life.entry(revision)
            for life, state in self.population(revision, answer, request)
            if state == "live"
        ]
        self._message_rows(request)
        if request.message in ("Query", "Count") and entries:
            for criterion in criteria(request.data.get("where")):
                if criterion["path"] != "metadata.case":
                    self._criterion_facts(criterion, entries)
        if request.message == "Count":
            return
        if len(live) > request.data["limit"]:
            fire("REG-QRY-014")
        if behind is not None:
            fire("REG-QRY-018")
        if request.data.get("order_by") and len(live) > 1:
            fire("REG-QRY-017")

    def _message_rows(self, request: Request) -> None:
        for row in self.case.law.rows.values():
            if row.on == request.message and holds(row.where, request.data, {}):
                self.out.fire(row.id)

    def _criterion_facts(self, criterion: dict[str, Any], entries: list[dict[str, Any]]) -> None:
        values = [value_at(entry, criterion["path"]) for entry in entries]
        self.out.fire(OP_ROW[criterion["op"]])
        if MISSING in values:
            self.out.fire("REG-QRY-013")
        if any(v is not MISSING and _mismatch(criterion, v, criterion.get("value", True)) for v in values):
            self.out.fire("REG-QRY-015")
        if _bare(criterion):
            self.out.fire("REG-QRY-016")

    def count(self, request: Request, answer: Emission) -> None:
        revision, where = answer.data["revision"], request.data.get("where")
        sure = unsure = 0
        live: list[dict[str, Any]] = []
        for life, state in self.population(revision, answer, request):
            if matches(life.entry(revision), where):
                sure += state == "live"
                unsure += state == "unsure"
                live.append(life.entry(revision))
        self._facts(request, live, revision, answer, None)
        count = answer.data["count"]
        if not sure <= count <= sure + unsure:
            due = str(sure) if not unsure else f"{sure} to {sure + unsure}"
            rows = ["REG-CNT-001"]
            for criterion in criteria(where):
                rows += [OP_ROW[criterion["op"]]] if criterion["path"] != "metadata.case" else []
            self.out.blame(rows, answer.n, f"count {due}", f"count {count}",
                           f"{due} live entries match at revision {revision}; the answer says {count}.")  # fmt: skip


def _mismatch(criterion: dict[str, Any], value: Any, wanted: Any) -> bool:
    match criterion["op"]:
        case "exists":
            return False
        case "in" | "not_in":
            return all(kind_of(value) != kind_of(item) for item in items_of(wanted) or [])
        case "contains":
            return not isinstance(value, (list, str)) or (
                isinstance(value, str) and not isinstance(wanted, str)
            )
        case _:
            return kind_of(value) != kind_of(wanted)


def _bare(criterion: dict[str, Any]) -> bool:
    value = criterion.get("value")
    return criterion["op"] == "contains" and criterion["path"] == "capabilities" and "@" not in str(value)


def _is_deregister(data: dict[str, Any], message: str) -> bool:
    return message == "Deregister"


def _short(agents: list[str]) -> str:
    return "[" + ", ".join(f"…{agent[-4:]}" for agent in agents) + "]"


def judge_reads(
    case: Case, out: Judgement, history: History, reads: list[Request], floor: list[tuple[int, int]]
) -> None:
    """Judge every answer to every read. `floor` lists (record, revision) of answered writes in order."""
    judge = _Reads(case, out, history, floor)
    known_last = max((revision for _, revision in floor), default=0)
    answers = sorted(
        ((answer, request) for request in reads for answer in request.answers), key=lambda p: p[0].n
    )
    for answer, request in answers:
        said = members_of(answer.data)
        if said is None or answer.wrong:
            continue
        _revisions(judge, request, answer)
        if said.get("revision", known_last) >= history.tainted:
            continue
        match request.message, answer.message:
            case "Lookup", _:
                judge.lookup(request, answer)
            case (("Query" | "List"), "Page"):
                judge.page(request, answer)
            case "Count", "Counted":
                judge.count(request, answer)
            case _:
                _refusal(judge, request, answer)


def _revisions(judge: _Reads, request: Request, answer: Emission) -> None:
    """REV-004, and what an eventual read fires."""
    revision = answer.data.get("revision")
    linearizable = request.data["consistency"] == "linearizable"
    known = judge.known_at(request.sent_n)
    if linearizable and isinstance(revision, int) and known:
        judge.out.fire("REG-REV-004")
        if revision < known:
            prose = f"A write was answered at revision {known} before the read was sent, yet the read is true at {revision}."
            judge.out.blame(
                ["REG-REV-004"], answer.n, f"a revision of at least {known}", str(revision), prose
            )
    if not linearizable and isinstance(revision, int):
        judge.out.fire("REG-REV-003")
        if judge.history.refused:
            judge.out.fire("REG-REF-001")


def _refusal(judge: _Reads, request: Request, answer: Emission) -> None:
    """A query that was refused: only a cursor that it did not give can be the reason."""
    data = request.data
    if "cursor" in data and answer.code == "registry.bad_cursor":
        given = judge.cursors.get(data["cursor"])
        same = given is not None and given[0] == request.message and all(
            given[1].get(name) == data.get(name) for name in ("where", "order_by")
        )  # fmt: skip
        if same:
            judge.out.blame(["REG-QRY-018"], answer.n, "the next page", str(answer),
                            "The cursor came from this very query and was refused.")  # fmt: skip
        elif request.message == "Query":
            judge.out.fire("REG-QRY-019")
        return
    rows = {"Query": "REG-QRY-001", "List": "REG-LST-001", "Count": "REG-CNT-001"}
    extra: list[str] = ["REG-QRY-019"] if "cursor" in data else []
    for criterion in criteria(data.get("where")):
        if criterion["path"] != "metadata.case":
            extra += ["REG-QRY-015", OP_ROW[criterion["op"]]]
    judge.out.blame([*extra, rows[request.message]], answer.n, "an answer", str(answer),
                    f"A valid {request.message} was refused with {answer.code}.")  # fmt: skip
