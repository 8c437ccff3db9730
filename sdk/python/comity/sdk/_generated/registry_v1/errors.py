"""Error codes of Comity registry.

Generated from registry 1.0, source sha256:cd195a6a9df1476e7f487e64a4a2f05e0c9c676f2c52f785cdddea719b47affc.
Every edit is lost: change the spec and run `make gen`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from comity.sdk.spec import ErrorRow

__all__ = [
    "BAD_CURSOR",
    "COMPACTED",
    "CONFLICT",
    "ERRORS",
    "STALE_EPOCH",
    "UNKNOWN_AGENT",
    "UNKNOWN_WATCH",
]

UNKNOWN_AGENT: Final = "registry.unknown_agent"
CONFLICT: Final = "registry.conflict"
STALE_EPOCH: Final = "registry.stale_epoch"
BAD_CURSOR: Final = "registry.bad_cursor"
COMPACTED: Final = "registry.compacted"
UNKNOWN_WATCH: Final = "registry.unknown_watch"

ERRORS: Final[Mapping[str, ErrorRow]] = {
    UNKNOWN_AGENT: ErrorRow(2001, "definite", "never", "sender", "No live entry of this agent."),
    CONFLICT: ErrorRow(2002, "definite", "never", "nobody", "The entry's revision is not the one the write was made conditional on."),
    STALE_EPOCH: ErrorRow(2003, "definite", "never", "sender", "The epoch is not the entry's; another incarnation of the agent holds the lease."),
    BAD_CURSOR: ErrorRow(2004, "definite", "never", "sender", "The cursor is not one that this query gave."),
    COMPACTED: ErrorRow(2005, "definite", "never", "nobody", "The changes asked for are no longer kept, or never were; watch anew from a snapshot."),
    UNKNOWN_WATCH: ErrorRow(2006, "definite", "never", "sender", "No live watch of this name and source."),
}
