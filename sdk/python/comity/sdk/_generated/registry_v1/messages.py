"""Messages of Comity registry.

Generated from registry 1.0, source sha256:cd195a6a9df1476e7f487e64a4a2f05e0c9c676f2c52f785cdddea719b47affc.
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
from comity.sdk.model import Value as _Value

from ..core_v1 import messages as _core

__all__ = [
    "CHANNELS",
    "Change",
    "Changes",
    "Consistency",
    "Count",
    "Counted",
    "Criterion",
    "Cursor",
    "Deregister",
    "Deregistered",
    "Endpoint",
    "Entry",
    "Filter",
    "Found",
    "Health",
    "Lease",
    "List",
    "Lookup",
    "MESSAGES",
    "Member",
    "Order",
    "Page",
    "Path",
    "Query",
    "Refused",
    "Register",
    "Registered",
    "Renew",
    "Renewed",
    "Unwatch",
    "Unwatched",
    "Update",
    "Updated",
    "Watch",
    "WatchId",
    "Watching",
]


Lease: TypeAlias = Annotated[int, _Field(ge=100, le=3600000)]
"""Length of a lease, in milliseconds."""

Health: TypeAlias = Literal["healthy", "degraded", "unhealthy", "unknown"]
"""How an agent says it is."""

Endpoint: TypeAlias = Annotated[str, _Field(min_length=1, max_length=256, pattern="^[A-Za-z][A-Za-z0-9+.-]*:[!-~]+$")]
"""Where an agent can be reached besides its Comity address, as a URI."""

WatchId: TypeAlias = Annotated[str, _Field(min_length=1, max_length=64, pattern="^[A-Za-z0-9._:-]+$")]
"""The name that a watcher gives its watch; unique among the watcher's own."""

Cursor: TypeAlias = Annotated[str, _Field(min_length=1, max_length=2048, pattern="^[A-Za-z0-9_-]+$")]
"""An opaque place in an ordered result."""

Consistency: TypeAlias = Literal["eventual", "linearizable"]
"""Whether a read may answer from any state the registry had (eventual) or sees every write answered before it was sent (linearizable)."""

Member: TypeAlias = Literal["name", "endpoint", "metadata", "health", "zone", "node", "resources"]
"""A member of an entry that an Update can clear."""

Path: TypeAlias = Annotated[str, _Field(min_length=1, max_length=256, pattern="^(agent|name|endpoint|capabilities|health|zone|node|lease_ms|epoch|revision|(metadata|resources)(\\.[A-Za-z0-9_-]{1,64}){1,8})$")]
"""A place in an entry; a member, or dotted keys into metadata or resources."""


class Entry(_Record):
    """What a registry keeps of one live agent."""

    agent: _core.AgentId
    capabilities: Annotated[list[_core.Capability], _Field(max_length=256)]
    lease_ms: Lease
    epoch: _core.Revision
    revision: _core.Revision
    name: _core.Name | MISSING = MISSING
    endpoint: Endpoint | MISSING = MISSING
    metadata: _Map | MISSING = MISSING
    health: Health | MISSING = MISSING
    zone: _core.Label | MISSING = MISSING
    node: _core.Label | MISSING = MISSING
    resources: _Map | MISSING = MISSING


class Criterion(_Record):
    """One condition on an entry. `value` is a list for `in` and `not_in`, and may be absent (true) for `exists`."""

    path: Path
    op: Literal["eq", "ne", "gt", "gte", "lt", "lte", "in", "not_in", "contains", "prefix", "exists"]
    value: _Value | MISSING = MISSING


class Filter(_Record):
    """Every criterion of `all` holds and, where `any` has criteria, at least one of them does."""

    all: Annotated[list[Criterion], _Field(max_length=32)] | MISSING = MISSING
    any: Annotated[list[Criterion], _Field(max_length=32)] | MISSING = MISSING


class Order(_Record):
    """One key of an order."""

    path: Path
    descending: bool | MISSING = MISSING


