"""The registry service: a sans-IO endpoint that keeps one namespace on a journal.

Responsible for when things happen: writes are appended and answered once applied, linearizable reads wait behind a
barrier, leases that fall due are told to the journal. Not responsible for what is decided: that is `_core`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from comity.sdk.envelope import parse_time
from comity.sdk.errors import LocalProtocolError
from comity.sdk.family import load_family
from comity.sdk.identity import Identity
from comity.sdk.inbox import Accepted, Inbox, Profile, Rejected
from comity.sdk.outbox import Outbox
from comity.sdk.ports import Append, Effect, Frame, Json, Now, Snapshot

from ._clock import JournalClock
from ._core.dedup import RETENTION_MS, WINDOW, Outcome, refusal
from ._core.record import Command, Kind, Record, decode, encode
from ._core.state import State
from ._reads import answer

__all__ = ["RegistryService"]

_RETRY_AFTER_MS: Mapping[str, int] = {"core.busy": 100, "core.clock_ahead": 1000}


class RegistryService:
    """One replica of the registry of `namespace` (a `Replica` of the SDK).

    `entropy` differs between processes and names this one in the journal. `history`: how many changes are kept for
    watches that resume; `max_pending`: how many requests may wait for the journal before `core.busy`;
    `retention_ms`: how long the outcomes of a source's writes are kept after the last one.
    """

    def __init__(
        self,
        *,
        namespace: str,
        identity: Identity,
        entropy: bytes,
        profile: Profile = "open",
        incarnation: int = 1,
        history: int = 10_000,
        max_pending: int = 4096,
        retention_ms: int = RETENTION_MS,
    ) -> None:
        family = load_family("registry")
        requests = family.channels["requests"].messages
        self.namespace = namespace
        self.state = State(history=history, incarnation=incarnation, retention=retention_ms)
        self._messages = family.messages
        self._inbox = Inbox(family, accepts=requests, namespace=namespace, profile=profile)
        self._outbox = Outbox(family, identity, namespace=namespace, profile=profile, entropy=entropy)
        self._replica = sha256(entropy).hexdigest()[:16]
        self._max_pending = max_pending
        self._clock = JournalClock()
        self._serving = False
        self._number = 0
        self._pending: dict[int, Mapping[str, str]] = {}
        self._in_flight: Counter[str] = Counter()
        self._waiting: list[Accepted] = []
        self._behind_barrier: list[Accepted] | None = None
        self._tick: int | None = None
        self._handed = 0
        self._effects: list[Effect] = []

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """Address patterns that this service listens to, as one member of the group `registry`."""
        return (f"{self.namespace}.registry.v1.requests.>",)

    def state_hash(self) -> str:
        """A digest of the whole replicated state."""
        return self.state.hash()

    # ------------------------------------------------------------ the endpoint

    def receive(self, frame: Frame, now: Now) -> None:
        """A request arrived; bad ones are refused or dropped by rule."""
        self._release(now)
        match self._inbox.receive(frame, now):
            case Accepted() as accepted:
                self._accept(accepted, now)
            case Rejected(code, pointer, attributes):
                detail = {} if pointer is None else {"pointer": pointer}
                self._reply(attributes, _refused(code, **detail), now)
            case _:
                pass
        self._tick_if_due(now)

    def command(self, request: str, args: Mapping[str, Json], now: Now) -> None:
        """Raises `LocalProtocolError`: a registry has no local user."""
        raise LocalProtocolError(f"a registry takes no command {request!r}")

    def entry(self, position: int, data: bytes, now: Now) -> None:
        """Apply an ordered entry; raises `JournalError` where it cannot be read."""
        if position <= self.state.position:
            return
        record = decode(data)
        outcome = self.state.apply(position, record)
        if not self._serving:
            return
        self._clock.follow(self.state.time, now)
        if record.by == self._replica:
            self._settle(record, outcome, now)
        self._send_changes()
        self._tick_if_due(now)

    def persisted(self, token: str, now: Now) -> None:
        """Nothing is persisted but through the journal."""

    def wake(self, now: Now) -> None:
        """A lease fell due, or an event that was stamped ahead."""
        self._release(now)
        self._tick_if_due(now)

    def next_deadline(self) -> float | None:
        """When the next lease runs out or the next held event comes due."""
        held = self._inbox.next_deadline()
        due = self.state.next_deadline() if self._serving and self._tick is None else None
        lease = None if due is None else self._clock.instant(due)
        return min((instant for instant in (held, lease) if instant is not None), default=None)

    def take_effects(self) -> list[Effect]:
        """Hand over what is to be appended and sent."""
        effects, self._effects = self._effects, []
        return effects

    # ------------------------------------------------------------- the replica

    def snapshot(self) -> Snapshot:
        """The state after the last entry applied."""
        return Snapshot(self.state.position, self.state.snapshot())

    def restore(self, snapshot: Snapshot) -> None:
        """Continue from `snapshot`, before any entry. Raises `JournalError` where it cannot be read."""
        self.state.restore(snapshot.data)

    def caught_up(self, now: Now) -> None:
        """Serve from now on, and send again what may not have been sent before (REG-WCH-012)."""
        self._serving = True
        self._clock.start(self.state.time, now)
        self._send_changes()
        self._tick_if_due(now)

    # ---------------------------------------------------------------- requests

    def _release(self, now: Now) -> None:
        for accepted in self._inbox.release(now):
            self._accept(accepted, now)

    def _accept(self, accepted: Accepted, now: Now) -> None:
        message = accepted.message
        if message.WRITE:
            self._write(accepted, now)
        elif getattr(message, "consistency", "eventual") == "linearizable":
            self._read_later(accepted, now)
        else:
            self._reply(accepted.attributes, answer(self.state, message), now)

    def _write(self, accepted: Accepted, now: Now) -> None:
        message, attributes, _, expired = accepted
        source, sequence, event = attributes["source"], int(attributes["sequence"]), attributes["id"]
        stamp = parse_time(attributes["time"]) // 1000
        known = self.state.dedup.known(source, sequence, event, stamp)
        if known is not None:
            self._reply(attributes, known, now)
        elif self._full(source) or self._watches_too_much(source, message):
            self._reply(attributes, _refused("core.busy"), now)
        else:
            command = Command(source, sequence, event, type(message).__name__, None, expired, stamp)
            number = self._append("command", now, command, message.model_dump_json().encode())
            self._pending[number] = attributes
            self._in_flight[source] += 1

    def _read_later(self, accepted: Accepted, now: Now) -> None:
        source = accepted.attributes["source"]
        if self._full(source):
            self._reply(accepted.attributes, _refused("core.busy"), now)
            return
        self._waiting.append(accepted)
        self._in_flight[source] += 1
        self._raise_barrier(now)

    def _full(self, source: str) -> bool:
        """Whether too much waits for the journal, of everybody or of `source`, whom 64 outcomes are kept for."""
        waiting = len(self._pending) + len(self._waiting) + len(self._behind_barrier or ())
        return waiting >= self._max_pending or self._in_flight[source] >= WINDOW

    def _watches_too_much(self, source: str, message: Any) -> bool:
        return type(message).__name__ == "Watch" and self.state.watches.too_many(source, message.watch)

    def _answer(self, request: Mapping[str, str], outcome: Outcome, now: Now) -> None:
        source = request["source"]
        self._in_flight[source] -= 1
        if not self._in_flight[source]:
            del self._in_flight[source]
        self._reply(request, outcome, now)

    def _raise_barrier(self, now: Now) -> None:
        if self._waiting and self._behind_barrier is None:
            self._behind_barrier, self._waiting = self._waiting, []
            self._append("barrier", now)

    def _settle(self, record: Record, outcome: Outcome | None, now: Now) -> None:
        if outcome is not None:
            attributes = self._pending.pop(record.number, None)
            if attributes is not None:
                self._answer(attributes, outcome, now)
        elif record.number == self._tick:
            self._tick = None
        elif record.kind == "barrier":
            for accepted in self._behind_barrier or ():  # REG-REV-004
                self._answer(accepted.attributes, answer(self.state, accepted.message), now)
            self._behind_barrier = None
            self._raise_barrier(now)

    # ------------------------------------------------------------------ output

    def _tick_if_due(self, now: Now) -> None:
        due = self.state.next_deadline()
        if self._serving and self._tick is None and due is not None and self._clock.read(now) >= due:
            self._tick = self._append("tick", now)

    def _append(self, kind: Kind, now: Now, command: Command | None = None, data: bytes = b"null") -> int:
        self._number += 1
        at, wall = self._clock.read(now), int(now.wall * 1000)
        record = Record(kind, at, wall, self._handed, self._replica, self._number, command)
        self._effects.append(Append(encode(record, data)))
        return self._number

    def _reply(self, request: Mapping[str, str], outcome: Outcome, now: Now) -> None:
        message = self._messages[outcome.reply].model_validate(outcome.data)
        self._effects.append(self._outbox.reply(request, message, now))

    def _send_changes(self) -> None:
        for batch in self.state.watches.unsent:
            if batch.cause > self._handed:
                self._send_batch(batch)
        self._handed = self.state.revision

    def _send_batch(self, batch: Any) -> None:
        data: dict[str, Any] = {"watch": batch.watch, "index": batch.number, "revision": batch.revision}
        data["changes"] = batch.changes
        if batch.synced:
            data["synced"] = True
        message = self._messages["Changes"].model_validate(data)
        stamped = Now(0.0, batch.wall_ms / 1000)
        position = batch.cause % 2**40
        self._effects.append(self._outbox.event(message, batch.source, stamped, sequence=position))


def _refused(code: str, **detail: Any) -> Outcome:
    after = _RETRY_AFTER_MS.get(code)
    return refusal(code, **detail, **({} if after is None else {"retry_after_ms": after}))
