"""The receiver's checks, one by one, in their order, and what is held."""

from __future__ import annotations

from base64 import b64encode

import pytest

from comity.sdk._generated.registry_v1.messages import Refused, Registered, Renew
from comity.sdk.codec import decode_structured, encode_structured
from comity.sdk.envelope import format_time
from comity.sdk.errors import SpecError
from comity.sdk.family import Family
from comity.sdk.inbox import Accepted, Dropped, Held, Inbox, Outcome, Rejected
from comity.sdk.lexical import dump
from comity.sdk.model import Channel
from comity.sdk.ports import Frame, Json, Now

from .support import AGENT, FAMILY, NOW, OTHER, altered, document, inbox, outbox, register, request

MIB = 1 << 20


def stamped(seconds: float, **attributes: str) -> Frame:
    return altered(time=format_time(NOW.wall + seconds), **attributes)


def later(seconds: float) -> Now:
    return Now(NOW.mono + seconds, NOW.wall + seconds)


def code(outcome: Outcome) -> str:
    assert isinstance(outcome, Rejected), outcome
    return outcome.code


def members(**changes: Json) -> Json:
    return {"agent": AGENT.agent_id, "capabilities": ["a.b"], "lease_ms": 1000, **changes}


def test_a_good_request_is_accepted_on_every_way_it_travels() -> None:
    for profile in ("open", "signed"):
        frame = request(profile)
        for arrived in (frame, decode_structured(encode_structured(frame))):
            outcome = inbox(profile).receive(arrived, NOW)
            assert isinstance(outcome, Accepted)
            assert (outcome.message, outcome.expired) == (register(), False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b'{"agent":"did', "core.malformed"),
        (b"", "core.malformed"),
        (b'{"lease_ms":NaN}', "core.malformed"),
        (b'{"lease_ms":1e999}', "core.malformed"),
        (b'{"agent":1,"agent":1}', "core.malformed"),
        (b"\xef\xbb\xbf{}", "core.malformed"),
        (b"[" * 10_000, "core.malformed"),
        (b"[" * 33 + b"]" * 33, "core.malformed"),
        (b'{"agent":"' + b"x" * (10 * MIB) + b'"}', "core.too_large"),
        (b" " * 262_144, "core.too_large"),
        (b"[]", "core.invalid"),
        (b"{}", "core.invalid"),
    ],
)
def test_data_by_octets(text: bytes, expected: str) -> None:
    assert code(inbox().receive(altered(text), NOW)) == expected


def test_the_wrong_type_in_data_is_pointed_at() -> None:
    outcome = inbox().receive(altered(members(lease_ms="long")), NOW)
    assert isinstance(outcome, Rejected)
    assert (outcome.code, outcome.pointer) == ("core.invalid", "/lease_ms")


def test_ten_mebibytes_are_refused_wherever_they_stand() -> None:
    big = "x" * (10 * MIB)
    for frame in (altered(x=big), altered(members(zone=big)), altered(**{"y" * (10 * MIB): ""})):
        assert code(inbox().receive(frame, NOW)) == "core.too_large"
        assert code(inbox().receive(decode_structured(encode_structured(frame)), NOW)) == "core.too_large"


def test_the_limit_is_exact_and_the_same_on_every_way() -> None:
    frame = request()
    assert isinstance(frame.data, bytes)
    used = sum(len(name) + len(value) for name, value in frame.attributes.items())
    fits = Frame(frame.attributes, frame.data + b" " * (262_144 - used - len(frame.data)))
    assert isinstance(inbox().receive(fits, NOW), Accepted)
    assert code(inbox().receive(Frame(frame.attributes, fits.data + b" "), NOW)) == "core.too_large"  # type: ignore[operator]


@pytest.mark.parametrize("depth", [31, 32])
def test_depth_counts_alike_inline_and_as_octets(depth: int) -> None:
    nested: Json = 1
    for _ in range(depth):
        nested = [nested]
    expected = "core.invalid" if depth == 31 else "core.malformed"
    frame = altered({"metadata": nested})
    assert code(inbox().receive(frame, NOW)) == expected
    assert code(inbox().receive(decode_structured(encode_structured(frame)), NOW)) == expected
    text = b64encode(dump(frame.data)).decode()
    octets = decode_structured(document(altered(b"["), data_base64=text))
    assert code(inbox().receive(octets, NOW)) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"time": "yesterday"}, "core.malformed"),
        ({"comityversion": None}, "core.malformed"),
        ({"comityversion": "2.0"}, "core.unsupported_version"),
        ({"type": "comity.registry.v1.Rename"}, "core.unknown_type"),
        ({"type": "comity.coordination.v1.Register"}, "core.unknown_type"),
        ({"comitycrit": "lease_ms unknown"}, "core.not_understood"),
        ({"expirytime": "2020-01-01T00:00:00Z", "type": "comity.registry.v1.List"}, "core.invalid"),
    ],
)
def test_attributes_decide(changes: dict[str, str | None], expected: str) -> None:
    assert code(inbox().receive(altered(**changes), NOW)) == expected


