"""Runs the generated machine tables: run to completion, document order, timers as deadlines.

Responsible for state, context and timers of one instance, and for saying as data what the protocol wants done.
Not responsible for doing it, nor for any transition that is not in a table: there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias

from .errors import LocalProtocolError

__all__ = ["Edge", "Effect", "Instance", "Machine", "Scalar", "Table", "Update"]

Scalar: TypeAlias = int | str | bool
Kind: TypeAlias = Literal["send", "persist", "append", "notify", "effect", "refuse"]


class Effect(NamedTuple):
    """One thing wanted: `send` a message, `persist` or `append` something, `notify` the user, run a named
    `effect`, or `refuse` with an error code."""

    kind: Kind
    name: str


Guard: TypeAlias = "Callable[[Any, Instance], object]"
Update: TypeAlias = "Callable[[Any, Instance, float], None]"


@dataclass(frozen=True, slots=True)
class Edge:
    """One transition of one state. `update` sets variables and timers; `to` equals the source when it stays."""

    id: str
    to: str
    guard: Guard | None = None
    update: Update | None = None
    effects: tuple[Effect, ...] = ()


Table: TypeAlias = Mapping[tuple[str, str], tuple[Edge, ...]]


@dataclass(frozen=True, slots=True)
class Machine:
    """A generated machine: its table and everything a new instance starts with.

    `unexpected` is `ignore`, `fault` or `reject:<error code>`. `invariants` hold after every step, by
    requirement id.
    """

    name: str
    role: str
    initial: str
    final: frozenset[str]
    context: Mapping[str, Scalar]
    timers: tuple[str, ...]
    unexpected: str
    table: Table
    invariants: Mapping[str, Guard] = field(default_factory=lambda: {})
    rejection: tuple[Effect, ...] = field(init=False)

    def __post_init__(self) -> None:
        policy, _, code = self.unexpected.partition(":")
        object.__setattr__(self, "rejection", (Effect("refuse", code),) if policy == "reject" else ())


class Instance:
    """One running machine.

    `armed` maps each armed timer to its deadline in monotonic seconds. `predicates` are what the spec names
    in its guards and leaves to the core: `name -> (event, instance) -> bool`.
    """

    __slots__ = ("armed", "context", "fired", "machine", "predicates", "state")

    def __init__(self, machine: Machine, predicates: Mapping[str, Callable[..., bool]] | None = None) -> None:
        self.machine = machine
        self.state: str = machine.initial
        self.context: dict[str, Any] = dict(machine.context)
        self.armed: dict[str, float] = {}
        self.predicates = predicates or {}
        self.fired: Edge | None = None

    def step(self, trigger: str, event: Any = None, now: float = 0.0) -> tuple[Effect, ...]:
        """Take the first edge that `trigger` enables, and return its effects in order.

        `trigger` is a message name, `command.x`, `timer.x` or `signal.x`; `event` the message or the argument;
        `now` the monotonic time in seconds. `fired` is then the edge taken, or None. Without an edge the
        machine's policy for the unexpected applies; a command is refused with `LocalProtocolError`.
        """
        for edge in self.machine.table.get((self.state, trigger), ()):
            if edge.guard is None or edge.guard(event, self):
                if edge.update is not None:
                    edge.update(event, self, now)
                self.state = edge.to
                self.fired = edge
                return edge.effects
        self.fired = None
        return self._unexpected(trigger)

    def _unexpected(self, trigger: str) -> tuple[Effect, ...]:
        if trigger.startswith("timer."):
            return ()
        if trigger.startswith("command.") or self.machine.unexpected == "fault":
            raise LocalProtocolError(f"{self.machine.name} does not allow {trigger} in state {self.state}")
        return self.machine.rejection

    def arm(self, timer: str, now: float, after_ms: int) -> None:
        """Let `timer` fire `after_ms` milliseconds after `now`; at once when that lies in the past."""
        self.armed[timer] = now + max(0, after_ms) / 1000

    def fire_due(self, now: float, slack: float = 0.0) -> tuple[Effect, ...]:
        """Fire every timer whose deadline has come, earliest first, each once, and return all their effects.

        `slack` seconds before its deadline a timer counts as due, for clocks that round; what it arms counts from `now`,
        so that slack never adds up.
        """
        effects: tuple[Effect, ...] = ()
        order = self.machine.timers.index
        for _, _, name in sorted(
            (when, order(name), name) for name, when in self.armed.items() if when <= now + slack
        ):
            if self.armed.get(name, now + slack + 1) <= now + slack:  # an earlier one may have disarmed it
                del self.armed[name]
                effects += self.step(f"timer.{name}", None, now)
        return effects

    def next_deadline(self) -> float | None:
        """The earliest deadline in monotonic seconds, or None when no timer is armed."""
        return min(self.armed.values(), default=None)

    def violated(self) -> Iterator[str]:
        """Requirement ids of the invariants that do not hold now."""
        return (key for key, holds in self.machine.invariants.items() if not holds(None, self))

    def snapshot(self, now: float) -> dict[str, Any]:
        """Plain JSON from which `restore` continues; deadlines as milliseconds that remain."""
        left = {name: max(0, round((when - now) * 1000)) for name, when in self.armed.items()}
        return {"state": str(self.state), "context": dict(self.context), "armed": left}

    def restore(self, snapshot: Mapping[str, Any], now: float) -> None:
        """Continue from a `snapshot`, with its remaining times counted from `now`."""
        self.state = snapshot["state"]
        self.context = dict(snapshot["context"])
        self.armed = {name: now + left / 1000 for name, left in snapshot["armed"].items()}
