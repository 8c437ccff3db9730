"""Agents that do nothing, or only pretend, earn none of an agent's rows."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from comity.conformance import AdapterError, certify
from comity.conformance.driver import CallDriver

Handler = Callable[[bytes], bytes]
Data = dict[str, Any]
WELCOME = {
    "version": "1.0",
    "implementation": {"name": "liar", "version": "1", "language": "Python"},
    "roles": ["agent"],
    "features": [],
    "storage": "host",
    "deterministic": True,
}
ME = "did:key:z6Mk" + "1" * 44
TELLS = ("joined", "lost", "left", "changes", "answered", "refused")


def _nothing(kind: str, data: Data) -> list[Data]:
    return []


def _always_ok(kind: str, data: Data) -> list[Data]:
    """Tells the user after each wish that it came true."""
    said = {"join": "joined", "leave": "left", "watch": "changes", "unwatch": "closed"}
    return [_tell(said.get(data["request"], "answered"), data["args"])] if kind == "Do" else []


def _chatter(kind: str, data: Data) -> list[Data]:
    """Tells everything whatever comes."""
    return [_tell(event, {}) for event in TELLS] if kind in ("Do", "Deliver") else []


def _shouter(kind: str, data: Data) -> list[Data]:
    """Sends one and the same Register for each wish and hears nothing."""
    return [_register()] if kind == "Do" else []


def _echo(kind: str, data: Data) -> list[Data]:
    return [{"kind": "send", "address": data["address"], "frame": data["frame"]}] if kind == "Deliver" else []


def _optimist(kind: str, data: Data) -> list[Data]:
    """Registers, and takes whatever comes for the answer."""
    if kind == "Do":
        return [_register()]
    return [_tell("joined", {})] if kind == "Deliver" else []


def _tell(event: str, args: Data) -> Data:
    told: Data = {"ticket": args.get("ticket", "t1"), "index": 1, "revision": 1, "changes": []}
    return {"kind": "notify", "event": event, "data": told}


def _register() -> Data:
    to = f"plant.registry.v1.requests.{ME}"
    event: Data = {
        "specversion": "1.0", "id": "x1", "source": ME, "type": "comity.registry.v1.Register",
        "time": "2026-01-01T00:00:00Z", "datacontenttype": "application/json", "sequence": "0" * 15 + "1",
        "comityversion": "1.0", "comityaddress": to,
        "data": {"agent": ME, "capabilities": [], "lease_ms": 3_000},
    }  # fmt: skip
    return {"kind": "send", "address": to, "frame": base64.b64encode(json.dumps(event).encode()).decode()}


def _factory(outputs: Callable[[str, Data], list[Data]]) -> Callable[[], Handler]:
    def handle(line: bytes) -> bytes:
        asked = json.loads(line)
        kind, data = asked["type"], WELCOME
        if kind in ("Start", "Do", "Deliver", "Persisted", "Tick", "Crash", "Reset", "Stop"):
            kind, data = "Done", {"outputs": outputs(kind, asked["data"])}
        else:
            kind = "Welcome" if kind == "Hello" else "Unsupported"
            data = data if kind == "Welcome" else {}
        return json.dumps({"n": asked["n"], "type": kind, "data": data}).encode()

    return lambda: handle


LIARS = {
    "do-nothing": _nothing,
    "always-ok": _always_ok,
    "chatter": _chatter,
    "shouter": _shouter,
    "echo": _echo,
    "optimist": _optimist,
}


@pytest.mark.parametrize("name", LIARS)
def test_a_liar_earns_no_row_of_an_agent_and_is_not_conformant(name: str) -> None:
    report = certify(lambda: CallDriver(_factory(LIARS[name])), role="agent", plans=120, shrinking=False)
    passed = {r["id"] for r in report.data["requirements"] if r["cells"]["sim"]["verdict"] == "pass"}
    assert not {row for row in passed if row.startswith("REG-AGT")}
    assert report.exit in (1, 2)


def test_a_registry_is_no_agent() -> None:
    liar = _factory(_nothing)

    def registry() -> Handler:
        handle = liar()
        return lambda line: handle(line).replace(b'["agent"]', b'["registry"]')

    with pytest.raises(AdapterError, match="plays registry, not agent"):
        certify(lambda: CallDriver(registry), role="agent", plans=1)