class Change(_Record):
    """One change of one entry. `put` carries the entry as it is from `revision` on; `delete` says why it is gone."""

    kind: Literal["put", "delete"]
    agent: _core.AgentId
    revision: _core.Revision
    entry: Entry | MISSING = MISSING
    reason: Literal["deregistered", "expired", "unmatched"] | MISSING = MISSING


class Register(_Message):
    """Admit this agent for a lease, replacing whatever entry it has."""

    TYPE: ClassVar[str] = "comity.registry.v1.Register"
    FAMILY: ClassVar[str] = "registry"
    MAJOR: ClassVar[int] = 1
    KIND: ClassVar[Literal["request", "reply", "event"]] = "request"
    WRITE: ClassVar[bool] = True
    SAFE: ClassVar[bool] = False
    REPLIES: ClassVar[tuple[str, ...]] = ("Registered", "Refused")

    agent: _core.AgentId
    capabilities: Annotated[list[_core.Capability], _Field(max_length=256)]
    lease_ms: Lease
    name: _core.Name | MISSING = MISSING
    endpoint: Endpoint | MISSING = MISSING
    metadata: _Map | MISSING = MISSING
    health: Health | MISSING = MISSING
    zone: _core.Label | MISSING = MISSING
    node: _core.Label | MISSING = MISSING
    resources: _Map | MISSING = MISSING
    if_revision: _core.Revision | MISSING = MISSING


class Registered(_Message):
    """The agent is admitted. `epoch` is its incarnation and its fencing token."""

    TYPE: ClassVar[str] = "comity.registry.v1.Registered"
    FAMILY: ClassVar[str] = "registry"
    MAJOR: ClassVar[int] = 1
    KIND: ClassVar[Literal["request", "reply", "event"]] = "reply"
    WRITE: ClassVar[bool] = False
    SAFE: ClassVar[bool] = True
    REPLIES: ClassVar[tuple[str, ...]] = ()

    agent: _core.AgentId
    epoch: _core.Revision
    revision: _core.Revision
    lease_ms: Lease


class Update(_Message):
    """Change the members that are given and remove those that are named in `clear`."""

    TYPE: ClassVar[str] = "comity.registry.v1.Update"
    FAMILY: ClassVar[str] = "registry"
    MAJOR: ClassVar[int] = 1
    KIND: ClassVar[Literal["request", "reply", "event"]] = "request"
    WRITE: ClassVar[bool] = True
    SAFE: ClassVar[bool] = False
    REPLIES: ClassVar[tuple[str, ...]] = ("Updated", "Refused")

    agent: _core.AgentId
    epoch: _core.Revision
    name: _core.Name | MISSING = MISSING
    endpoint: Endpoint | MISSING = MISSING
    capabilities: Annotated[list[_core.Capability], _Field(max_length=256)] | MISSING = MISSING
    metadata: _Map | MISSING = MISSING
    health: Health | MISSING = MISSING
    zone: _core.Label | MISSING = MISSING
    node: _core.Label | MISSING = MISSING
    resources: _Map | MISSING = MISSING
    clear: Annotated[list[Member], _Field(max_length=7)] | MISSING = MISSING
    if_revision: _core.Revision | MISSING = MISSING


class Updated(_Message):
    """The entry is changed; `revision` is its new one."""

    TYPE: ClassVar[str] = "comity.registry.v1.Updated"
    FAMILY: ClassVar[str] = "registry"
    MAJOR: ClassVar[int] = 1
    KIND: ClassVar[Literal["request", "reply", "event"]] = "reply"
    WRITE: ClassVar[bool] = False
    SAFE: ClassVar[bool] = True
    REPLIES: ClassVar[tuple[str, ...]] = ()

    agent: _core.AgentId
    revision: _core.Revision


class Renew(_Message):
    """Let the lease run anew, with another length where one is given."""

    TYPE: ClassVar[str] = "comity.registry.v1.Renew"
    FAMILY: ClassVar[str] = "registry"
    MAJOR: ClassVar[int] = 1
    KIND: ClassVar[Literal["request", "reply", "event"]] = "request"
    WRITE: ClassVar[bool] = True
    SAFE: ClassVar[bool] = False
    REPLIES: ClassVar[tuple[str, ...]] = ("Renewed", "Refused")

    agent: _core.AgentId
    epoch: _core.Revision
    lease_ms: Lease | MISSING = MISSING


