"""One plan against a service on a broker: the suite plays all clients over the transport port.

Responsible for the same records as the simulated world writes, in real time. What arrives stands for what was
sent, since nobody sees more. Not responsible for choosing plans or judging runs.
"""

from __future__ import annotations

import asyncio
import base64
import time
from typing import Any

from comity.sdk.ports import Delivery, Frame, Subscription, Transport

from ..law import Law
from ..plan import Operation, Plan, identity
from ..wire import NotAnEvent, address, data_of, document, dump, namespace_of
from ._audit import audit
from ._clients import Client, Known
from ._craft import build

__all__ = ["LiveWorld", "to_frame"]

PATIENCE = 2.0
QUIET = 0.08
Record = dict[str, Any]


def to_frame(doc: dict[str, Any]) -> Frame:
    """A structured-mode document as the transport port carries it."""
    attributes = {key: value for key, value in doc.items() if key not in ("data", "data_base64")}
    if "data_base64" in doc:
        return Frame(attributes, base64.b64decode(doc["data_base64"]))
    return Frame(attributes, dump(doc["data"]).encode())


def _to_document(frame: Frame) -> dict[str, Any]:
    doc: dict[str, Any] = dict(frame.attributes)
    if not isinstance(frame.data, bytes):
        return {**doc, "data": frame.data}
    return {**doc, "data_base64": base64.b64encode(frame.data).decode()}


