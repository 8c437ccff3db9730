"""The seams of Comity: what an endpoint, a transport, a journal and a storage promise one another.

Responsible for the shapes that cross a seam and for the contracts in their docstrings. Not responsible for
any behaviour: nothing here does I/O, and nothing here knows a protocol family.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self, TypeAlias, runtime_checkable

if TYPE_CHECKING:
    from .errors import TransportError

__all__ = [
    "Append",
    "Capabilities",
    "Delivery",
    "Durability",
    "Effect",
    "Endpoint",
    "Entry",
    "Frame",
    "Guarantee",
    "Journal",
    "Json",
    "Notify",
    "Now",
    "Ordering",
    "Persist",
    "Provisioning",
    "Replica",
    "Send",
    "Snapshot",
    "Storage",
    "Subscription",
    "Transport",
]

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


class Now(NamedTuple):
    """One instant, read by whoever runs an endpoint. An endpoint never reads a clock itself.

    `mono` measures durations and never goes back; `wall` is Unix time and may jump. Both in seconds.
    """

    mono: float
    wall: float


class Frame(NamedTuple):
    """One CloudEvents event as a transport carries it (CORE-ENV-001).

    `attributes` are the context attributes in canonical string form, after the binding's decoding. `data` is
    the payload: the very bytes where the binding carries bytes (binary mode, `data_base64`), or the JSON value
    that a structured document carried inline, which is why an inline payload is never signed.
    """

    attributes: Mapping[str, str]
    data: bytes | Json


# ---------------------------------------------------------------- endpoints


class Append(NamedTuple):
    """Append `data` to the journal; it comes back through `Endpoint.entry` once it has a position."""

    data: bytes


class Persist(NamedTuple):
    """Keep `data` under the name `token`, replacing what was there; `Endpoint.persisted(token)` confirms it."""

    token: str
    data: bytes


class Send(NamedTuple):
    """Publish `frame` to `address` (canonical text form, see `comity.sdk.address`)."""

    address: str
    frame: Frame


class Notify(NamedTuple):
    """Tell the local user: `event` names what happened, `data` is its plain JSON detail."""

    event: str
    data: Mapping[str, Json]


Effect: TypeAlias = Append | Persist | Send | Notify


class Endpoint(Protocol):
    """A participant without sockets, clock, tasks or randomness of its own.

    Inputs are the methods below; what it wants done is collected by `take_effects`, in order. What must be
    durable stands before the send that relies on it, and the runner keeps that order: it executes effects one
    after the other, and an endpoint that needs a confirmation waits for `entry` or `persisted`.
    """

    def receive(self, frame: Frame, now: Now) -> None:
        """A message arrived. Never raises on bad input: what is refused is answered or dropped by rule."""
        ...

    def command(self, request: str, args: Mapping[str, Json], now: Now) -> None:
        """The local user wants `request`. Raises `LocalProtocolError` where it makes no sense now."""
        ...

    def entry(self, position: int, data: bytes, now: Now) -> None:
        """The journal has ordered an entry: ours or another replica's, live or replayed, without gaps in order."""
        ...

    def persisted(self, token: str, now: Now) -> None:
        """Storage has what `Persist(token, …)` asked it to keep."""
        ...

    def wake(self, now: Now) -> None:
        """The time named by `next_deadline` has come (or passed)."""
        ...

    def next_deadline(self) -> float | None:
        """Monotonic second at which `wake` is wanted; None when nothing is pending."""
        ...

    def take_effects(self) -> list[Effect]:
        """Hand over, once, everything wanted since the last call, in order."""
        ...


@runtime_checkable
class Replica(Endpoint, Protocol):
    """An endpoint whose state is a function of the journal's entries, so that it can be saved and caught up."""

    def snapshot(self) -> Snapshot:
        """The state as it is after the last entry applied."""
        ...

    def restore(self, snapshot: Snapshot) -> None:
        """Continue from `snapshot`, before any entry. Raises `JournalError` where it cannot be read."""
        ...

    def caught_up(self, now: Now) -> None:
        """Every entry that was there at the start has been applied: from now on serve, and answer for it."""
        ...


# --------------------------------------------------------------- transports


class Guarantee(StrEnum):
    """What a publish promises when it returns (CORE-DLV-001, CORE-DLV-002)."""

    AT_MOST_ONCE = "at-most-once"
    AT_LEAST_ONCE = "at-least-once"