def test_nobody_is_answered_who_cannot_be_named() -> None:
    for name in ("source", "id"):
        for value in (None, "", "é"):
            assert isinstance(inbox().receive(altered(**{name: value}), NOW), Dropped)
    assert isinstance(inbox().receive(Frame({}, b""), NOW), Dropped)
    assert isinstance(inbox().receive(Frame({"source": "x" * MIB}, b""), NOW), Dropped)


def test_another_namespace_is_no_business_of_ours() -> None:
    address = request().attributes["comityaddress"]
    assert isinstance(inbox().receive(altered(comityaddress=f"x{address}"), NOW), Dropped)


def test_answers_are_never_answered() -> None:
    reply = outbox(OTHER).reply(request().attributes, Refused(code="core.busy"), NOW).frame
    assert isinstance(inbox().receive(reply, NOW), Dropped)
    broken = Frame(reply.attributes, b"{")
    assert isinstance(inbox(requests=False).receive(broken, NOW), Dropped)
    assert isinstance(inbox(requests=False).receive(reply, NOW), Accepted)
    assert isinstance(inbox(requests=False).receive(request(), NOW), Dropped)


def test_higher_minors_may_add_members() -> None:
    data = members(added=1)
    assert code(inbox().receive(altered(data), NOW)) == "core.invalid"
    assert isinstance(inbox().receive(altered(data, comityversion="1.1"), NOW), Accepted)
    critical = altered(data, comityversion="1.1", comitycrit="added")
    assert code(inbox().receive(critical, NOW)) == "core.not_understood"


def test_a_write_is_for_its_own_source_and_a_read_is_not() -> None:
    outcome = inbox().receive(altered(members(agent=OTHER.agent_id)), NOW)
    assert isinstance(outcome, Rejected)
    assert (outcome.code, outcome.pointer) == ("core.forbidden", "/agent")
    lookup: Json = {"agent": OTHER.agent_id, "consistency": "eventual"}
    assert isinstance(inbox().receive(altered(lookup, type="comity.registry.v1.Lookup"), NOW), Accepted)


def test_an_expired_read_is_refused_and_an_expired_write_left_to_the_service() -> None:
    past = format_time(NOW.wall - 0.001)
    outcome = inbox().receive(altered(expirytime=past), NOW)
    assert isinstance(outcome, Accepted)
    assert outcome.expired
    count = altered({"consistency": "eventual"}, type="comity.registry.v1.Count", expirytime=past)
    assert code(inbox().receive(count, NOW)) == "core.expired"
    now = altered(expirytime=format_time(NOW.wall))
    assert inbox().receive(now, NOW) == Accepted(register(), now.attributes, now)


# ------------------------------------------------------------ signed profile


ALTERED = {
    "id": "another",
    "time": "2026-01-01T00:00:00Z",
    "type": "comity.registry.v1.Renew",
    "sequence": "0000000000000009",
    "comityversion": "1.1",
    "comityaddress": f"plant.registry.v1.requests.{OTHER.agent_id}",
    "expirytime": "2100-01-01T00:00:00Z",
}


@pytest.mark.parametrize("name", ALTERED)
def test_an_altered_event_is_dropped_before_it_is_refused(name: str) -> None:
    frame = request("signed")
    changed = Frame({**frame.attributes, name: ALTERED[name]}, frame.data)
    assert isinstance(inbox("signed").receive(changed, NOW), Dropped)


def test_forged_events_are_dropped() -> None:
    frame = request("signed")
    theirs = outbox(OTHER, "signed").request(register(), NOW).frame
    borrowed = {**frame.attributes, "comitysig": theirs.attributes["comitysig"]}
    own_key = {**theirs.attributes, "source": AGENT.agent_id}
    unsigned = {n: v for n, v in frame.attributes.items() if not n.startswith("comitys")}
    for forged in (
        Frame(frame.attributes, b"{}"),
        Frame(borrowed, frame.data),
        Frame(own_key, frame.data),
        Frame(unsigned, frame.data),
        request(),
        altered(members(), **frame.attributes),
    ):
        assert isinstance(inbox("signed").receive(forged, NOW), Dropped)


def test_a_replayed_event_is_the_same_event_and_no_other() -> None:
    """Receiving leaves repetition to deduplication, which finds `source`, `sequence` and `id` as they were signed."""
    frame = request("signed")
    receiver = inbox("signed")
    first, second = receiver.receive(frame, NOW), receiver.receive(frame, later(60))
    assert first == second
    elsewhere = Inbox(FAMILY, accepts=["Register"], namespace="other", profile="signed")
    assert isinstance(elsewhere.receive(frame, NOW), Dropped)


# -------------------------------------------------------------------- clocks


def test_half_a_second_ahead_counts_at_once() -> None:
    assert isinstance(inbox().receive(stamped(0.5), NOW), Accepted)
    assert isinstance(inbox().receive(stamped(0.500001), NOW), Held)
    assert isinstance(inbox().receive(stamped(-3600), NOW), Accepted)


