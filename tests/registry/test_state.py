"""The replicated state: one journal, one state; snapshots change nothing; watches miss nothing."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comity.registry._core.dedup import Outcome
from comity.registry._core.lease import Leases
from comity.registry._core.record import Command, Record, decode, encode
from comity.registry._core.state import State
from comity.sdk.errors import JournalError
from comity.sdk.identity import Identity

from . import model

CHECKED = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
AGENTS = [Identity.from_seed(bytes([n]) * 32).agent_id for n in range(4)]
WATCHED = {"all": [{"path": "zone", "op": "eq", "value": "n"}]}


class Script:
    """Turns drawn steps into journal records, with epochs that exist where a step asks for the current one."""

    def __init__(self, history: int = 10_000) -> None:
        self.state = State(history=history)
        self.records: list[bytes] = []
        self.batches: list[Any] = []
        self.sequences = dict.fromkeys(AGENTS, 0)
        self.at = 0

    def run(self, step: tuple[str, int, int, dict[str, Any]]) -> Outcome | None:
        kind, who, wait, members = step
        self.at += wait
        source = AGENTS[who]
        if kind == "tick":
            return self.apply(Record("tick", self.at, self.at, self.state.revision, "r", 0))
        held = self.state.registry.get(source)
        epoch = held["epoch"] if held else 1
        lease = 500 if kind == "short" else 60_000
        name, data = {
            "register": ("Register", {"agent": source, "lease_ms": lease, **members}),
            "short": ("Register", {"agent": source, "lease_ms": lease, **members}),
            "update": ("Update", {"agent": source, "epoch": epoch, **members}),
            "stale": ("Update", {"agent": source, "epoch": epoch + 1, **members}),
            "renew": ("Renew", {"agent": source, "epoch": epoch, "lease_ms": 700}),
            "deregister": ("Deregister", {"agent": source, "epoch": epoch}),
            "watch": ("Watch", {"watch": "w", "where": WATCHED, "lease_ms": 3_600_000}),
            "unwatch": ("Unwatch", {"watch": "w"}),
        }[kind]
        return self.command(source, name, data)

    def command(
        self, source: str, name: str, data: dict[str, Any], sequence: int | None = None
    ) -> Outcome | None:
        if sequence is None:
            self.sequences[source] += 1
            sequence = self.sequences[source]
        command = Command(source, sequence, f"id-{sequence}", name, data, False, self.at)
        return self.apply(Record("command", self.at, self.at, 0, "r", len(self.records), command))

    def apply(self, record: Record) -> Outcome | None:
        self.records.append(
            encode(record, b"null" if record.command is None else json_of(record.command.data))
        )
        outcome = self.state.apply(len(self.records), decode(self.records[-1]))
        self.batches += [batch for batch in self.state.watches.unsent if batch.cause == self.state.revision]
        return outcome

    def sent(self, watch: str) -> list[Any]:
        return [batch for batch in self.batches if batch.watch == watch]


def json_of(data: Any) -> bytes:
    return json.dumps(data).encode()


kinds = ["register", "short", "update", "stale", "renew", "deregister", "watch", "unwatch", "tick"]
steps = st.lists(
    st.tuples(st.sampled_from(kinds), st.integers(0, 3), st.sampled_from([0, 1, 400, 800]), model.members),
    max_size=40,
)


@CHECKED
@given(steps, st.integers(0, 40), st.sampled_from([1, 3, 10_000]))
def test_replay_and_snapshot_give_the_same_state(script: list[Any], cut: int, history: int) -> None:
    """REG-DUR-001, REG-DUR-002: the journal is all there is."""
    original = Script(history)
    halfway = None
    for number, step in enumerate(script):
        if number == cut:
            halfway = (len(original.records), original.state.snapshot())
        original.run(step)
    replayed = State(history=history)
    for position, data in enumerate(original.records, 1):
        replayed.apply(position, decode(data))
    assert replayed.hash() == original.state.hash()
    if halfway is not None:
        position, snapshot = halfway
        restored = State(history=history)
        restored.restore(snapshot)
        assert restored.snapshot() == snapshot
        for later, data in enumerate(original.records[position:], position + 1):
            restored.apply(later, decode(data))
        assert restored.hash() == original.state.hash()
        assert restored.next_deadline() == original.state.next_deadline()


def test_a_restored_replica_sends_to_watches_in_the_same_order() -> None:
    """Watches are published to in the order in which they were opened, also after a snapshot."""
    world = Script()
    for source in (AGENTS[1], AGENTS[0]):
        world.command(source, "Watch", {"watch": "w", "lease_ms": 60_000})
    restored = State()
    restored.restore(world.state.snapshot())
    world.command(AGENTS[2], "Register", {"agent": AGENTS[2], "capabilities": [], "lease_ms": 60_000})
    restored.apply(len(world.records), decode(world.records[-1]))
    assert [batch.source for batch in restored.watches.unsent][-2:] == [AGENTS[1], AGENTS[0]]
    assert restored.hash() == world.state.hash()


class Mirror:
    """What a watcher knows, from nothing but the batches of one watch."""

    def __init__(self) -> None:
        self.entries: dict[str, Any] = {}
        self.number = 0
        self.revision = 0
        self.changes: list[tuple[int, str]] = []

    def take(self, batches: list[Any]) -> None:
        for batch in batches:
            assert batch.number == self.number + 1  # REG-WCH-005
            assert batch.revision >= self.revision
            self.number, self.revision = batch.number, batch.revision
            for change in batch.changes:
                self.changes.append((change["revision"], change["agent"]))
                assert self.changes == sorted(self.changes, key=lambda pair: pair[0])  # REG-WCH-002
                if change["kind"] == "put":
                    self.entries[change["agent"]] = change["entry"]
                else:
                    self.entries.pop(change["agent"], None)


@CHECKED
@given(steps, steps, st.data())
def test_a_watcher_knows_what_a_query_finds(before: list[Any], after: list[Any], data: st.DataObject) -> None:
    """REG-WCH-001 to REG-WCH-007, REG-TMB-001: from a snapshot, and resumed from any batch."""
    world = Script()
    for step in before:
        world.run(step)
    source = AGENTS[0]
    world.command(source, "Watch", {"watch": "m", "where": WATCHED, "lease_ms": 3_600_000}, 10_000)
    mirror, states = Mirror(), [Mirror()]
    first: list[Any] = [("tick", 0, 0, {})]
    for step in first + after:
        world.run(step)
        mirror.take(world.sent("m")[mirror.number :])
        copy = Mirror()
        copy.entries, copy.revision = dict(mirror.entries), mirror.revision
        states.append(copy)
        found = world.state.registry.query(WATCHED).entries
        assert [
            mirror.entries[agent] | lease(e) for agent, e in zip(sorted(mirror.entries), found, strict=True)
        ] == found
    resumed = data.draw(st.sampled_from(states[1:]))
    wish = {"watch": "again", "where": WATCHED, "after": resumed.revision, "lease_ms": 3_600_000}
    outcome = world.command(source, "Watch", wish, 10_001)
    assert outcome is not None
    assert outcome.reply == "Watching"
    resumed.take(world.sent("again"))
    assert resumed.entries == mirror.entries
    assert all(revision > wish["after"] for revision, _ in resumed.changes)  # type: ignore[operator]


def lease(entry: dict[str, Any]) -> dict[str, Any]:
    """A Renew with another length changes `lease_ms` and is no change for watchers (REG-WCH-008)."""
    return {"lease_ms": entry["lease_ms"]}


def test_many_lapses_at_once_come_in_batches_that_can_be_resumed() -> None:
    """All lapse at one revision; a batch in the middle does not claim that revision."""
    world = Script()
    agents = [Identity.from_seed(n.to_bytes(32, "big")).agent_id for n in range(1, 151)]
    for agent in agents:
        world.command(
            agent, "Register", {"agent": agent, "capabilities": [], "zone": "n", "lease_ms": 500}, 1
        )
    world.command(AGENTS[0], "Watch", {"watch": "m", "lease_ms": 3_600_000}, 1)
    opened = world.sent("m")
    assert [len(batch.changes) for batch in opened] == [64, 64, 22]
    assert [batch.synced for batch in opened] == [False, False, True]
    world.at = 1000
    world.apply(Record("tick", 1000, 1000, 0, "r", 0))
    lapsed = world.sent("m")[3:]
    assert [len(batch.changes) for batch in lapsed] == [64, 64, 22]
    mirror = Mirror()
    mirror.take([*opened, *lapsed[:1]])
    world.command(AGENTS[0], "Watch", {"watch": "n", "after": mirror.revision, "lease_ms": 3_600_000}, 2)
    again = Mirror()
    again.entries = mirror.entries
    again.take(world.sent("n"))
    assert again.entries == {}


def test_big_entries_come_in_batches_below_the_limit() -> None:
    world = Script()
    for number in range(1, 41):
        agent = Identity.from_seed(number.to_bytes(32, "big")).agent_id
        big = {f"k{n}": "ü" * 2000 for n in range(12)}
        world.command(
            agent, "Register", {"agent": agent, "capabilities": [], "metadata": big, "lease_ms": 60_000}, 1
        )
    world.command(AGENTS[0], "Watch", {"watch": "m", "lease_ms": 60_000}, 1)
    batches = world.sent("m")
    assert sum(len(batch.changes) for batch in batches) == 40
    assert len(batches) > 1
    assert all(len(json_of(batch.changes)) < 3 * 500_000 for batch in batches)


ARMED = st.tuples(st.sampled_from("abc"), st.integers(0, 50))


@given(st.lists(st.one_of(ARMED, st.sampled_from("abc"), st.integers(0, 60)), max_size=60))
def test_leases_agree_with_a_dictionary(script: list[Any]) -> None:
    leases: Leases[str] = Leases()
    held: dict[str, int] = {}
    for step in script:
        if type(step) is tuple:
            key, deadline = cast("tuple[str, int]", step)
            leases.arm(key, deadline)
            held[key] = deadline
        elif isinstance(step, str):
            leases.disarm(step)
            held.pop(step, None)
        else:
            due = sorted((deadline, key) for key, deadline in held.items() if deadline <= step)
            assert leases.due(step) == [key for _, key in due]
            held = {key: deadline for key, deadline in held.items() if deadline > step}
        assert leases.next_deadline() == min(held.values(), default=None)


@given(st.binary(max_size=80))
def test_foreign_bytes_are_no_record(data: bytes) -> None:
    with pytest.raises(JournalError):
        decode(data)


NEAR = [
    "[]",
    "[[]]",
    '["tick"]',
    '["tick",1,2,3,"r","x"]',
    '["what",1,2,3,"r",4]',
    '["command",1,2,3,"r",4]',
    '{"a":1}',
]


@pytest.mark.parametrize("text", NEAR)
def test_near_records_are_none(text: str) -> None:
    with pytest.raises(JournalError):
        decode(text.encode())


def test_a_command_of_another_version_stops_the_replica() -> None:
    record = Record("command", 0, 0, 0, "r", 1, Command(AGENTS[0], 1, "i", "Merge", {}, False, 0))
    with pytest.raises(JournalError):
        State().apply(1, decode(encode(record, b"{}")))


def test_a_foreign_snapshot_is_refused() -> None:
    for data in (b"", b"{}", b'{"format":"other"}', b"[]", b"\xff"):
        with pytest.raises(JournalError):
            State().restore(data)


def test_a_new_incarnation_stands_above_the_old_one_and_knows_nothing_of_its_changes() -> None:
    state = State(incarnation=2)
    watch = {"watch": "w", "after": 2**40 + 5, "lease_ms": 1000}
    command = Command(AGENTS[0], 1, "i", "Watch", watch, False, 0)
    outcome = state.apply(1, Record("command", 0, 0, 0, "r", 1, command))
    assert state.revision == 2 * 2**40 + 1
    assert outcome == Outcome("Refused", {"code": "registry.compacted", "revision": state.revision})
