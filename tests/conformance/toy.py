"""A registry in plain Python that speaks driver lines: the engine's guinea pig, with defects on request.

Responsible for being right where `defects` is empty, and wrong in exactly one named way for each name in it. It
imports nothing of Comity and shares no code with the suite. Run as a program it serves stdin and stdout.
"""

# pyright: basic
# plays a stranger's code, which checks no types
from __future__ import annotations

import base64
import functools
import hashlib
import json
import re
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

J = dict[str, Any]
REQUIRED = {
    "Register": {"agent", "capabilities", "lease_ms"}, "Update": {"agent", "epoch"}, "Renew": {"agent", "epoch"},
    "Deregister": {"agent", "epoch"}, "Lookup": {"agent", "consistency"}, "Query": {"limit", "consistency"},
    "List": {"limit", "consistency"}, "Count": {"consistency"}, "Watch": {"watch", "lease_ms"}, "Unwatch": {"watch"},
}  # fmt: skip
BODY = {"name", "endpoint", "capabilities", "metadata", "health", "zone", "node", "resources"}
OPTIONAL = {
    "Register": BODY | {"if_revision"}, "Update": BODY | {"clear", "if_revision"}, "Renew": {"lease_ms"},
    "Deregister": {"if_revision"}, "Query": {"where", "order_by", "cursor"}, "List": {"cursor"}, "Count": {"where"},
    "Watch": {"where", "after", "index"},
}  # fmt: skip
WRITES = {"Register", "Update", "Renew", "Deregister", "Watch", "Unwatch"}
TYPES: dict[str, type | tuple[type, ...]] = {
    "agent": str, "capabilities": list, "lease_ms": int, "epoch": int, "if_revision": int, "consistency": str,
    "limit": int, "watch": str, "where": dict, "order_by": list, "cursor": str, "metadata": dict, "resources": dict,
    "clear": list, "name": str, "zone": str, "node": str, "health": str, "endpoint": str, "after": int,
    "index": int,
}  # fmt: skip
KINDS = ("boolean", "number", "string", "list", "map")
MISSING: Any = object()


def kind(v: Any) -> int:
    if isinstance(v, bool):
        return 0
    if isinstance(v, (int, float)):
        return 1
    return 2 if isinstance(v, str) else 3 if isinstance(v, list) else 4


def at(entry: J, path: str) -> Any:
    v: Any = entry
    for key in path.split("."):
        v = v[key] if isinstance(v, dict) and key in v else MISSING
    return v


def equal(v: Any, w: Any) -> bool:
    if kind(v) != kind(w) or v != w:
        return False
    if isinstance(v, list):
        return all(map(equal, v, w))
    return not isinstance(v, dict) or all(equal(v[key], w[key]) for key in v)


def test(entry: J, c: J, bad: set[str]) -> bool:
    v, w, op = at(entry, c["path"]), c.get("value", True), c["op"]
    if op == "exists":
        return (v is not MISSING) == (w is not False)
    if v is MISSING:
        return op == "ne" and "ne-missing" in bad
    same = kind(v) == kind(w)
    if op == "eq":
        return equal(v, w)
    if op == "ne":
        return same and not equal(v, w)
    if op == "in":
        return any(equal(v, x) for x in w)
    if op == "not_in":
        return any(kind(v) == kind(x) for x in w) and not any(equal(v, x) for x in w)
    if op == "contains" and isinstance(v, list):
        bare = c["path"] == "capabilities" and "@" not in str(w) and "bare" not in bad
        return any(equal(x, w) or (bare and str(x).startswith(f"{w}@")) for x in v)
    if op in ("contains", "prefix"):
        return isinstance(v, str) and isinstance(w, str) and (w in v if op == "contains" else v.startswith(w))
    if not same or kind(v) not in (1, 2):
        return False
    if op == "gt" and "gt-equal" in bad:
        return bool(v >= w)
    return bool({"gt": v > w, "gte": v >= w, "lt": v < w, "lte": v <= w}[op])


class Bad(Exception):
    def __init__(self, code: str, pointer: str = "") -> None:
        self.code, self.pointer = code, pointer


