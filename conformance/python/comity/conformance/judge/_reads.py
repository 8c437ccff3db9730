"""Reads against the model: lookups, queries, lists and counts at the revision that their answer names.

Responsible for saying whether an answer is one that the rows allow, and which rows a wrong one breaks. Not
responsible for writes or watches.
"""

from __future__ import annotations

from typing import Any

from ..expression import holds
from ..wire import dump, items_of, members_of
from ._case import Case, Emission, Judgement, Request
from ._filters import MISSING, criteria, kind_of, matches, place, satisfies, sort_key, value_at
from ._history import History, Incarnation
from ._lookups import Lookups

__all__ = ["judge_reads"]

FULL = 0.9  # of the half of a channel that a page may fill, attributes and other spellings aside
OPS = ("eq", "ne", "gt", "gte", "lt", "lte", "in", "not_in", "contains", "prefix", "exists")
OP_ROW = {op: f"REG-QRY-{n:03d}" for n, op in enumerate(OPS, 2)}


class _Reads(Lookups):
    """Judges queries, lists and counts as well."""

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
        limit = self._limit(live, data["limit"], len(said["entries"]))
        wanted = live[:limit]
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

    def _limit(self, live: list[dict[str, Any]], limit: int, count: int) -> int:
        """The page's limit, or what it holds where one entry more would not fit into half of its channel."""
        if not 0 < count < min(limit, len(live)):
            return limit
        half = self.case.law.max_bytes(self.case.law.channel("Page")) // 2
        size = sum(len(dump(entry).encode()) for entry in live[: count + 1])
        return count if size > half * FULL else limit

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
