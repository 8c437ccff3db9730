"""The registry as a state machine: the same entries in the same order make the same state, here and anywhere.

No clock, no network, no randomness: what time it is and where an entry stands comes with the entry.
"""

from __future__ import annotations

from functools import cmp_to_key, partial

from .query import batches, compare, cursor, place, read_cursor, satisfies, shortened
from .wire import MEMBERS, WRITES, Json, Refusal, pick, refused


class State:
    """What the journal has decided. `revision` is incarnation × 2^40 + position, `time` journal time in ms."""

    def __init__(self, incarnation: int, history: int) -> None:
        self.base = self.revision = incarnation << 40
        self.time = 0
        self.entries: dict[str, Json] = {}
        self.leases: dict[str, int] = {}  # agent: journal time at which its lease runs out
        self.watches: dict[tuple[str, str], Json] = {}
        self.changes: list[Json] = []  # the last `history` of them, for watches that resume
        self.history, self.compacted = history, 0
        self.outcomes: dict[str, dict[int, Json]] = {}  # by source and sequence (CORE-DLV-001)
        self.wrote: dict[
            str, tuple[int, int]
        ] = {}  # source: journal time and latest `time` of its last writes
        self.retention, self.forgotten = 3_600_000, 0
        self.unsent: list[Json] = []  # Changes that no `sent` entry confirms: sent again after a crash

    def apply(self, position: int, entry: Json) -> Json:
        """Apply one journal entry; the outcome of the request in it, if there is one."""
        self.revision, self.stamp = self.base + position, entry["wall"]
        self.time = max(self.time, entry["at"])
        self.forget(entry["wall"])
        if "sent" in entry:
            self.unsent = [each for each in self.unsent if each["sequence"] > entry["sent"]]
        if "tick" in entry:
            self.lapse()
        if "request" in entry:
            request = entry["request"]
            return self.decided(request) or self.decide(request, entry["expired"])
        return None

    def decided(self, request: Json) -> Json:
        """The outcome of a write that its source sent before, among its last 64 sequences; else None."""
        if request["name"] not in WRITES:
            return None
        known, sequence = self.outcomes.get(request["source"], {}), int(request["sequence"])
        if outcome := known.get(sequence):
            return (
                outcome if outcome["id"] == request["id"] else self.outcome(refused("core.sequence_reused"))
            )
        stale = sequence <= max(known, default=0) - 64 or request["time"] <= self.forgotten
        return self.outcome(refused("core.stale_request")) if stale else None  # CORE-DLV-002, CORE-DLV-005

    def forget(self, wall: int) -> None:
        """Forget who was silent for long, but for the latest `time` of what is forgotten (CORE-DLV-004)."""
        for source, (at, stamp) in [*self.wrote.items()]:
            if at + self.retention <= self.time and stamp + self.retention <= wall:
                del self.wrote[source], self.outcomes[source]
                self.forgotten = max(self.forgotten, stamp)

    def decide(self, request: Json, expired: bool) -> Json:
        name, source = request["name"], request["source"]
        if expired:
            return self.outcome(refused("core.expired"))
        try:
            outcome = self.outcome(getattr(self, f"on_{name.lower()}")(source, request["data"]))
        except Refusal as refusal:
            outcome = self.outcome(refusal.reply)
        if name in WRITES:
            known, sequence = self.outcomes.setdefault(source, {}), int(request["sequence"])
            known[sequence] = {**outcome, "id": request["id"]}
            stamp = max(request["time"], self.wrote.get(source, (0, 0))[1])
            self.wrote[source] = (self.time, stamp)
            for old in [each for each in known if each <= max(known) - 64]:
                del known[old]
        return outcome

    def outcome(self, reply: tuple[str, Json]) -> Json:
        return {"name": reply[0], "data": reply[1], "sequence": self.revision, "stamp": self.stamp}

    # ------------------------------------------------------------------- writes

    def on_register(self, source: str, data: Json) -> tuple[str, Json]:
        agent = data["agent"]
        self.check_revision(data, self.entries.get(agent, {"revision": 0}))  # REG-REG-006, REG-REG-007
        members = {name: value for name, value in data.items() if name != "if_revision"}
        self.put({**members, "epoch": self.revision, "revision": self.revision})
        self.leases[agent] = self.time + data["lease_ms"]
        granted = {"epoch": self.revision, "revision": self.revision}
        return "Registered", {**pick(data, "agent", "lease_ms"), **granted}

    def on_update(self, source: str, data: Json) -> tuple[str, Json]:
        entry = self.held(data)
        self.check_revision(data, entry)
        kept = {name: value for name, value in entry.items() if name not in data.get("clear", ())}
        self.put({**kept, **pick(data, *MEMBERS), "revision": self.revision})
        return "Updated", {"agent": data["agent"], "revision": self.revision}

    def on_renew(self, source: str, data: Json) -> tuple[str, Json]:
        entry = {**self.held(data), **pick(data, "lease_ms")}
        self.entries[data["agent"]] = entry  # same revision, nobody is told (REG-LEASE-005, REG-WCH-008)
        self.leases[data["agent"]] = self.time + entry["lease_ms"]
        return "Renewed", {**pick(entry, "agent", "epoch", "lease_ms"), "revision": self.revision}

    def on_deregister(self, source: str, data: Json) -> tuple[str, Json]:
        self.check_revision(data, self.held(data))
        self.remove(data["agent"], "deregistered")
        return "Deregistered", {"agent": data["agent"], "revision": self.revision}

    def held(self, data: Json) -> Json:
        entry = self.entries.get(data["agent"])
        if entry is None:
            raise Refusal("registry.unknown_agent", revision=self.revision)
        if data["epoch"] != entry["epoch"]:
            raise Refusal("registry.stale_epoch", revision=self.revision)
        return entry

    def check_revision(self, data: Json, entry: Json) -> None:
        if data.get("if_revision", entry["revision"]) != entry["revision"]:
            raise Refusal("registry.conflict", revision=self.revision)

    # ------------------------------------------------------------------ changes

    def put(self, entry: Json) -> None:
        self.entries[entry["agent"]] = entry
        self.change({"kind": "put", "agent": entry["agent"], "revision": self.revision, "entry": entry})

    def remove(self, agent: str, reason: str) -> None:
        del self.entries[agent], self.leases[agent]
        self.change({"kind": "delete", "agent": agent, "revision": self.revision, "reason": reason})

    def lapse(self) -> None:
        for agent in [agent for agent, deadline in self.leases.items() if deadline <= self.time]:
            self.remove(agent, "expired")
        for key in [key for key, watch in self.watches.items() if watch["deadline"] <= self.time]:
            self.drop_watch(key)

    def change(self, change: Json) -> None:
        self.changes.append(change)
        for old in self.changes[: -self.history]:
            self.compacted = old["revision"]
        del self.changes[: -self.history]
        for key, watch in self.watches.items():
            if told := self.seen_by(watch, change, change["agent"] in watch["covered"]):
                self.publish(key, watch, [told])

    def seen_by(self, watch: Json, change: Json, covered: bool) -> Json:
        """`change` as `watch` is told of it, None where it is not. Keeps account of what the watch covers."""
        if change["kind"] == "put" and satisfies(change["entry"], watch["where"]):
            watch["covered"].add(change["agent"])
            return change
        watch["covered"].discard(change["agent"])
        if change["kind"] == "put":  # REG-WCH-006
            change = {**pick(change, "agent", "revision"), "kind": "delete", "reason": "unmatched"}
        return change if covered else None

    def publish(self, key: tuple[str, str], watch: Json, changes: list[Json], **last: bool) -> None:
        groups = batches(changes, 64)
        for group in groups:
            watch["index"] += 1  # REG-WCH-005
            data = {"watch": key[1], "index": watch["index"], "revision": self.revision, "changes": group}
            data |= last if group is groups[-1] else {}
            self.unsent.append({**self.outcome(("Changes", data)), "key": key})

    # ------------------------------------------------------------------ watches

    def on_watch(self, source: str, data: Json) -> tuple[str, Json]:
        key, after = (source, data["watch"]), data.get("after")
        watch: Json = self.watches.get(key)
        if watch is None and "index" in data:
            raise Refusal("registry.unknown_watch", revision=self.revision)  # REG-WCH-013
        if watch is None and after is not None and not self.compacted <= after < self.revision:
            raise Refusal("registry.compacted", revision=self.revision)  # REG-WCH-004
        if opening := watch is None:
            covered: set[str] = set()
            watch = {"where": data.get("where", {}), "covered": covered, "index": 0}
            self.watches[key] = watch
        watch["deadline"] = self.time + data["lease_ms"]
        reply = {**pick(data, "watch", "lease_ms"), "revision": self.revision, "index": watch["index"]}
        if opening:
            self.open_watch(key, watch, after)
        return "Watching", reply

    def open_watch(self, key: tuple[str, str], watch: Json, after: int | None) -> None:
        now = sorted(self.entries.values(), key=lambda entry: entry["revision"])
        puts = [{"kind": "put", **pick(entry, "agent", "revision"), "entry": entry} for entry in now]
        missed = puts if after is None else [each for each in self.changes if each["revision"] > after]
        told = [self.seen_by(watch, each, after is not None) for each in missed]
        watch["covered"] = {entry["agent"] for entry in now if satisfies(entry, watch["where"])}
        self.publish(key, watch, [each for each in told if each], synced=True)

    def on_unwatch(self, source: str, data: Json) -> tuple[str, Json]:
        if (source, data["watch"]) not in self.watches:
            raise Refusal("registry.unknown_watch", revision=self.revision)
        self.drop_watch((source, data["watch"]))
        return "Unwatched", {"watch": data["watch"]}

    def drop_watch(self, key: tuple[str, str]) -> None:
        del self.watches[key]
        self.unsent = [each for each in self.unsent if each["key"] != key]  # REG-WCH-009, REG-WCH-011

    # -------------------------------------------------------------------- reads

    def on_lookup(self, source: str, data: Json) -> tuple[str, Json]:
        if data["agent"] not in self.entries:
            raise Refusal("registry.unknown_agent", revision=self.revision)
        return "Found", {"entry": self.entries[data["agent"]], "revision": self.revision}

    def on_count(self, source: str, data: Json) -> tuple[str, Json]:
        matches = [entry for entry in self.entries.values() if satisfies(entry, data.get("where", {}))]
        return "Counted", {"count": len(matches), "revision": self.revision}

    def on_list(self, source: str, data: Json) -> tuple[str, Json]:
        return self.on_query(source, data)

    def on_query(self, source: str, data: Json) -> tuple[str, Json]:
        where, order = data.get("where", {}), data.get("order_by", [])
        found: list[tuple[list[Json], Json]] = [
            (place(entry, order), entry) for entry in self.entries.values() if satisfies(entry, where)
        ]
        by_place = cmp_to_key(partial(compare, order=order))
        found.sort(key=lambda pair: by_place(pair[0]))
        if "cursor" in data:
            found = self.behind(read_cursor(data["cursor"], where, order), order, found)
        page = batches((entry for _, entry in found), data["limit"])[0]
        reply: dict[str, Json] = {"entries": page, "revision": self.revision}
        if len(page) < len(found):
            reply["cursor"] = cursor(where, order, found[len(page) - 1][0])
        return "Page", reply

    def behind(
        self, last: Json, order: Json, found: list[tuple[list[Json], Json]]
    ) -> list[tuple[list[Json], Json]]:
        """What of `found` stands behind the place of a cursor, which is exact while its entry stands there."""
        try:
            entry = self.entries.get(last[-1][1])
            here = place(entry, order) if entry else last
            last = here if shortened(here) == last else last
            return [pair for pair in found if compare(pair[0], last, order) > 0]
        except (TypeError, ValueError, IndexError, KeyError):
            raise Refusal("registry.bad_cursor") from None
