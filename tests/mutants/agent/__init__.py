"""Mutants of the reference agent, for the rows of role agent and for core rows as an agent can break them."""

# pyright: basic
# what is patched is private and untyped here on purpose: a mutant reaches where no caller may
from __future__ import annotations

from typing import Any

from comity.registry import _watcher, client
from comity.registry._courier import Courier, Request
from comity.registry._membership import Membership
from comity.registry._single import Single
from comity.registry._watcher import Watcher
from comity.registry.client import RegistryClient
from comity.sdk._generated.registry_v1.machines import WATCHER
from comity.sdk.inbox import Accepted, Inbox
from comity.sdk.machine import Instance
from comity.sdk.model import MISSING
from comity.sdk.ports import Frame, Now, Send
from tests.mutants._patch import Patch, mutant

ROLE = "agent"
_WALL_0 = 1_764_000_000  # seconds; when the suite's wall clock starts


def _timer(p: Patch, name: str, factor: float) -> None:
    """Let a timer run longer or shorter."""

    def change(original: Any, self: Any, timer: str, now: float, after_ms: int) -> None:
        original(self, timer, now, round(after_ms * factor) if timer == name else after_ms)

    p.around(Instance, "arm", change)


def _repeated_with(p: Patch, **changes: Any) -> None:
    """Repeat a request with other attributes, each a function of the former value."""

    def change(original: Any, self: Any, request: Request) -> None:
        frame = request.send.frame
        attributes = {
            **frame.attributes,
            **{name: new(frame.attributes[name]) for name, new in changes.items()},
        }
        self._effects.append(Send(request.send.address, Frame(attributes, frame.data)))

    p.around(Courier, "repeat", change)


# -------------------------------------------------------------------- requests


@mutant("REG-AGT-001", "registers-anew-instead-of-again", role=ROLE)
def _(p: Patch) -> None:
    def change(original: Any, self: Any, name: str, now: Now) -> None:
        self.request = None
        original(self, name, now)

    p.around(Membership, "_send", change)


@mutant("REG-AGT-001", "watches-anew-instead-of-again", role=ROLE)
def _(p: Patch) -> None:
    def change(original: Any, self: Any, name: str, now: Now) -> None:
        if name == "Watch" and self.request is not None:
            self._name_watch()
        self.request = None
        original(self, name, now)

    p.around(Watcher, "_send", change)


@mutant("REG-AGT-001", "repeats-under-another-id", role=ROLE)
def _(p: Patch) -> None:
    _repeated_with(p, id=lambda value: f"{value}r")


@mutant("REG-AGT-001", "repeats-under-the-next-sequence", role=ROLE)
def _(p: Patch) -> None:
    _repeated_with(p, sequence=lambda value: f"{int(value) + 1:016d}")


@mutant("REG-AGT-001", "never-asks-a-question-twice", role=ROLE)
def _(p: Patch) -> None:
    def change(original: Any, self: Any, now: Now) -> bool:
        self._repeat_at = self._deadline
        return bool(original(self, now))

    p.around(Single, "wake", change)


@mutant("REG-AGT-002", "never-repeats", role=ROLE)
def _(p: Patch) -> None:
    p.around(Courier, "repeat", lambda original, self, request: None)


@mutant("REG-AGT-002", "repeats-after-six-seconds", role=ROLE)
def _(p: Patch) -> None:
    _timer(p, "retry", 6)


@mutant("REG-AGT-002", "says-goodbye-once", role=ROLE)
def _(p: Patch) -> None:
    def change(original: Any, self: Any, request: Request) -> None:
        if request.name not in ("Deregister", "Unwatch"):
            original(self, request)

    p.around(Courier, "repeat", change)


# ----------------------------------------------------------------------- lease


@mutant("REG-AGT-003", "renews-after-two-thirds", role=ROLE)
def _(p: Patch) -> None:
    _timer(p, "renew", 2.1)


@mutant("REG-AGT-003", "renews-once", role=ROLE)
def _(p: Patch) -> None:
    def change(original: Any, self: Any, message: Any, now: Now) -> None:
        original(self, message, now)
        if type(message).__name__ == "Renewed":
            self.machine.armed.pop("renew", None)

    p.around(Membership, "answered", change)


@mutant("REG-AGT-004", "counts-its-lease-from-the-answer", role=ROLE)
def _(p: Patch) -> None:
    def change(original: Any, self: Any, message: Any, now: Now) -> None:
        self.request.first_sent = now.mono
        original(self, message, now)

    p.around(Membership, "answered", change)


@mutant("REG-AGT-004", "counts-its-lease-from-the-last-sending", role=ROLE)
def _(p: Patch) -> None:
    def change(original: Any, self: Any, name: str, now: Now) -> None:
        original(self, name, now)
        self.request.first_sent = now.mono

    p.around(Membership, "_send", change)


@mutant("REG-AGT-004", "measures-its-lease-by-the-wall-clock", role=ROLE)
def _(p: Patch) -> None:
    skew = 0.0

    def change(original: Any, self: Any, *a: Any) -> None:
        nonlocal skew
        now: Now = a[-1]
        skew = now.wall - _WALL_0 - now.mono
        original(self, *a[:-1], Now(now.wall - _WALL_0, now.wall))

    def deadline(original: Any, self: Any) -> float | None:
        found = original(self)
        return None if found is None else max(0.0, found - skew)

    for name in ("receive", "command", "wake"):
        p.around(RegistryClient, name, change)
    p.around(RegistryClient, "next_deadline", deadline)


@mutant("REG-AGT-004", "keeps-the-loss-to-itself", role=ROLE)
def _(p: Patch) -> None:
    def change(original: Any, self: Any, effects: Any, *a: Any) -> None:
        original(self, tuple(effect for effect in effects if effect.name != "lost"), *a)

    p.around(Membership, "_run", change)


