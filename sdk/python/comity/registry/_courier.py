"""The agent's outgoing requests: each under a sequence that was reserved before it is used.

Responsible for requests that keep their id and sequence however often they are sent (REG-AGT-001), and for never
using a sequence twice over a crash. Not responsible for when a request is repeated or given up.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from comity.sdk.errors import ConfigError
from comity.sdk.model import Message
from comity.sdk.outbox import Outbox
from comity.sdk.ports import Effect, Now, Persist, Send

__all__ = ["Courier", "Request", "reserved"]

TOKEN = "registry-sequence"
_BLOCK = 1024


@dataclass(slots=True)
class Request:
    """One request on its way: what was sent, and when it was first sent (monotonic seconds)."""

    name: str
    send: Send
    first_sent: float

    @property
    def id(self) -> str:
        return self.send.frame.attributes["id"]


def reserved(stored: dict[str, bytes]) -> int:
    """The first sequence that no former life can have used. Raises `ConfigError` where the stored value is none."""
    text = stored.get(TOKEN, b"1")
    if not text.isdigit():
        raise ConfigError(f"the stored value of {TOKEN} is {text[:40]!r}, and a number is wanted")
    return int(text)


class Courier:
    """Sends requests through an outbox and collects effects. A send waits until its sequence is reserved."""

    def __init__(self, outbox: Outbox, effects: list[Effect]) -> None:
        self._outbox = outbox
        self._effects = effects
        self._confirmed = self._asked = outbox.next_sequence
        self._blocked: deque[Send] = deque()

    @property
    def next_sequence(self) -> int:
        """What the next request will carry."""
        return self._outbox.next_sequence

    def request(self, message: Message, now: Now) -> Request:
        """Send a new request."""
        self._reserve()
        sequence = self._outbox.next_sequence
        send = self._outbox.request(message, now)
        if sequence < self._confirmed:
            self._effects.append(send)
        else:
            self._blocked.append(send)
        return Request(type(message).__name__, send, now.mono)

    def repeat(self, request: Request) -> None:
        """Send a request again, unchanged."""
        if request.send not in self._blocked:
            self._effects.append(request.send)

    def persisted(self, token: str) -> None:
        """Storage has what was asked last; what waited for it goes out."""
        if token == TOKEN:
            self._confirmed = self._asked
            self._release()
            self._reserve()

    def _release(self) -> None:
        while self._blocked and int(self._blocked[0].frame.attributes["sequence"]) < self._confirmed:
            self._effects.append(self._blocked.popleft())

    def _reserve(self) -> None:
        if self._outbox.next_sequence + _BLOCK // 2 >= self._asked and self._asked == self._confirmed:
            self._asked = self._outbox.next_sequence + _BLOCK
            self._effects.append(Persist(TOKEN, str(self._asked).encode()))
