"""The simulated world of one plan: virtual time, network, journal storage and faults around one subject.

Responsible for carrying a plan out and writing down everything observed, as a list of plain records. Not
responsible for judging any of it: the judge gets the plan and these records and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import heapq
from collections.abc import Callable
from typing import Any

from ..driver import Conversation, SubjectLost
from ..law import Law
from ..plan import Operation, Plan, identity
from ..wire import NotAnEvent, address, data_of, document, dump, members_of, namespace_of
from ._audit import audit
from ._clients import Client, Known
from ._craft import SIGNED_HOSTILE, build

__all__ = ["NAMESPACE", "World"]

NAMESPACE = "plant"
WALL_0 = 1_764_000_000_000
LATENCY = 1
WAIT = 300
SETTLE = 1200
MAX_IDLE_TICKS = 64

Record = dict[str, Any]


def _text(frame: bytes) -> Any:
    """A frame as the journal keeps it: text where it is text."""
    try:
        return frame.decode("utf-8")
    except UnicodeDecodeError:
        return {"b64": base64.b64encode(frame).decode()}


class World:
    """One run of one plan against one subject."""

    def __init__(self, plan: Plan, talk: Conversation, law: Law) -> None:
        self.plan, self._talk, self._law = plan, talk, law
        self.journal: list[Record] = []
        self._clients = [Client(identity(f"{plan.label}{n}")) for n in range(plan.clients)]
        self._by_agent = {client.key.agent: n for n, client in enumerate(self._clients)}
        self._known = Known(self._clients)
        self._now, self._skew = 0, 0
        self._heap: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self._tie = 0
        self._idle: int | None = None
        self._idle_ticks = 0
        self._up = False
        self._ordered: list[tuple[int, str]] = []
        self._pending: list[str] = []
        self._stored: dict[str, str] = {}
        self._asked: dict[str, str] = {}
        self._last_order = self._held_until = 0
        self._delay = 0
        self._sent: dict[str, tuple[int, str, bytes]] = {}
        self._op_of: dict[str, str] = {}
        self._answered: set[str] = set()
        self._drop_replies: dict[str, int] = {}
        kinds = {op["id"]: op.get("craft", {}).get("kind") for op in plan.operations}
        self._dropped = {op for op, kind in kinds.items() if kind in SIGNED_HOSTILE}

    # ------------------------------------------------------------------ running

    def run(self) -> list[Record]:
        """Carry the plan out, settle, audit; return the records."""
        self._note("case", namespace=NAMESPACE, mode="sim", plan=self.plan.digest)
        try:
            self._command("Reset", {})
            self._start(recovering=False)
            for op in self.plan.operations:
                self._perform(op)
            self._settle()
            for op in audit(self.plan):
                self._perform(op)
            self._settle()
        except SubjectLost as lost:
            self._note("broken", kind=lost.kind, quote=lost.quote)
        return self.journal

    def _perform(self, op: Operation) -> None:
        match op["op"]:
            case "send":
                self._send(op)
            case "repeat":
                self._repeat(op)
            case "flood":
                for n in range(op["count"]):
                    self._send({**op, "id": f"{op['id']}.{n}", "wait": False})
            case "garbage":
                self._note("sent", op=op["id"], client=None, frame={"b64": op["text_b64"]})
                self._at(LATENCY, self._deliver, op["id"], base64.b64decode(op["text_b64"]), self._address(0))
                self._run_until(self._now + 5)
            case "advance":
                self._run_until(self._now + op["ms"])
            case "wall":
                self._skew += op["by_ms"]
                self._note("wall", by_ms=op["by_ms"])
            case "crash":
                self._crash(bool(op.get("keep")), int(op.get("down_ms", 0)))
            case other:
                raise ValueError(f"no operation is called {other!r}")

    def _note(self, what: str, **detail: Any) -> int:
        self.journal.append({"t": self._now, "wall": self._wall, "what": what, **detail})
        return len(self.journal) - 1

    @property
    def _wall(self) -> int:
        return WALL_0 + self._now + self._skew

    def _clock(self) -> dict[str, int]:
        return {"mono_ms": self._now, "wall_ms": self._wall}

    def _at(self, delay: int, action: Callable[..., None], *args: Any) -> None:
        self._tie += 1
        heapq.heappush(self._heap, (self._now + delay, self._tie, action, args))

    def _run_until(self, end: int, done: Callable[[], bool] = lambda: False) -> None:
        """Let time pass up to `end`, or until `done`."""
        while not done():
            event = self._heap[0][0] if self._heap else end + 1
            wake = self._idle if self._up and self._idle is not None else end + 1
            due = min(event, wake)
            if due > end:
                self._now = max(self._now, end)
                return
            self._now = max(self._now, due)
            if event <= wake:
                _, _, action, args = heapq.heappop(self._heap)
                action(*args)
            else:
                self._tick()

    def _tick(self) -> None:
        self._idle_ticks = self._idle_ticks + 1 if self.journal[-1]["what"] == "ticked" else 0
        if self._idle_ticks > MAX_IDLE_TICKS and self.journal[-1]["t"] == self._now:
            raise SubjectLost("restless", f"idle_until stays at {self._idle} although it is {self._now}")
        self._note("ticked")
        self._command("Tick", {"now": self._clock()})

    # ------------------------------------------------------------------ sending

    def _address(self, client: int) -> str:
        return address(NAMESPACE, self.plan.family, 1, "requests", self._clients[client].key.agent)

    def _number(self, op: Operation, client: Client) -> tuple[int, str]:
        """Sequence and id of a send, by the plan's wish or the next ones."""
        wish: dict[str, Any] = op.get("sequence", {})
        if "same_as" in wish and wish["same_as"] in self._sent:
            sequence = int(document(self._sent[wish["same_as"]][2])["sequence"])
        elif "back" in wish:
            sequence = max(1, client.sequence - int(wish["back"]))
        else:
            client.sequence += 1 + int(wish.get("jump", 0))
            sequence = client.sequence
        return sequence, f"{self.plan.nonce}.{op['id']}"

    def _send(self, op: Operation) -> None:
        n = int(op["client"]) % len(self._clients)
        client = self._clients[n]
        sequence, event_id = self._number(op, client)
        bystander = self._clients[(n + 1) % len(self._clients)]
        doc = build(
            op, self._known.resolve(op["data"], n), namespace=NAMESPACE, family=self.plan.family,
            channel="requests", key=client.key, other=bystander.key, sequence=sequence, event_id=event_id,
            wall_ms=self._wall, profile=self.plan.profile,
        )  # fmt: skip
        self._sent[op["id"]] = (n, self._address(n), dump(doc).encode())
        ahead = int(op.get("craft", {}).get("ahead_ms", 0))
        self._held_until = max(self._held_until, self._now + ahead)
        self._op_of[str(doc.get("id"))] = op["id"]
        self._transmit(op["id"], op.get("faults", {}))
        if op.get("wait", True):
            self._run_until(self._now + WAIT, lambda: op["id"] in self._answered)

    def _repeat(self, op: Operation) -> None:
        if op["of"] in self._sent:
            self._answered.discard(op["of"])
            self._transmit(op["of"], op.get("faults", {}))
            if op.get("wait", True):
                self._run_until(self._now + WAIT, lambda: op["of"] in self._answered)

    def _transmit(self, op: str, faults: dict[str, int]) -> None:
        n, to, frame = self._sent[op]
        self._note("sent", op=op, client=n, frame=_text(frame))
        if "drop_reply" in faults:
            self._drop_replies[op] = int(faults["drop_reply"])
        if "drop_request" in faults:
            self._note("lost", op=op, leg="request")
            return
        delay = LATENCY + int(faults.get("delay", 0))
        self._at(delay, self._deliver, op, frame, to, int(faults.get("order", 0)))
        if "duplicate" in faults:
            self._at(delay + int(faults["duplicate"]), self._deliver, op, frame, to)

    # ---------------------------------------------------------- around the subject

    def _deliver(self, op: str, frame: bytes, to: str, order: int = 0) -> None:
        if not self._up:
            self._note("lost", op=op, leg="request", down=True)
            return
        self._note("delivered", op=op)
        self._delay = order
        self._command(
            "Deliver", {"address": to, "frame": base64.b64encode(frame).decode(), "now": self._clock()}
        )
        self._delay = 0

    def _command(self, kind: str, data: dict[str, Any]) -> None:
        answer, found = self._talk.ask(kind, data)
        if answer == "Failed":
            raise SubjectLost("failed", f"{kind} failed with {found['code']}: {found['detail']}")
        if answer != "Done":
            raise SubjectLost("failed", f"{kind} was answered with {answer}")
        self._idle = found.get("idle_until")
        for output in found["outputs"]:
            self._output(output)

    def _output(self, output: dict[str, Any]) -> None:
        match output["kind"]:
            case "send":
                frame = base64.b64decode(output["frame"])
                n = self._note("emitted", address=output["address"], frame=_text(frame))
                self._at(LATENCY, self._arrive, n, frame, output["address"])
            case "append":
                self._append(output["data"])
            case "persist":
                self._asked[output["token"]] = output["data"]
                self._at(LATENCY, self._persist, output["token"])
            case _:
                self._note("notified", event=output["event"], data=output["data"])

    def _append(self, data: str) -> None:
        digest = hashlib.sha256(data.encode()).hexdigest()[:16]
        self._note("appended", digest=digest)
        self._pending.append(data)
        self._last_order = max(self._last_order, self._now + LATENCY + self._delay)
        self._at(self._last_order - self._now, self._order)

    def _order(self) -> None:
        """The journal gives the oldest pending entry its place."""
        if self._pending and self._up:
            position, data = self._place()
            self._note("ordered", position=position)
            self._command("Entry", {"position": position, "data": data, "last": True, "now": self._clock()})

    def _place(self) -> tuple[int, str]:
        last = self._ordered[-1][0] if self._ordered else 0
        gap = len(self._ordered) % 3 if self.plan.gaps else 0
        self._ordered.append((last + 1 + gap, self._pending.pop(0)))
        return self._ordered[-1]

    def _persist(self, token: str) -> None:
        if token in self._asked and self._up:
            self._stored[token] = self._asked.pop(token)
            self._note("persisted", token=token)
            self._command("Persisted", {"token": token, "now": self._clock()})

    def _arrive(self, emitted: int, frame: bytes, to: str) -> None:
        n = self._by_agent.get(to.rpartition(".")[2])
        if n is None:
            return
        try:
            doc = document(frame)
            data = data_of(doc)
        except (NotAnEvent, ValueError):
            return
        op = self._op_of.get(str(doc.get("correlationid")))
        if op is not None and self._drop_replies.get(op, 0) > 0:
            self._drop_replies[op] -= 1
            self._note("lost", op=op, leg="reply", of=emitted)
            return
        self._note("arrived", client=n, of=emitted)
        if op is not None and self._sent[op][0] == n:
            self._answered.add(op)
        members = members_of(data)
        if members is not None:
            self._learn(n, op, str(doc.get("type")).rpartition(".")[2], members)

    def _learn(self, n: int, op: str | None, message: str, data: dict[str, Any]) -> None:
        if self._law.errors(message, data) is None if message in self._law.spec.messages else False:
            self._known.learn(n, op, message, data)

    # ------------------------------------------------------------ life and death

    def _start(self, *, recovering: bool) -> None:
        self._note("started", recovering=recovering)
        stored = [{"token": token, "data": data} for token, data in sorted(self._stored.items())]
        seed = base64.b64encode(identity("subject").seed).decode()
        self._command("Start", {
            "role": self.plan.role, "namespace": NAMESPACE, "profile": self.plan.profile, "identity": seed,
            "entropy": base64.b64encode(hashlib.sha256(self.plan.nonce.encode()).digest()).decode(),
            "incarnation": self.plan.incarnation, "parameters": dict(self.plan.parameters), "stored": stored,
            "recovering": recovering, "now": self._clock(),
        })  # fmt: skip
        self._up = True

    def _crash(self, keep: bool, down_ms: int) -> None:
        self._note("crashed", keep=keep, down_ms=down_ms, lost=0 if keep else len(self._pending))
        self._command("Crash", {})
        self._up, self._idle = False, None
        while keep and self._pending:
            self._place()
        if keep:
            self._stored |= self._asked
        self._pending.clear()
        self._asked.clear()
        if down_ms:
            self._run_until(self._now + down_ms)
        self._start(recovering=True)
        for n, (position, data) in enumerate(self._ordered, 1):
            last = n == len(self._ordered)
            self._command("Entry", {"position": position, "data": data, "last": last, "now": self._clock()})
        self._note("recovered", entries=len(self._ordered))

    # ------------------------------------------------------------------ settling

    def _settle(self) -> None:
        """Heal all faults and repeat what was not answered until it is, or plainly will not be."""
        self._drop_replies.clear()
        self._run_until(max(self._now + 20, self._held_until))
        for _ in range(2):
            for op in [op for op in self._sent if op not in self._answered and self._wants(op)]:
                self._transmit(op, {})
            self._run_until(self._now + (SETTLE if self._heap or self._waiting() else 5))
        if any(op.get("message") == "Watch" for op in self.plan.operations):
            self._run_until(self._now + SETTLE)

    def _wants(self, op: str) -> bool:
        doc = document(self._sent[op][2])
        return namespace_of(str(doc.get("comityaddress"))) == NAMESPACE and op not in self._dropped

    def _waiting(self) -> bool:
        return any(op not in self._answered and self._wants(op) for op in self._sent)
