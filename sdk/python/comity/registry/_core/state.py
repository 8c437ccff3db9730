"""The replicated state of a registry: what the journal's entries make, one after the other.

Responsible for applying records in order and for nothing else having an effect: the same journal gives the same
state, outcome and batches everywhere. Not responsible for appending, for time or for sending.
"""

from __future__ import annotations

from hashlib import sha256

from pydantic import ValidationError

from comity.sdk._generated.registry_v1.messages import MESSAGES
from comity.sdk.errors import JournalError

from .dedup import RETENTION_MS, Dedup, Outcome, refusal
from .record import Command, Record
from .registry import Registry
from .snapshot import dump, load
from .watch import Watches

__all__ = ["State"]

_INCARNATION = 2**40
_OF_WATCHES = frozenset({"Watch", "Unwatch"})


class State:
    """Entries, watches and outcomes at `revision`; `time` is the journal time in milliseconds.

    A revision is incarnation * 2^40 + position, so that another incarnation of the journal stands above this one.
    `retention`: how long in ms a source's outcomes are kept after its last write.
    """

    def __init__(self, *, history: int = 10_000, incarnation: int = 1, retention: int = RETENTION_MS) -> None:
        self.registry = Registry(history=history, floor=0 if incarnation == 1 else incarnation * _INCARNATION)
        self.watches = Watches(self.registry)
        self.dedup = Dedup(retention)
        self.incarnation = incarnation
        self.position = 0
        self.time = 0

    @property
    def revision(self) -> int:
        """The revision of the last applied entry, 0 before the first."""
        return self.incarnation * _INCARNATION + self.position if self.position else 0

    def apply(self, position: int, record: Record) -> Outcome | None:
        """Apply the entry at `position`; the outcome of a command, `None` for other records.

        Raises `JournalError` for a command that this version of the registry cannot read.
        """
        self.position = position
        self.time = max(self.time, record.at)
        self.watches.sent(record.sent)
        self.watches.lapse(self.time)
        self.dedup.forget(self.time, record.wall)
        outcome = None
        if record.command is not None:
            outcome = self._decide(record.command, record.wall)
        elif record.kind == "tick":
            self.registry.lapse(self.revision, self.time)
        self.watches.publish(self.registry.take_changes(), self.revision, record.wall)
        return outcome

    def next_deadline(self) -> int | None:
        """Journal time at which the next lease runs out, `None` while there is none."""
        deadlines = (self.registry.leases.next_deadline(), self.watches.leases.next_deadline())
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    def snapshot(self) -> bytes:
        """Everything, as bytes that are the same for the same state."""
        return dump(self)

    def restore(self, data: bytes) -> None:
        """Become the state that `snapshot` described. Raises `JournalError` where `data` is no snapshot."""
        load(self, data)

    def hash(self) -> str:
        """A digest of everything: equal for replicas that applied the same entries."""
        return sha256(self.snapshot()).hexdigest()

    def _decide(self, command: Command, wall: int) -> Outcome:
        write = command.source, command.sequence, command.id, command.stamp
        known = self.dedup.known(*write)
        if known is not None:
            return known
        if command.expired:
            return refusal("core.expired")  # CORE-CLK-003
        outcome = self._act(command, wall)
        self.dedup.record(*write, outcome, self.time)
        return outcome

    def _act(self, command: Command, wall: int) -> Outcome:
        try:
            message = MESSAGES[command.message].model_validate(command.data)
        except (KeyError, ValidationError) as error:
            raise JournalError(f"entry {self.position} holds a command that cannot be read") from error
        if command.message in _OF_WATCHES:
            return self.watches.apply(command.source, message, self.revision, self.time, wall)
        return self.registry.apply(message, self.revision, self.time)