class Renewed(_Message):
    """The lease runs anew for `lease_ms`; `revision` is where that was decided, not the entry's."""

    TYPE: ClassVar[str] = "comity.registry.v1.Renewed"
    FAMILY: ClassVar[str] = "registry"
    MAJOR: ClassVar[int] = 1
    KIND: ClassVar[Literal["request", "reply", "event"]] = "reply"
    WRITE: ClassVar[bool] = False
    SAFE: ClassVar[bool] = True
    REPLIES: ClassVar[tuple[str, ...]] = ()

    agent: _core.AgentId
    epoch: _core.Revision
    revision: _core.Revision
    lease_ms: Lease


class Deregister(_Message):
    """Remove the agent's entry at once."""

    TYPE: ClassVar[str] = "comity.registry.v1.Deregister"
    FAMILY: ClassVar[str] = "registry"
    MAJOR: ClassVar[int] = 1
    KIND: ClassVar[Literal["request", "reply", "event"]] = "request"
    WRITE: ClassVar[bool] = True
    SAFE: ClassVar[bool] = False
    REPLIES: ClassVar[tuple[str, ...]] = ("Deregistered", "Refused")

    agent: _core.AgentId
    epoch: _core.Revision
    if_revision: _core.Revision | MISSING = MISSING


class Deregistered(_Message):
    """The entry is gone from `revision` on."""

    TYPE: ClassVar[str] = "comity.registry.v1.Deregistered"
    FAMILY: ClassVar[str] = "registry"
    MAJOR: ClassVar[int] = 1
    KIND: ClassVar[Literal["request", "reply", "event"]] = "reply"
    WRITE: ClassVar[bool] = False
    SAFE: ClassVar[bool] = True
    REPLIES: ClassVar[tuple[str, ...]] = ()

    agent: _core.AgentId
    revision: _core.Revision


class Lookup(_Message):
    """Give the entry of one agent."""

    TYPE: ClassVar[str] = "comity.registry.v1.Lookup"
    FAMILY: ClassVar[str] = "registry"
    MAJOR: ClassVar[int] = 1
    KIND: ClassVar[Literal["request", "reply", "event"]] = "request"
    WRITE: ClassVar[bool] = False
    SAFE: ClassVar[bool] = True
    REPLIES: ClassVar[tuple[str, ...]] = ("Found", "Refused")

    agent: _core.AgentId
    consistency: Consistency


class Found(_Message):
    """The entry as it is at `revision`, the latest that the answer takes account of."""

    TYPE: ClassVar[str] = "comity.registry.v1.Found"
    FAMILY: ClassVar[str] = "registry"
    MAJOR: ClassVar[int] = 1
    KIND: ClassVar[Literal["request", "reply", "event"]] = "reply"
    WRITE: ClassVar[bool] = False
    SAFE: ClassVar[bool] = True
    REPLIES: ClassVar[tuple[str, ...]] = ()

    entry: Entry
    revision: _core.Revision


class Query(_Message):
    """Give the entries that satisfy a filter, in an order, a page at a time."""

    TYPE: ClassVar[str] = "comity.registry.v1.Query"
    FAMILY: ClassVar[str] = "registry"
    MAJOR: ClassVar[int] = 1
    KIND: ClassVar[Literal["request", "reply", "event"]] = "request"
    WRITE: ClassVar[bool] = False
    SAFE: ClassVar[bool] = True
    REPLIES: ClassVar[tuple[str, ...]] = ("Page", "Refused")

    limit: Annotated[int, _Field(ge=1, le=100)]
    consistency: Consistency
    where: Filter | MISSING = MISSING
    order_by: Annotated[list[Order], _Field(max_length=4)] | MISSING = MISSING
    cursor: Cursor | MISSING = MISSING


