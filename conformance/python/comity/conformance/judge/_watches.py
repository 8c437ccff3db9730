"""Watches against the model: every stream of Changes has to be what the history makes of its filter.

Responsible for telling the lives of a watch apart, for the numbering, and for completeness, order and reasons of
the changes. Not responsible for the history itself.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ._case import Case, Emission, Judgement, Request
from ._filters import matches
from ._history import NEVER, Change, History
from ._streams import Due, Stream, overlap, settled

__all__ = ["judge_watches"]


class _Watches:
    def __init__(self, case: Case, out: Judgement, history: History) -> None:
        self.case, self.out, self.history = case, out, history

    # ---------------------------------------------------------- lives of a watch

    def name(self, source: str, name: str, requests: list[Request]) -> None:
        """Judge everything about one watch name of one source."""
        batches = self._batches(source, name)
        ordered = sorted((r for r in requests if r.answers), key=lambda r: r.answers[0].n)
        if overlap(ordered):
            return
        streams: list[Stream] = []
        for request in ordered:
            answer = self._answer(request)
            current = streams[-1] if streams and streams[-1].closed is None else None
            sent = [b for b in batches if b.n < answer.n and (not current or b.n > current.start)]
            if request.message == "Unwatch":
                self._unwatch(request, answer, current)
            elif "index" in request.data and self._is_gone(request, answer, current):
                self._gone(request, answer, current)
            elif current is not None and not self._is_new(current, answer, sent):
                self._prolong(request, answer, current, sent)
            else:
                if current is not None:
                    current.replaced_n = answer.n
                stream = self._open(source, name, request, answer)
                if stream is not None:
                    streams.append(stream)
        for n, stream in enumerate(streams):
            until = streams[n + 1].start if n + 1 < len(streams) else NEVER
            stream.batches = [b for b in batches if stream.start < b.n < until]
            self._judge(stream)

    def _answer(self, request: Request) -> Emission:
        """The answer; the one that opens a watch counts before its batches, whichever channel was faster."""
        answer = request.answers[0]
        if self.case.in_order or answer.message != "Watching" or answer.data["index"]:
            return answer
        return replace(answer, n=request.deliveries[0].n)

    def _batches(self, source: str, name: str) -> list[Emission]:
        found: dict[str, Emission] = {}
        for emission in self.case.emissions:
            mine = emission.message == "Changes" and emission.address.endswith("." + source)
            if mine and not emission.wrong and emission.data.get("watch") == name:
                found.setdefault(str(emission.doc.get("id")), emission)
        return list(found.values())

    def _is_new(self, current: Stream, answer: Emission, sent: list[Emission]) -> bool:
        """Whether a Watching after a possible lapse speaks of a new life."""
        lapsed = answer.t >= current.earliest
        return lapsed and answer.message == "Watching" and answer.data["index"] == 0 and bool(sent)

    def _is_gone(self, request: Request, answer: Emission, current: Stream | None) -> bool:
        """Whether a watch to be prolonged has ended; between the ends of its lease and of the grace the answer tells."""
        if current is None or request.sent_t > current.latest + self.case.slack:
            self.out.fire("REG-WCH-013")
            return True
        return answer.t >= current.earliest and answer.code == "registry.unknown_watch"

    def _gone(self, request: Request, answer: Emission, current: Stream | None) -> None:
        if answer.code != "registry.unknown_watch":
            wanted = "Refused registry.unknown_watch"
            prose = f"A watch that is not live was to be prolonged, and the answer is {answer}."
            self._wrong(["REG-WCH-013"], answer, wanted, prose)
        if current is not None:
            current.closed, current.closing_n = answer, request.sent_n

    def _lease(self, stream: Stream, request: Request, answer: Emission) -> None:
        lease = request.data["lease_ms"]
        stream.earliest = request.sent_t + lease
        stream.latest = float(answer.t + lease + self.case.grace)
        for crash in self.case.crashes:
            if crash.up_n > answer.n:
                stream.latest = max(stream.latest, crash.up_t + lease + self.case.grace)

    def _wrong(self, rows: list[str], answer: Emission, allowed: str, prose: str) -> None:
        self.out.blame(rows, answer.n, allowed, str(answer), prose)

    def _unwatch(self, request: Request, answer: Emission, current: Stream | None) -> None:
        maybe = current is not None and answer.t >= current.earliest
        if current is not None and not maybe:
            self.out.fire("REG-WCH-011")
        live = current is not None and (not maybe or answer.message == "Unwatched")
        wanted = "Unwatched" if live else "Refused registry.unknown_watch"
        if str(answer) != wanted:
            state = "live" if live else "not live"
            crashed = ["REG-WCH-012"] if self.case.crashes else []
            self._wrong(
                ["REG-WCH-011", *crashed],
                answer,
                wanted,
                f"The watch was {state}, yet the answer is {answer}.",
            )
        elif current is not None:
            current.closed, current.closing_n = answer, request.sent_n

    def _prolong(self, request: Request, answer: Emission, current: Stream, sent: list[Emission]) -> None:
        index = max((batch.data["index"] for batch in sent), default=0)
        self.out.fire("REG-WCH-010")
        if answer.message != "Watching":
            self._wrong(
                ["REG-WCH-010"],
                answer,
                f"Watching with index {index}",
                "A live watch was named again and refused.",
            )
        elif answer.data["index"] != index and not self._overtaken(request, answer, current):
            prose = f"The last batch sent was {index}, the answer says {answer.data['index']}."
            crashed = ["REG-WCH-012"] if self.case.crashed_between(current.answer.n, answer.n) else []
            self._wrong(["REG-WCH-010", *crashed], answer, f"Watching with index {index}", prose)
        elif request.data["lease_ms"] != answer.data["lease_ms"]:
            self._wrong(
                ["REG-WCH-010"],
                answer,
                f"lease_ms {request.data['lease_ms']}",
                "The lease is not the one asked for.",
            )
        else:
            self._lease(current, request, answer)

    def _overtaken(self, request: Request, answer: Emission, current: Stream) -> bool:
        """Whether the answer may have been sent between other batches than it arrived between."""
        if self.case.in_order:
            return False
        arrived = [b for b in self._batches(current.source, current.name) if b.n > current.start]
        before = max((b.data["index"] for b in arrived if b.n < request.sent_n), default=0)
        after = max((b.data["index"] for b in arrived), default=0)
        return bool(before <= answer.data["index"] <= after)

    def _open(self, source: str, name: str, request: Request, answer: Emission) -> Stream | None:
        after = request.data.get("after")
        if after is not None and not self._resumable(request, answer, after):
            return None
        if after is None:
            self.out.fire("REG-WCH-001")
        if answer.message != "Watching":
            rows = ["REG-WCH-001" if after is None else "REG-WCH-003"]
            self._wrong(rows, answer, "Watching", "A watch that can be opened was refused.")
            return None
        if answer.data["index"] != 0 or answer.data["lease_ms"] != request.data["lease_ms"]:
            due = f"Watching with index 0 and lease_ms {request.data['lease_ms']}"
            self._wrong(
                ["REG-WCH-001"], answer, due, "A new watch begins at index 0 with the lease asked for."
            )
        stream = Stream(source, name, request.data.get("where"), after, request, answer)
        self._lease(stream, request, answer)
        # what was ordered while the registry was down is applied, and told, before anybody asks for the answer again
        unseen = self.case.crashed_between(request.deliveries[0].n, answer.n)
        stream.start = request.deliveries[0].n if unseen else answer.n
        return stream

    def _resumable(self, request: Request, answer: Emission, after: int) -> bool:
        """Whether a resumption goes on; judges a refusal with `compacted`."""
        history = self.case.parameter("history")
        revision = answer.data.get("revision", NEVER)
        if after >= revision:
            self.out.fire("REG-WCH-004")
            if answer.code != "registry.compacted":
                prose = f"Revision {after} is yet to come, and the watch that resumes behind it was answered {answer}."
                self._wrong(["REG-WCH-004"], answer, "Refused registry.compacted", prose)
            return False
        behind = [c for c in self.history.changes if after < c.revision <= revision and c.n < answer.n]
        loose = sum(life.expired_n is not None or (life.last == NEVER and life.grants[-1].earliest <= answer.t)
                    for lives in self.history.lives.values() for life in lives)  # fmt: skip
        if len(behind) > history:
            self.out.fire("REG-WCH-004")
        elif len(behind) + loose <= history and not self._former(after):
            self.out.fire("REG-TMB-002")
        if answer.code != "registry.compacted":
            return True
        if revision == NEVER and not behind:
            return False  # perhaps yet to come: a refusal need not say when it was decided
        if len(behind) + loose <= history and not self._former(after):
            prose = f"Only {len(behind)} of the last {history} changes lie behind {after}, yet they are called compacted."
            self._wrong(["REG-TMB-002", "REG-WCH-003"], answer, "Watching", prose)
        return False

    def _former(self, after: int) -> bool:
        """Whether a revision lies before the journal's incarnation, of whose changes nothing need be known."""
        incarnation = self.case.plan.incarnation
        return after < incarnation * 2**40 and (incarnation > 1 or self.case.mode == "live")

    # ----------------------------------------------------------------- one life

    def _judge(self, stream: Stream) -> None:
        if not self._numbered(stream):
            return
        if stream.closed is not None and any(b.n > stream.closed.n for b in stream.batches):
            late = next(b for b in stream.batches if b.n > stream.closed.n)
            rows = ["REG-WCH-009"] if stream.closed.message == "Refused" else ["REG-WCH-011"]
            self._wrong(rows, late, "nothing", "A batch was sent after the watch had ended.")
            return
        if any(b.t > stream.latest + self.case.slack for b in stream.batches):
            late = next(b for b in stream.batches if b.t > stream.latest + self.case.slack)
            prose = f"The watch's lease and grace ended at {stream.latest:g} ms; a batch came at {late.t} ms."
            self._wrong(["REG-WCH-009"], late, "nothing", prose)
            return
        self._content(stream)

    def _numbered(self, stream: Stream) -> bool:
        for n, batch in enumerate(stream.batches, 1):
            self.out.fire("REG-WCH-005")
            if batch.data["index"] != n:
                rows = ["REG-WCH-005"]
                if self.case.crashed_between(stream.answer.n, batch.n):
                    rows.insert(0, "REG-WCH-012")
                self._wrong(
                    rows, batch, f"index {n}", f"Batch {n} of the watch has index {batch.data['index']}."
                )
                return False
        return True

    def _content(self, stream: Stream) -> None:
        synced = next((n for n, b in enumerate(stream.batches) if b.data.get("synced")), None)
        resumed = stream.after is not None
        row = "REG-WCH-003" if resumed else "REG-WCH-001"
        if synced is None:
            due_t = min(
                stream.earliest, self.case.end_t if self.case.mode == "sim" else self.case.end_t - 1000
            )
            if stream.answer.t < due_t and stream.closed is None and stream.replaced_n == NEVER:
                rows = (
                    [row, "REG-WCH-012"]
                    if self.case.crashed_between(stream.answer.n, self.case.end_n)
                    else [row]
                )
                self._wrong(
                    rows, stream.answer, "a batch marked synced", "No batch of the watch was marked synced."
                )
            return
        again = next((b for b in stream.batches[synced + 1 :] if b.data.get("synced")), None)
        if again is not None:
            self._wrong(["REG-WCH-010", row], again, "no second synced", "The watch was marked synced twice.")
            return
        first = [c for b in stream.batches[: synced + 1] for c in b.data["changes"]]
        later = [(b, c) for b in stream.batches[synced + 1 :] for c in b.data["changes"]]
        ok = (
            self._resumption(stream, first, stream.batches[synced])
            if resumed
            else self._snapshot(stream, first, stream.batches[synced])
        )
        if ok:
            self._live(stream, later)

    def _snapshot(self, stream: Stream, first: list[dict[str, Any]], batch: Emission) -> bool:
        revision = stream.answer.data["revision"]
        seen = {change["agent"]: change for change in first}
        for agent in self.history.lives:
            state, life = self.history.at(agent, revision, batch.t)
            if life is None or state == "absent" or not matches(life.entry(revision), stream.where):
                continue
            if state == "unsure":
                if agent in seen:
                    life.lo = max(life.lo, revision)
                else:
                    life.hi = min(life.hi, revision)
                    continue
            change = seen.pop(agent, None)
            if change is None or change["kind"] != "put" or change["entry"] != life.entry(revision):
                what = "lacks" if change is None else "has another form of"
                prose = f"The snapshot at revision {revision} {what} the entry of …{agent[-4:]}."
                self._wrong(["REG-WCH-001"], batch, f"a put of …{agent[-4:]}", prose)
                return False
        if seen or len({c["agent"] for c in first}) != len(first):
            names = ", ".join(f"…{agent[-4:]}" for agent in seen) or "an entry twice"
            self._wrong(
                ["REG-WCH-001"], batch, "no other put", f"The snapshot at revision {revision} has {names}."
            )
            return False
        return True

    def _resumption(self, stream: Stream, first: list[dict[str, Any]], batch: Emission) -> bool:
        assert stream.after is not None
        revision = stream.answer.data["revision"]
        due: list[Due] = []
        for change in self.history.changes:
            if stream.after < change.revision <= revision:
                due.append(self._due(change, stream.where, resumed=True))
                self.out.fire("REG-WCH-003")
                if change.after is None:
                    self.out.fire("REG-TMB-001")
        history = self.case.parameter("history")
        rows = ["REG-WCH-003"] if len(due) <= history else ["REG-WCH-004", "REG-WCH-003"]
        if self.case.mode == "live":  # other agents of the namespace are not this plan's
            first = [change for change in first if change["agent"] in self.history.lives]
        return self._align(due, [(batch, change) for change in first], rows, stream, tomb=True)

    def _due(self, change: Change, where: dict[str, Any] | None, *, resumed: bool) -> Due:
        covered = change.before is not None and matches(change.before, where)
        if change.after is not None and matches(change.after, where):
            return Due("put", change.agent, change.revision, "", change.after, change)
        reason = change.reason if change.after is None else "unmatched"
        return Due(
            "delete", change.agent, change.revision, reason, None, change, optional=not covered and resumed
        )

    def _live(self, stream: Stream, later: list[tuple[Emission, dict[str, Any]]]) -> None:
        revision = stream.answer.data["revision"]
        due: list[Due] = []
        for change in self.history.changes:
            if change.revision <= revision or change.n > stream.replaced_n:
                continue
            found = self._due(change, stream.where, resumed=False)
            covered = change.before is not None and matches(change.before, stream.where)
            if found.kind == "put" or covered:
                due.append(found)
                found.optional = not self._mandatory(stream, change)
                if change.n > 0 and change.sure_t > stream.latest:
                    self.out.fire("REG-WCH-009")
        if self._align(due, later, ["REG-WCH-002"], stream, tomb=False):
            self._fire(stream, due)
            self._unseen_expiries(stream, later)

    def _mandatory(self, stream: Stream, change: Change) -> bool:
        if stream.closing_n is not None and change.n >= stream.closing_n:
            return False
        return change.sure_t < stream.earliest

    def _fire(self, stream: Stream, due: list[Due]) -> None:
        for item in due:
            if item.optional:
                continue
            self.out.fire("REG-WCH-002")
            if item.kind == "delete":
                self.out.fire("REG-WCH-006" if item.reason == "unmatched" else "REG-WCH-007")
            if self.case.crashed_between(stream.answer.n, item.change.n):
                self.out.fire("REG-WCH-012")
        for lives in self.history.lives.values():
            for life in lives:
                renewals = [g for g in life.grants[1:] if g.n > stream.answer.n and g.n < stream.replaced_n]
                if any(g.latest < NEVER for g in renewals) and matches(life.versions[-1][1], stream.where):
                    self.out.fire("REG-WCH-008")

    def _unseen_expiries(self, stream: Stream, later: list[tuple[Emission, dict[str, Any]]]) -> None:
        """Entries that were found expired while the watch covered them, of which it was not told."""
        told = {(c["agent"], c["revision"]) for _, c in later if c["kind"] == "delete"}
        for lives in self.history.lives.values():
            for life in lives:
                gone = (life.hi < NEVER and life.end == NEVER) or (
                    life.end < NEVER and life.reason == "replaced" and life.hi < life.end
                )
                if not gone or life.expired_n is None or life.epoch <= stream.answer.data["revision"]:
                    continue
                if (
                    stream.closed
                    or stream.replaced_n < NEVER
                    or life.grants[-1].latest >= min(stream.earliest, self.case.end_t)
                ):
                    continue
                if matches(life.versions[-1][1], stream.where) and not any(
                    agent == life.agent and revision > life.lo for agent, revision in told
                ):
                    prose = (
                        f"The entry of …{life.agent[-4:]} expired, and the watch that covers it was not told."
                    )
                    self.out.blame(["REG-WCH-007"], life.expired_n, "a delete (expired)", "nothing", prose)

    def _align(
        self, due: list[Due], seen: list[tuple[Emission, dict[str, Any]]], rows: list[str], stream: Stream, *, tomb: bool
    ) -> bool:  # fmt: skip
        """Walk what is due and what was sent side by side; blame the first difference."""
        at = 0
        due, seen = settled(due, seen)
        for batch, change in seen:
            while at < len(due) and not due[at].fits(change) and due[at].optional:
                at += 1
            if at < len(due) and due[at].fits(change):
                at += 1
                continue
            wanted = due[at] if at < len(due) else None
            extra = self._why(change, wanted, due[:at], stream, batch.n, tomb)
            shown = f"{change['kind']} …{change['agent'][-4:]} at {change['revision']} {change.get('reason', '')}".strip()
            prose = f"The watch is due {wanted or 'nothing more'} and got {shown}."
            self.out.blame([*extra, *rows], batch.n, str(wanted or "nothing"), shown, prose)
            return False
        rest = [item for item in due[at:] if not item.optional]
        if rest and not (self.case.mode != "sim" and rest[0].change.sure_t > self.case.end_t - 1000):
            extra = self._why(None, rest[0], due[:at], stream, self.case.end_n, tomb)
            prose = f"The watch was never sent {rest[0]}."
            self.out.blame([*extra, *rows], rest[0].change.n, str(rest[0]), "nothing", prose)
            return False
        return True

    def _why(
        self, seen: dict[str, Any] | None, wanted: Due | None, past: list[Due], stream: Stream, n: int, tomb: bool
    ) -> list[str]:  # fmt: skip
        rows: list[str] = []
        if wanted is not None and wanted.kind == "delete":
            if wanted.reason == "unmatched":
                rows.append("REG-WCH-006")
            else:
                rows.append("REG-TMB-001" if tomb else "REG-WCH-007")
        removed = seen is not None and seen.get("reason") in ("deregistered", "expired")
        if removed and not tomb and "REG-WCH-007" not in rows:
            rows.append("REG-WCH-007")
        renewed = seen is not None and seen["kind"] == "put" and any(
            grant.revision == seen["revision"] or life.versions[-1][1]["revision"] == seen["revision"]
            for life in self.history.lives.get(seen["agent"], []) for grant in life.grants[1:]
        )  # fmt: skip
        if renewed and (wanted is None or wanted.revision != (seen or {}).get("revision")):
            rows.append("REG-WCH-008")
        crashed = [c for c in self.case.crashes if stream.answer.n < c.n < n]
        if crashed and (wanted is None or wanted.change.n > crashed[0].n):
            rows.append("REG-WCH-012")
        return rows


def judge_watches(case: Case, out: Judgement, history: History, writes: list[Request]) -> None:
    """Judge all watches of a run."""
    named: dict[tuple[str, str], list[Request]] = {}
    for request in writes:
        if request.message in ("Watch", "Unwatch"):
            named.setdefault((request.source, request.data["watch"]), []).append(request)
    judge = _Watches(case, out, history)
    for (source, name), requests in named.items():
        if all(request.answers and not request.answers[0].wrong for request in requests):
            judge.name(source, name, requests)
    known = set(named)
    for emission in case.emissions:
        if emission.message == "Changes" and not emission.wrong:
            key = (emission.address.rpartition(".")[2], emission.data.get("watch"))
            if key not in known:
                out.blame(["REG-WCH-002"], emission.n, "nothing", f"Changes for {key[1]}",
                          f"Nobody of that address opened a watch named {key[1]}.")  # fmt: skip
