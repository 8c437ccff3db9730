"""Subjects that do not implement anything and hope to be certified.

Responsible for generic ways to cheat, each a factory of line handlers. Not responsible for judging them.
"""

# pyright: basic
# plays a stranger's code, which checks no types
from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

from tests.conformance.toy import Toy

__all__ = ["LIARS", "Handler"]

Handler = Callable[[bytes], bytes]
_WELCOME = {
    "version": "1.0",
    "implementation": {"name": "liar", "version": "1", "language": "Python"},
    "roles": ["registry"],
    "features": [],
    "storage": "host",
    "deterministic": True,
}
_ME = "did:key:z6Mk" + "1" * 44


def _answering(
    decide: Callable[[dict[str, Any], int], tuple[str, dict[str, Any]] | None], **claims: Any
) -> Callable[[], Handler]:
    """A subject that answers each request as `decide(document, count)` says and keeps nothing."""

    def factory() -> Handler:
        count = 0

        def handle(line: bytes) -> bytes:
            nonlocal count
            asked = json.loads(line)
            kind, outputs = asked["type"], []
            if kind == "Hello":
                return json.dumps(
                    {"n": asked["n"], "type": "Welcome", "data": {**_WELCOME, **claims}}
                ).encode()
            if kind not in ("Start", "Deliver", "Entry", "Persisted", "Tick", "Crash", "Reset", "Stop"):
                return json.dumps({"n": asked["n"], "type": "Unsupported", "data": {}}).encode()
            if kind == "Deliver":
                count += 1
                outputs = _outputs(base64.b64decode(asked["data"]["frame"]), count)
            return json.dumps({"n": asked["n"], "type": "Done", "data": {"outputs": outputs}}).encode()

        def _outputs(raw: bytes, n: int) -> list[dict[str, Any]]:
            try:
                doc = json.loads(raw)
                said = decide(doc, n)
            except (ValueError, KeyError, TypeError, RecursionError):
                return []
            return [] if said is None else [_event(doc, *said, n)]

        return handle

    return factory


def _event(doc: dict[str, Any], message: str, data: dict[str, Any], n: int) -> dict[str, Any]:
    to = f"plant.registry.v1.replies.{doc['source']}"
    event = {**{k: doc[k] for k in ("specversion", "time", "datacontenttype", "sequence", "comityversion")},
             "id": f"x{n}", "source": _ME, "type": f"comity.registry.v1.{message}", "comityaddress": to,
             "correlationid": doc["id"], "data": data}  # fmt: skip
    return {"kind": "send", "address": to, "frame": base64.b64encode(json.dumps(event).encode()).decode()}


def _always_ok(doc: dict[str, Any], n: int) -> tuple[str, dict[str, Any]]:
    """Success to everything, with numbers that look right."""
    data, revision, agent = doc.get("data", {}), 2**40 + n, doc["source"]
    lease = data.get("lease_ms", 1000)
    entry = {"agent": agent, "capabilities": [], "lease_ms": lease, "epoch": revision, "revision": revision}
    answers: dict[str, tuple[str, dict[str, Any]]] = {
        "Register": (
            "Registered",
            {"agent": agent, "epoch": revision, "revision": revision, "lease_ms": lease},
        ),
        "Update": ("Updated", {"agent": agent, "revision": revision}),
        "Renew": ("Renewed", {"agent": agent, "epoch": revision, "revision": revision, "lease_ms": lease}),
        "Deregister": ("Deregistered", {"agent": agent, "revision": revision}),
        "Lookup": ("Found", {"entry": entry, "revision": revision}),
        "Count": ("Counted", {"count": 1, "revision": revision}),
        "Watch": (
            "Watching",
            {"watch": data.get("watch", "w"), "revision": revision, "index": 0, "lease_ms": lease},
        ),
        "Unwatch": ("Unwatched", {"watch": data.get("watch", "w")}),
    }
    return answers.get(doc["type"].rpartition(".")[2], ("Page", {"entries": [entry], "revision": revision}))


def _refusing(code: str) -> Callable[[dict[str, Any], int], tuple[str, dict[str, Any]]]:
    return lambda doc, n: ("Refused", {"code": code, "revision": 2**40 + n})


def _echo() -> Handler:
    return lambda line: line


def _crashing(after: int) -> Callable[[], Handler]:
    """A good registry that dies on every line with this number of its life."""

    def factory() -> Handler:
        toy, count = Toy(set()), 0

        def handle(line: bytes) -> bytes:
            nonlocal count
            count += 1
            if count == after:
                raise MemoryError("enough")
            return toy.line(line)

        return handle

    return factory


def _replayer() -> Callable[[], Handler]:
    """Answers every line as a good registry answered a line of that type first."""

    def factory() -> Handler:
        toy, first = Toy(set()), dict[str, dict[str, Any]]()

        def handle(line: bytes) -> bytes:
            asked = json.loads(line)
            if asked["type"] not in first:
                first[asked["type"]] = json.loads(toy.line(line))
            return json.dumps({**first[asked["type"]], "n": asked["n"]}).encode()

        return handle

    return factory


LIARS: dict[str, Callable[[], Handler]] = {
    "do-nothing": _answering(lambda doc, n: None),
    "echo": _echo,
    "always-ok": _answering(_always_ok),
    "always-refuse-unknown": _answering(_refusing("registry.unknown_agent")),
    "always-refuse-malformed": _answering(_refusing("core.malformed")),
    "always-refuse-invalid": _answering(_refusing("core.invalid")),
    "claims-everything": _answering(_always_ok, features=["signed"], roles=["agent", "registry"]),
    "crash-at-40": _crashing(40),
    "crash-at-400": _crashing(400),
    "replayer": _replayer(),
}
