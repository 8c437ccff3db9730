#!/usr/bin/env python3
"""A Comity registry in plain Python: nothing but the standard library, everything in memory, four files to copy.

Read `wire.py`, `query.py` and `state.py` first. Here is the endpoint, which checks what arrives, and below it the
adapter through which the conformance suite drives it. Comments name the requirements that a line keeps. Nothing is
decided when a request arrives: it is appended to the journal and decided when it comes back in its place.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from datetime import UTC, datetime
from math import inf

from .state import State
from .wire import (
    OPTIONAL,
    REQUESTS,
    REQUIRED,
    WRITES,
    Json,
    Refusal,
    compact,
    matches,
    moment,
    open_event,
    payload,
    pick,
    refused,
)

MAX_BYTES = 262_144


class Registry:
    """One registry. It has no clock, network or disk: `outputs` says what it wants done."""

    def __init__(self, start: Json) -> None:
        digest = hashlib.sha512(start["identity"].encode()).digest()
        letters = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
        self.me = "did:key:z6Mk" + "".join(letters[byte % 58] for byte in digest[:44])
        self.namespace, parameters = start["namespace"], start["parameters"]
        self.state = State(start["incarnation"], parameters.get("history", 10_000))
        self.state.retention = parameters.get("retention_ms", 3_600_000)
        self.max_pending = parameters.get("max_pending", 4096)
        self.replaying = start["recovering"]
        self.clock = (
            start["now"]["mono_ms"],
            0,
        )  # a monotonic reading and the journal time that it stands for
        self.outputs: list[Json] = []
        self.held: list[Json] = []
        self.pending = self.flushed = 0
        self.ticking = False

    def deliver(self, frame: bytes, now: Json) -> None:
        self.replaying = False
        self.wake(now)
        if event := open_event(frame):
            self.state.stamp = now["wall_ms"]
            try:
                if request := self.check(event):
                    self.route(request, now)
            except Refusal as refusal:
                self.reply(event, self.state.outcome(refusal.reply))

    def check(self, event: Json) -> Json:
        """The request in `event`, None where it is to be dropped; a refusal for the first rule that it breaks."""
        head = sum(
            len(name) + len(str(value))
            for name, value in event.items()
            if name not in ("data", "data_base64")
        )
        body = (
            len(event["data_base64"]) * 3 // 4 if "data_base64" in event else len(compact(event.get("data")))
        )
        if head + body > MAX_BYTES:
            raise Refusal("core.too_large")  # CORE-LEX-006
        if not all(matches(event, name, pattern) for name, pattern in REQUIRED.items()):
            raise Refusal("core.malformed")  # CORE-ENV-004
        if not all(matches(event, name, pattern) for name, pattern in OPTIONAL.items() if name in event):
            raise Refusal("core.malformed")
        times = {"time": moment(event["time"]), "expiry": moment(event.get("expirytime", event["time"]))}
        if event["comityaddress"].partition(".")[0] != self.namespace:
            return None  # CORE-ADR-001
        major, minor = event["comityversion"].split(".")
        if major != "1":
            raise Refusal("core.unsupported_version")  # CORE-VER-001
        name = event["type"].removeprefix("comity.registry.v1.")
        if name not in REQUESTS:
            raise Refusal("core.unknown_type")  # CORE-SCH-002
        data = payload(event)
        if any(critical not in REQUESTS[name].members for critical in event.get("comitycrit", "").split()):
            raise Refusal("core.not_understood")  # CORE-VER-004
        data = REQUESTS[name](data, "", minor != "0")
        if name in WRITES and data.get("agent", event["source"]) != event["source"]:
            raise Refusal("core.forbidden")  # REG-REG-004
        return {**pick(event, "source", "id", "sequence"), "name": name, "data": data, **times}

    def route(self, request: Json, now: Json) -> None:
        if outcome := self.state.decided(request):
            return self.reply(request, outcome)
        expired = request["expiry"] != request["time"] and request["expiry"] < now["wall_ms"]
        if expired and request["name"] not in WRITES:
            raise Refusal("core.expired")  # CORE-CLK-003
        if expired or request["time"] <= now["wall_ms"] + 500:
            return self.act(request, expired, now)
        if sum(each["source"] == request["source"] for each in self.held) >= 64:
            raise Refusal("core.clock_ahead")  # CORE-CLK-002
        return self.held.append(request)  # CORE-CLK-001

    def act(self, request: Json, expired: bool, now: Json) -> None:
        """An eventual read is answered at once; everything else when the journal gives it back (REG-REV-004)."""
        if request["data"].get("consistency") == "eventual":
            return self.reply(request, self.state.decide(request, expired))
        if self.pending >= self.max_pending:
            return self.reply(request, self.state.outcome(refused("core.busy")))
        self.pending += 1
        return self.append({"request": request, "expired": expired}, now)

    def entry(self, position: int, data: bytes, last: bool, now: Json) -> None:
        entry = json.loads(data)
        outcome = self.state.apply(position, entry)
        self.clock = (now["mono_ms"], max(self.journal_time(now), self.state.time))
        self.ticking = self.ticking and "tick" not in entry
        self.pending -= bool(self.pending and "request" in entry)
        if outcome and not self.replaying:
            self.reply(entry["request"], outcome)
        self.replaying = self.replaying and not last
        self.flush(now)

    def flush(self, now: Json) -> None:
        """Send the Changes that nobody knows to be sent, and say so in the journal (REG-WCH-012)."""
        due = [each for each in self.state.unsent if each["sequence"] > self.flushed]
        if due and not self.replaying:
            for each in due:
                self.send("changes", each["key"][0], each)
            self.flushed = due[-1]["sequence"]
            self.append({"sent": self.flushed}, now)

    def wake(self, now: Json) -> None:
        """Let journal time pass where a lease ran out, and act on what was held for its clock."""
        if not self.replaying and not self.ticking and self.deadline() <= self.journal_time(now):
            self.ticking = True
            self.append({"tick": True}, now)
        for request in [each for each in self.held if each["time"] <= now["wall_ms"] + 500]:
            self.held.remove(request)
            self.state.stamp = now["wall_ms"]
            self.act(request, False, now)

    def idle_until(self, now: Json) -> Json:
        """The monotonic ms at which to be woken, if any."""
        waits = [each["time"] - 500 - now["wall_ms"] for each in self.held]
        if not self.ticking and self.deadline() < inf:
            waits.append(int(self.deadline()) - self.journal_time(now))
        return {"idle_until": now["mono_ms"] + max(0, min(waits))} if waits else {}

    def deadline(self) -> float:
        watches = (watch["deadline"] for watch in self.state.watches.values())
        return min([*self.state.leases.values(), *watches], default=inf)

    def journal_time(self, now: Json) -> int:
        elapsed: int = now["mono_ms"] - self.clock[0]
        return self.clock[1] + elapsed

    def append(self, entry: Json, now: Json) -> None:
        entry = {**entry, "at": self.journal_time(now), "wall": now["wall_ms"]}
        self.outputs.append({"kind": "append", "data": base64.b64encode(compact(entry)).decode()})

    def reply(self, request: Json, outcome: Json) -> None:
        self.send("replies", request["source"], outcome, correlationid=request["id"])

    def send(self, channel: str, key: str, outcome: Json, **attributes: str) -> None:
        """Its `id` is a digest of everything else: what is said again is the same event (CORE-ENV-003)."""
        address = f"{self.namespace}.registry.v1.{channel}.{key}"
        stamp = datetime.fromtimestamp(outcome["stamp"] / 1000, UTC).isoformat(timespec="milliseconds")
        event = {
            "specversion": "1.0",
            "source": self.me,
            "type": "comity.registry.v1." + outcome["name"],
            "time": stamp.replace("+00:00", "Z"),
            "datacontenttype": "application/json",
            "sequence": f"{outcome['sequence']:016d}",
            "comityversion": "1.0",
            "comityaddress": address,
            **attributes,
            "data": outcome["data"],
        }
        event["id"] = hashlib.sha256(compact(event)).hexdigest()[:32]
        frame = base64.b64encode(compact(event)).decode()
        self.outputs.append({"kind": "send", "address": address, "frame": frame})


WELCOME = {
    "version": "1.0",
    "implementation": {"name": "starter-registry", "version": "1.0", "language": "Python"},
    "roles": ["registry"],
    "features": [],
    "storage": "host",
    "deterministic": True,
}


class Subject:
    """Answers each command of the driver protocol with one reply (DRV-LINE-001)."""

    registry: Registry | None = None

    def answer(self, line: bytes) -> Json:
        try:
            command = json.loads(line)
            kind, data = self.obey(command["type"], command["data"])
        except (ValueError, TypeError, KeyError) as error:
            detail = f"{type(error).__name__}: {error}"[:1024]
            kind, data = "Failed", {"code": "core.malformed", "definite": True, "detail": detail}
            command = {"n": 0}
        return {"n": command["n"], "type": kind, "data": data}

    def obey(self, command: str, data: Json) -> tuple[str, Json]:
        registry = self.registry
        if command == "Hello":
            return "Welcome", WELCOME
        if command == "Start" and (data["role"], data["profile"]) == ("registry", "open"):
            self.registry = Registry(data)
            return "Done", {"outputs": []}
        if command in ("Crash", "Reset", "Stop"):
            self.registry = None
            return "Done", {"outputs": []}
        if command not in ("Deliver", "Entry", "Tick"):
            return "Unsupported", {}  # DRV-LINE-002
        if registry is None:
            return "Failed", {"code": "core.unavailable", "definite": True, "detail": "no Start yet"}
        now = data["now"]
        if command == "Deliver":
            registry.deliver(base64.b64decode(data["frame"]), now)
        elif command == "Entry":
            registry.entry(data["position"], base64.b64decode(data["data"]), data["last"], now)
        else:
            registry.wake(now)
        outputs, registry.outputs = registry.outputs, []
        return "Done", {"outputs": outputs, **registry.idle_until(now)}


def main() -> None:
    subject = Subject()
    for line in sys.stdin.buffer:
        sys.stdout.buffer.write(compact(subject.answer(line)) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
