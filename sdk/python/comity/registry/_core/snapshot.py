"""Snapshots of the replicated state: one canonical JSON text.

Responsible for a text from which the same state comes back, and which is the same for the same state. Not
responsible for when one is taken or where it is kept.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from comity.sdk.errors import JournalError

from .history import Change

if TYPE_CHECKING:
    from .state import State

__all__ = ["dump", "load"]

_FORMAT = "comity-registry-snapshot/2"


def dump(state: State) -> bytes:
    """The text of `state`."""
    registry = state.registry
    body: dict[str, Any] = {
        "format": _FORMAT,
        "position": state.position,
        "time": state.time,
        "entries": [[entry, registry.leases.deadlines[entry["agent"]]] for entry in registry.entries()],
        "history": {"floor": registry.history.floor, "changes": [list(c) for c in registry.history.changes]},
        "watches": state.watches.dump(),
    }
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    return b'{"dedup":%b,%b' % (state.dedup.dump(), text[1:])  # most of it, and text already


def load(state: State, data: bytes) -> None:
    """Make the empty `state` the one that `data` describes. Raises `JournalError` where it is no snapshot."""
    try:
        body = json.loads(data)
        if body["format"] != _FORMAT:
            raise ValueError(body["format"])
        _take_over(state, body)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise JournalError(
            f"{len(data)} octets are no snapshot of a registry ({_FORMAT}): use the release that wrote it, "
            "or restore the journal from a backup"
        ) from error


def _take_over(state: State, body: Any) -> None:
    state.position, state.time = body["position"], body["time"]
    deadlines = {entry["agent"]: deadline for entry, deadline in body["entries"]}
    state.registry.load((entry for entry, _ in body["entries"]), deadlines)
    history = state.registry.history
    history.floor = max(
        history.floor, body["history"]["floor"]
    )  # a restored journal stands above what it restores
    history.changes.extend(Change(*row) for row in body["history"]["changes"])
    state.dedup.load(body["dedup"])
    state.watches.load(body["watches"])
