"""A small world around the reference: it keeps time, journal and stored values, and speaks driver lines.

Responsible for what a suite does, without judging. Virtual time in milliseconds.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from typing import Any

from comity.registry import reference
from comity.sdk.codec import decode_structured, encode_structured
from comity.sdk.family import load_family
from comity.sdk.identity import Identity
from comity.sdk.outbox import Outbox
from comity.sdk.ports import Now, Send

FAMILY = load_family("registry")
WALL = 1_700_000_000_000


class Event:
    """A sent event: short type, address, attributes and data."""

    def __init__(self, address: str, frame: bytes) -> None:
        attributes, data = decode_structured(frame)
        self.address = address
        self.attributes = attributes
        self.type = attributes["type"].rpartition(".")[2]
        self.data: Any = json.loads(data) if isinstance(data, bytes) else data

    def __repr__(self) -> str:
        return f"{self.type}({self.data})"


class World:
    """One registry behind the driver, its journal, and clients by name."""

    def __init__(
        self, *, profile: str = "open", parameters: Mapping[str, Any] | None = None, hold: bool = False
    ) -> None:
        self.host = reference()
        self.profile = profile
        self.parameters = dict(parameters or {})
        self.mono = 1000
        self.wall = WALL
        self.hold = hold
        self.journal: list[bytes] = []
        self.pending: list[bytes] = []
        self.idle_until: int | None = None
        self.clients: dict[str, Outbox] = {}
        self.line("Hello", {"versions": ["1.0"]})
        self.start(recovering=False)

    def line(self, name: str, data: Mapping[str, Any]) -> Any:
        answer = json.loads(self.host(json.dumps({"n": 1, "type": name, "data": data}).encode()))
        assert answer["type"] in ("Done", "Welcome"), answer
        return answer["data"]

    @property
    def now(self) -> dict[str, int]:
        return {"mono_ms": self.mono, "wall_ms": self.wall}

    def start(self, *, recovering: bool) -> list[Event]:
        data: dict[str, Any] = {
            "role": "registry",
            "namespace": "test",
            "profile": self.profile,
            "identity": b64encode(b"r" * 32).decode(),
            "entropy": b64encode(b"e" * 16).decode(),
            "incarnation": 1,
            "parameters": self.parameters,
            "stored": [],
            "recovering": recovering,
            "now": self.now,
        }
        return self._outputs(self.line("Start", data))

    def client(self, name: str) -> Outbox:
        if name not in self.clients:
            identity = Identity.from_seed(name.encode().ljust(32, b"."))
            profile: Any = self.profile
            self.clients[name] = Outbox(
                FAMILY, identity, namespace="test", profile=profile, entropy=name.encode()
            )
        return self.clients[name]

    def agent(self, name: str) -> str:
        return Identity.from_seed(name.encode().ljust(32, b".")).agent_id

    def make(self, name: str, message: str, data: Mapping[str, Any], **options: Any) -> Send:
        model = FAMILY.messages[message].model_validate(data)
        return self.client(name).request(model, Now(0.0, self.wall / 1000), **options)

    def ask(self, name: str, message: str, **data: Any) -> list[Event]:
        """Send a request of `name` and give back everything that is sent until all is quiet."""
        if message in ("Register", "Update", "Renew", "Deregister"):
            data = {"agent": self.agent(name), **data}
        return self.deliver(self.make(name, message, data))

    def deliver(self, send: Send) -> list[Event]:
        return self.raw(send.address, encode_structured(send.frame))

    def raw(self, address: str, frame: bytes) -> list[Event]:
        text = b64encode(frame).decode()
        return self._outputs(self.line("Deliver", {"address": address, "frame": text, "now": self.now}))

    def advance(self, ms: int) -> list[Event]:
        """Let time pass, waking the subject whenever it wants to be."""
        events: list[Event] = []
        end = self.mono + ms
        while self.idle_until is not None and self.idle_until <= end:
            self._pass(max(self.idle_until, self.mono))
            events += self._outputs(self.line("Tick", {"now": self.now}))
        self._pass(end)
        return events

    def crash(self, *, keep: bool = True, down: int = 0) -> list[Event]:
        """Kill the subject, keep or lose what is not ordered yet, and recover it."""
        if keep:
            self.journal += self.pending
        self.pending = []
        self.line("Crash", {})
        self._pass(self.mono + down)
        events = self.start(recovering=True)
        for position, data in enumerate(self.journal, 1):
            events += self._entry(position, data, last=position == len(self.journal))
        return events

    def order(self) -> list[Event]:
        """Order what was appended and held."""
        events: list[Event] = []
        while self.pending:
            self.journal.append(self.pending.pop(0))
            events += self._entry(len(self.journal), self.journal[-1], last=True)
        return events

    def state_hash(self) -> str:
        return str(self.host._endpoint.state_hash())  # type: ignore[union-attr]

    def _entry(self, position: int, data: bytes, *, last: bool) -> list[Event]:
        body = {"position": position, "data": b64encode(data).decode(), "last": last, "now": self.now}
        return self._outputs(self.line("Entry", body))

    def _pass(self, until: int) -> None:
        self.wall += until - self.mono
        self.mono = until

    def _outputs(self, done: Mapping[str, Any]) -> list[Event]:
        self.idle_until = done.get("idle_until")
        events: list[Event] = []
        for output in done["outputs"]:
            if output["kind"] == "append":
                self.pending.append(b64decode(output["data"]))
            elif output["kind"] == "send":
                events.append(Event(output["address"], b64decode(output["frame"])))
        return events if self.hold else events + self.order()


def only(events: Sequence[Event], kind: str | None = None) -> Any:
    """The data of the one event there is; of type `kind` where given."""
    assert len(events) == 1, events
    assert kind in (None, events[0].type), events
    return events[0].data
