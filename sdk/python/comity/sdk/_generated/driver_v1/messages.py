"""Messages of Comity driver protocol.

Generated from driver 1.0, source sha256:ae710ac0a7ece2a78f0f81655c929f071f9170f09e103a8c154083ae7f70dd26.
Every edit is lost: change the spec and run `make gen`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Final, Literal, TypeAlias

from comity.sdk.model import MISSING
from comity.sdk.model import Channel as _Channel
from comity.sdk.model import Field as _Field
from comity.sdk.model import Map as _Map
from comity.sdk.model import Message as _Message
from comity.sdk.model import Record as _Record

from ..core_v1 import messages as _core

__all__ = [
    "Address",
    "AppendOutput",
    "Base64",
    "CHANNELS",
    "Crash",
    "Deliver",
    "Do",
    "Done",
    "Entry",
    "Failed",
    "Hello",
    "Implementation",
    "MESSAGES",
    "NotifyOutput",
    "Now",
    "Output",
    "PersistOutput",
    "Persisted",
    "Position",
    "Reset",
    "SendOutput",
    "Start",
    "Stop",
    "Stored",
    "Text",
    "Tick",
    "Token",
    "Unsupported",
    "Welcome",
]


Base64: TypeAlias = Annotated[str, _Field(max_length=2796204, pattern="^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$")]
"""Bytes in standard base64 with padding (RFC 4648, section 4)."""

Token: TypeAlias = Annotated[str, _Field(min_length=1, max_length=128)]
"""The name of a persisted value."""

Text: TypeAlias = Annotated[str, _Field(max_length=1024)]
"""A short printable text."""

Address: TypeAlias = Annotated[str, _Field(min_length=1, max_length=1024)]
"""A Comity address in its canonical text form."""

Position: TypeAlias = Annotated[int, _Field(ge=1, le=1099511627775)]
"""Place of an entry in the journal; rises by at least one."""


class Now(_Record):
    """The instant at which the suite acts. `mono_ms` never goes back; `wall_ms` is Unix time and may jump."""

    mono_ms: _core.Milliseconds
    wall_ms: _core.Milliseconds


class Implementation(_Record):
    """What is under test."""

    name: Text
    version: Text
    language: Text
    commit: Text | MISSING = MISSING


class Stored(_Record):
    """One value that the subject asked to persist, given back after a crash."""

    token: Token
    data: Base64


class SendOutput(_Record):
    """Publish this event; `frame` is a structured-mode CloudEvents document."""

    kind: Literal["send"]
    address: Address
    frame: Base64


class AppendOutput(_Record):
    """Append these bytes to the journal; they come back in an Entry."""

    kind: Literal["append"]
    data: Base64


class PersistOutput(_Record):
    """Keep these bytes under this name; a Persisted confirms it."""

    kind: Literal["persist"]
    token: Token
    data: Base64


class NotifyOutput(_Record):
    """What the subject tells its local user; diagnostics go here and never on the wire."""

    kind: Literal["notify"]
    event: Token
    data: _Map


class Hello(_Message):
    """First line of every conversation; the versions of this protocol that the suite speaks."""

    TYPE: ClassVar[str] = "comity.driver.v1.Hello"
    FAMILY: ClassVar[str] = "driver"
    MAJOR: ClassVar[int] = 1
    KIND: ClassVar[Literal["request", "reply", "event"]] = "request"
    WRITE: ClassVar[bool] = False
    SAFE: ClassVar[bool] = True
    REPLIES: ClassVar[tuple[str, ...]] = ("Welcome", "Failed")

    versions: Annotated[list[Annotated[str, _Field(max_length=9, pattern="^[1-9][0-9]{0,2}\\.(0|[1-9][0-9]{0,3})$")]], _Field(min_length=1, max_length=16)]


class Welcome(_Message):
    """Who the subject is and what it claims. Storage `host` means that the suite keeps, orders and replays what is appended and persisted; `self` that the subject keeps its state in the directory that Start names."""

    TYPE: ClassVar[str] = "comity.driver.v1.Welcome"
    FAMILY: ClassVar[str] = "driver"
    MAJOR: ClassVar[int] = 1
    KIND: ClassVar[Literal["request", "reply", "event"]] = "reply"
    WRITE: ClassVar[bool] = False
    SAFE: ClassVar[bool] = True
    REPLIES: ClassVar[tuple[str, ...]] = ()

    version: Annotated[str, _Field(max_length=9, pattern="^[1-9][0-9]{0,2}\\.(0|[1-9][0-9]{0,3})$")]
    implementation: Implementation
    roles: Annotated[list[Token], _Field(min_length=1, max_length=64)]
    features: Annotated[list[Token], _Field(max_length=64)]
    storage: Literal["host", "self"]
    deterministic: bool


class Start(_Message):
    """Become this role in this namespace. Everything that is to look random derives from `entropy`. After a crash the same Start comes again, with what was persisted in `stored`, and then every ordered journal entry, up to an Entry whose `last` is true."""

    TYPE: ClassVar[str] = "comity.driver.v1.Start"
    FAMILY: ClassVar[str] = "driver"
    MAJOR: ClassVar[int] = 1
    KIND: ClassVar[Literal["request", "reply", "event"]] = "request"
    WRITE: ClassVar[bool] = False
    SAFE: ClassVar[bool] = True
    REPLIES: ClassVar[tuple[str, ...]] = ("Done", "Unsupported", "Failed")

    role: Token
    namespace: Annotated[str, _Field(max_length=32, pattern="^[a-z][a-z0-9-]{0,31}$")]
    profile: Literal["open", "signed"]
    identity: Base64
    entropy: Base64
    incarnation: Annotated[int, _Field(ge=1, le=8191)]
    parameters: _Map
    stored: Annotated[list[Stored], _Field(max_length=1024)]
    recovering: bool
    now: Now
    directory: Annotated[str, _Field(min_length=1, max_length=1024)] | MISSING = MISSING


class Do(_Message):
    """The local user of a client role wants this."""

    TYPE: ClassVar[str] = "comity.driver.v1.Do"
    FAMILY: ClassVar[str] = "driver"
    MAJOR: ClassVar[int] = 1
    KIND: ClassVar[Literal["request", "reply", "event"]] = "request"
    WRITE: ClassVar[bool] = False
    SAFE: ClassVar[bool] = True
    REPLIES: ClassVar[tuple[str, ...]] = ("Done", "Unsupported", "Failed")

    request: Token
    args: _Map
    now: Now


class Deliver(_Message):
    """These bytes arrived on the network. They are a structured-mode event, or garbage."""

    TYPE: ClassVar[str] = "comity.driver.v1.Deliver"
    FAMILY: ClassVar[str] = "driver"
    MAJOR: ClassVar[int] = 1
    KIND: ClassVar[Literal["request", "reply", "event"]] = "request"
    WRITE: ClassVar[bool] = False
    SAFE: ClassVar[bool] = True
    REPLIES: ClassVar[tuple[str, ...]] = ("Done", "Unsupported", "Failed")

    address: Address
    frame: Base64
    now: Now


class Entry(_Message):
    """The journal has ordered this entry, the subject's own or another replica's. `last` is true where no further entry is known."""

    TYPE: ClassVar[str] = "comity.driver.v1.Entry"
    FAMILY: ClassVar[str] = "driver"
    MAJOR: ClassVar[int] = 1
    KIND: ClassVar[Literal["request", "reply", "event"]] = "request"
    WRITE: ClassVar[bool] = False
    SAFE: ClassVar[bool] = True
    REPLIES: ClassVar[tuple[str, ...]] = ("Done", "Unsupported", "Failed")

    position: Position
    data: Base64
    last: bool
    now: Now


class Persisted(_Message):
    """The value last asked to be kept under this name is durable."""

    TYPE: ClassVar[str] = "comity.driver.v1.Persisted"
    FAMILY: ClassVar[str] = "driver"
    MAJOR: ClassVar[int] = 1
    KIND: ClassVar[Literal["request", "reply", "event"]] = "request"
    WRITE: ClassVar[bool] = False
    SAFE: ClassVar[bool] = True
    REPLIES: ClassVar[tuple[str, ...]] = ("Done", "Unsupported", "Failed")

    token: Token
    now: Now


class Tick(_Message):
    """Time has come to `now`."""

    TYPE: ClassVar[str] = "comity.driver.v1.Tick"
    FAMILY: ClassVar[str] = "driver"
    MAJOR: ClassVar[int] = 1
    KIND: ClassVar[Literal["request", "reply", "event"]] = "request"
    WRITE: ClassVar[bool] = False
    SAFE: ClassVar[bool] = True
    REPLIES: ClassVar[tuple[str, ...]] = ("Done", "Unsupported", "Failed")

    now: Now


class Crash(_Message):
    """Forget everything that is in memory, as a killed process does. Nothing may be kept but what is in the directory of Start. A Start follows."""

    TYPE: ClassVar[str] = "comity.driver.v1.Crash"
    FAMILY: ClassVar[str] = "driver"
    MAJOR: ClassVar[int] = 1
    KIND: ClassVar[Literal["request", "reply", "event"]] = "request"
    WRITE: ClassVar[bool] = False
    SAFE: ClassVar[bool] = True
    REPLIES: ClassVar[tuple[str, ...]] = ("Done", "Unsupported", "Failed")


class Reset(_Message):
    """Forget everything, the directory's content included; another case begins with a Start."""

    TYPE: ClassVar[str] = "comity.driver.v1.Reset"
    FAMILY: ClassVar[str] = "driver"
    MAJOR: ClassVar[int] = 1
    KIND: ClassVar[Literal["request", "reply", "event"]] = "request"
    WRITE: ClassVar[bool] = False
    SAFE: ClassVar[bool] = True
    REPLIES: ClassVar[tuple[str, ...]] = ("Done", "Failed")


