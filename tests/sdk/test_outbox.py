"""Events as they are made: any receiver accepts them, and ids never name two different ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity.sdk._generated.registry_v1.messages import Changes, Refused, Registered
from comity.sdk.errors import LocalProtocolError
from comity.sdk.inbox import Accepted, Profile
from comity.sdk.outbox import Outbox
from comity.sdk.ports import Now

from .support import AGENT, FAMILY, NOW, OTHER, inbox, outbox, register, request

profiles = st.sampled_from(["open", "signed"])


@given(profiles, st.floats(1, 4e9), st.integers(1, 10**15))
def test_whoever_receives_accepts(profile: Profile, wall: float, first: int) -> None:
    now = Now(0.0, wall)
    sender = Outbox(FAMILY, AGENT, namespace="plant", profile=profile, entropy=b"e", first_sequence=first)
    send = sender.request(register(), now, expires_ms=1000)
    assert send.address == send.frame.attributes["comityaddress"]
    outcome = inbox(profile).receive(send.frame, now)
    assert isinstance(outcome, Accepted)
    answer = outbox(OTHER, profile).reply(outcome.attributes, Refused(code="core.busy"), now)
    assert answer.address == f"plant.registry.v1.replies.{AGENT.agent_id}"
    received = inbox(profile, requests=False).receive(answer.frame, now)
    assert isinstance(received, Accepted)
    assert received.attributes["correlationid"] == send.frame.attributes["id"]


def test_each_request_takes_the_next_sequence_and_an_id_of_its_own() -> None:
    sender = outbox()
    frames = [sender.request(register(), NOW).frame for _ in range(3)]
    assert [frame.attributes["sequence"] for frame in frames] == [f"{n:016d}" for n in (1, 2, 3)]
    assert len({frame.attributes["id"] for frame in frames}) == 3
    assert sender.next_sequence == 4


def test_lives_with_other_entropy_use_other_ids() -> None:
    ids = {
        Outbox(FAMILY, who, namespace="plant", entropy=entropy)
        .request(register(), NOW)
        .frame.attributes["id"]
        for who in (AGENT, OTHER)
        for entropy in (b"a", b"b")
    }
    assert len(ids) == 4


def test_an_answer_is_a_function_of_request_and_outcome() -> None:
    asked = request().attributes
    message = Registered(agent=AGENT.agent_id, epoch=1, revision=1, lease_ms=1000)
    once, again = (outbox(OTHER).reply(asked, message, Now(0, wall)) for wall in (1.0, 2e9))
    assert once == again


@given(st.sampled_from(["source", "id", "sequence", "time", "code"]))
def test_different_answers_have_different_ids(what: str) -> None:
    asked = dict(request().attributes)
    other = {**asked, "source": OTHER.agent_id, "id": "other", "sequence": "9" * 16}
    other["time"] = "2026-01-01T00:00:00Z"
    code = "core.forbidden" if what == "code" else "core.busy"
    changed = asked if what == "code" else {**asked, what: other[what]}
    first = outbox(OTHER).reply(asked, Refused(code="core.busy"), NOW)
    second = outbox(OTHER).reply(changed, Refused(code=code), NOW)
    assert first.frame.attributes["id"] != second.frame.attributes["id"]


def test_a_request_whose_stamps_cannot_be_read_is_answered_all_the_same() -> None:
    asked = {"source": AGENT.agent_id, "id": "x", "time": "2026-02-30T00:00:00Z", "sequence": "٠" * 16}
    for attributes in (asked, {"source": AGENT.agent_id, "id": "x"}):
        frame = outbox(OTHER).reply(attributes, Refused(code="core.malformed"), NOW).frame
        assert isinstance(inbox(requests=False).receive(frame, NOW), Accepted)


def test_an_event_sent_again_is_the_same_event() -> None:
    changes = Changes(watch="w", index=1, revision=1, changes=[])
    once, again = (outbox(OTHER).event(changes, AGENT.agent_id, NOW, sequence=1) for _ in range(2))
    assert once == again
    elsewhere = outbox(OTHER).event(changes, OTHER.agent_id, NOW, sequence=1)
    assert elsewhere.frame.attributes["id"] != once.frame.attributes["id"]
    assert isinstance(inbox(requests=False).receive(once.frame, NOW), Accepted)


def test_sequences_end() -> None:
    sender = Outbox(FAMILY, AGENT, namespace="plant", entropy=b"e", first_sequence=10**16 - 1)
    sender.request(register(), NOW)
    with pytest.raises(LocalProtocolError):
        sender.request(register(), NOW)
