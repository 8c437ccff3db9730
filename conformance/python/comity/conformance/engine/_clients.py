"""The agents that the suite plays: their keys, sequences and what they have been told.

Responsible for resolving the symbolic references of a plan against what the subject answered. Not responsible for
sending anything.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..signature import KeyPair
from ..wire import items_of, members_of

__all__ = ["Client", "Known"]

NO_CURSOR = "bm9uZQ"


@dataclass(slots=True)
class Client:
    """One agent. `epochs` and `revision` are what answers said of its own entry."""

    key: KeyPair
    sequence: int = 0
    epochs: list[int] = field(default_factory=list[int])
    revision: int = 0

    def learn(self, message: str, data: dict[str, Any]) -> None:
        if message == "Registered":
            self.epochs.append(data["epoch"])
            self.revision = data["revision"]
        elif message == "Updated":
            self.revision = data["revision"]
        elif message == "Deregistered":
            self.revision = 0


class Known:
    """What the suite's clients know together, for resolving references such as `{"$": "epoch", "client": 1}`."""

    def __init__(self, clients: list[Client]) -> None:
        self.clients = clients
        self.answers: dict[str, dict[str, Any]] = {}
        self.seen = 0

    def learn(self, client: int, op: str | None, message: str, data: dict[str, Any]) -> None:
        self.clients[client].learn(message, data)
        revision = data.get("revision")
        if isinstance(revision, int):
            self.seen = max(self.seen, revision)
        if op is not None:
            self.answers[op] = data

    def resolve(self, value: Any, sender: int) -> Any:
        """`value` with every reference replaced; one to what never came gives what a stranger might guess."""
        found = members_of(value)
        if found is not None:
            if "$" in found:
                return self._reference(found, sender)
            return {key: self.resolve(item, sender) for key, item in found.items()}
        items = items_of(value)
        if items is not None:
            return [self.resolve(item, sender) for item in items]
        return value

    def _reference(self, ref: dict[str, Any], sender: int) -> Any:
        client = self.clients[int(ref.get("client", sender)) % len(self.clients)]
        match ref["$"]:
            case "agent":
                return client.key.agent
            case "epoch":
                back = int(ref.get("back", 0)) + 1
                base = client.epochs[-back] if len(client.epochs) >= back else 0
            case "revision":
                base = client.revision
            case "seen":
                base = self.seen
            case "answered":
                base = self.answers.get(ref["op"], {}).get("revision", 0)
            case "cursor":
                return self.answers.get(ref["op"], {}).get("cursor", NO_CURSOR)
            case _:
                raise ValueError(f"no reference is called {ref['$']!r}")
        return max(0, base + int(ref.get("plus", 0)))