class Ordering(StrEnum):
    """The scope in which a transport keeps the order of publishing."""

    NONE = "none"
    KEY = "per-key"
    PUBLISHER = "per-publisher"
    TOTAL = "total"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an adapter can do. What it lacks is declared here, and asking for it raises `CapabilityError`.

    `publisher_waits`: publishing at least once waits until every subscriber has room; without it, what a slow
    subscriber has no room for waits with the broker.
    """

    ordering: Ordering
    guarantees: frozenset[Guarantee]
    durable: bool = False
    replay: bool = False
    groups: bool = False
    last_value: bool = False
    death_notice: bool = False
    publisher_waits: bool = False
    wildcards: bool = True
    headers: bool = True
    max_payload: int = 1 << 20
    dedup_window: float = 0.0


@dataclass(frozen=True, slots=True)
class Delivery:
    """One received message: where it was sent, what it carried, and whether the broker may have sent it before.

    `ack` and `nack` do nothing where the subscription is at-most-once. `nack` refuses it: it comes again, flagged and
    behind what waits, here or to another member of the group, after 0.05 s, and each time after twice as long, up to
    5 s. Until then it takes room, and it is not delivered before its time where the subscription is closed. Where
    `on_delivery` raises and has called neither, that is logged, and the message counts as acknowledged.
    """

    address: str
    frame: Frame
    redelivered: bool = False
    ack: Callable[[], None] = field(default=lambda: None, repr=False)
    nack: Callable[[], None] = field(default=lambda: None, repr=False)


class Subscription(Protocol):
    """A live subscription. Its buffer is bounded; `dropped` counts what a full buffer cost (at-most-once only)."""

    @property
    def dropped(self) -> int: ...
    def pause(self) -> None:
        """Stop calling back; arriving messages wait in the bounded buffer."""
        ...

    def resume(self) -> None: ...
    async def close(self) -> None: ...


@runtime_checkable
class Transport(Protocol):
    """Moves frames between addresses. One instance is one connection, made by `open` and ended by `close`.

    Closed, it may be opened again. The constructor takes the URL and keyword options and does no I/O. Every wait
    is bounded by a configurable timeout and may be cancelled; a cancelled call leaves no task behind, `close` apart:
    the end of a connection or subscription that has begun is gone through with, and a second call waits for it. Errors
    are `TransportError`s that name the server and what to do.
    """

    @property
    def capabilities(self) -> Capabilities: ...
    def on_death(self, address: str, frame: Frame) -> None:
        """Leave `frame` with the broker, to be published to `address` if this connection ends without `close`.

        Before `open`, once: a later one replaces it. It is published at least once where the adapter can. Raises
        `CapabilityError`, `PayloadTooLarge`, or `TransportError` where the connection is open already.
        """
        ...

    async def open(self) -> None: ...
    async def publish(
        self, address: str, frame: Frame, *, guarantee: Guarantee = Guarantee.AT_MOST_ONCE
    ) -> None:
        """Hand `frame` to the broker. Raises `PayloadTooLarge`, `CapabilityError` or `TransportError`."""
        ...

    async def subscribe(
        self,
        pattern: str,
        on_delivery: Callable[[Delivery], None],
        *,
        group: str | None = None,
        since: float | None = None,
    ) -> Subscription:
        """Call `on_delivery` on the event loop for each message whose address matches `pattern`.

        When it returns the subscription is in force: what anybody publishes afterwards arrives. Within a
        `group` each message goes to one member. Where the adapter has `replay`, it begins with what was published at
        Unix second `since` and is still kept; a group that is known goes on where it was. Raises `CapabilityError`.
        """
        ...

    async def flush(self) -> None:
        """Return when the broker has everything published before the call."""
        ...

    async def lost(self) -> TransportError:
        """Return why, once the connection is gone for good, such as to another client of the same name.

        One that is to come back is not lost. It does not return after `close`: whoever waits is to be cancelled.
        """
        ...

    async def close(self) -> None:
        """Drain what was published, end the subscriptions, close the connection. Idempotent."""
        ...


@runtime_checkable
class Provisioning(Transport, Protocol):
    """A transport whose broker must know a channel before anybody uses it, such as a topic of Kafka's."""

    async def prepare(self, channel: str) -> bool | None:
        """Make what `channel` (an address without keys) needs, or check it where it is there; whether it was made.

        None where, as this transport is set up, it needs nothing. Raises `TransportError` where it cannot be made, or
        is there and not fit for use.
        """
        ...


# ------------------------------------------------------- journals and storage


class Durability(StrEnum):
    """What an acknowledged journal entry survives: nothing, the process, one host, loss of power."""

    NONE = "none"
    PROCESS = "process"
    HOST = "host"
    POWER = "power"


class Entry(NamedTuple):
    """One ordered journal entry. Positions start at 1 and rise; gaps are allowed."""

    position: int
    data: bytes


class Snapshot(NamedTuple):
    """A state that contains every entry up to and including `position`."""

    position: int
    data: bytes


class Journal(Protocol):
    """An ordered, durable log of commands (one per namespace and family).

    Append takes no expected position: commands decide when they are applied. No two entries share a position,
    all readers see one order, and nothing that `append` returned for is lost within the declared durability.
    """

    @property
    def durability(self) -> Durability: ...
    @property
    def incarnation(self) -> int:
        """Rises whenever the journal is created anew or restored; 1 at first. Valid after `open`."""
        ...

    async def open(self) -> None: ...
    async def append(self, data: bytes) -> int:
        """Return the entry's position once it is durable within `durability`. Concurrent calls share a commit."""
        ...

    def follow(self, after: int) -> AsyncIterator[Entry]:
        """Yield every entry behind position `after`, in order, and then wait for more, for ever."""
        ...

    async def end(self) -> int:
        """Position of the last entry, 0 when there is none."""
        ...

    async def save_snapshot(self, snapshot: Snapshot) -> None:
        """Keep `snapshot` as the latest. Entries up to its position may be truncated from then on.

        Raises `JournalError` with `local.snapshot_outdated` where a later one is kept: another replica was faster.
        """
        ...

    async def load_snapshot(self) -> Snapshot | None: ...
    async def truncate(self, position: int) -> None:
        """Forget entries up to and including `position`, which a saved snapshot must cover."""
        ...

    async def close(self) -> None: ...
    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...


class Storage(Protocol):
    """A participant's own small state: named values, each replaced whole and atomically."""

    async def load(self) -> dict[str, bytes]: ...
    async def save(self, token: str, data: bytes) -> None:
        """Return when `data` is durable under `token`."""
        ...