# --------------------------------------------------------------------- replies


@mutant("REG-AGT-005", "takes-any-answer-of-the-right-type", role=ROLE)
def _(p: Patch) -> None:
    def change(original: Any, self: Any, message: Any, answered: str, now: Now) -> None:
        for owner in (self._membership, *self._watchers.values()):
            if owner.request is not None and client._answers(owner.request.name, message):
                answered = owner.request.id
        original(self, message, answered, now)

    p.around(RegistryClient, "_take_reply", change)


@mutant("REG-AGT-005", "prolongs-its-lease-by-any-renewal", role=ROLE)
def _(p: Patch) -> None:
    def change(original: Any, self: Any, message: Any, answered: str, now: Now) -> None:
        machine = self._membership.machine
        if type(message).__name__ == "Renewed" and machine.state == "active":
            machine.step("Renewed", message, now.mono)
        original(self, message, answered, now)

    p.around(RegistryClient, "_take_reply", change)


@mutant("REG-AGT-005", "takes-late-answers-to-questions", role=ROLE)
def _(p: Patch) -> None:
    kept: dict[str, Single] = {}

    def change(original: Any, self: Any, message: Any, answered: str, now: Now) -> None:
        kept.update(self._singles)
        if answered in kept and answered not in self._singles:
            kept[answered].answered(message)
        original(self, message, answered, now)

    p.around(RegistryClient, "_take_reply", change)


# --------------------------------------------------------------------- watches


@mutant("REG-AGT-006", "skips-over-gaps", role=ROLE)
def _(p: Patch) -> None:
    p.edge(WATCHER, "next", lambda event, it: event.index > it.context["index"])


@mutant("REG-AGT-006", "shows-changes-behind-a-gap", role=ROLE)
def _(p: Patch) -> None:
    def change(original: Any, self: Any, message: Any, now: Now) -> None:
        original(self, message, now)
        if self.machine.fired is not None and self.machine.fired.id == "gap":
            self._notify("changes", self._detail(message))

    p.around(Watcher, "receive", change)


@mutant("REG-AGT-006", "ignores-changes-behind-a-gap-and-waits", role=ROLE)
def _(p: Patch) -> None:
    p.edge(WATCHER, "gap", lambda event, it: False)


@mutant("REG-AGT-006", "watches-anew-from-the-start", role=ROLE)
def _(p: Patch) -> None:
    def change(original: Any, self: Any, name: str) -> Any:
        self.machine.context["revision"] = 0
        return original(self, name)

    p.around(Watcher, "_message", change)


@mutant("REG-AGT-006", "watches-anew-behind-the-gap", role=ROLE)
def _(p: Patch) -> None:
    def change(original: Any, self: Any, message: Any, now: Now) -> None:
        if type(message).__name__ == "Changes" and message.index > self.machine.context["index"] + 1:
            self.machine.context["revision"] = message.revision
        original(self, message, now)

    p.around(Watcher, "receive", change)


@mutant("REG-AGT-006", "watches-anew-under-the-old-name", role=ROLE)
def _(p: Patch) -> None:
    def change(original: Any, self: Any) -> None:
        if not self.name:
            original(self)

    p.around(_watcher.Watcher, "_name_watch", change)


@mutant("REG-AGT-007", "prolongs-without-an-index", role=ROLE)
def _(p: Patch) -> None:
    def change(original: Any, self: Any, name: str) -> Any:
        message = original(self, name)
        return message if name == "Unwatch" else message.model_copy(update={"index": MISSING})

    p.around(Watcher, "_message", change)


@mutant("REG-AGT-007", "prolongs-with-the-index-of-the-beginning", role=ROLE)
def _(p: Patch) -> None:
    def change(original: Any, self: Any, name: str) -> Any:
        message = original(self, name)
        again = name == "Watch" and message.index is not MISSING
        return message.model_copy(update={"index": 0}) if again else message

    p.around(Watcher, "_message", change)


@mutant("REG-AGT-007", "lets-its-watches-lapse", role=ROLE)
def _(p: Patch) -> None:
    p.edge(WATCHER, "keep", lambda event, it: False)


@mutant("REG-AGT-008", "starts-over-where-its-watch-was-forgotten", role=ROLE)
def _(p: Patch) -> None:
    p.edge(WATCHER, "lapsed", lambda event, it: False)
    p.edge(WATCHER, "start-over", lambda event, it: True)


@mutant("REG-AGT-008", "gives-up-where-its-watch-was-forgotten", role=ROLE)
def _(p: Patch) -> None:
    p.edge(WATCHER, "lapsed", lambda event, it: False)


# ------------------------------------------------------------------------ core


@mutant("CORE-ENV-003", "forgets-its-sequences-in-a-crash", role=ROLE)
def _(p: Patch) -> None:
    p.around(client, "reserved", lambda original, stored: 1)


@mutant("CORE-ENV-003", "sends-before-its-sequences-are-kept", role=ROLE)
def _(p: Patch) -> None:
    def change(original: Any, self: Any, *a: Any) -> Request:
        request: Request = original(self, *a)
        self.persisted("registry-sequence")
        return request

    p.around(Courier, "request", change)


@mutant("CORE-CLK-001", "acts-on-answers-from-the-future-at-once", role=ROLE)
def _(p: Patch) -> None:
    p.around(Inbox, "_hold", lambda original, self, accepted, until: accepted)


@mutant("CORE-CLK-001", "drops-answers-from-the-future", role=ROLE)
def _(p: Patch) -> None:
    def change(original: Any, self: Any, now: Now) -> list[Accepted]:
        original(self, now)
        return []

    p.around(Inbox, "release", change)
