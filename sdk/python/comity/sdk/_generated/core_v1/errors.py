"""Error codes of Comity core.

Generated from core 1.0, source sha256:b3f2e5cd77f02648d905b229259a46062c4ac066215851899372cce9943490c6.
Every edit is lost: change the spec and run `make gen`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from comity.sdk.spec import ErrorRow

__all__ = [
    "BUSY",
    "CLOCK_AHEAD",
    "ERRORS",
    "EXPIRED",
    "FORBIDDEN",
    "INVALID",
    "MALFORMED",
    "NOT_UNDERSTOOD",
    "READ_ONLY",
    "SEQUENCE_REUSED",
    "STALE_REQUEST",
    "TOO_LARGE",
    "UNAVAILABLE",
    "UNKNOWN_TYPE",
    "UNSUPPORTED_VERSION",
]

MALFORMED: Final = "core.malformed"
INVALID: Final = "core.invalid"
UNKNOWN_TYPE: Final = "core.unknown_type"
UNSUPPORTED_VERSION: Final = "core.unsupported_version"
NOT_UNDERSTOOD: Final = "core.not_understood"
TOO_LARGE: Final = "core.too_large"
EXPIRED: Final = "core.expired"
CLOCK_AHEAD: Final = "core.clock_ahead"
STALE_REQUEST: Final = "core.stale_request"
SEQUENCE_REUSED: Final = "core.sequence_reused"
FORBIDDEN: Final = "core.forbidden"
BUSY: Final = "core.busy"
UNAVAILABLE: Final = "core.unavailable"
READ_ONLY: Final = "core.read_only"

ERRORS: Final[Mapping[str, ErrorRow]] = {
    MALFORMED: ErrorRow(1001, "definite", "never", "sender", "The data or an attribute is not well formed."),
    INVALID: ErrorRow(1002, "definite", "never", "sender", "The data is JSON and breaks the schema of its message."),
    UNKNOWN_TYPE: ErrorRow(1003, "definite", "never", "sender", "The family has no message of this type."),
    UNSUPPORTED_VERSION: ErrorRow(1004, "definite", "never", "nobody", "The receiver does not speak this major version."),
    NOT_UNDERSTOOD: ErrorRow(1005, "definite", "never", "nobody", "A member named by comitycrit is not understood."),
    TOO_LARGE: ErrorRow(1006, "definite", "never", "sender", "The event is larger than its channel allows."),
    EXPIRED: ErrorRow(1007, "definite", "never", "nobody", "The event reached the receiver after its expirytime."),
    CLOCK_AHEAD: ErrorRow(1008, "definite", "after", "sender", "The event is stamped ahead of the receiver's clock and too many such events of its source are held."),
    STALE_REQUEST: ErrorRow(1009, "indefinite", "never", "sender", "The outcome of a request this old is no longer known."),
    SEQUENCE_REUSED: ErrorRow(1010, "definite", "never", "sender", "The sequence was used before for another request."),
    FORBIDDEN: ErrorRow(1011, "definite", "never", "sender", "The source may not do this."),
    BUSY: ErrorRow(1012, "definite", "after", "receiver", "The receiver's queue is full and the request was not taken."),
    UNAVAILABLE: ErrorRow(1013, "indefinite", "same", "receiver", "The receiver could not learn the outcome."),
    READ_ONLY: ErrorRow(1014, "definite", "never", "sender", "The namespace is at home on another broker and can only be read on this one."),
}
