"""One watch of one agent, as the agent keeps it: the generated `Watcher` machine and what its effects mean.

Responsible for giving the user every change once and in order, and for watching anew behind a gap (REG-AGT-006).
Not responsible for sending.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from comity.sdk._generated.registry_v1.machines import WATCHER
from comity.sdk._generated.registry_v1.messages import Unwatch, Watch
from comity.sdk.machine import Instance
from comity.sdk.model import Message
from comity.sdk.ports import Json, Now

from ._courier import Courier, Request

__all__ = ["Watcher"]

Notifier = Callable[[str, Mapping[str, Json]], None]


class Watcher:
    """A watch by its `ticket`; `name` is what the registry knows it by, another one after every new beginning."""

    def __init__(self, ticket: Json, wish: Mapping[str, Any], courier: Courier, notify: Notifier) -> None:
        self.machine = Instance(WATCHER)
        self.machine.context["revision"] = wish.get("after", 0)
        self.request: Request | None = None
        self.name = ""
        self._ticket = ticket
        self._wish = {name: value for name, value in wish.items() if name in ("where", "lease_ms")}
        self._courier = courier
        self._notify = notify

    @property
    def over(self) -> bool:
        """Whether the watch was closed."""
        return self.machine.state == "idle"

    def open(self, now: Now) -> None:
        """Start watching."""
        self._run(self.machine.step("command.watch", None, now.mono), None, now)

    def close(self, now: Now) -> None:
        """Stop watching. Raises `LocalProtocolError` where it is closing already."""
        self._run(self.machine.step("command.unwatch", None, now.mono), None, now)

    def answered(self, message: Message, now: Now) -> None:
        """The answer to `request` came."""
        self.request = None
        self.receive(message, now)

    def receive(self, message: Message, now: Now) -> None:
        """An answer or a batch of changes."""
        self._run(self.machine.step(type(message).__name__, message, now.mono), message, now)

    def wake(self, now: Now) -> None:
        """Fire the timers that are due."""
        self._run(self.machine.fire_due(now.mono, slack=1e-6), None, now)

    def _run(self, effects: Any, message: Message | None, now: Now) -> None:
        for effect in effects:
            if effect.kind == "send":
                self._send(effect.name, now)
            elif effect.kind == "effect":
                self._name_watch()
            else:
                self._notify(effect.name, self._detail(message))

    def _name_watch(self) -> None:
        self.name = f"w{self._courier.next_sequence}"  # sequences are never used twice

    def _send(self, name: str, now: Now) -> None:
        fired = self.machine.fired
        if self.request is not None and fired is not None and fired.id.endswith("-again"):
            self._courier.repeat(self.request)  # REG-AGT-001
        else:
            self.request = self._courier.request(self._message(name), now)

    def _message(self, name: str) -> Message:
        if name == "Unwatch":
            return Unwatch.model_validate({"watch": self.name})
        if self.machine.state == "live":  # REG-AGT-007
            wish = {
                "watch": self.name,
                "lease_ms": self._wish["lease_ms"],
                "index": self.machine.context["index"],
            }
            return Watch.model_validate(wish)
        revision = self.machine.context["revision"]
        behind = {"after": revision} if revision else {}
        return Watch.model_validate({"watch": self.name, **self._wish, **behind})

    def _detail(self, message: Message | None) -> dict[str, Json]:
        detail = {} if message is None else message.model_dump(exclude={"watch"})
        return {"ticket": self._ticket, **detail}
