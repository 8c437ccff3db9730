"""One agent's membership, as the agent keeps it: the generated `Membership` machine and what its effects mean.

Responsible for what is registered and for the messages that the machine wants sent. Not responsible for sending.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from comity.sdk._generated.registry_v1.machines import MEMBERSHIP
from comity.sdk._generated.registry_v1.messages import Deregister, Register, Renew, Update
from comity.sdk.machine import Instance
from comity.sdk.model import MISSING, Message
from comity.sdk.ports import Json, Now

from ._courier import Courier, Request

__all__ = ["Membership"]

Notifier = Callable[[str, Mapping[str, Json]], None]


class Membership:
    """Join, renew until told to leave, join again when the lease is lost while nobody refuses."""

    def __init__(self, agent: str, courier: Courier, notify: Notifier) -> None:
        self.machine = Instance(MEMBERSHIP)
        self.request: Request | None = None
        self._agent = agent
        self._courier = courier
        self._notify = notify
        self._entry: dict[str, Any] = {}
        self._ticket: Json = 0

    @property
    def epoch(self) -> int:
        """The epoch of the lease that is held, 0 while there is none."""
        return self.machine.context["epoch"] if self.machine.state in ("active", "leaving") else 0

    def join(self, register: Register, ticket: Json, now: Now) -> None:
        """Start joining. Raises `LocalProtocolError` unless absent."""
        effects = self.machine.step("command.join", None, now.mono)
        self._entry, self._ticket = register.model_dump(), ticket
        self._run(effects, None, now)

    def leave(self, ticket: Json, now: Now) -> None:
        """Start leaving. Raises `LocalProtocolError` where there is nothing to leave."""
        effects = self.machine.step("command.leave", None, now.mono)
        self._ticket = ticket
        self._run(effects, None, now)

    def updated(self, update: Update) -> None:
        """An Update was applied: what is registered from now on includes it."""
        given = update.model_dump()
        for member in given.pop("clear", ()):
            self._entry.pop(member, None)
        self._entry |= {
            name: value for name, value in given.items() if name not in ("agent", "epoch", "if_revision")
        }

    def answered(self, message: Message, now: Now) -> None:
        """The answer to `request` came."""
        request, self.request = self.request, None
        if request is not None:
            self.machine.context["elapsed"] = max(
                0, round((now.mono - request.first_sent) * 1000)
            )  # REG-AGT-004
            self._run(self.machine.step(type(message).__name__, message, now.mono), message, now)

    def wake(self, now: Now) -> None:
        """Fire the timers that are due."""
        self._run(self.machine.fire_due(now.mono, slack=1e-6), None, now)

    def _run(self, effects: Any, message: Message | None, now: Now) -> None:
        for effect in effects:
            if effect.kind == "send":
                self._send(effect.name, now)
            else:
                self._notify(effect.name, self._detail(message))

    def _send(self, name: str, now: Now) -> None:
        fired = self.machine.fired
        if self.request is not None and fired is not None and fired.id.endswith("-again"):
            self._courier.repeat(self.request)  # REG-AGT-001
        else:
            self.request = self._courier.request(self._message(name), now)

    def _message(self, name: str) -> Message:
        if name == "Register":
            return Register.model_validate(self._entry)
        epoch: int = self.machine.context["epoch"]
        if name == "Renew":
            return Renew.model_validate({"agent": self._agent, "epoch": epoch})
        return Deregister.model_validate({"agent": self._agent, "epoch": epoch})

    def _detail(self, message: Any) -> dict[str, Json]:
        detail: dict[str, Json] = {"ticket": self._ticket, "state": str(self.machine.state)}
        for member in ("epoch", "revision", "lease_ms", "code", "pointer"):
            value: Any = getattr(message, member, MISSING)
            if value is not MISSING:
                detail[member] = value
        return detail
