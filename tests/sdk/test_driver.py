"""The driver host: one line in, one line out, whatever the line."""

from __future__ import annotations

import io
import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity.sdk._generated.driver_v1.messages import MESSAGES
from comity.sdk.codec import decode_structured, encode_structured
from comity.sdk.driver import Host, StartInfo, host, serve_stdio
from comity.sdk.errors import JournalError, LocalProtocolError
from comity.sdk.ports import Append, Effect, Frame, Json, Notify, Now, Persist, Send, Snapshot

from .support import NOW, outbox, register, request

WHO = {"name": "probe", "version": "1", "language": "python"}
INSTANT = {"mono_ms": 1500, "wall_ms": 1_790_000_000_000}


class Probe:
    """Answers each input with effects that tell of it."""

    def __init__(self, info: StartInfo) -> None:
        self.info = info
        self.effects: list[Effect] = []
        self.deadline: float | None = None

    def receive(self, frame: Frame, now: Now) -> None:
        self.effects.append(Send("plant.registry.v1.replies.x", frame))

    def command(self, request: str, args: Mapping[str, Json], now: Now) -> None:
        if request == "never":
            raise LocalProtocolError("not now")
        if request == "perhaps":
            raise JournalError("who knows")
        if request == "later":
            self.deadline = now.mono + 0.0004
        self.effects.append(Notify(request, args))

    def entry(self, position: int, data: bytes, now: Now) -> None:
        self.effects.append(Append(b"%d:" % position + data))

    def persisted(self, token: str, now: Now) -> None:
        self.effects.append(Persist(token, self.info.stored.get(token, b"")))

    def wake(self, now: Now) -> None:
        self.effects.append(Notify("wake", {"mono": now.mono}))

    def next_deadline(self) -> float | None:
        return self.deadline

    def take_effects(self) -> list[Effect]:
        effects, self.effects = self.effects, []
        return effects

    def snapshot(self) -> Snapshot:
        return Snapshot(0, b"")

    def restore(self, snapshot: Snapshot) -> None:
        raise AssertionError("the suite keeps no snapshots")

    def caught_up(self, now: Now) -> None:
        self.effects.append(Notify("caught_up", {}))


def probe() -> Host:
    return host({"probe": Probe}, implementation=WHO, features=["signed"])


def ask(handler: Host, kind: str, data: Any, number: int = 7) -> tuple[str, dict[str, Any]]:
    line = json.loads(handler(json.dumps({"n": number, "type": kind, "data": data}).encode()))
    assert line["n"] == number
    MESSAGES[line["type"]].model_validate(line["data"])
    return line["type"], line["data"]


def text(data: bytes) -> str:
    return b64encode(data).decode()


def start(handler: Host, **changes: Any) -> tuple[str, dict[str, Any]]:
    data = {
        "role": "probe",
        "namespace": "plant",
        "profile": "open",
        "identity": text(b"i" * 32),
        "entropy": text(b"e"),
        "incarnation": 1,
        "parameters": {"history": 5},
        "stored": [{"token": "t", "data": text(b"kept")}],
        "recovering": False,
        "now": INSTANT,
    }
    return ask(handler, "Start", {**data, **changes})


def events(reply: tuple[str, dict[str, Any]]) -> list[str]:
    assert reply[0] == "Done", reply
    return [output.get("event", output["kind"]) for output in reply[1]["outputs"]]


def test_it_says_what_it_is() -> None:
    kind, data = ask(probe(), "Hello", {"versions": ["2.0", "1.3"]})
    assert kind == "Welcome"
    assert (data["roles"], data["features"]) == (["probe"], ["signed"])
    assert (data["storage"], data["deterministic"]) == ("host", True)
    kind, data = ask(probe(), "Hello", {"versions": ["2.0", "11.0"]})
    assert (kind, data["code"]) == ("Failed", "core.unsupported_version")


def test_every_input_reaches_the_endpoint_and_every_effect_the_suite() -> None:
    handler = probe()
    assert events(start(handler)) == ["caught_up"]
    frame = request()
    _, data = ask(
        handler, "Deliver", {"address": "a", "frame": text(encode_structured(frame)), "now": INSTANT}
    )
    sent = decode_structured(b64decode(data["outputs"][0]["frame"]))
    assert sent.attributes == frame.attributes
    entry = {"position": 9, "data": text(b"x"), "last": True, "now": INSTANT}
    _, data = ask(handler, "Entry", entry)
    assert data["outputs"] == [{"kind": "append", "data": text(b"9:x")}]
    _, data = ask(handler, "Persisted", {"token": "t", "now": INSTANT})
    assert data["outputs"] == [{"kind": "persist", "token": "t", "data": text(b"kept")}]
    _, data = ask(handler, "Tick", {"now": INSTANT})
    assert data["outputs"] == [{"kind": "notify", "event": "wake", "data": {"mono": 1.5}}]
    _, data = ask(handler, "Do", {"request": "go", "args": {"a": [1]}, "now": INSTANT})
    assert data == {"outputs": [{"kind": "notify", "event": "go", "data": {"a": [1]}}]}


def test_quiescence_is_told_to_the_next_whole_millisecond() -> None:
    handler = probe()
    start(handler)
    _, data = ask(handler, "Do", {"request": "later", "args": {}, "now": INSTANT})
    assert data["idle_until"] == 1501


