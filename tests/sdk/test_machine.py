"""The interpreter: order, timers, the unexpected, snapshots, and every edge of every generated machine."""

from __future__ import annotations

import contextlib
import importlib
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity.sdk.errors import LocalProtocolError
from comity.sdk.machine import Edge, Effect, Instance, Machine, Update
from comity.sdk.model import MISSING

FAMILIES = ("registry",)
LOUD = (Effect("notify", "loud"),)


def disarm(timer: str) -> Update:
    def update(event: Any, it: Instance, now: float) -> None:
        it.armed.pop(timer, None)

    return update


def never_unarmed(event: Any, it: Instance) -> bool:
    return it.state != "on" or "a" in it.armed


def machine(**changes: Any) -> Machine:
    table = {
        ("off", "command.on"): (
            Edge("on", "on", update=lambda e, it, now: it.arm("a", now, 1000), effects=LOUD),
        ),
        ("on", "Tick"): (
            Edge("big", "on", guard=lambda e, it: e > 5, update=lambda e, it, now: it.context.update(n=e)),
            Edge("small", "off", update=disarm("a")),
        ),
        ("on", "timer.a"): (Edge("a", "on", update=lambda e, it, now: it.arm("b", now, 500)),),
        ("on", "timer.b"): (Edge("b", "off"),),
        ("on", "Only"): (Edge("only", "off", guard=lambda e, it: False),),
    }
    parts: dict[str, Any] = {
        "name": "Lamp",
        "role": "lamp",
        "initial": "off",
        "final": frozenset[str](),
        "context": {"n": 0},
        "timers": ("a", "b"),
        "unexpected": "ignore",
        "table": table,
        "invariants": {"X-Y-001": never_unarmed},
    }
    return Machine(**(parts | changes))


def test_the_first_enabled_edge_in_document_order_is_taken() -> None:
    lamp = Instance(machine())
    assert lamp.step("command.on", None, 1.0) == LOUD
    assert lamp.step("Tick", 9, 1.0) == ()
    assert (lamp.state, lamp.context["n"], lamp.fired and lamp.fired.id) == ("on", 9, "big")
    lamp.step("Tick", 1, 1.0)
    assert (lamp.state, lamp.armed, lamp.fired and lamp.fired.id) == ("off", {}, "small")


def test_instances_share_nothing() -> None:
    one, two = Instance(machine()), Instance(machine())
    one.context["n"] = 5
    one.step("command.on", None, 0.0)
    assert (two.state, two.context, two.armed) == ("off", {"n": 0}, {})


def test_timers_fire_at_their_deadline_and_once() -> None:
    lamp = Instance(machine())
    lamp.step("command.on", None, 1.0)
    assert lamp.next_deadline() == 2.0
    assert lamp.fire_due(1.999) == ()
    assert lamp.state == "on"
    lamp.fire_due(2.0)
    assert lamp.next_deadline() == 2.5
    lamp.fire_due(9.0)
    assert (lamp.state, lamp.next_deadline()) == ("off", None)


def test_a_timer_that_an_earlier_one_disarms_does_not_fire() -> None:
    table = {
        ("s", "timer.a"): (Edge("a", "s", update=disarm("b")),),
        ("s", "timer.b"): (Edge("b", "s", effects=LOUD),),
    }
    it = Instance(machine(initial="s", table=table))
    it.arm("b", 0.0, 10)
    it.arm("a", 0.0, 10)
    assert it.fire_due(1.0) == ()


def test_a_timer_that_rearms_itself_at_once_does_not_hang() -> None:
    table = {
        ("s", "timer.a"): (Edge("a", "s", update=lambda e, it, now: it.arm("a", now, -5), effects=LOUD),)
    }
    it = Instance(machine(initial="s", table=table))
    it.arm("a", 0.0, 0)
    assert it.fire_due(1.0) == LOUD
    assert it.next_deadline() == 1.0


@pytest.mark.parametrize(("policy", "effects"), [("ignore", ()), ("reject:a.b", (Effect("refuse", "a.b"),))])
def test_the_unexpected_is_ignored_or_refused(policy: str, effects: tuple[Effect, ...]) -> None:
    lamp = Instance(machine(unexpected=policy))
    assert lamp.step("Tick", 1) == effects
    assert lamp.fired is None
    assert lamp.step("timer.a") == ()


