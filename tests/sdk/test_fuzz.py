"""No input makes a receiver raise: octets, documents, frames and driver lines that nobody should send."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from comity.registry import reference
from comity.sdk.codec import decode_structured, encode_structured
from comity.sdk.errors import RemoteProtocolError
from comity.sdk.inbox import Accepted, Dropped, Held, Profile, Rejected
from comity.sdk.lexical import dump
from comity.sdk.ports import Frame, Now

from .support import AGENT, NOW, inbox, request

GOOD = request()
SIGNED = request("signed")
NAMES = [
    *GOOD.attributes,
    *SIGNED.attributes,
    "expirytime",
    "comitycrit",
    "subject",
    "correlationid",
    "x",
    "É",
]

anything = st.characters(exclude_categories=())
# lone surrogates, NaN and huge integers included: a frame made in this process may carry anything
leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([2**53, -(2**63), 10**400])
    | st.floats()
    | st.text(anything, max_size=12)
)
values: st.SearchStrategy[Any] = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["agent", "capabilities", "lease_ms", "metadata", "epoch", "where", "all", "path"]
            )
            | st.text(anything, max_size=4),
            inner,
            max_size=4,
        )
    ),
    max_leaves=16,
)
texts = st.text(anything, max_size=16) | st.sampled_from(
    [
        "",
        "0" * 16,
        "9999-12-31T23:59:59.999999Z",
        "0001-01-01T00:00:00Z",
        "2.0",
        "1.9999",
        AGENT.agent_id,
        "A" * 86,
    ]
    + [
        f"comity.registry.v1.{name}"
        for name in ("Update", "Renew", "Query", "Watch", "Registered", "Changes")
    ]
)
profiles: st.SearchStrategy[Profile] = st.sampled_from(["open", "signed"])
OUTCOMES = (Accepted, Rejected, Dropped, Held)


def receive(frame: Frame, profile: Profile, *, requests: bool = True) -> None:
    """Feed `frame` and let time pass: the outcome is one of the four, and what was held comes back."""
    receiver = inbox(profile, requests=requests)
    outcome = receiver.receive(frame, NOW)
    assert isinstance(outcome, OUTCOMES)
    deadline = receiver.next_deadline()
    assert (deadline is not None) is isinstance(outcome, Held)
    released = receiver.release(Now(NOW.mono, 300_000_000_000.0))
    assert len(released) == isinstance(outcome, Held)


@given(st.binary(max_size=200), profiles)
def test_no_octets_as_data(data: bytes, profile: Profile) -> None:
    receive(Frame(GOOD.attributes, data), profile)


@given(values, profiles, st.booleans())
def test_no_value_as_data(data: Any, profile: Profile, requests: bool) -> None:
    receive(Frame(GOOD.attributes, data), profile, requests=requests)


@settings(max_examples=300)
@given(st.dictionaries(st.sampled_from(NAMES), texts, max_size=4), st.booleans(), profiles, st.booleans())
def test_no_attributes(changes: dict[str, str], good: bool, profile: Profile, requests: bool) -> None:
    base: Mapping[str, str] = (SIGNED if profile == "signed" else GOOD).attributes if good else {}
    receive(Frame({**base, **changes}, GOOD.data), profile, requests=requests)


@given(st.data(), profiles)
def test_no_damage_to_a_document(data: st.DataObject, profile: Profile) -> None:
    text = bytearray(encode_structured(SIGNED if profile == "signed" else GOOD))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(text) - 1))
        text[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    try:
        frame = decode_structured(bytes(text))
    except RemoteProtocolError:
        return
    receive(frame, profile)


@given(values)
def test_no_document(value: Any) -> None:
    try:
        frame = decode_structured(json.dumps(value).encode(errors="surrogatepass"))
    except RemoteProtocolError:
        return
    receive(frame, "open")


@given(st.dictionaries(st.sampled_from([*NAMES, "data", "data_base64"]), values, max_size=6))
def test_no_member_of_a_document(changes: dict[str, Any]) -> None:
    whole: dict[str, Any] = {
        **GOOD.attributes,
        "data": {"agent": AGENT.agent_id, "capabilities": [], "lease_ms": 1000},
    }
    try:
        frame = decode_structured(json.dumps({**whole, **changes}).encode())
    except RemoteProtocolError:
        return
    receive(frame, "open")


# -------------------------------------------------------------------------- driver lines

START: dict[str, Any] = {
    "role": "registry",
    "namespace": "plant",
    "profile": "open",
    "identity": b64encode(b"\x03" * 32).decode(),
    "entropy": b64encode(b"\x04" * 32).decode(),
    "incarnation": 1,
    "parameters": {},
    "stored": [],
    "recovering": False,
    "now": {"mono_ms": 0, "wall_ms": 1_790_000_000_000},
}
FRAME = b64encode(encode_structured(GOOD)).decode()
COMMANDS: dict[str, dict[str, Any]] = {
    "Hello": {"versions": ["1.0"]},
    "Start": START,
    "Do": {"request": "register", "args": {}, "now": START["now"]},
    "Deliver": {"address": GOOD.attributes["comityaddress"], "frame": FRAME, "now": START["now"]},
    "Persisted": {"token": "t", "now": START["now"]},
    "Tick": {"now": START["now"]},
    "Crash": {},
    "Reset": {},
    "Stop": {},
}


def answer(handler: Any, line: bytes) -> dict[str, Any]:
    """The answer to `line`, checked for its shape."""
    reply: dict[str, Any] = json.loads(handler(line))
    assert reply.keys() == {"n", "type", "data"}
    assert reply["type"] in {"Welcome", "Done", "Unsupported", "Failed"}
    if reply["type"] == "Failed":
        assert reply["data"].keys() == {"code", "definite", "detail"}
        assert len(reply["data"]["detail"]) <= 1024
    return reply


def started() -> Any:
    handler = reference()
    assert answer(handler, dump({"n": 1, "type": "Start", "data": START}))["type"] == "Done"
    return handler


@given(st.binary(max_size=100))
def test_no_octets_as_a_driver_line(line: bytes) -> None:
    assert answer(reference(), line)["type"] in ("Failed", "Unsupported")


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_driver_line(data: st.DataObject) -> None:
    """Any command with any members wrong; what stands in entries is the subject's own, so they are left alone."""
    handler = started()
    for number in range(data.draw(st.integers(1, 4))):
        name = data.draw(st.sampled_from([*COMMANDS, "Juggle"]))
        body = dict(COMMANDS.get(name, {}))
        body |= data.draw(st.dictionaries(st.sampled_from([*body, "more"]), values, max_size=2))
        reply = answer(handler, json.dumps({"n": number, "type": name, "data": body}).encode())
        assert reply["n"] in (number, 0)


def test_a_driver_line_of_ten_mebibytes_or_ten_thousand_levels() -> None:
    handler = started()
    big = b64encode(b"x" * (10 << 20)).decode()
    line = dump({"n": 2, "type": "Deliver", "data": {**COMMANDS["Deliver"], "frame": big}})
    assert answer(handler, line)["type"] == "Failed"
    assert answer(handler, b"[" * 10_000)["type"] == "Failed"
    assert answer(handler, dump({"n": 3, "type": "Tick", "data": COMMANDS["Tick"]}))["type"] == "Done"


def test_frames_that_no_wire_can_carry() -> None:
    """Made in this process: text without bytes, nesting without end, values that are no JSON."""
    endless: Any = 1
    for _ in range(10_000):
        endless = [endless]
    unfit: list[Any] = [
        {"agent": "\ud800"},
        endless,
        {"lease_ms": float("nan")},
        {"metadata": {"a": b"\xff"}},
    ]
    for data in unfit:
        receive(Frame(GOOD.attributes, data), "open")
        receive(Frame(GOOD.attributes, data), "signed")
    for name in ("subject", "x", "id", "comityaddress", "tracestate"):
        receive(Frame({**SIGNED.attributes, name: "\ud800"}, GOOD.data), "signed")