class Stop(_Message):
    """The conversation is over; answer and exit with status 0."""

    TYPE: ClassVar[str] = "comity.driver.v1.Stop"
    FAMILY: ClassVar[str] = "driver"
    MAJOR: ClassVar[int] = 1
    KIND: ClassVar[Literal["request", "reply", "event"]] = "request"
    WRITE: ClassVar[bool] = False
    SAFE: ClassVar[bool] = True
    REPLIES: ClassVar[tuple[str, ...]] = ("Done", "Failed")


class Done(_Message):
    """All outputs of the command, in order, and when the subject next wants to be woken; without `idle_until` it never does. Nothing else happens before then, which is what makes silence a fact."""

    TYPE: ClassVar[str] = "comity.driver.v1.Done"
    FAMILY: ClassVar[str] = "driver"
    MAJOR: ClassVar[int] = 1
    KIND: ClassVar[Literal["request", "reply", "event"]] = "reply"
    WRITE: ClassVar[bool] = False
    SAFE: ClassVar[bool] = True
    REPLIES: ClassVar[tuple[str, ...]] = ()

    outputs: Annotated[list[Output], _Field(max_length=65536)]
    idle_until: _core.Milliseconds | MISSING = MISSING


class Unsupported(_Message):
    """The subject does not know this command, or does not play this role or profile."""

    TYPE: ClassVar[str] = "comity.driver.v1.Unsupported"
    FAMILY: ClassVar[str] = "driver"
    MAJOR: ClassVar[int] = 1
    KIND: ClassVar[Literal["request", "reply", "event"]] = "reply"
    WRITE: ClassVar[bool] = False
    SAFE: ClassVar[bool] = True
    REPLIES: ClassVar[tuple[str, ...]] = ()


