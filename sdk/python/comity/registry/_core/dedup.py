"""The outcomes of the latest writes of every source, so that a repeated write is answered and not acted on again.

Responsible for telling new, repeated, reused and stale writes apart (CORE-DLV-001 to CORE-DLV-003). Replicated
state: it changes only when a journal entry is applied. Not responsible for what a write does.
"""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = ["WINDOW", "Dedup", "Outcome", "refusal"]

WINDOW = 64


class Outcome(NamedTuple):
    """What a write came to: the name of the reply and its data."""

    reply: str
    data: dict[str, Any]


def refusal(code: str, **detail: Any) -> Outcome:
    """The outcome `Refused` with `code`."""
    return Outcome("Refused", {"code": code, **detail})


class _Window:
    __slots__ = ("highest", "outcomes")

    def __init__(self, highest: int, outcomes: dict[int, tuple[str, Outcome]]) -> None:
        self.highest = highest
        self.outcomes = outcomes


class Dedup:
    """Outcomes by source and sequence, the last 64 sequences of each source."""

    __slots__ = ("_windows",)

    def __init__(self) -> None:
        self._windows: dict[str, _Window] = {}

    def known(self, source: str, sequence: int, event: str) -> Outcome | None:
        """The answer to a write that must not be acted on, or `None` for a new one."""
        window = self._windows.get(source)
        if window is None:
            return None
        if sequence <= window.highest - WINDOW:
            return refusal("core.stale_request")  # CORE-DLV-002
        found = window.outcomes.get(sequence)
        if found is None:
            return None
        return found[1] if found[0] == event else refusal("core.sequence_reused")  # CORE-DLV-003

    def record(self, source: str, sequence: int, event: str, outcome: Outcome) -> None:
        """Keep the outcome of a write that was acted on."""
        window = self._windows.get(source)
        if window is None:
            window = self._windows[source] = _Window(sequence, {})
        if sequence > window.highest:
            first = window.highest - WINDOW + 1
            for old in range(first, min(sequence - WINDOW, window.highest) + 1):
                window.outcomes.pop(old, None)
            window.highest = sequence
        window.outcomes[sequence] = (event, outcome)

    def dump(self) -> list[Any]:
        """Plain JSON from which `load` makes the same table."""
        return [
            [source, window.highest, [[s, e, *o] for s, (e, o) in sorted(window.outcomes.items())]]
            for source, window in sorted(self._windows.items())
        ]

    def load(self, rows: list[Any]) -> None:
        """Take over what `dump` gave."""
        for source, highest, outcomes in rows:
            kept = {sequence: (event, Outcome(reply, data)) for sequence, event, reply, data in outcomes}
            self._windows[source] = _Window(highest, kept)