def pairs(items: list[tuple[str, Any]]) -> J:
    if len(dict(items)) != len(items):
        raise Bad("core.malformed")
    return dict(items)


def constant(text: str) -> float:
    raise Bad("core.malformed")


def real(text: str) -> float:
    v = float(text)
    if v in (float("inf"), float("-inf")):
        raise Bad("core.malformed")
    return v


def whole(text: str) -> int:
    return int(text) if real(text) else 0


def lex(raw: bytes, bad: set[str]) -> Any:
    hook = dict if "duplicates" in bad else pairs
    try:
        text = raw.decode()
        depth = best = 0
        for ch in re.sub(r'"(\\.|[^"\\])*"', "", text):
            depth += (ch in "[{") - (ch in "]}")
            best = max(best, depth)
        if best > 32:
            raise Bad("core.malformed")
        v = json.loads(
            text, object_pairs_hook=hook, parse_constant=constant, parse_float=real, parse_int=whole
        )
        json.dumps(v, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as e:
        raise Bad("core.malformed") from e
    return v


def wall(text: str) -> float:
    return datetime.fromisoformat(text).timestamp() * 1000


class Toy:
    """One registry behind driver lines."""

    def __init__(self, defects: set[str]) -> None:
        self.bad = defects
        self.reset()

    def reset(self) -> None:
        self.live: dict[str, J] = {}
        self.due: dict[str, int] = {}
        self.epochs: dict[str, int] = {}
        self.done: dict[str, dict[int, J]] = {}
        self.high: dict[str, int] = {}
        self.watches: dict[tuple[str, str], J] = {}
        self.changes: list[J] = []
        self.dropped = 0
        self.clock = self.applied = self.mono = self.wall = 0
        self.held: list[tuple[float, J]] = []
        self.reads: list[J] = []
        self.barrier = self.ticking = False
        self.revision = 0
        self.out: list[J] = []

    # ------------------------------------------------------------------ driver

    def line(self, line: bytes) -> bytes:
        m = json.loads(line)
        d, k = m["data"], m["type"]
        answer = "Done"
        data: J = {}
        if "now" in d:
            self.mono, self.wall = d["now"]["mono_ms"], d["now"]["wall_ms"]
        if k == "Hello":
            answer = "Welcome"
            data = {"version": "1.0", "implementation": {"name": "toy", "version": "0.1", "language": "Python"},
                    "roles": ["registry"], "features": [], "storage": "host", "deterministic": True}  # fmt: skip
        elif k == "Start" and d["profile"] == "open":
            self.reset()
            self.mono = self.applied = d["now"]["mono_ms"]
            self.ns, self.inc = d["namespace"], d["incarnation"]
            self.history = d["parameters"].get("history", 10000)
            self.me = "did:key:z6Mk" + "1" * 44
            self.quiet = False
            self.replaying = d["recovering"]
        elif k == "Deliver":
            self.deliver(base64.b64decode(d["frame"]))
        elif k == "Entry":
            self.quiet = self.replaying
            self.entry(d["position"], json.loads(base64.b64decode(d["data"])))
            self.quiet = False
            self.replaying = self.replaying and not d["last"]
        elif k in ("Reset", "Crash"):
            self.reset()
        elif k not in ("Tick", "Stop", "Persisted"):
            answer = "Unsupported"
        if answer == "Done":
            self.release()
            self.expire()
            data = {"outputs": self.out}
            idle = self.idle()
            if idle is not None:
                data["idle_until"] = idle
            self.out = []
        return json.dumps({"n": m["n"], "type": answer, "data": data}).encode()

    def idle(self) -> int | None:
        times = [int(self.mono + max(0, t - 500 - self.wall)) for t, _ in self.held]
        ends = [*self.due.values(), *(w["due"] for w in self.watches.values())]
        if ends and not self.ticking and "never-expires" not in self.bad:
            times.append(self.applied + max(0, min(ends) - self.clock))
        return min(times, default=None)

    # ------------------------------------------------------------------ receiving

    def deliver(self, raw: bytes) -> None:
        try:
            doc = json.loads(raw)
            source, eid = doc["source"], doc["id"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return
        try:
            message, data = self.check(raw, doc)
        except Bad as e:
            if e.code:
                self.answer(doc, "Refused", {"code": e.code, **({"pointer": e.pointer} if e.pointer else {})})
            return
        request = {"doc": doc, "message": message, "data": data, "source": source, "id": eid}
        request["late"] = "expirytime" in doc and wall(doc["expirytime"]) < self.wall
        self.clocked(request)

    def check(self, raw: bytes, doc: J) -> tuple[str, J]:
        if len(raw) > 262144:
            raise Bad("core.too_large")
        ok = re.fullmatch(r"\d{16}", doc.get("sequence", "")) and re.fullmatch(
            r"\d+\.\d+", doc.get("comityversion", "")
        )
        if not ok or not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", doc.get("time", "")):
            raise Bad("core.malformed")
        if doc["comityaddress"].split(".")[0] != self.ns:
            raise Bad("" if "any-namespace" not in self.bad else "core.invalid")
        major, minor = map(int, doc["comityversion"].split("."))
        if major != 1:
            raise Bad("core.unsupported_version")
        message = doc["type"].rpartition(".")[2]
        if message not in REQUIRED:
            raise Bad("core.unknown_type")
        data = lex(base64.b64decode(doc["data_base64"]), self.bad) if "data_base64" in doc else doc["data"]
        if not isinstance(data, dict):
            raise Bad("core.invalid", "/")
        known = REQUIRED[message] | OPTIONAL.get(message, set())
        if "comitycrit" in doc and not set(doc["comitycrit"].split()) <= known:
            raise Bad("core.not_understood")
        if minor > 0:
            data = {k: v for k, v in data.items() if k in known}
        for k in REQUIRED[message]:
            if k not in data:
                raise Bad("core.invalid", "/" + k)
        for k, v in data.items():
            wrong = k not in known or not isinstance(v, TYPES[k]) or (isinstance(v, str) and v.endswith("\n"))
            if wrong or (k == "lease_ms" and not 100 <= int(v) <= 3600000):
                raise Bad("core.invalid", "/" + k)
        if message in WRITES and data.get("agent", doc["source"]) != doc["source"]:
            raise Bad("core.forbidden")
        return message, data

    def clocked(self, r: J) -> None:
        t = wall(r["doc"]["time"])
        ahead = t > self.wall + 500 and "no-hold" not in self.bad
        if ahead and not r["late"] and not self.seen(r):
            if sum(h["source"] == r["source"] for _, h in self.held) >= 64:
                self.answer(
                    r["doc"], "Refused", {"code": "core.clock_ahead", "retry_after_ms": int(t - self.wall)}
                )
            else:
                self.held.append((t, r))
            return
        self.accept(r)

    def seen(self, r: J) -> bool:
        return r["message"] in WRITES and int(r["doc"]["sequence"]) in self.done.get(r["source"], {})

    def release(self) -> None:
        due = [(t, r) for t, r in self.held if t - 500 <= self.wall]
        self.held = [(t, r) for t, r in self.held if t - 500 > self.wall]
        for _, r in due:
            self.accept(r)

    def accept(self, r: J) -> None:
        if r["message"] in WRITES:
            if "answers-early" in self.bad and r["message"] == "Deregister":
                self.answer(r["doc"], "Deregistered", {"agent": r["source"], "revision": self.revision + 1})
            self.append({"write": r, "at": self.now()})
        elif r["late"]:
            self.answer(r["doc"], "Refused", {"code": "core.expired"})
        elif r["data"]["consistency"] == "eventual" or "no-barrier" in self.bad:
            self.read(r)
        else:
            self.reads.append(r)
            if not self.barrier:
                self.barrier = True
                self.append({"barrier": True, "at": self.now()})

    def now(self) -> int:
        return self.clock + self.mono - self.applied

    def append(self, value: J) -> None:
        self.out.append({"kind": "append", "data": base64.b64encode(json.dumps(value).encode()).decode()})

    # ------------------------------------------------------------------ applying

    def expire(self) -> None:
        ends = [*self.due.values(), *(w["due"] for w in self.watches.values())]
        if ends and not self.ticking and min(ends) <= self.now() and "never-expires" not in self.bad:
            self.ticking = True
            self.append({"tick": True, "at": self.now()})

    def entry(self, position: int, e: J) -> None:
        self.revision = self.inc * 2**40 + position
        self.clock = max(self.clock, e["at"])
        self.applied = self.mono
        for agent in [a for a, t in self.due.items() if t <= self.clock]:
            self.bury(agent, "expired")
        self.watches = {k: w for k, w in self.watches.items() if w["due"] > self.clock}
        if "tick" in e:
            self.ticking = False
        elif "barrier" in e:
            self.barrier = False
            waiting, self.reads = self.reads, []
            for r in waiting:
                self.read(r)
        else:
            self.write(e["write"])

    def write(self, r: J) -> None:
        source, seq = r["source"], int(r["doc"]["sequence"])
        done = self.done.setdefault(source, {})
        if seq in done and not ("no-dedup" in self.bad and r["message"] == "Register"):
            if done[seq]["id"] != r["id"]:
                self.answer(r["doc"], "Refused", {"code": "core.sequence_reused"})
            else:
                self.answer(r["doc"], done[seq]["message"], done[seq]["data"])
            return
        high = self.high.get(source, 0)
        if seq + 64 <= high:
            self.answer(r["doc"], "Refused", {"code": "core.stale_request"})
            return
        if r["late"]:
            self.answer(r["doc"], "Refused", {"code": "core.expired"})
            return
        self.high[source] = max(high, seq)
        after: list[Callable[[], None]] = []
        message, data = self.decide(r, after)
        done[seq] = {"id": r["id"], "message": message, "data": data}
        self.done[source] = {s: v for s, v in done.items() if s + 64 > self.high[source]}
        self.answer(r["doc"], message, data)
        for action in after:
            action()

    def decide(self, r: J, after: list[Callable[[], None]]) -> tuple[str, J]:
        d, m, agent, rev = r["data"], r["message"], r["source"], self.revision
        if m in ("Watch", "Unwatch"):
            return self.watching(m, agent, d, after)
        old = self.live.get(agent)
        current = old["revision"] if old else 0

        def refuse(code: str) -> tuple[str, J]:
            return "Refused", {"code": "registry." + code, "revision": rev}

        if m != "Register":
            if old is None:
                return refuse("unknown_agent")
            stale = d["epoch"] != old["epoch"] and not ("stale-renew" in self.bad and m == "Renew")
            if stale:
                return refuse("stale_epoch")
        if d.get("if_revision", current) != current and not ("ignores-if" in self.bad and m == "Update"):
            return refuse("conflict")
        if m == "Register":
            entry = {k: v for k, v in d.items() if k != "if_revision"} | {"epoch": rev, "revision": rev}
            if "merges" in self.bad and old:
                entry = {**old, **entry}
            self.epochs[agent] = rev
            self.due[agent] = self.clock + d["lease_ms"] // (2 if "expires-early" in self.bad else 1)
            after.append(lambda: self.put(agent, old, entry))
            self.live[agent] = entry
            return "Registered", {"agent": agent, "epoch": rev, "revision": rev, "lease_ms": d["lease_ms"]}
        assert old is not None
        if m == "Update":
            cleared = () if "no-clear" in self.bad else d.get("clear", ())
            entry = {k: v for k, v in old.items() if k not in cleared}
            entry |= {k: v for k, v in d.items() if k in BODY} | {"revision": rev}
            self.live[agent] = entry
            after.append(lambda: self.put(agent, old, entry))
            return "Updated", {"agent": agent, "revision": rev}
        if m == "Renew":
            lease = d.get("lease_ms", old["lease_ms"])
            self.live[agent] = {**old, "lease_ms": lease}
            if "renew-bumps" in self.bad:
                self.live[agent]["revision"] = rev
            self.due[agent] = self.clock + lease
            return "Renewed", {"agent": agent, "epoch": old["epoch"], "revision": rev, "lease_ms": lease}
        after.append(lambda: self.bury(agent, "deregistered"))
        return "Deregistered", {"agent": agent, "revision": rev}

    # ------------------------------------------------------------------ watches

    def put(self, agent: str, old: J | None, entry: J) -> None:
        self.changed(
            {"agent": agent, "revision": self.revision, "old": old, "new": entry, "why": "unmatched"}
        )

    def bury(self, agent: str, why: str) -> None:
        old = self.live.pop(agent)
        del self.due[agent]
        self.changed({"agent": agent, "revision": self.revision, "old": old, "new": None, "why": why})

    def changed(self, c: J) -> None:
        self.changes.append(c)
        if len(self.changes) > self.history:
            self.dropped = self.changes.pop(0)["revision"]
        for (source, name), w in self.watches.items():
            covered = c["old"] is not None and self.matches(c["old"], w["where"])
            told = self.told(c, w["where"])
            if told["kind"] == "put" or (covered and "no-unmatched" not in self.bad):
                self.batch(source, name, w, [told])

    def told(self, c: J, where: J) -> J:
        base = {"agent": c["agent"], "revision": c["revision"]}
        if c["new"] is not None and self.matches(c["new"], where):
            return {"kind": "put", **base, "entry": c["new"]}
        return {"kind": "delete", **base, "reason": c["why"]}

    def batch(self, source: str, name: str, w: J, changes: list[J], synced: bool = False) -> None:
        w["index"] += 2 if "index-gap" in self.bad and w["index"] == 1 else 1
        data = {"watch": name, "index": w["index"], "revision": self.revision, "changes": changes}
        if synced:
            data["synced"] = True
        self.send("changes", source, "Changes", data, {})

    def watching(self, m: str, source: str, d: J, after: list[Callable[[], None]]) -> tuple[str, J]:
        key = (source, d["watch"])
        old = self.watches.get(key)
        if m == "Unwatch":
            if old is None:
                return "Refused", {"code": "registry.unknown_watch"}
            del self.watches[key]
            return "Unwatched", {"watch": d["watch"]}
        if old is None and "index" in d:
            return "Refused", {"code": "registry.unknown_watch", "revision": self.revision}
        if old is not None:
            old["due"] = self.clock + d["lease_ms"]
            found = old
        else:
            start, where = d.get("after"), d.get("where", {})
            if start is not None and not self.dropped <= start < self.revision:
                return "Refused", {"code": "registry.compacted", "revision": self.revision}
            found = {"where": where, "index": 0, "due": self.clock + d["lease_ms"]}
            self.watches[key] = found
            after.append(functools.partial(self.begin, source, d["watch"], found, start))
        return "Watching", {"watch": d["watch"], "revision": self.revision, "index": found["index"],
                            "lease_ms": d["lease_ms"]}  # fmt: skip

    def begin(self, source: str, name: str, w: J, start: int | None) -> None:
        if start is None:
            entries = sorted(
                (e for e in self.live.values() if self.matches(e, w["where"])), key=lambda e: e["revision"]
            )
            told = [
                {"kind": "put", "agent": e["agent"], "revision": e["revision"], "entry": e} for e in entries
            ]
        else:
            told = [self.told(c, w["where"]) for c in self.changes if c["revision"] > start]
            if "no-tombstones" in self.bad:
                told = [c for c in told if c["kind"] == "put"]
        for n in range(0, max(1, len(told)), 64):
            self.batch(source, name, w, told[n : n + 64], n + 64 >= len(told))

    # ------------------------------------------------------------------ reading

    def matches(self, e: J, where: J) -> bool:
        some = where.get("any")
        return all(test(e, c, self.bad) for c in where.get("all", ())) and (
            not some or any(test(e, c, self.bad) for c in some)
        )

    def read(self, r: J) -> None:
        d, m = r["data"], r["message"]
        if m == "Lookup":
            e = self.live.get(d["agent"])
            if e is None:
                self.answer(
                    r["doc"], "Refused", {"code": "registry.unknown_agent", "revision": self.revision}
                )
            else:
                self.answer(r["doc"], "Found", {"entry": e, "revision": self.revision})
            return
        found = [e for e in self.live.values() if self.matches(e, d.get("where", {}))]
        if m == "Count":
            self.answer(r["doc"], "Counted", {"count": len(found), "revision": self.revision})
            return
        order = d.get("order_by", [])
        mark = hashlib.sha256(json.dumps([m, d.get("where"), order], sort_keys=True).encode()).hexdigest()[:8]
        found.sort(key=lambda e: self.place([at(e, k["path"]) for k in order] + [e["agent"]], order))
        if "cursor" in d:
            try:
                c = json.loads(base64.urlsafe_b64decode(d["cursor"] + "=="))
                good = c["mark"] == mark
            except (ValueError, KeyError, TypeError, RecursionError):
                good = False
            if not good and "any-cursor" not in self.bad:
                self.answer(r["doc"], "Refused", {"code": "registry.bad_cursor"})
                return
            last = self.place([MISSING if v is None else v for v in c["place"]], order)
            found = [
                e for e in found if self.place([at(e, k["path"]) for k in order] + [e["agent"]], order) > last
            ]
        n = d["limit"] + ("off-by-one" in self.bad)
        data: J = {"entries": found[:n], "revision": self.revision}
        if len(found) > n:
            place = [None if v is MISSING else v for v in [at(found[n - 1], k["path"]) for k in order]]
            text = json.dumps({"mark": mark, "place": [*place, found[n - 1]["agent"]]})
            data["cursor"] = base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()
        self.answer(r["doc"], "Page", data)

    def place(self, values: list[Any], order: list[J]) -> Any:
        down = [bool(k.get("descending")) and "ignores-desc" not in self.bad for k in order] + [False]

        def compare(a: list[Any], b: list[Any]) -> int:
            for x, y, d in zip(a, b, down, strict=True):
                if x is MISSING or y is MISSING:
                    r = (x is MISSING) - (y is MISSING)
                elif kind(x) != kind(y):
                    r = (kind(x) - kind(y)) * (-1 if d else 1)
                else:
                    r = ((x > y) - (x < y)) * (-1 if d else 1) if kind(x) < 3 else 0
                if r:
                    return r
            return 0

        return functools.cmp_to_key(compare)(values)

    # ------------------------------------------------------------------ sending

    def answer(self, doc: J, message: str, data: J) -> None:
        if self.quiet:
            return
        wrong = "wrong-correlation" in self.bad and message == "Renewed"
        self.send("replies", doc["source"], message, data, {"correlationid": "x" if wrong else doc["id"]})

    def send(self, channel: str, to: str, message: str, data: J, extra: J) -> None:
        address = f"{self.ns}.registry.v1.{channel}.{to}"
        mark = json.dumps([message, address, extra, data], sort_keys=True)
        when = datetime.fromtimestamp(self.wall / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "Z"
        doc = {"specversion": "1.0", "id": hashlib.sha256(mark.encode()).hexdigest()[:32], "source": self.me,
               "type": f"comity.registry.v1.{message}", "time": when, "datacontenttype": "application/json",
               "sequence": "0" * 16, "comityversion": "1.0", "comityaddress": address, **extra, "data": data}  # fmt: skip
        frame = base64.b64encode(json.dumps(doc).encode()).decode()
        self.out.append({"kind": "send", "address": address, "frame": frame})


def factory(*defects: str) -> Callable[[], Callable[[bytes], bytes]]:
    """How to make a toy with defects, as the suite's in-process driver wants it."""
    return lambda: Toy(set(defects)).line


def toy() -> Callable[[bytes], bytes]:
    return Toy(set()).line


def main(args: list[str]) -> None:
    """Serve stdio; arguments are defects, or ways to misbehave: hang:N die:N garbage:N order:N flood:N."""
    ways = {name: int(n) for name, _, n in (arg.partition(":") for arg in args) if n}
    serve = Toy({arg for arg in args if ":" not in arg}).line
    out = sys.stdout.buffer
    for count, line in enumerate(sys.stdin.buffer, 1):
        if ways.get("hang") == count:
            time.sleep(60)
        if ways.get("die") == count:
            sys.exit(3)
        answer = serve(line)
        if ways.get("garbage") == count:
            answer = b"Traceback (most recent call last):"
        if ways.get("order") == count and answer:
            answer = json.dumps({**json.loads(answer), "n": json.loads(answer)["n"] + 1}).encode()
        out.write(answer + b"\n" + (answer + b"\n" if ways.get("flood") == count else b""))
        out.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
