"""Messages of Comity core.

Generated from core 1.0, source sha256:b3f2e5cd77f02648d905b229259a46062c4ac066215851899372cce9943490c6.
Every edit is lost: change the spec and run `make gen`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal, TypeAlias

from comity.sdk.model import MISSING
from comity.sdk.model import Channel as _Channel
from comity.sdk.model import Field as _Field
from comity.sdk.model import Message as _Message
from comity.sdk.model import Record as _Record

__all__ = [
    "AgentId",
    "Attributes",
    "CHANNELS",
    "Capability",
    "ErrorCode",
    "Label",
    "MESSAGES",
    "Milliseconds",
    "Name",
    "Pointer",
    "Revision",
]


AgentId: TypeAlias = Annotated[str, _Field(max_length=56, pattern="^did:key:z6Mk[1-9A-HJ-NP-Za-km-z]{44}$")]
"""The identity of an agent; did:key of its Ed25519 public key."""

Name: TypeAlias = Annotated[str, _Field(min_length=1, max_length=64, pattern="^[^\\x00-\\x1F\\x7F]+$")]
"""A human name; printable, not unique, never used to identify."""

Label: TypeAlias = Annotated[str, _Field(min_length=1, max_length=64, pattern="^[A-Za-z0-9][A-Za-z0-9._-]*$")]
"""A short identifier such as a zone or node name."""

Revision: TypeAlias = Annotated[int, _Field(ge=0, le=9007199254740991)]
"""Position of a journal entry in one total order; incarnation times 2^40 plus position. 0 stands before every entry."""

Milliseconds: TypeAlias = Annotated[int, _Field(ge=0, le=9007199254740991)]
"""A duration or a reading of a monotonic clock."""

ErrorCode: TypeAlias = Annotated[str, _Field(max_length=64, pattern="^[a-z][a-z0-9-]*\\.[a-z][a-z0-9_]*$")]
"""A code of the error registry, family dot reason."""

Pointer: TypeAlias = Annotated[str, _Field(max_length=512)]
"""A JSON pointer (RFC 6901) into the data of the event that is answered."""

Capability: TypeAlias = Annotated[str, _Field(min_length=1, max_length=128, pattern="^[a-z][a-z0-9-]*(\\.[a-z][a-z0-9-]*)*(@[0-9]+(\\.[0-9]+){0,2})?$")]
"""What an agent can do; a dotted name, optionally with a version behind an at sign."""


class Attributes(_Record):
    """The context attributes of every Comity event, as CloudEvents 1.0 spells them."""

    specversion: Literal["1.0"]
    id: Annotated[str, _Field(min_length=1, max_length=64, pattern="^[A-Za-z0-9._:-]+$")]
    source: AgentId
    type: Annotated[str, _Field(max_length=128, pattern="^comity\\.[a-z][a-z0-9-]{0,31}\\.v[1-9][0-9]{0,2}\\.[A-Z][A-Za-z0-9]{0,63}$")]
    time: Annotated[str, _Field(max_length=27, pattern="^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,6})?Z$")]
    datacontenttype: Literal["application/json"]
    sequence: Annotated[str, _Field(max_length=16, pattern="^[0-9]{16}$")]
    comityversion: Annotated[str, _Field(max_length=9, pattern="^[1-9][0-9]{0,2}\\.(0|[1-9][0-9]{0,3})$")]
    comityaddress: Annotated[str, _Field(min_length=1, max_length=1024)]
    correlationid: Annotated[str, _Field(min_length=1, max_length=64, pattern="^[A-Za-z0-9._:-]+$")] | MISSING = MISSING
    causationid: Annotated[str, _Field(min_length=1, max_length=64, pattern="^[A-Za-z0-9._:-]+$")] | MISSING = MISSING
    expirytime: Annotated[str, _Field(max_length=27, pattern="^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,6})?Z$")] | MISSING = MISSING
    traceparent: Annotated[str, _Field(max_length=55, pattern="^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$")] | MISSING = MISSING
    tracestate: Annotated[str, _Field(max_length=512)] | MISSING = MISSING
    partitionkey: Annotated[str, _Field(max_length=256)] | MISSING = MISSING
    comitycrit: Annotated[str, _Field(max_length=512, pattern="^[A-Za-z_][A-Za-z0-9_]*( [A-Za-z_][A-Za-z0-9_]*)*$")] | MISSING = MISSING
    comitykey: AgentId | MISSING = MISSING
    comitysig: Annotated[str, _Field(max_length=86, pattern="^[A-Za-z0-9_-]{86}$")] | MISSING = MISSING
    comityvia: Annotated[str, _Field(max_length=455, pattern="^did:key:z6Mk[1-9A-HJ-NP-Za-km-z]{44}( did:key:z6Mk[1-9A-HJ-NP-Za-km-z]{44}){0,7}$")] | MISSING = MISSING


MESSAGES: Final[Mapping[str, type[_Message]]] = {}
CHANNELS: Final[Mapping[str, _Channel]] = {}
