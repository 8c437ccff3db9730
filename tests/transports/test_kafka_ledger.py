"""What a member of a Kafka group may commit, and what the next one is told of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity.transports._kafka_ledger import Ledger


@given(st.integers(0, 50), st.integers(0, 12), st.integers(0, 12), st.data())
def test_nothing_is_skipped_and_only_what_was_delivered_is_flagged(
    begin: int, seen: int, waiting: int, data: st.DataObject
) -> None:
    """A member reads `seen` + `waiting` messages, delivers the first, has some acknowledged in any order, and leaves."""
    ledger = Ledger(begin, begin)
    delivered, unseen = range(begin, begin + seen), range(begin + seen, begin + seen + waiting)
    for offset in (*delivered, *unseen):
        ledger.position = offset + 1
        ledger.deliver(offset)
    acked = data.draw(st.lists(st.sampled_from(delivered), max_size=20)) if seen else []
    for offset in acked:
        ledger.ack(offset)
    for offset in reversed(unseen):
        ledger.withdraw(offset, seen=False)
    assert len(ledger) == len(set(delivered).difference(acked))
    left = [offset for offset in (*delivered, *unseen) if offset not in acked]
    assert ledger.behind == (left[0] if left else ledger.position)
    heir = Ledger.resumed(ledger.behind, 1000, ledger.note)
    flagged = {offset for offset in left if offset < heir.doubtful}
    assert flagged == set(delivered).difference(acked)


def test_what_was_refused_and_waits_again_is_flagged_for_the_next() -> None:
    ledger = Ledger(0, 0)
    for offset in range(3):
        ledger.position = offset + 1
        ledger.deliver(offset)
    ledger.ack(0)
    ledger.ack(2)
    ledger.withdraw(1, seen=True)
    assert ledger.behind == 1
    assert Ledger.resumed(1, 9, ledger.note).doubtful == 3


@pytest.mark.parametrize("note", ["", "delivered:", "delivered:-1", "delivered:x", "7", "something else"])
def test_without_a_note_that_is_ours_everything_may_have_been_delivered(note: str) -> None:
    assert Ledger.resumed(3, 9, note).doubtful == 9
