"""A client and a service of the registry, in virtual time over a network that loses what it is told to."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from comity.registry import RegistryClient, RegistryService
from comity.sdk.family import load_family
from comity.sdk.identity import Identity
from comity.sdk.ports import Append, Notify, Now, Persist, Send

__all__ = ["AGENT", "FAMILY", "REGISTRY", "Net", "kind"]

FAMILY = load_family("registry")
AGENT, REGISTRY = Identity.from_seed(b"a" * 32), Identity.from_seed(b"r" * 32)


def kind(send: Send) -> str:
    return send.frame.attributes["type"].rpartition(".")[2]


class Net:
    """A client and a service; `lose` says which events vanish."""

    def __init__(
        self,
        *,
        stored: dict[str, bytes] | None = None,
        serve: bool = True,
        max_pending: int = 4096,
        retention_ms: int = 3_600_000,
    ) -> None:
        self.client = RegistryClient(namespace="t", identity=AGENT, entropy=b"c", stored=stored)
        self.service = RegistryService(
            namespace="t",
            identity=REGISTRY,
            entropy=b"s",
            max_pending=max_pending,
            retention_ms=retention_ms,
        )
        self.serve = serve
        self.ms = 1000
        self.behind = 0.0
        self.lose: Callable[[Send], bool] = lambda send: False
        self.hold_storage = False
        self.hold_journal = False
        self.appended: list[bytes] = []
        self.position = 0
        self.told: list[tuple[int, str, Any]] = []
        self.sent: list[tuple[int, Send]] = []
        self.stored: dict[str, bytes] = {}
        self.service.caught_up(self.now)

    @property
    def now(self) -> Now:
        return Now(self.ms / 1000, 1.7e9 + self.ms / 1000)

    def do(self, command: str, **args: Any) -> None:
        mono, wall = self.now
        self.client.command(command, {"ticket": command, **args}, Now(mono, wall - self.behind))
        self.settle()

    def settle(self) -> None:
        while self.from_client() or self.from_service():
            pass

    def from_client(self) -> bool:
        effects = self.client.take_effects()
        for effect in effects:
            if isinstance(effect, Send):
                self.sent.append((self.ms, effect))
                if self.serve and not self.lose(effect):
                    self.service.receive(effect.frame, self.now)
            elif isinstance(effect, Persist):
                self.stored[effect.token] = effect.data
                if not self.hold_storage:
                    self.client.persisted(effect.token, self.now)
            elif isinstance(effect, Notify):
                self.told.append((self.ms, effect.event, effect.data))
        return bool(effects)

    def from_service(self) -> bool:
        effects = self.service.take_effects()
        for effect in effects:
            if isinstance(effect, Append):
                self.appended.append(effect.data)
            elif isinstance(effect, Send) and not self.lose(effect):
                self.client.receive(effect.frame, self.now)
        return bool(effects) or self.order()

    def order(self) -> bool:
        if self.hold_journal or not self.appended:
            return False
        self.position += 1
        self.service.entry(self.position, self.appended.pop(0), self.now)
        return True

    def run(self, ms: int) -> None:
        end = self.ms + ms
        for _ in range(10_000):
            deadlines = [
                d for d in (self.client.next_deadline(), self.service.next_deadline()) if d is not None
            ]
            due = min(deadlines, default=1e9)
            if due * 1000 - 1e-3 > end:
                break
            self.ms = max(self.ms, math.ceil(due * 1000 - 1e-3))
            self.client.wake(self.now)
            self.service.wake(self.now)
            self.settle()
        self.ms = end

    def keep(self, name: str) -> list[Send]:
        """Lose the events of this type from now on, into a list."""
        kept: list[Send] = []

        def lose(send: Send) -> bool:
            kept.extend([send] if kind(send) == name else [])
            return kind(send) == name

        self.lose = lose
        return kept

    def events(self, *names: str) -> list[tuple[int, str]]:
        return [(at, event) for at, event, _ in self.told if not names or event in names]

    def requests(self, name: str) -> list[tuple[int, str, str]]:
        return [
            (at, s.frame.attributes["id"], s.frame.attributes["sequence"])
            for at, s in self.sent
            if kind(s) == name
        ]