def test_an_hour_ahead_is_held_until_the_clock_has_come_near() -> None:
    receiver = inbox()
    frame = stamped(3600)
    assert receiver.receive(frame, NOW) == Held(round((NOW.wall + 3599.5) * 1_000_000))
    assert receiver.next_deadline() == NOW.mono + 3599.5
    assert receiver.release(later(3599.499)) == []
    assert receiver.next_deadline() == NOW.mono + 3599.5
    assert receiver.release(later(3599.5)) == [Accepted(register(), frame.attributes, frame)]
    assert receiver.next_deadline() is None


def test_a_jump_of_the_wall_clock_moves_the_deadline() -> None:
    receiver = inbox()
    receiver.receive(stamped(10), NOW)
    jumped = Now(NOW.mono + 1, NOW.wall + 5)
    assert receiver.release(jumped) == []
    assert receiver.next_deadline() == NOW.mono + 5.5
    assert len(receiver.release(Now(NOW.mono + 1, NOW.wall + 3600))) == 1


def test_holding_is_bounded_for_each_source() -> None:
    receiver = inbox(max_held=3)
    for number in range(3):
        assert isinstance(receiver.receive(stamped(3600, id=f"e{number}"), NOW), Held)
    assert code(receiver.receive(stamped(3600, id="e4"), NOW)) == "core.clock_ahead"
    others = outbox(OTHER).request(register(agent=OTHER.agent_id), later(3600)).frame
    assert isinstance(receiver.receive(others, NOW), Held)
    assert isinstance(receiver.receive(stamped(0, id="e5"), NOW), Accepted)
    assert len(receiver.release(later(3600))) == 4
    assert isinstance(receiver.receive(stamped(7200, id="e6"), later(3600)), Held)


def test_the_spec_bounds_holding_at_sixty_four() -> None:
    receiver = inbox()
    outcomes = [receiver.receive(stamped(3600, id=f"e{number}"), NOW) for number in range(65)]
    assert all(isinstance(outcome, Held) for outcome in outcomes[:64])
    assert code(outcomes[64]) == "core.clock_ahead"


def test_the_held_are_released_in_the_order_of_their_stamps() -> None:
    receiver = inbox()
    for number, seconds in enumerate((30, 10, 20, 10)):
        receiver.receive(stamped(seconds, id=f"e{number}"), NOW)
    released = [accepted.attributes["id"] for accepted in receiver.release(later(40))]
    assert released == ["e1", "e3", "e2", "e0"]


def test_an_expired_event_from_the_future_is_not_held() -> None:
    outcome = inbox().receive(stamped(3600, expirytime=format_time(NOW.wall - 1)), NOW)
    assert isinstance(outcome, Accepted)
    assert outcome.expired


# ------------------------------------------------------------------ the order


def test_the_first_defect_in_the_normative_order_decides() -> None:
    """Each row has its own defect and every later one."""
    defects: list[tuple[dict[str, str | None], Json | bytes | None, str]] = [
        ({}, members(agent=OTHER.agent_id), "core.forbidden"),
        ({}, members(agent=OTHER.agent_id, lease_ms=1), "core.invalid"),
        ({"comitycrit": "unknown"}, members(lease_ms=1), "core.not_understood"),
        ({"comitycrit": "unknown"}, b'{"lease_ms":1e999}', "core.malformed"),
        ({"comitycrit": "unknown", "type": "comity.registry.v1.No"}, b"{", "core.unknown_type"),
        ({"comityversion": "3.0", "type": "comity.registry.v1.No"}, b"{", "core.unsupported_version"),
        ({"comityversion": "3.0", "time": "never"}, b"{", "core.malformed"),
        ({"comityversion": "3.0", "time": "never"}, b"{" + b" " * MIB, "core.too_large"),
    ]
    past, ahead = format_time(NOW.wall - 1), format_time(NOW.wall + 3600)
    for changes, data, expected in defects:
        frame = altered(data, **{"time": ahead, "expirytime": past, **changes})
        assert code(inbox().receive(frame, NOW)) == expected


def test_a_request_of_a_read_only_role_is_found_by_type() -> None:
    receiver = Inbox(FAMILY, accepts=["Renew"], namespace="plant")
    assert code(receiver.receive(request(), NOW)) == "core.unknown_type"
    renew = outbox().request(Renew(agent=AGENT.agent_id, epoch=1), NOW).frame
    assert isinstance(receiver.receive(renew, NOW), Accepted)


def test_a_channel_too_narrow_for_an_envelope_is_a_mistake_of_the_spec() -> None:
    narrow = Channel(
        "requests",
        senders=("agent",),
        receivers=("registry",),
        messages=("Registered",),
        key="source",
        order="per-key",
        guarantee="at-most-once",
        max_bytes=100,
        group=False,
    )
    family = Family("registry", 1, 0, {"Registered": Registered}, {"requests": narrow})
    with pytest.raises(SpecError):
        Inbox(family, accepts=["Registered"], namespace="plant")