def test_the_unexpected_can_be_a_fault_and_a_false_guard_is_unexpected() -> None:
    lamp = Instance(machine(unexpected="fault"))
    lamp.step("command.on")
    with pytest.raises(LocalProtocolError, match="Lamp does not allow Only in state on"):
        lamp.step("Only")
    assert lamp.state == "on"


def test_a_command_out_of_place_is_the_users_error_under_every_policy() -> None:
    for policy in ("ignore", "fault", "reject:a.b"):
        with pytest.raises(LocalProtocolError, match=r"command\.off"):
            Instance(machine(unexpected=policy)).step("command.off")


def test_violated_invariants_are_named() -> None:
    lamp = Instance(machine())
    lamp.step("command.on")
    assert list(lamp.violated()) == []
    lamp.armed.clear()
    assert list(lamp.violated()) == ["X-Y-001"]


@given(st.floats(0, 1e6), st.integers(0, 10**6), st.floats(0, 1e6))
def test_a_snapshot_keeps_state_context_and_remaining_time(now: float, left: int, later: float) -> None:
    lamp = Instance(machine())
    lamp.step("command.on", None, now)
    lamp.arm("b", now, left)
    lamp.context["n"] = 7
    other = Instance(machine())
    other.restore(lamp.snapshot(now), later)
    assert (other.state, other.context, set(other.armed)) == ("on", {"n": 7}, {"a", "b"})
    assert abs((other.armed["b"] - later) * 1000 - left) <= 1
    other.restore(other.snapshot(later), later)
    assert other.snapshot(later) == lamp.snapshot(now)


# ---------------------------------------------------------- generated machines

HOUR = 3_600_000  # for guards on what has passed

MACHINES = [
    pytest.param(value, id=name)
    for family in FAMILIES
    for name, value in importlib.import_module(f"comity.sdk._generated.{family}_v1.machines").MACHINES.items()
]


class Event:
    """Stands for a message: required members are small numbers, optional ones are absent half of the time."""

    OPTIONAL = frozenset({"if_revision", "after", "lease_ms"})
    CODES = ("registry.unknown_watch", "core.stale_request", "registry.conflict")

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.members: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        if name not in self.members:
            absent = name in self.OPTIONAL and self.dice.random() < 0.5
            small = self.dice.choice(self.CODES) if name == "code" else self.dice.randrange(3)
            self.members[name] = MISSING if absent else small
        return self.members[name]


def wander(table: Machine, steps: int) -> set[tuple[str, str]]:
    """A random walk from the initial state; the core's part (context, predicates) is played by dice."""
    dice = random.Random(table.name)

    def kept(event: Any, it: Instance) -> bool:
        return dice.random() < 0.5

    walk, fired = Instance(table, {"kept": kept}), set[tuple[str, str]]()
    for now in range(steps):
        state = walk.state
        triggers = [t for s, t in table.table if s == state and (t[:6] != "timer." or t[6:] in walk.armed)]
        trigger = dice.choice(triggers)
        if trigger.startswith("timer."):
            del walk.armed[trigger[6:]]
        walk.context.update(
            (k, dice.choice((0, 1, 2, HOUR))) for k, v in table.context.items() if type(v) is int
        )
        event = Event(dice)
        event.members["lease_ms"] = dice.choice([MISSING, 1000]) if trigger == "Renew" else 1000
        if trigger == "Watch":
            event.members["index"] = dice.choice([MISSING, 1])
        with contextlib.suppress(LocalProtocolError):
            walk.step(trigger, event, float(now))
        if walk.fired is not None:
            fired.add((state, walk.fired.id))
        assert list(walk.violated()) == [], (state, trigger)
        if walk.state in table.final:
            walk = Instance(table, {"kept": kept})
    return fired


@pytest.mark.parametrize("table", MACHINES)
def test_a_random_walk_fires_every_transition_and_breaks_no_invariant(table: Machine) -> None:
    wanted = {(state, edge.id) for (state, _), edges in table.table.items() for edge in edges}
    assert wander(table, 5000) == wanted