def test_replay_ends_with_the_last_entry_or_at_once_without_any() -> None:
    handler = probe()
    entry = {"position": 1, "data": "", "last": False, "now": INSTANT}
    assert events(start(handler, recovering=True)) == []
    assert events(ask(handler, "Entry", entry)) == ["append"]
    assert events(ask(handler, "Tick", {"now": INSTANT})) == ["wake"]
    assert events(ask(handler, "Entry", {**entry, "position": 2, "last": True})) == ["append", "caught_up"]
    assert events(ask(handler, "Entry", {**entry, "position": 3, "last": True})) == ["append"]
    assert events(start(handler, recovering=True)) == []
    assert events(ask(handler, "Tick", {"now": INSTANT})) == ["caught_up", "wake"]


@pytest.mark.parametrize("end", ["Crash", "Reset", "Stop"])
def test_what_ends_a_life_leaves_nobody_to_ask(end: str) -> None:
    handler = probe()
    start(handler)
    assert ask(handler, end, {}) == ("Done", {"outputs": []})
    assert handler.stopped is (end == "Stop")
    kind, data = ask(handler, "Tick", {"now": INSTANT})
    assert (kind, data["code"], data["definite"]) == ("Failed", "local.protocol", True)


def test_unknown_commands_roles_and_profiles_are_unsupported() -> None:
    handler = probe()
    for name in ("Frobnicate", "hello", "Done", "Welcome", ""):
        assert ask(handler, name, {"anything": 1}) == ("Unsupported", {})
    assert start(handler, role="relay") == ("Unsupported", {})
    assert start(handler, profile="signed")[0] == "Done"
    open_only = host({"probe": Probe}, implementation=WHO)
    assert start(open_only, profile="signed") == ("Unsupported", {})


@pytest.mark.parametrize(
    ("line", "number", "words"),
    [
        (b"", 0, "JSON"),
        (b"garbage", 0, "JSON"),
        (b'{"n":1,"n":2,"type":"Stop","data":{}}', 0, "duplicate"),
        (b"[]", 0, "object"),
        (b'{"type":"Stop","data":{}}', 0, "/n"),
        (b'{"n":-1,"type":"Stop","data":{}}', 0, "/n"),
        (b'{"n":true,"type":"Stop","data":{}}', 0, "/n"),
        (b'{"n":3,"type":7,"data":{}}', 3, "type"),
        (b'{"n":3,"type":"Stop"}', 3, "data"),
        (b'{"n":3,"type":"Stop","data":{},"x":1}', 3, "nothing else"),
        (b'{"n":3,"type":"Tick","data":{}}', 3, "/now"),
        (b'{"n":3,"type":"Tick","data":{"now":{"mono_ms":1.0,"wall_ms":1}}}', 3, "/now/mono_ms"),
        (b'{"n":3,"type":"Stop","data":' + b"[" * 10_000, 0, "JSON"),
        (b'{"n":3,"type":"Stop","data":{"a":' + b"[" * 40 + b"]" * 40 + b"}}", 0, "deeper"),
    ],
)
def test_a_bad_line_is_quoted_and_costs_nothing(line: bytes, number: int, words: str) -> None:
    handler = probe()
    start(handler)
    answer = json.loads(handler(line))
    assert (answer["n"], answer["type"]) == (number, "Failed")
    assert words in answer["data"]["detail"]
    assert events(ask(handler, "Tick", {"now": INSTANT})) == ["wake"]


def test_what_is_no_event_is_dropped_in_silence() -> None:
    handler = probe()
    start(handler)
    for octets in (b"", b"garbage", b"[]", b"\xff"):
        reply = ask(handler, "Deliver", {"address": "a", "frame": text(octets), "now": INSTANT})
        assert reply == ("Done", {"outputs": []})


def test_a_command_that_fails_says_whether_it_happened() -> None:
    handler = probe()
    start(handler)
    for name, definite in (("never", True), ("perhaps", False)):
        kind, data = ask(handler, "Do", {"request": name, "args": {}, "now": INSTANT})
        assert (kind, data["definite"]) == ("Failed", definite)


def test_the_same_lines_give_the_same_octets() -> None:
    frame = outbox().request(register(), NOW).frame
    line = {"address": "a", "frame": text(encode_structured(frame)), "now": INSTANT}
    handlers = [probe(), probe()]
    for handler in handlers:
        start(handler)
    once, again = (
        handler(json.dumps({"n": 1, "type": "Deliver", "data": line}).encode()) for handler in handlers
    )
    assert once == again


def test_stdio_answers_until_it_is_stopped() -> None:
    lines = [
        b'{"n":%d,"type":"%s","data":{}}\n' % (n, kind)
        for n, kind in enumerate([b"Reset", b"Stop", b"Reset"])
    ]
    sink = io.BytesIO()
    serve_stdio(probe(), io.BytesIO(b"".join(lines)), sink)
    assert [json.loads(line)["n"] for line in sink.getvalue().splitlines()] == [0, 1]


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda line: line.encode(errors="surrogatepass")))
def test_no_line_makes_it_raise(line: bytes) -> None:
    answer = json.loads(probe()(line))
    assert answer["type"] in ("Failed", "Unsupported")


shapes: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["now", "frame", "mono_ms", "args", "token", "x"]), inner, max_size=4
        )
    ),
)


@given(st.sampled_from(sorted(MESSAGES)), shapes)
def test_no_shape_makes_it_raise(kind: str, data: Any) -> None:
    handler = probe()
    start(handler)
    answer = json.loads(handler(json.dumps({"n": 1, "type": kind, "data": data}).encode()))
    assert answer["type"] in MESSAGES
