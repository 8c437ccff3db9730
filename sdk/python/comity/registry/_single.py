"""A request outside of the machines: asked, repeated every second, answered once or given up at its deadline.

Responsible for its timing and for telling the user. Not responsible for sending.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from comity.sdk.model import Message
from comity.sdk.ports import Json, Now

from ._courier import Courier, Request

__all__ = ["Single"]

_REPEAT_S = 1.0
_SLACK_S = 1e-6


class Single:
    """One such request; `done` is told the message when it was carried out."""

    def __init__(
        self,
        message: Message,
        request: Request,
        ticket: Json,
        timeout_ms: int,
        courier: Courier,
        notify: Callable[[str, Mapping[str, Json]], None],
        done: Callable[[Any], None] | None,
    ) -> None:
        self.request = request
        self._message = message
        self._ticket = ticket
        self._deadline = request.first_sent + timeout_ms / 1000
        self._repeat_at = request.first_sent + _REPEAT_S
        self._courier = courier
        self._notify = notify
        self._done = done

    def next_deadline(self) -> float:
        """When to repeat or to give up."""
        return min(self._deadline, self._repeat_at)

    def wake(self, now: Now) -> bool:
        """Repeat where it is time; whether the request was given up."""
        if now.mono + _SLACK_S >= self._deadline:
            self._notify("timed_out", {"ticket": self._ticket})
            return True
        if now.mono + _SLACK_S >= self._repeat_at:
            self._repeat_at = now.mono + _REPEAT_S
            self._courier.repeat(self.request)
        return False

    def answered(self, message: Message) -> None:
        """Tell the user what came."""
        data = message.model_dump()
        name = type(message).__name__
        if name == "Refused":
            self._notify("refused", {"ticket": self._ticket, **data})
            return
        if self._done is not None:
            self._done(self._message)
        self._notify("answered", {"ticket": self._ticket, "reply": name, "data": data})
