"""A plain agent that shares nothing with the reference and takes every liberty that the rows leave.

Responsible for being right in other ways: it repeats after two seconds, renews at half of its lease, polls its clock,
gives its lease up early, keeps no blocks of sequences and names things differently. Imports nothing of Comity.
"""

# pyright: basic
# plays a stranger's code, which checks no types
from __future__ import annotations

import base64
import calendar
import json
import time
from typing import Any

__all__ = ["AgentToy"]

Data = dict[str, Any]
ME = "did:key:z6Mk" + "7" * 44
RETRY, POLL, EARLY = 2_000, 250, 40
READS = {"update": "Update", "lookup": "Lookup", "query": "Query", "list": "List", "count": "Count"}
WELCOME = {
    "version": "1.0",
    "implementation": {"name": "toy-agent", "version": "1", "language": "Python"},
    "roles": ["agent"],
    "features": [],
    "storage": "host",
    "deterministic": True,
}


class AgentToy:
    """Call it with a line of the driver protocol."""

    def __init__(self) -> None:
        self.forget({})

    def __call__(self, line: bytes) -> bytes:
        asked = json.loads(line)
        kind, data = asked["type"], asked["data"]
        self.outputs: list[Data] = []
        handler = getattr(self, f"on_{kind.lower()}", None)
        if kind == "Hello":
            answer, said = "Welcome", WELCOME
        elif handler is None:
            answer, said = "Unsupported", {}
        else:
            now = data.get("now", {"mono_ms": 0, "wall_ms": 0})
            self.now, self.wall = now["mono_ms"], now["wall_ms"]
            handler(data)
            answer, said = "Done", {"outputs": self.outputs}
            if self.pending or self.lease or self.held or self.watches:
                said["idle_until"] = self.now + POLL
        return json.dumps({"n": asked["n"], "type": answer, "data": said}).encode()

    def forget(self, _: Data) -> None:
        self.pending: dict[str, Data] = {}
        self.watches: dict[str, Data] = {}
        self.lease: Data = {}
        self.entry: Data = {}
        self.held: list[Data] = []
        self.unkept: list[Data] = []
        self.count = 0
        self.now = self.wall = 0

    on_reset = on_crash = on_stop = forget

    def on_start(self, data: Data) -> None:
        self.forget(data)
        self.namespace = data["namespace"]
        self.count = int(base64.b64decode(data["stored"][0]["data"])) if data["stored"] else 0

    def on_persisted(self, data: Data) -> None:
        for ask in self.unkept:
            self.transmit(ask)
        self.unkept.clear()

    # ----------------------------------------------------------------- requests

    def ask(self, message: str, content: Data, about: str, **more: Any) -> None:
        """A new request about something; it takes the place of an older one."""
        self.drop(about)
        self.count += 1
        to = f"{self.namespace}.registry.v1.requests.{ME}"
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.wall // 1000))
        event: Data = {
            "specversion": "1.0", "id": f"ask:{self.count}", "source": ME, "time": stamp,
            "type": f"comity.registry.v1.{message}", "datacontenttype": "application/json",
            "sequence": f"{self.count:016d}", "comityversion": "1.0", "comityaddress": to, "data": content,
        }  # fmt: skip
        ask = {
            "event": event,
            "message": message,
            "about": about,
            "first": self.now,
            "sent": self.now,
            **more,
        }
        self.pending[event["id"]] = ask
        kept = base64.b64encode(str(self.count).encode()).decode()
        self.outputs.append({"kind": "persist", "token": "count", "data": kept})
        self.unkept.append(ask)

    def transmit(self, ask: Data) -> None:
        frame = base64.b64encode(json.dumps(ask["event"]).encode()).decode()
        self.outputs.append({"kind": "send", "address": ask["event"]["comityaddress"], "frame": frame})

    def drop(self, about: str) -> None:
        self.pending = {name: ask for name, ask in self.pending.items() if ask["about"] != about}

    def tell(self, event: str, ticket: Any, **data: Any) -> None:
        self.outputs.append({"kind": "notify", "event": event, "data": {"ticket": ticket, **data}})

    # ---------------------------------------------------------------- the user

    def on_do(self, data: Data) -> None:
        request, args = data["request"], dict(data["args"])
        ticket = args.pop("ticket")
        match request:
            case "join" if not self.entry and not self.lease:
                self.entry, self.ticket = {**args, "agent": ME}, ticket
                self.ask("Register", self.entry, "membership")
            case "leave" if self.lease.get("leaving"):
                return
            case "leave" if self.lease:
                self.ask("Deregister", {"agent": ME, "epoch": self.lease["epoch"]}, "membership")
                self.lease["leaving"], self.entry = True, {}
            case "leave":
                self.drop("membership")
                self.entry = {}
            case "watch" if ticket not in self.watches:
                watch = self.watches[ticket] = {"revision": args.get("after", 0), "wish": args}
                self.begin(ticket, watch)
            case "unwatch" if ticket in self.watches:
                watch = self.watches.pop(ticket)
                self.ask("Unwatch", {"watch": watch["name"]}, f"watch {ticket}", ticket=ticket)
            case _ if request in READS and (request != "update" or self.lease):
                until = self.now + args.pop("timeout_ms", 5_000)
                own = {"agent": ME, "epoch": self.lease["epoch"]} if request == "update" else {}
                self.ask(READS[request], {**args, **own}, f"read {ticket}", ticket=ticket, until=until)

    def begin(self, ticket: str, watch: Data) -> None:
        watch["name"], watch["index"] = f"n{self.count + 1}", 0
        behind = {"after": watch["revision"]} if watch["revision"] else {}
        wish = {name: value for name, value in watch["wish"].items() if name != "after"}
        self.ask("Watch", {**wish, **behind, "watch": watch["name"]}, f"watch {ticket}", ticket=ticket)
        watch["renew"] = self.now + watch["wish"]["lease_ms"] // 2

    def prolong(self, ticket: str, watch: Data) -> None:
        named = {"watch": watch["name"], "lease_ms": watch["wish"]["lease_ms"], "index": watch["index"]}
        self.ask("Watch", named, f"watch {ticket}", ticket=ticket)
        watch["renew"] = self.now + watch["wish"]["lease_ms"] // 2

    # --------------------------------------------------------------------- time

    def on_tick(self, _: Data) -> None:
        held, self.held = self.held, []
        for doc in held:
            self.read(doc)
        for name, ask in list(self.pending.items()):
            if ask.get("until", self.now + 1) <= self.now:
                del self.pending[name]
                self.tell("timed_out", ask["ticket"])
            elif self.now >= ask["sent"] + RETRY and ask not in self.unkept:
                ask["sent"] = self.now
                self.transmit(ask)
        for ticket, watch in self.watches.items():
            waits = any(ask["about"] == f"watch {ticket}" for ask in self.pending.values())
            if self.now >= watch["renew"] and not waits:
                self.prolong(ticket, watch)
        self.keep_lease()

    def keep_lease(self) -> None:
        lease = self.lease
        if not lease:
            return
        if self.now >= lease["ends"] - POLL - EARLY:
            self.lease = {}
            self.drop("membership")
            if self.entry:
                self.tell("lost", self.ticket)
                self.ask("Register", self.entry, "membership")
            else:
                self.tell("left", self.ticket)
        elif self.now >= lease["renew"] and not lease.get("leaving"):
            lease["renew"] = self.now + 10**9
            self.ask("Renew", {"agent": ME, "epoch": lease["epoch"]}, "membership")

    # -------------------------------------------------------------- what comes

    def on_deliver(self, data: Data) -> None:
        try:
            self.read(json.loads(base64.b64decode(data["frame"])))
        except ValueError:
            return

    def read(self, doc: Data) -> None:
        if not doc["comityaddress"].startswith(f"{self.namespace}."):
            return
        head, _, fraction = doc["time"].rstrip("Z").partition(".")
        at = calendar.timegm(time.strptime(head, "%Y-%m-%dT%H:%M:%S")) * 1000 + int(fraction or 0)
        if at - self.wall > 500:
            self.held.append(doc)
            return
        message = doc["type"].rpartition(".")[2]
        if message == "Changes":
            self.changes(doc["data"])
            return
        ask = self.pending.pop(doc.get("correlationid", ""), None)
        if ask is not None:
            self.answered(ask, message, doc["data"])

    def answered(self, ask: Data, message: str, data: Data) -> None:
        watch = self.watches.get(str(ask.get("ticket")))
        match message:
            case "Registered" | "Renewed":
                length, first = data["lease_ms"], ask["first"]
                self.lease = {
                    "epoch": data["epoch"],
                    "ends": first + length,
                    "renew": self.now + length // 2 - POLL,
                }
                if message == "Registered":
                    self.tell("joined", self.ticket)
                self.keep_lease()
            case "Watching":
                if watch is not None and data["index"] > watch["index"]:
                    self.begin(ask["ticket"], watch)
            case "Refused":
                self.refused(ask, watch, data["code"])
            case "Deregistered":
                self.lease = {}
                self.tell("left", self.ticket)
            case "Unwatched":
                self.tell("closed", ask["ticket"])
            case _:
                self.tell("answered", ask["ticket"], reply=message)

    def refused(self, ask: Data, watch: Data | None, code: str) -> None:
        match ask["message"]:
            case "Register" | "Renew" | "Deregister":
                told = {"Register": "refused", "Renew": "lost", "Deregister": "left"}[ask["message"]]
                self.lease, self.entry = {}, {}
                self.tell(told, self.ticket, code=code)
            case "Watch" if watch is not None:
                if code != "registry.unknown_watch":
                    watch["revision"] = 0
                    self.tell("reset", ask["ticket"])
                self.begin(ask["ticket"], watch)
            case "Unwatch":
                self.tell("closed", ask["ticket"])
            case _:
                self.tell("refused", ask["ticket"], code=code)

    def changes(self, data: Data) -> None:
        for ticket, watch in self.watches.items():
            if watch["name"] != data["watch"]:
                continue
            if data["index"] == watch["index"] + 1:
                watch["index"], watch["revision"] = data["index"], data["revision"]
                brief = [{k: v for k, v in change.items() if k != "entry"} for change in data["changes"]]
                self.tell("changes", ticket, index=data["index"], revision=data["revision"], changes=brief)
            elif data["index"] > watch["index"]:
                self.begin(ticket, watch)
