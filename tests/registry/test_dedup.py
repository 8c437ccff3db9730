"""Repeated writes: answered as they were, forgotten after the retention, and never acted on twice."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any, NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comity.registry._core.dedup import Dedup, Outcome
from comity.registry._core.record import Command, Record
from comity.registry._core.state import State

CHECKED = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
RETENTION = 6400
KEPT = RETENTION + RETENTION // 64
START = 1_700_000_000_000
STALE = Outcome("Refused", {"code": "core.stale_request"})


@given(st.lists(st.tuples(st.integers(1, 200), st.sampled_from("ab")), max_size=200))
def test_dedup_keeps_the_last_64(writes: list[tuple[int, str]]) -> None:
    """CORE-DLV-001 to CORE-DLV-003, against a table that forgets nothing."""
    dedup, acted, highest = Dedup(), dict[int, str](), 0
    for sequence, event in writes:
        known = dedup.known("s", sequence, event, START)
        if sequence <= highest - 64:
            assert known is not None
            assert known.data["code"] == "core.stale_request"
        elif sequence not in acted:
            assert known is None
            dedup.record("s", sequence, event, START, Outcome("Renewed", {"n": sequence}), 0)
            acted[sequence], highest = event, max(highest, sequence)
        elif acted[sequence] == event:
            assert known == Outcome("Renewed", {"n": sequence})
        else:
            assert known is not None
            assert known.data["code"] == "core.sequence_reused"
    copy = Dedup()
    copy.load(json.loads(dedup.dump()))
    assert copy.dump() == dedup.dump()
    assert all(len(row[4]) <= 64 for row in json.loads(dedup.dump())["sources"])


class Write(NamedTuple):
    """One write as its source sends it, however often."""

    source: str
    sequence: int
    stamp: int


class Step(NamedTuple):
    """Wait, let the wall clock jump, and send: a new write under a later sequence, an earlier one again, or nothing."""

    wait: int
    jump: int
    what: str
    source: str
    ahead: int
    pick: int


class Run:
    """A registry with a short retention, the journal that made it, and all writes that were ever acted on."""

    def __init__(self) -> None:
        self.state = State(retention=RETENTION)
        self.records: list[Record] = []
        self.now = 0
        self.wall = self.latest = START
        self.acted: dict[Write, tuple[int, Outcome]] = {}

    def take(self, step: Step) -> None:
        self.now += step.wait
        self.wall += step.wait + step.jump
        self.latest = max(self.latest, self.wall)
        if step.what == "new":
            self.send(Write(step.source, self.highest(step.source) + step.pick, self.wall + step.ahead))
        elif step.what == "again" and self.acted:
            self.repeat(list(self.acted)[step.pick % len(self.acted)])
        else:
            self.apply(None)

    def apply(self, write: Write | None) -> Outcome | None:
        command = None
        if write is not None:
            event = f"{write.sequence}-{write.stamp}"
            command = Command(
                write.source, write.sequence, event, "Unwatch", {"watch": "w"}, False, write.stamp
            )
        kind: Any = "tick" if command is None else "command"
        self.records.append(Record(kind, self.now, self.wall, 0, "r", 0, command))
        return self.state.apply(len(self.records), self.records[-1])

    def send(self, write: Write) -> None:
        outcome = self.apply(write)
        assert outcome is not None
        if outcome == STALE:
            assert write.stamp <= self.latest - RETENTION  # CORE-DLV-006
        else:
            assert outcome.data["revision"] == self.state.revision
            self.acted[write] = self.now, outcome

    def repeat(self, write: Write) -> None:
        due = self.remembered(write)
        outcome = self.apply(write)
        first = self.acted[write][1]
        assert outcome == first or (outcome == STALE and not due)  # CORE-DLV-001, CORE-DLV-004, CORE-DLV-005

    def highest(self, source: str) -> int:
        return max((write.sequence for write in self.acted if write.source == source), default=0)

    def remembered(self, write: Write) -> bool:
        """Whether its source wrote on without a silence as long as the retention, and within the window."""
        times = [at for each, (at, _) in self.acted.items() if each.source == write.source]
        later = [at for at in times if at >= self.acted[write][0]] + [self.now]
        awake = all(b - a < RETENTION for a, b in pairwise(later))
        return awake and write.sequence > self.highest(write.source) - 64

    def awake(self) -> set[str]:
        """Who wrote within the retention, and its slack."""
        return {write.source for write, (at, _) in self.acted.items() if self.now - at < KEPT}


def steps(jumps: list[int]) -> st.SearchStrategy[list[Step]]:
    one = st.builds(
        Step,
        st.sampled_from([0, 1, 3200, RETENTION - 1, RETENTION, KEPT - 1, KEPT, 50_000]),
        st.sampled_from(jumps),
        st.sampled_from(["new", "new", "again", "tick"]),
        st.sampled_from(["a", "b", "ü"]),
        st.sampled_from([100, 0, -1, -3200, -RETENTION, -100_000]),
        st.sampled_from([1, 1, 1, 2, 5, 63, 64, 70]),
    )
    return st.lists(one, max_size=30)


@CHECKED
@given(steps([0, 0, 0, -50_000, 50_000, -1, RETENTION]))
def test_no_write_is_acted_on_twice_whatever_the_clocks_do(script: list[Step]) -> None:
    """CORE-DLV-001 to CORE-DLV-006; each step of `Run` asserts what is due."""
    run = Run()
    for step in script:
        run.take(step)


@CHECKED
@given(steps([0]))
def test_only_sources_that_wrote_within_the_retention_are_kept(script: list[Step]) -> None:
    run = Run()
    for step in script:
        run.take(step)
        run.apply(None)
        assert len(run.state.dedup) <= len(run.awake())


@CHECKED
@given(steps([0, 0, -50_000, 50_000]), st.integers(0, 30))
def test_replay_and_snapshot_forget_alike(script: list[Step], cut: int) -> None:
    """REG-DUR-001, REG-DUR-002: what is forgotten is part of the state."""
    run, halfway = Run(), None
    for number, step in enumerate(script):
        if number == cut:
            halfway = len(run.records), run.state.snapshot()
        run.take(step)
    position, snapshot = halfway or (0, State().snapshot())
    restored, replayed = State(retention=RETENTION), State(retention=RETENTION)
    restored.restore(snapshot)
    assert restored.snapshot() == snapshot
    for later, record in enumerate(run.records, 1):
        replayed.apply(later, record)
        if later > position:
            restored.apply(later, record)
    assert restored.hash() == replayed.hash() == run.state.hash()


def test_one_entry_forgets_few_and_the_next_ones_the_rest() -> None:
    """However many fall silent at once, no entry takes long."""
    dedup = Dedup(RETENTION)
    for number in range(1000):
        dedup.record(str(number), 1, "e", START, Outcome("Renewed", {}), 0)
    left = list[int]()
    while len(dedup):
        dedup.forget(KEPT, START + KEPT)
        left.append(len(dedup))
    assert left == [max(0, 1000 - 64 * n) for n in range(1, 17)]


def test_a_source_with_a_clock_ahead_is_kept_until_its_stamps_are_old() -> None:
    """CORE-DLV-006: else the one number that is left would refuse everybody whose clock is right."""
    dedup = Dedup(RETENTION)
    dedup.record("fast", 1, "e", START + 100_000, Outcome("Renewed", {}), 0)
    dedup.record("right", 1, "e", START, Outcome("Renewed", {}), 0)
    dedup.forget(KEPT, START + KEPT)
    assert len(dedup) == 1
    assert dedup.known("new", 1, "e", START + KEPT) is None
    assert dedup.known("right", 1, "e", START) == STALE
    dedup.forget(20 * KEPT, START + 20 * KEPT)
    assert len(dedup) == 0
    assert dedup.known("fast", 1, "e", START + 100_000) == STALE