class List(_Message):
    """Give all live entries in the order of their agents, a page at a time."""

    TYPE: ClassVar[str] = "comity.registry.v1.List"
    FAMILY: ClassVar[str] = "registry"
    MAJOR: ClassVar[int] = 1
    KIND: ClassVar[Literal["request", "reply", "event"]] = "request"
    WRITE: ClassVar[bool] = False
    SAFE: ClassVar[bool] = True
    REPLIES: ClassVar[tuple[str, ...]] = ("Page", "Refused")

    limit: Annotated[int, _Field(ge=1, le=100)]
    consistency: Consistency
    cursor: Cursor | MISSING = MISSING


class Page(_Message):
    """One page as it is at `revision`; `cursor` is there when more entries follow."""

    TYPE: ClassVar[str] = "comity.registry.v1.Page"
    FAMILY: ClassVar[str] = "registry"
    MAJOR: ClassVar[int] = 1
    KIND: ClassVar[Literal["request", "reply", "event"]] = "reply"
    WRITE: ClassVar[bool] = False
    SAFE: ClassVar[bool] = True
    REPLIES: ClassVar[tuple[str, ...]] = ()

    entries: Annotated[list[Entry], _Field(max_length=100)]
    revision: _core.Revision
    cursor: Cursor | MISSING = MISSING


class Count(_Message):
    """Give the number of entries that satisfy a filter."""

    TYPE: ClassVar[str] = "comity.registry.v1.Count"
    FAMILY: ClassVar[str] = "registry"
    MAJOR: ClassVar[int] = 1
    KIND: ClassVar[Literal["request", "reply", "event"]] = "request"
    WRITE: ClassVar[bool] = False
    SAFE: ClassVar[bool] = True
    REPLIES: ClassVar[tuple[str, ...]] = ("Counted", "Refused")

    consistency: Consistency
    where: Filter | MISSING = MISSING


class Counted(_Message):
    """The number of entries at `revision`."""

    TYPE: ClassVar[str] = "comity.registry.v1.Counted"
    FAMILY: ClassVar[str] = "registry"
    MAJOR: ClassVar[int] = 1
    KIND: ClassVar[Literal["request", "reply", "event"]] = "reply"
    WRITE: ClassVar[bool] = False
    SAFE: ClassVar[bool] = True
    REPLIES: ClassVar[tuple[str, ...]] = ()

    count: Annotated[int, _Field(ge=0, le=9007199254740991)]
    revision: _core.Revision


class Watch(_Message):
    """Send me what the filter covers, from a snapshot or behind a revision, or prolong the watch of this name."""

    TYPE: ClassVar[str] = "comity.registry.v1.Watch"
    FAMILY: ClassVar[str] = "registry"
    MAJOR: ClassVar[int] = 1
    KIND: ClassVar[Literal["request", "reply", "event"]] = "request"
    WRITE: ClassVar[bool] = True
    SAFE: ClassVar[bool] = True
    REPLIES: ClassVar[tuple[str, ...]] = ("Watching", "Refused")

    watch: WatchId
    lease_ms: Lease
    where: Filter | MISSING = MISSING
    after: _core.Revision | MISSING = MISSING
    index: Annotated[int, _Field(ge=0, le=9007199254740991)] | MISSING = MISSING


class Watching(_Message):
    """The watch is live. `index` is that of the last Changes sent for it, 0 before the first."""

    TYPE: ClassVar[str] = "comity.registry.v1.Watching"
    FAMILY: ClassVar[str] = "registry"
    MAJOR: ClassVar[int] = 1
    KIND: ClassVar[Literal["request", "reply", "event"]] = "reply"
    WRITE: ClassVar[bool] = False
    SAFE: ClassVar[bool] = True
    REPLIES: ClassVar[tuple[str, ...]] = ()

    watch: WatchId
    revision: _core.Revision
    index: Annotated[int, _Field(ge=0, le=9007199254740991)]
    lease_ms: Lease


