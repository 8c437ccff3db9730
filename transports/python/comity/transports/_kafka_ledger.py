"""What a member of a group has delivered of one partition, and what of that is acknowledged.

Responsible for the offset that may be committed, and for what may have been delivered before. Not responsible for
committing, nor for reading: `_kafka_group.py` is; nothing here does I/O.
"""

from __future__ import annotations

from collections import deque
from typing import Final

__all__ = ["Ledger"]

_NOTE: Final = "delivered:"


class Ledger:
    """Delivery of one partition from offset `begin` on; below `doubtful` it may have been delivered before."""

    def __init__(self, begin: int, doubtful: int) -> None:
        self.position = begin
        self.doubtful = doubtful
        self.committed = begin
        self._delivered: deque[int] = deque()
        self._acked: set[int] = set()
        self._withdrawn: int | None = None
        self._unseen: int | None = None

    @classmethod
    def resumed(cls, begin: int, end: int, note: str) -> Ledger:
        """Go on for a member that committed `begin` and `note`; one that failed left none, and may have read all."""
        text = note.removeprefix(_NOTE)
        noted = note != text and text.isdecimal()
        return cls(begin, int(text) if noted else end)

    def __len__(self) -> int:
        return len(self._delivered) - len(self._acked)

    @property
    def behind(self) -> int:
        """The offset that may be committed: everything before it is done with."""
        done = self._delivered[0] if self._delivered else self.position
        return done if self._withdrawn is None else min(done, self._withdrawn)

    @property
    def note(self) -> str:
        """How far was delivered, for the one that goes on from here."""
        return f"{_NOTE}{max(self.doubtful, self.position if self._unseen is None else self._unseen)}"

    def deliver(self, offset: int) -> None:
        """Count a message in."""
        self._delivered.append(offset)

    def ack(self, offset: int) -> None:
        """Count it out; a second time changes nothing."""
        if self._delivered and offset >= self._delivered[0]:
            self._acked.add(offset)
        while self._delivered and self._delivered[0] in self._acked:
            self._acked.discard(self._delivered.popleft())

    def withdraw(self, offset: int, seen: bool) -> None:
        """Count out what was counted in and is not to be delivered, or not again where it was `seen`."""
        self._withdrawn = offset if self._withdrawn is None else min(self._withdrawn, offset)
        if not seen:
            self._unseen = offset if self._unseen is None else min(self._unseen, offset)
        self.ack(offset)