class LiveWorld:
    """One run of one plan over an open transport."""

    def __init__(
        self, plan: Plan, transport: Transport, law: Law, namespace: str, patience: float, due: int = 0
    ) -> None:
        """`due` is how many changes of its own agents the plan's watches are to be told: they are waited for."""
        self._patience, self._due = patience, due
        self._news = asyncio.Event()
        self.plan, self._transport, self._law, self._namespace = plan, transport, law, namespace
        self.journal: list[Record] = []
        self._clients = [Client(identity(f"{plan.label}{n}")) for n in range(plan.clients)]
        self._known = Known(self._clients)
        self._start = time.monotonic()
        self._sent: dict[str, tuple[int, dict[str, Any]]] = {}
        self._op_of: dict[str, str] = {}
        self._answered: dict[str, asyncio.Event] = {}
        self._told_of: set[tuple[str, str]] = set()
        self._drop_replies: dict[str, int] = {}
        self._late: list[asyncio.Task[None]] = []
        self._subscriptions: list[Subscription] = []

    async def run(self) -> list[Record]:
        """Carry the plan out, settle, audit, tidy up; return the records."""
        ordering = str(self._transport.capabilities.ordering)
        self._note("case", namespace=self._namespace, mode="live", plan=self.plan.digest, ordering=ordering)
        try:
            await self._subscribe()
            for op in [*self.plan.operations, None, *audit(self.plan), None]:
                await (self._settle() if op is None else self._perform(op))
            await self._told()
        finally:
            for task in self._late:
                task.cancel()
            kept = len(self.journal)
            await self._tidy()
            for subscription in self._subscriptions:
                await subscription.close()
            del self.journal[kept:]  # after the last answer to tidying up, which is nobody's reply
        return self.journal

    def _note(self, what: str, **detail: Any) -> int:
        now = round((time.monotonic() - self._start) * 1000, 3)
        self.journal.append({"t": now, "wall": round(time.time() * 1000, 3), "what": what, **detail})
        return len(self.journal) - 1

    async def _subscribe(self) -> None:
        for n, client in enumerate(self._clients):
            for channel in ("replies", "changes"):
                pattern = address(self._namespace, self.plan.family, 1, channel, client.key.agent)
                self._subscriptions.append(
                    await self._transport.subscribe(pattern, lambda d, n=n: self._arrived(n, d))  # type: ignore[misc]
                )

    # ------------------------------------------------------------------ sending

    async def _perform(self, op: Operation) -> None:
        match op["op"]:
            case "send":
                await self._send(op)
            case "flood":
                for n in range(op["count"]):
                    await self._send({**op, "id": f"{op['id']}.{n}", "wait": False})
            case "repeat":
                if op["of"] in self._sent:
                    self._answered[op["of"]].clear()
                    await self._transmit(op["of"], op.get("faults", {}))
                    await self._wait(op["of"])
            case "advance":
                await asyncio.sleep(op["ms"] / 1000)
            case other:
                raise ValueError(f"the operation {other!r} is not for live services")

    def _number(self, op: Operation, client: Client) -> int:
        wish: dict[str, Any] = op.get("sequence", {})
        if "same_as" in wish and wish["same_as"] in self._sent:
            return int(self._sent[wish["same_as"]][1]["sequence"])
        if "back" in wish:
            return max(1, client.sequence - int(wish["back"]))
        client.sequence += 1 + int(wish.get("jump", 0))
        return client.sequence

    async def _send(self, op: Operation) -> None:
        n = int(op["client"]) % len(self._clients)
        client, bystander = self._clients[n], self._clients[(n + 1) % len(self._clients)]
        doc = build(
            op, self._known.resolve(op["data"], n), namespace=self._namespace, family=self.plan.family,
            channel="requests", key=client.key, other=bystander.key, sequence=self._number(op, client),
            event_id=f"{self.plan.nonce}.{op['id']}", wall_ms=int(time.time() * 1000), profile=self.plan.profile,
        )  # fmt: skip
        self._sent[op["id"]] = (n, doc)
        self._op_of[str(doc.get("id"))] = op["id"]
        self._answered[op["id"]] = asyncio.Event()
        await self._transmit(op["id"], op.get("faults", {}))
        if op.get("wait", True):
            await self._wait(op["id"])

    async def _wait(self, op: str) -> None:
        try:
            await asyncio.wait_for(self._answered[op].wait(), self._patience if self._wants(op) else QUIET)
        except TimeoutError:
            return

    async def _transmit(self, op: str, faults: dict[str, int]) -> None:
        n, doc = self._sent[op]
        self._note("sent", op=op, client=n, frame=dump(doc))
        if "drop_reply" in faults:
            self._drop_replies[op] = int(faults["drop_reply"])
        if "drop_request" in faults:
            self._note("lost", op=op, leg="request")
            return
        if "delay" in faults:
            self._later(int(faults["delay"]), op)
        else:
            await self._publish(op)
        if "duplicate" in faults:
            self._later(int(faults["duplicate"]) + int(faults.get("delay", 0)), op)

    def _later(self, ms: int, op: str) -> None:
        async def publish() -> None:
            await asyncio.sleep(ms / 1000)
            await self._publish(op)

        self._late.append(asyncio.create_task(publish()))

    async def _publish(self, op: str) -> None:
        n, doc = self._sent[op]
        to = address(self._namespace, self.plan.family, 1, "requests", self._clients[n].key.agent)
        self._note("delivered", op=op)
        await self._transport.publish(to, to_frame(doc))

    # ------------------------------------------------------------------ receiving

    def _arrived(self, n: int, delivery: Delivery) -> None:
        delivery.ack()
        doc = _to_document(delivery.frame)
        emitted = self._note("emitted", address=delivery.address, frame=dump(doc))
        op = self._op_of.get(str(doc.get("correlationid")))
        if op is not None and self._drop_replies.get(op, 0) > 0:
            self._drop_replies[op] -= 1
            self._note("lost", op=op, leg="reply", of=emitted)
            return
        self._note("arrived", client=n, of=emitted)
        if op is not None and self._sent[op][0] == n:
            self._answered[op].set()
        message = str(doc.get("type")).rpartition(".")[2]
        try:
            data: Any = data_of(document(dump(doc).encode()))
        except (NotAnEvent, ValueError):
            return
        if message in self._law.spec.messages and self._law.errors(message, data) is None:
            self._known.learn(n, op, message, data)
            event = str(doc.get("source")), str(doc.get("id"))
            if message == "Changes" and event not in self._told_of:
                self._told_of.add(event)
                own = {client.key.agent for client in self._clients}
                self._due -= sum(change["agent"] in own for change in data["changes"])
                self._news.set()

    # ------------------------------------------------------------------ settling

    def _wants(self, op: str) -> bool:
        where = self._sent[op][1].get("comityaddress", self._namespace)
        return namespace_of(str(where)) == self._namespace  # CORE-ADR-001

    def _open(self) -> list[str]:
        return [op for op, event in self._answered.items() if not event.is_set() and self._wants(op)]

    async def _settle(self) -> None:
        self._drop_replies.clear()
        await asyncio.gather(*self._late)
        self._late.clear()
        ahead = max((int(op.get("craft", {}).get("ahead_ms", 0)) for op in self.plan.operations), default=0)
        await self._answers(QUIET + ahead / 1000)
        for _ in range(3):
            for op in self._open():
                await self._transmit(op, {})
            await self._answers(self._patience)
        if any(op.get("message") == "Watch" for op in self.plan.operations):
            await asyncio.sleep(QUIET * 3)

    async def _answers(self, seconds: float) -> None:
        """Wait for what is open, at most so long."""
        waits = [asyncio.create_task(self._answered[op].wait()) for op in self._open()]
        if waits:
            _, pending = await asyncio.wait(waits, timeout=seconds)
            for task in pending:
                task.cancel()

    async def _told(self) -> None:
        """Wait for the changes that are still due; what does not come is for the judge to say."""
        try:
            async with asyncio.timeout(self._patience):
                while self._due > 0:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return

    async def _tidy(self) -> None:
        """End what the plan left behind: watches and entries."""
        names = {(op["client"] % len(self._clients), op["data"]["watch"]) for op in self.plan.operations
                 if op.get("message") == "Watch"}  # fmt: skip
        for n, (client, name) in enumerate(sorted(names)):
            await self._send(
                {"id": f"tidy{n}", "client": client, "message": "Unwatch", "data": {"watch": name}}
            )
        for n, client in enumerate(self._clients):
            if client.epochs:
                data = {"agent": client.key.agent, "epoch": client.epochs[-1]}
                op = {"id": f"leave{n}", "client": n, "message": "Deregister", "data": data, "wait": False}
                await self._send(op)
