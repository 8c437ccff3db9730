"""Every normative trace of the registry, replayed against the reference through the driver."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from comity.compiler import load
from comity.sdk.codec import encode_structured
from comity.sdk.ports import Frame, Send

from .model import kind
from .world import Event, World

TRACES = {trace.id: trace.data for trace in load(Path(__file__).parents[2] / "spec/registry/v1").traces}
KINDS = ("send", "see", "advance", "crash", "restart", "malformed")
PARAMETERS = {"watch-compacted": {"history": 2}}


class Player:
    """Plays the steps of one trace; `$name` binds on first sight, and the name of a sender stands for its id."""

    def __init__(self, trace: Mapping[str, Any]) -> None:
        self.trace = trace
        self.world = World(parameters=PARAMETERS.get(trace["trace"], {}))
        senders = {step["from"] for step in trace["steps"] if "from" in step}
        named = {value[1:] for value in texts(trace["steps"]) if value.startswith("$")}
        people = senders | {name for name in named if "_" not in name and name in PEOPLE}
        self.bound: dict[str, Any] = {name: self.world.agent(name) for name in people}
        self.arrived: list[Event] = []

    def play(self) -> None:
        for number, step in enumerate(self.trace["steps"]):
            getattr(self, next(kind for kind in KINDS if kind in step))(step)
            following = self.trace["steps"][number + 1 : number + 2]
            if not following or not following[0].keys() & {"see", "restart"}:
                assert not self.arrived, f"{self.trace['trace']}: nobody expected {self.arrived}"

    def send(self, step: dict[str, Any]) -> None:
        send = self.world.make(step["from"], step["send"], self.resolve(step.get("data", {})))
        attributes = {**send.frame.attributes, **step.get("attributes", {})}
        self.arrived += self.world.deliver(Send(send.address, Frame(attributes, send.frame.data)))

    def malformed(self, step: dict[str, Any]) -> None:
        plain: dict[str, Any] = {"agent": self.bound[step["from"]], "capabilities": [], "lease_ms": 1000}
        send = self.world.make(step["from"], "Register", plain)
        frame = Frame(send.frame.attributes, step["malformed"].encode())
        self.arrived += self.world.raw(send.address, encode_structured(frame))

    def see(self, step: dict[str, Any]) -> None:
        assert self.arrived, f"{step} was expected and nothing came"
        event = self.arrived.pop(0)
        assert event.type == step["see"], (event, step)
        if "to" in step:
            assert event.address.rpartition(".")[2].endswith(self.bound[step["to"]].rpartition(":")[2])
        self.match(step.get("data", {}), event.data)

    def advance(self, step: dict[str, Any]) -> None:
        self.arrived += self.world.advance(step["advance"])

    def crash(self, step: dict[str, Any]) -> None:
        self.arrived += self.world.crash(keep=False)

    def restart(self, step: dict[str, Any]) -> None:
        """The world restarts what it crashes."""

    def resolve(self, value: Any) -> Any:
        if kind(value) == "map":
            return {key: self.resolve(inner) for key, inner in value.items()}
        if kind(value) == "list":
            return [self.resolve(inner) for inner in value]
        return self.bound[value[1:]] if isinstance(value, str) and value.startswith("$") else value

    def match(self, wanted: Any, found: Any) -> None:
        if kind(wanted) == "map":
            for key, inner in wanted.items():
                assert key in found, (key, found)
                self.match(inner, found[key])
        elif kind(wanted) == "list":
            assert len(wanted) == len(found), (wanted, found)
            for inner, item in zip(wanted, found, strict=True):
                self.match(inner, item)
        elif isinstance(wanted, str) and wanted.startswith("$"):
            assert self.bound.setdefault(wanted[1:], found) == found, (wanted, self.bound, found)
        else:
            assert wanted == found


PEOPLE = {"ada", "bob", "cleo", "dan", "eve", "fay"}


def texts(value: Any) -> list[str]:
    if kind(value) == "map":
        return [text for inner in value.values() for text in texts(inner)]
    if kind(value) == "list":
        return [text for inner in value for text in texts(inner)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("name", sorted(TRACES))
def test_reference_plays_the_trace(name: str) -> None:
    Player(TRACES[name]).play()


def test_a_trace_that_is_wrong_fails() -> None:
    trace = {**TRACES["register-renew-expire"]}
    trace["steps"] = [*trace["steps"][:-1], {"see": "Renewed"}]
    with pytest.raises(AssertionError):
        Player(trace).play()
