"""The one error tree. Each error carries a stable code from the spec's registry or a local one.

Responsible for what is raised to callers of Comity and for what it tells them: what, where, what to do. Not
responsible for wire codes themselves: those live in `spec/*/protocol.yaml` and reach code through the bindings.

    ComityError
    ├── SpecError               a spec or compiled spec that cannot be used
    ├── ConfigError             a setting, URL or argument that cannot be used
    ├── LocalProtocolError      you asked for something the protocol does not allow now
    ├── RemoteProtocolError     a peer sent something that the protocol does not allow
    ├── Refused                 a peer refused an operation with a code of the spec
    ├── TimedOut                no answer within the deadline: the operation may have happened
    ├── TransportError          the connection, the broker or its permissions
    │   ├── CapabilityError     the adapter declares that it cannot do this
    │   └── PayloadTooLarge     the message is over the broker's or the channel's limit
    └── JournalError            the journal could not keep or give what was asked
"""

from __future__ import annotations

__all__ = [
    "CapabilityError",
    "ComityError",
    "ConfigError",
    "JournalError",
    "LocalProtocolError",
    "PayloadTooLarge",
    "Refused",
    "RemoteProtocolError",
    "SpecError",
    "TimedOut",
    "TransportError",
]


class ComityError(Exception):
    """Base of all errors of Comity. `code` is stable; `pointer` is a JSON pointer where one applies."""

    code = "local.error"

    def __init__(self, message: str, *, code: str | None = None, pointer: str | None = None) -> None:
        super().__init__(message)
        self.code = code or type(self).code
        self.pointer = pointer


class SpecError(ComityError):
    """A spec or compiled spec that cannot be used."""

    code = "local.spec"


class ConfigError(ComityError):
    """A setting, URL or argument that cannot be used."""

    code = "local.config"


class LocalProtocolError(ComityError):
    """The caller asked for something that the protocol does not allow in this state."""

    code = "local.protocol"


class RemoteProtocolError(ComityError):
    """A peer sent something that the protocol does not allow; `code` is the spec's code for it."""

    code = "core.malformed"


class Refused(ComityError):
    """A peer refused an operation. `definite`: it did not happen. `retry`: never, same, or after a pause."""

    def __init__(self, code: str, *, definite: bool, retry: str, pointer: str | None = None) -> None:
        certainty = "did not happen" if definite else "may have happened"
        super().__init__(f"refused with {code}: the operation {certainty}", code=code, pointer=pointer)
        self.definite = definite
        self.retry = retry


class TimedOut(ComityError):
    """No answer within the deadline. The operation may have happened; a retry with the same sequence is safe."""

    code = "local.timeout"


class TransportError(ComityError):
    """The connection, the broker or its permissions; the message names the server and what to do."""

    code = "local.transport"


class CapabilityError(TransportError):
    """The adapter declares that it cannot do this; the message names the capability."""

    code = "local.capability"


class PayloadTooLarge(TransportError):
    """The message is over the broker's or the channel's limit; nothing was sent."""

    code = "local.too_large"


class JournalError(ComityError):
    """The journal could not keep or give what was asked; nothing unacknowledged is promised."""

    code = "local.journal"
