"""Attributes and stamps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity.sdk._generated.core_v1.messages import Attributes
from comity.sdk.envelope import REQUIRED, format_time, parse_time, read_envelope
from comity.sdk.errors import RemoteProtocolError

from .support import AGENT, altered, request

BAD = {
    "specversion": ["1.1", "", "1.0\n"],
    "id": ["", "a b", "x" * 65, "é", "a\n"],
    "source": ["did:key:z6Mk", AGENT.agent_id + "1", AGENT.agent_id.replace("z6Mk", "z6LS"), "urn:x", ""],
    "type": [
        "comity.registry.v1.register",
        "comity.registry.v0.Register",
        "Register",
        f"comity.a.v1.{'A' * 120}",
    ],
    "time": [
        "2026-02-30T00:00:00Z",
        "2026-01-01T00:00:00+00:00",
        "2026-01-01t00:00:00z",
        "2026-01-01T00:00:00.1234567Z",
        "2026-01-01T24:00:00Z",
        "0000-01-01T00:00:00Z",
        "tomorrow",
    ],
    "datacontenttype": ["text/json", "application/json; charset=utf-8"],
    "sequence": ["1", "0" * 15, "0" * 17, "٠" * 16],
    "comityversion": ["1", "0.1", "1.01", "01.0", "1.0.0"],
    "comityaddress": ["", "plant", "plant.registry.v1", "plant.registry.v1.requests.a%2fb", "x" * 2000],
    "expirytime": ["tomorrow", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z"],
    "correlationid": ["", "a/b"],
    "causationid": ["a b"],
    "traceparent": ["00-xyz"],
    "tracestate": ["x" * 513],
    "comitycrit": ["", "a  b", "1a", "a b "],
    "comitykey": ["me"],
    "comitysig": ["short", "=" * 86],
    "comityvia": ["", "me", f"{AGENT.agent_id}  {AGENT.agent_id}", " ".join([AGENT.agent_id] * 9)],
}


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, values in BAD.items() for v in values])
def test_a_bad_attribute_is_named(name: str, value: str) -> None:
    with pytest.raises(RemoteProtocolError, match=f"attribute {name} ") as caught:
        read_envelope(altered(**{name: value}).attributes)
    assert caught.value.code == "core.malformed"


@pytest.mark.parametrize("name", list(REQUIRED))
def test_a_missing_attribute_is_named(name: str) -> None:
    with pytest.raises(RemoteProtocolError, match=f"attribute {name} is missing"):
        read_envelope(altered(**{name: None}).attributes)


def test_a_line_break_shifts_no_attribute_into_another() -> None:
    frame = request()
    smuggled = frame.attributes["id"] + "\n" + frame.attributes["time"]
    with pytest.raises(RemoteProtocolError):
        read_envelope(altered(id=smuggled).attributes)


def test_the_required_attributes_are_those_of_the_spec() -> None:
    required = {name for name, field in Attributes.model_fields.items() if field.is_required()}
    assert required == REQUIRED.keys()


def test_extension_attributes_pass_when_they_are_well_formed() -> None:
    read_envelope(altered(**{"x": "anything\n", "a1b2": "", "z" * 20: "é"}).attributes)
    for name in ("X", "a-b", "", "z" * 21, "é"):
        with pytest.raises(RemoteProtocolError):
            read_envelope(altered(**{name: "x"}).attributes)


@given(st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)))
def test_stamps_are_read_to_the_microsecond(moment: datetime) -> None:
    exact = moment.replace(tzinfo=UTC)
    text = exact.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"
    assert parse_time(text) == (exact - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert format_time(parse_time(text) / 1_000_000) == text
