"""The world around one agent: its user, the network, the clock, what it keeps, and the registry that the suite plays.

Responsible for carrying a plan for an agent out and writing down everything observed. Not responsible for judging
any of it. What simulation needs in general (time, wake-ups, persistence, crashes) comes from the engine's world.
"""

from __future__ import annotations

import base64
import heapq
from collections.abc import Callable
from typing import Any

from ..driver import Conversation, SubjectLost
from ..engine._world import LATENCY, NAMESPACE, World
from ..law import Law
from ..plan import Operation, Plan, identity
from ..wire import Lexical, NotAnEvent, address, data_of, document, members_of
from ._frames import IGNORED, build
from ._registry import Registry

__all__ = ["AgentWorld"]

Record = dict[str, Any]
SETTLE = 6_000
_FAR = 2**40


class AgentWorld(World):
    """One run of one plan against one agent."""

    def __init__(self, plan: Plan, talk: Conversation, law: Law) -> None:
        super().__init__(plan, talk, law)
        self._registry = Registry(plan.incarnation)
        self._agent = identity("subject").agent
        self._rules: list[dict[str, Any]] = []
        self._cut_until = 0
        self._frames: dict[str, bytes] = {}
        self._answered_ids: list[str] = []

    def run(self) -> list[Record]:
        """Carry the plan out, let everything come to rest; return the records."""
        self._note("case", namespace=NAMESPACE, mode="sim", plan=self.plan.digest)
        try:
            self._command("Reset", {})
            self._start(recovering=False)
            for op in self.plan.operations:
                self._perform(op)
            self._run_until(self._now + SETTLE)
        except SubjectLost as lost:
            self._note("broken", kind=lost.kind, quote=lost.quote)
        else:
            self._note("ended")
        return self.journal

    def _perform(self, op: Operation) -> None:
        match op["op"]:
            case "do":
                self._do(op)
            case "stage":
                self._rules.append({"times": 1, **op})
            case "cut":
                self._cut_until = self._now + op["ms"]
            case "change":
                self._registry.stage(identity(f"other-{op['who']}").agent, op.get("zone"), self._now)
                self._send_changes()
            case "stray":
                self._stray(op)
            case _:
                super()._perform(op)

    def _run_until(self, end: int, done: Callable[[], bool] = lambda: False) -> None:
        """Let time pass up to `end`; the agent wakes before anything else of that instant, so effects have one cause."""
        while not done():
            event = self._heap[0][0] if self._heap else _FAR
            wake = self._idle if self._up and self._idle is not None else _FAR
            if min(event, wake) > end:
                self._now = max(self._now, end)
                return
            self._now = max(self._now, min(event, wake))
            if wake <= self._now:
                self._tick()
            else:
                _, _, action, args = heapq.heappop(self._heap)
                action(*args)

    # ----------------------------------------------------------------- the user

    def _do(self, op: Operation) -> None:
        # a user waits for what is being kept, so that no wish overtakes another one's request
        self._run_until(self._now + (LATENCY if self._asked else 0))
        self._note("asked", op=op["id"], request=op["request"], args=op["args"])
        args = {"request": op["request"], "args": op["args"], "now": self._clock()}
        answer, found = self._talk.ask("Do", args)
        if answer != "Done":
            self._note("declined", op=op["id"], answer=answer, detail=found)
            return
        self._idle = found.get("idle_until")
        for output in found["outputs"]:
            self._output(output)

    # -------------------------------------------------------------- the network

    def _rule(self, on: str, message: str) -> dict[str, Any]:
        """The first staged fault that fits and is not used up; {} where there is none."""
        for rule in self._rules:
            if rule["on"] == on and rule["times"] > 0 and rule.get("message", message) == message:
                rule["times"] -= 1
                return rule
        return {}

    def _arrive(self, emitted: int, frame: bytes, to: str) -> None:
        """The agent's event reaches the network."""
        try:
            doc = document(frame)
            data = members_of(data_of(doc))
        except (NotAnEvent, Lexical):
            return
        message = str(doc.get("type")).rpartition(".")[2]
        source = str(doc.get("source"))
        due = address(NAMESPACE, self.plan.family, 1, "requests", source)
        known = message in self._law.spec.messages and self._law.channel(message) == "requests"
        if to != due or data is None or not known or self._law.errors(message, data) is not None:
            return
        rule = self._rule("request", message)
        if self._now < self._cut_until or rule.get("kind") == "drop":
            self._note("lost", leg="request", of=emitted)
            return
        self._agent = source
        self._at(rule.get("ms", 0), self._serve, emitted, doc, message, data)

    def _serve(self, emitted: int, doc: Record, message: str, data: Record) -> None:
        self._note("served", of=emitted)
        rule = self._rule("answer", message)
        said, content = self._registry.handle(doc, message, data, self._now, rule.get("code"))
        self._reply(str(doc["id"]), int(doc["sequence"]), message, said, content)
        self._send_changes()

    def _reply(self, asked: str, sequence: int, message: str, said: str, content: Record) -> None:
        rule = self._rule("reply", message)
        craft: Record | None = rule.get("craft")
        if craft is not None and craft["kind"] in IGNORED:
            frame = self._frame(said, content, asked, sequence, craft)
            self._at(LATENCY, self._hand, frame, said, craft["kind"])
            return
        if asked not in self._frames:
            self._frames[asked] = self._frame(said, content, asked, sequence, craft)
        elif craft is not None:
            craft = None
        self._travel(rule, self._frames[asked], said, craft["kind"] if craft else None, asked)

    def _send_changes(self) -> None:
        batches, self._registry.batches = self._registry.batches, []
        for batch in batches:
            rule = self._rule("changes", "Changes")
            craft: Record | None = rule.get("craft")
            frame = self._frame("Changes", batch, None, batch["revision"] % 2**40, craft)
            self._travel(rule, frame, "Changes", craft["kind"] if craft else None, None)

    def _travel(
        self, rule: dict[str, Any], frame: bytes, said: str, craft: str | None, asked: str | None
    ) -> None:
        if rule.get("kind") == "drop":
            self._note("lost", leg="reply", message=said)
            return
        delay = LATENCY + (rule.get("ms", 0) if rule.get("kind") == "delay" else 0)
        self._at(delay, self._hand, frame, said, craft, asked)
        if rule.get("kind") == "duplicate":
            self._at(delay + rule["ms"], self._hand, frame, said, craft, asked)

    def _hand(self, frame: bytes, said: str, craft: str | None, asked: str | None = None) -> None:
        """Give the agent a frame."""
        if not self._up or self._now < self._cut_until:
            self._note("lost", leg="reply", message=said)
            return
        if asked is not None:
            self._answered_ids.append(asked)
        record: Record = {"message": said, "craft": craft, "idle": self._idle, "frame": frame.decode()}
        n = self._note("handed", **record)
        to = address(NAMESPACE, self.plan.family, 1, self._law.channel(said), self._agent)
        self._command(
            "Deliver",
            {"address": to, "frame": base64.b64encode(frame).decode(), "now": self._clock()},
        )
        self.journal[n]["idle_after"] = self._idle

    def _frame(
        self, said: str, content: Record, asked: str | None, sequence: int, craft: Record | None
    ) -> bytes:
        return build(said, content, law=self._law, namespace=NAMESPACE, agent=self._agent, wall_ms=self._wall,
                     profile=self.plan.profile, correlation=asked, sequence=sequence, craft=craft)  # fmt: skip

    # ------------------------------------------------------------------- strays

    def _stray(self, op: Operation) -> None:
        """A reply that answers nothing: to a request that never was, or to one that is answered already."""
        nobody = f"{self.plan.nonce}.{op['id']}"
        asked = self._answered_ids[-1] if op["to"] == "answered" and self._answered_ids else nobody
        data = self._plausible(op["message"])
        frame = self._frame(op["message"], data, asked, 0, None)
        self._at(LATENCY, self._hand, frame, op["message"], None)
        self._run_until(self._now + LATENCY)

    def _plausible(self, message: str) -> Record:
        """Data that would mean something if they were an answer."""
        revision, lease = self._registry.revision, 3_600_000
        held = self._registry.held(self._agent) or {}
        epoch = held.get("epoch", revision + 9)
        watch = self._registry.watched() or "w1"
        entry: Record = {
            "agent": self._agent,
            "capabilities": [],
            "lease_ms": lease,
            "epoch": epoch,
            "revision": epoch,
        }
        known: dict[str, Record] = {
            "Registered": {"agent": self._agent, "epoch": epoch, "revision": epoch, "lease_ms": lease},
            "Renewed": {"agent": self._agent, "epoch": epoch, "revision": revision, "lease_ms": lease},
            "Updated": {"agent": self._agent, "revision": revision},
            "Deregistered": {"agent": self._agent, "revision": revision},
            "Found": {"entry": entry, "revision": revision},
            "Watching": {"watch": watch, "revision": revision, "index": 99, "lease_ms": lease},
            "Unwatched": {"watch": watch},
            "Refused": {"code": "registry.unknown_agent", "revision": revision},
        }
        return known[message]
