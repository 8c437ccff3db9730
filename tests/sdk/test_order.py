"""The normative order of a receiver's checks: of two defects the earlier one decides.

Each defect is made by a function that changes one thing of a good request; every pair is tried in both orders of making,
and by every way that can carry it.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import NamedTuple

import pytest

from comity.sdk.codec import decode_structured, encode_structured
from comity.sdk.envelope import format_time
from comity.sdk.identity import Identity
from comity.sdk.inbox import Accepted, Dropped, Held, Inbox, Outcome, Rejected
from comity.sdk.ports import Frame
from comity.sdk.security import sign_frame

from .support import AGENT, FAMILY, NOW, OTHER, inbox, request

Change = Callable[[Frame], Frame]


class Defect(NamedTuple):
    """`result` is the code of the refusal, or `drop`; `stage` its place in the order, `part` what it changes."""

    name: str
    stage: int
    result: str
    part: str
    change: Change


def _attributes(**changes: str) -> Change:
    return lambda frame: Frame({**frame.attributes, **changes}, frame.data)


def _without(name: str) -> Change:
    return lambda frame: Frame({n: v for n, v in frame.attributes.items() if n != name}, frame.data)


def _data(old: bytes, new: bytes) -> Change:
    def change(frame: Frame) -> Frame:
        assert isinstance(frame.data, bytes)
        assert old in frame.data
        return Frame(frame.attributes, frame.data.replace(old, new))

    return change


AHEAD, PAST = format_time(NOW.wall + 3600), format_time(NOW.wall - 1)
DEFECTS = [
    Defect("over the limit", 0, "core.too_large", "size", _attributes(x="x" * 262_144)),
    Defect("no sequence", 1, "core.malformed", "sequence", _without("sequence")),
    Defect("time of no calendar", 1, "core.malformed", "time", _attributes(time="2026-02-30T00:00:00Z")),
    Defect("bad correlationid", 1, "core.malformed", "correlationid", _attributes(correlationid="a b")),
    Defect(
        "foreign namespace",
        2,
        "drop",
        "comityaddress",
        _attributes(comityaddress=f"other.registry.v1.requests.{AGENT.agent_id}"),
    ),
    Defect("other major", 3, "core.unsupported_version", "comityversion", _attributes(comityversion="2.0")),
    Defect("unknown type", 4, "core.unknown_type", "type", _attributes(type="comity.registry.v1.Rename")),
    Defect("duplicate name", 5, "core.malformed", "head", _data(b"{", b'{"agent":1,')),
    Defect("trailing octets", 5, "core.malformed", "tail", _data(b"}", b"}x")),
    Defect("number beyond the doubles", 5, "core.malformed", "lease", _data(b":1000", b":1e400")),
    Defect(
        "critical member unknown", 6, "core.not_understood", "comitycrit", _attributes(comitycrit="nowhere")
    ),
    Defect("out of range", 7, "core.invalid", "lease", _data(b":1000", b":1")),
    Defect("unknown member", 7, "core.invalid", "more", _data(b'"lease_ms"', b'"more":1,"lease_ms"')),
    Defect(
        "for another agent",
        8,
        "core.forbidden",
        "agent",
        _data(AGENT.agent_id.encode(), OTHER.agent_id.encode()),
    ),
    Defect("expired", 9, "expired", "expirytime", _attributes(expirytime=PAST)),
    Defect("ahead", 10, "held", "time", _attributes(time=AHEAD)),
]
PAIRS = [pair for pair in combinations(DEFECTS, 2) if pair[0].part != pair[1].part]


def result(outcome: Outcome) -> str:
    match outcome:
        case Rejected(code=code):
            return code
        case Dropped():
            return "drop"
        case Held():
            return "held"
        case Accepted(expired=expired):
            return "expired" if expired else "accepted"


def ways(frame: Frame) -> list[Frame]:
    """The frame in binary mode and out of a structured document."""
    return [frame, decode_structured(encode_structured(frame))]


def signed(frame: Frame, signer: Identity = AGENT) -> Frame:
    return sign_frame(frame, signer)


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda d: d.name)
def test_each_defect_alone_has_its_result(defect: Defect) -> None:
    for frame in ways(defect.change(request())):
        assert result(inbox().receive(frame, NOW)) == defect.result


@pytest.mark.parametrize(("first", "second"), PAIRS, ids=lambda d: d.name)
def test_the_earlier_check_decides(first: Defect, second: Defect) -> None:
    assert first.stage <= second.stage
    expected = {first.result} if first.stage < second.stage else {first.result, second.result}
    for frame in ways(second.change(first.change(request()))) + ways(first.change(second.change(request()))):
        assert result(inbox().receive(frame, NOW)) in expected


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda d: d.name)
def test_a_forgery_is_dropped_whatever_else_is_wrong_behind_it(defect: Defect) -> None:
    """A bad signature comes behind size, attributes and namespace, and before everything else."""
    forged = signed(request())
    forged = Frame({**forged.attributes, "comitysig": "A" * 86}, forged.data)
    expected = defect.result if defect.stage < 3 else "drop"
    assert result(inbox("signed").receive(defect.change(forged), NOW)) == expected


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda d: d.name)
def test_a_good_signature_changes_no_result(defect: Defect) -> None:
    for frame in ways(signed(defect.change(request()))):
        assert result(inbox("signed").receive(frame, NOW)) == defect.result


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda d: d.name)
def test_what_is_refused_is_not_held(defect: Defect) -> None:
    """64 events held for a source do not change what a 65th with a defect of its own is told."""
    full = Inbox(FAMILY, accepts=["Register"], namespace="plant", max_held=0)
    frame = defect.change(_attributes(time=AHEAD)(request()) if defect.part != "time" else request())
    expected = "core.clock_ahead" if defect.result == "held" else defect.result
    assert result(full.receive(frame, NOW)) == expected
    assert full.next_deadline() is None
