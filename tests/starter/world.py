"""A network, a clock and a journal for one starter on its pipes, small enough to be read in a minute.

Not the conformance suite: it only lets the starter be tried before, and apart from, whoever certifies it.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

__all__ = ["ALICE", "BOB", "World"]

Json = Any
ALICE, BOB = ("did:key:z6Mk" + letter * 44 for letter in "AB")
EPOCH = 1_764_000_000_000


class World:
    """Sends requests to a starter in `directory` and orders what it appends, at once unless `hold` is set."""

    def __init__(self, directory: Path, **parameters: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-ESs", str(directory / "registry.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.parameters, self.mono, self.lines, self.sequence = parameters, 1000, 0, 0
        self.journal: list[str] = []
        self.waiting: list[str] = []
        self.sent: list[Json] = []
        self.idle_until: int | None = None
        self.hold = False
        self.welcome = self.command("Hello", versions=["1.0"])
        self.start(recovering=False)

    def close(self) -> None:
        try:
            self.command("Stop")
        finally:
            self.process.communicate(timeout=10)
        assert self.process.returncode == 0

    def line(self, text: bytes) -> Json:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(text + b"\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def command(self, kind: str, **data: Json) -> Json:
        self.lines += 1
        answer = self.line(json.dumps({"n": self.lines, "type": kind, "data": data}).encode())
        assert answer["n"] == self.lines
        for output in answer["data"].get("outputs", ()):
            if output["kind"] == "append":
                self.waiting.append(output["data"])
            else:
                self.sent.append(json.loads(base64.b64decode(output["frame"])))
        self.idle_until = answer["data"].get("idle_until")
        return answer

    @property
    def now(self) -> Json:
        return {"mono_ms": self.mono, "wall_ms": EPOCH + self.mono}

    def start(self, *, recovering: bool) -> None:
        zeros = base64.b64encode(bytes(32)).decode()
        self.command(
            "Start",
            **{
                "role": "registry",
                "namespace": "plant",
                "profile": "open",
                "identity": zeros,
                "entropy": zeros,
            },
            **{"incarnation": 1, "parameters": self.parameters, "stored": [], "recovering": recovering},
            now=self.now,
        )

    def crash(self) -> None:
        """Lose the memory and whatever was not ordered, and come back."""
        self.waiting.clear()
        self.command("Crash")
        self.start(recovering=True)
        for index, data in enumerate(self.journal):
            last = index == len(self.journal) - 1
            self.command("Entry", position=index + 1, data=data, last=last, now=self.now)
        self.order()

    def order(self) -> None:
        """Order everything that waits, and what comes of it."""
        while self.waiting:
            self.journal.append(self.waiting.pop(0))
            position = len(self.journal)
            self.command(
                "Entry", position=position, data=self.journal[-1], last=not self.waiting, now=self.now
            )

    def advance(self, milliseconds: int) -> None:
        end = self.mono + milliseconds
        while self.idle_until is not None and self.idle_until <= end:
            self.mono = max(self.mono, self.idle_until)
            self.command("Tick", now=self.now)
            self.order()
        self.mono = end

    def event(self, name: str, source: str, **data: Json) -> Json:
        self.sequence += 1
        stamp = datetime.fromtimestamp(self.now["wall_ms"] / 1000, UTC).isoformat(timespec="milliseconds")
        return {
            "specversion": "1.0",
            "id": f"q{self.sequence}",
            "source": source,
            "type": f"comity.registry.v1.{name}",
            "time": stamp.replace("+00:00", "Z"),
            "datacontenttype": "application/json",
            "sequence": f"{self.sequence:016d}",
            "comityversion": "1.0",
            "comityaddress": f"plant.registry.v1.requests.{source}",
            "data": data,
        }

    def deliver(self, frame: bytes) -> list[Json]:
        """What the starter sent because of `frame`."""
        before = len(self.sent)
        encoded = base64.b64encode(frame).decode()
        self.command("Deliver", address="plant.registry.v1.requests.x", frame=encoded, now=self.now)
        if not self.hold:
            self.order()
        return self.sent[before:]

    def send(self, event: Json) -> tuple[str, Json]:
        """The short name and data of the only answer to `event`."""
        answers = [
            each
            for each in self.deliver(json.dumps(event).encode())
            if each.get("correlationid") == event["id"]
        ]
        assert len(answers) == 1, answers
        return answers[0]["type"].rpartition(".")[2], answers[0]["data"]

    def ask(self, name: str, source: str = ALICE, **data: Json) -> tuple[str, Json]:
        return self.send(self.event(name, source, **data))

    def code(self, event: Json) -> str:
        name, data = self.send(event)
        assert name == "Refused"
        return str(data["code"])

    def changes(self, watcher: str) -> list[Json]:
        """Data of the Changes that `watcher` got, duplicates of the same event once."""
        once = {each["id"]: each for each in self.sent if each["type"].endswith(".Changes")}
        return [each["data"] for each in once.values() if each["comityaddress"].endswith(watcher)]