class Failed(_Message):
    """The command could not be carried out; `definite` says that it had no effect."""

    TYPE: ClassVar[str] = "comity.driver.v1.Failed"
    FAMILY: ClassVar[str] = "driver"
    MAJOR: ClassVar[int] = 1
    KIND: ClassVar[Literal["request", "reply", "event"]] = "reply"
    WRITE: ClassVar[bool] = False
    SAFE: ClassVar[bool] = True
    REPLIES: ClassVar[tuple[str, ...]] = ()

    code: _core.ErrorCode
    definite: bool
    detail: Text

Output: TypeAlias = Annotated[SendOutput | AppendOutput | PersistOutput | NotifyOutput, _Field(discriminator="kind")]
"""One thing that the subject wants done, in order."""


MESSAGES: Final[Mapping[str, type[_Message]]] = {
    "Hello": Hello,
    "Welcome": Welcome,
    "Start": Start,
    "Do": Do,
    "Deliver": Deliver,
    "Entry": Entry,
    "Persisted": Persisted,
    "Tick": Tick,
    "Crash": Crash,
    "Reset": Reset,
    "Stop": Stop,
    "Done": Done,
    "Unsupported": Unsupported,
    "Failed": Failed,
}
CHANNELS: Final[Mapping[str, _Channel]] = {}
