"""The agent's side of the registry: a sans-IO endpoint for one agent.

Responsible for membership, watches and single requests, each answered by notifications that carry the caller's
ticket. Not responsible for the meaning of states: that is the generated machines'.

Commands and what they are answered with (every command takes an optional `ticket`):

- `join` (members of Register but `agent`): `joined`, `refused`, and later `lost`
- `leave`: `left`
- `update` (members of Update but `agent` and `epoch`), `lookup`, `query`, `list`, `count` (members of the message,
  and `timeout_ms`): `answered`, `refused` or `timed_out`
- `watch` (`where`, `after`, `lease_ms`): `changes`, and `reset` where a snapshot follows anew
- `unwatch`: `closed`, under the ticket of the watch
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

from pydantic import ValidationError

from comity.sdk.address import Address
from comity.sdk.errors import LocalProtocolError
from comity.sdk.family import load_family
from comity.sdk.identity import Identity
from comity.sdk.inbox import Accepted, Inbox, Profile
from comity.sdk.model import Message
from comity.sdk.outbox import Outbox
from comity.sdk.ports import Effect, Frame, Json, Notify, Now
from comity.sdk.spec import ErrorRow, load

from ._courier import Courier, reserved
from ._membership import Membership
from ._single import Single
from ._watcher import Watcher

__all__ = ["RegistryClient"]

_READS = {"lookup": "Lookup", "query": "Query", "list": "List", "count": "Count"}
_LEASE_MS = 30_000
_TIMEOUT_MS = 5_000


class RegistryClient:
    """One agent in one namespace. `stored` is what its storage holds from former lives.

    `registry`: the agent id of the registry, where only its answers are to be believed. `gateway`: that of the gateway
    through which it is reached, which is then believed too, in what it refuses and in nothing else.
    """

    def __init__(
        self,
        *,
        namespace: str,
        identity: Identity,
        entropy: bytes,
        profile: Profile = "open",
        stored: Mapping[str, bytes] | None = None,
        registry: str | None = None,
        gateway: str | None = None,
    ) -> None:
        family = load_family("registry")
        accepts = [*family.channels["replies"].messages, *family.channels["changes"].messages]
        self.namespace = namespace
        self.agent = identity.agent_id
        self._messages = family.messages
        self._registry, self._gateway = registry, gateway
        self._inbox = Inbox(family, accepts=accepts, namespace=namespace, profile=profile)
        outbox = Outbox(
            family,
            identity,
            namespace=namespace,
            profile=profile,
            entropy=entropy,
            first_sequence=reserved(dict(stored or {})),
        )
        self._effects: list[Effect] = []
        self._courier = Courier(outbox, self._effects)
        self._membership = Membership(self.agent, self._courier, self._notify)
        self._watchers: dict[Json, Watcher] = {}
        self._singles: dict[str, Single] = {}
        self._commands: dict[str, Callable[[dict[str, Any], Json, Now], None]] = {
            "join": self._join,
            "leave": self._leave,
            "update": self._update,
            "watch": self._watch,
            "unwatch": self._unwatch,
        }

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """Address patterns that this agent listens to."""
        return tuple(
            str(Address(self.namespace, "registry", 1, channel, (self.agent,)))
            for channel in ("replies", "changes")
        )

    # ------------------------------------------------------------ the endpoint

    def receive(self, frame: Frame, now: Now) -> None:
        """An answer or changes arrived; what is not for us, or answers nothing, is ignored (REG-AGT-005)."""
        self._release(now)
        arrived = self._inbox.receive(frame, now)
        if isinstance(arrived, Accepted):
            self._take(arrived, now)

    def command(self, request: str, args: Mapping[str, Json], now: Now) -> None:
        """What the user wants; see the module. Raises `LocalProtocolError` where it makes no sense now."""
        given = dict(args)
        ticket = given.pop("ticket", self._courier.next_sequence)
        if request in _READS:
            self._single(_READS[request], given, ticket, now)
        elif request in self._commands:
            self._commands[request](given, ticket, now)
        else:
            raise LocalProtocolError(f"an agent knows no command {request!r}")

    def entry(self, position: int, data: bytes, now: Now) -> None:
        """Raises `LocalProtocolError`: an agent has no journal."""
        raise LocalProtocolError("an agent has no journal")

    def persisted(self, token: str, now: Now) -> None:
        """Sequences are reserved: what waited for them goes out."""
        self._courier.persisted(token)

    def wake(self, now: Now) -> None:
        """Repeat, renew, give up, or give the user what was stamped ahead."""
        self._release(now)
        self._membership.wake(now)
        for watcher in list(self._watchers.values()):
            watcher.wake(now)
        for single in list(self._singles.values()):
            if single.wake(now):
                del self._singles[single.request.id]

    def next_deadline(self) -> float | None:
        """The earliest of all timers."""
        return min((deadline for deadline in self._deadlines() if deadline is not None), default=None)

    def take_effects(self) -> list[Effect]:
        """Hand over what is to be sent, persisted and told."""
        effects = list(self._effects)
        self._effects.clear()
        return effects

    # ----------------------------------------------------------------- arrivals

    def _release(self, now: Now) -> None:
        for accepted in self._inbox.release(now):
            self._take(accepted, now)

    def _take(self, accepted: Accepted, now: Now) -> None:
        message, attributes = accepted.message, accepted.attributes
        if not self._believed(message, attributes["source"]):
            return
        if message.KIND == "event":
            self._take_changes(message, now)
        elif not _to_be_repeated(message):
            self._take_reply(message, attributes.get("correlationid", ""), now)

    def _believed(self, message: Message, source: str) -> bool:
        refused = type(message).__name__ == "Refused"
        return self._registry in (None, source) or (refused and self._gateway == source)

    def _take_changes(self, message: Any, now: Now) -> None:
        for watcher in list(self._watchers.values()):
            if watcher.name == message.watch:
                watcher.receive(message, now)

    def _take_reply(self, message: Message, answered: str, now: Now) -> None:
        single = self._singles.pop(answered, None)
        if single is not None:
            single.answered(message)
            return
        owners: list[Membership | Watcher] = [self._membership, *self._watchers.values()]
        for owner in owners:
            request = owner.request
            if request is not None and request.id == answered and _answers(request.name, message):
                owner.answered(message, now)
        self._watchers = {ticket: watcher for ticket, watcher in self._watchers.items() if not watcher.over}

    # ----------------------------------------------------------------- commands

    def _join(self, given: dict[str, Any], ticket: Json, now: Now) -> None:
        wish: dict[str, Any] = {"capabilities": [], "lease_ms": _LEASE_MS, **given, "agent": self.agent}
        self._membership.join(self._make("Register", wish), ticket, now)

    def _leave(self, given: dict[str, Any], ticket: Json, now: Now) -> None:
        self._membership.leave(ticket, now)

    def _update(self, given: dict[str, Any], ticket: Json, now: Now) -> None:
        if not self._membership.epoch:
            raise LocalProtocolError("an update needs a lease: join first")
        wish = {**given, "agent": self.agent, "epoch": self._membership.epoch}
        self._single("Update", wish, ticket, now)

    def _watch(self, given: dict[str, Any], ticket: Json, now: Now) -> None:
        if ticket in self._watchers:
            raise LocalProtocolError(f"ticket {ticket!r} watches already")
        wish = {"lease_ms": _LEASE_MS, **given}
        self._make("Watch", {**wish, "watch": "w"})
        watcher = self._watchers[ticket] = Watcher(ticket, wish, self._courier, self._notify)
        watcher.open(now)

    def _unwatch(self, given: dict[str, Any], ticket: Json, now: Now) -> None:
        if ticket not in self._watchers:
            raise LocalProtocolError(f"ticket {ticket!r} watches nothing")
        self._watchers[ticket].close(now)

    def _single(self, name: str, given: dict[str, Any], ticket: Json, now: Now) -> None:
        timeout = given.pop("timeout_ms", _TIMEOUT_MS)
        if name in _READS.values():
            given.setdefault("consistency", "eventual")
        if name in ("Query", "List"):
            given.setdefault("limit", 100)
        message = self._make(name, given)
        request = self._courier.request(message, now)
        done = self._membership.updated if name == "Update" else None
        self._singles[request.id] = Single(
            message, request, ticket, timeout, self._courier, self._notify, done
        )

    def _make(self, name: str, data: Mapping[str, Any]) -> Any:
        try:
            return self._messages[name].model_validate(data)
        except ValidationError as error:
            first = error.errors()[0]
            place = "".join(f"/{part}" for part in first["loc"])
            raise LocalProtocolError(f"{name}{place}: {first['msg']}", pointer=place) from error

    def _notify(self, event: str, data: Mapping[str, Json]) -> None:
        self._effects.append(Notify(event, data))

    def _deadlines(self) -> Iterator[float | None]:
        yield self._inbox.next_deadline()
        yield self._membership.machine.next_deadline()
        yield from (watcher.machine.next_deadline() for watcher in self._watchers.values())
        yield from (single.next_deadline() for single in self._singles.values())


def _answers(request: str, message: Message) -> bool:
    replies = load_family("registry").messages[request].REPLIES
    return type(message).__name__ in replies


def _to_be_repeated(message: Any) -> bool:
    """Whether this refuses a request for now only: it stays unanswered and is repeated as it is."""
    if type(message).__name__ != "Refused":
        return False
    row = _errors().get(message.code)
    return row is not None and row.retry != "never"


@cache
def _errors() -> Mapping[str, ErrorRow]:
    return load("registry").errors