class Unwatch(_Message):
    """End the watch of this name."""

    TYPE: ClassVar[str] = "comity.registry.v1.Unwatch"
    FAMILY: ClassVar[str] = "registry"
    MAJOR: ClassVar[int] = 1
    KIND: ClassVar[Literal["request", "reply", "event"]] = "request"
    WRITE: ClassVar[bool] = True
    SAFE: ClassVar[bool] = True
    REPLIES: ClassVar[tuple[str, ...]] = ("Unwatched", "Refused")

    watch: WatchId


class Unwatched(_Message):
    """The watch is over; nothing is sent for it any more."""

    TYPE: ClassVar[str] = "comity.registry.v1.Unwatched"
    FAMILY: ClassVar[str] = "registry"
    MAJOR: ClassVar[int] = 1
    KIND: ClassVar[Literal["request", "reply", "event"]] = "reply"
    WRITE: ClassVar[bool] = False
    SAFE: ClassVar[bool] = True
    REPLIES: ClassVar[tuple[str, ...]] = ()

    watch: WatchId


class Changes(_Message):
    """A batch of changes in the order of their revisions. `synced` marks the last batch of a snapshot or of what was resumed."""

    TYPE: ClassVar[str] = "comity.registry.v1.Changes"
    FAMILY: ClassVar[str] = "registry"
    MAJOR: ClassVar[int] = 1
    KIND: ClassVar[Literal["request", "reply", "event"]] = "event"
    WRITE: ClassVar[bool] = False
    SAFE: ClassVar[bool] = True
    REPLIES: ClassVar[tuple[str, ...]] = ()

    watch: WatchId
    index: Annotated[int, _Field(ge=1, le=9007199254740991)]
    revision: _core.Revision
    changes: Annotated[list[Change], _Field(max_length=64)]
    synced: bool | MISSING = MISSING


class Refused(_Message):
    """The request was not carried out, for the reason that `code` names. `revision` is where that was decided, where the journal had a part in it."""

    TYPE: ClassVar[str] = "comity.registry.v1.Refused"
    FAMILY: ClassVar[str] = "registry"
    MAJOR: ClassVar[int] = 1
    KIND: ClassVar[Literal["request", "reply", "event"]] = "reply"
    WRITE: ClassVar[bool] = False
    SAFE: ClassVar[bool] = True
    REPLIES: ClassVar[tuple[str, ...]] = ()

    code: _core.ErrorCode
    revision: _core.Revision | MISSING = MISSING
    pointer: _core.Pointer | MISSING = MISSING
    retry_after_ms: _core.Milliseconds | MISSING = MISSING


MESSAGES: Final[Mapping[str, type[_Message]]] = {
    "Register": Register,
    "Registered": Registered,
    "Update": Update,
    "Updated": Updated,
    "Renew": Renew,
    "Renewed": Renewed,
    "Deregister": Deregister,
    "Deregistered": Deregistered,
    "Lookup": Lookup,
    "Found": Found,
    "Query": Query,
    "List": List,
    "Page": Page,
    "Count": Count,
    "Counted": Counted,
    "Watch": Watch,
    "Watching": Watching,
    "Unwatch": Unwatch,
    "Unwatched": Unwatched,
    "Changes": Changes,
    "Refused": Refused,
}
CHANNELS: Final[Mapping[str, _Channel]] = {
    "requests": _Channel(
        name="requests",
        senders=("agent",),
        receivers=("registry",),
        messages=("Register", "Update", "Renew", "Deregister", "Lookup", "Query", "List", "Count", "Watch", "Unwatch"),
        key="source",
        order="per-key",
        guarantee="at-most-once",
        max_bytes=262144,
        group=True,
    ),
    "replies": _Channel(
        name="replies",
        senders=("registry",),
        receivers=("agent",),
        messages=("Registered", "Updated", "Renewed", "Deregistered", "Found", "Page", "Counted", "Watching", "Unwatched", "Refused"),
        key="requester",
        order="per-key",
        guarantee="at-most-once",
        max_bytes=1000000,
        group=False,
    ),
    "changes": _Channel(
        name="changes",
        senders=("registry",),
        receivers=("agent",),
        messages=("Changes",),
        key="watcher",
        order="per-key",
        guarantee="at-most-once",
        max_bytes=1000000,
        group=False,
    ),
}
