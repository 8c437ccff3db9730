"""The driver host: any endpoint behind the suite's driver protocol, in process or on stdin and stdout.

Responsible for one line in, one line out, exactly and in order, and for nothing happening in between (DRV-LINE-001,
DRV-TIME-001). Not responsible for what endpoints do, nor for judging: network, clock, storage and faults are the suite's.

A line that cannot be read is answered with `Failed` and the place that is wrong, a command that is not known with
`Unsupported`. An exception that is no `ComityError` is a defect of the endpoint and ends the conversation.
"""

from __future__ import annotations

import math
import sys
from base64 import b64decode, b64encode
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import IO, Any, Final, TypeAlias, cast

from ._generated.driver_v1 import messages as wire
from .codec import decode_data, decode_structured, encode_structured
from .errors import ComityError, ConfigError, LocalProtocolError, RemoteProtocolError
from .identity import Identity
from .inbox import Profile
from .lexical import dump, parse
from .ports import Append, Effect, Endpoint, Json, Now, Persist, Replica, Send

__all__ = ["Builder", "Host", "StartInfo", "host", "serve_stdio"]

VERSION: Final = "1.0"
_DETAIL_LIMIT: Final = 1024


@dataclass(frozen=True, slots=True)
class StartInfo:
    """What a `Start` says: everything that an endpoint is made from."""

    role: str
    namespace: str
    profile: Profile
    identity: Identity
    entropy: bytes
    incarnation: int
    parameters: Mapping[str, Json]
    stored: Mapping[str, bytes]
    recovering: bool
    now: Now


Builder: TypeAlias = Callable[[StartInfo], Endpoint]
_Reply: TypeAlias = tuple[str, Mapping[str, Any]]
_UNSUPPORTED: Final[_Reply] = ("Unsupported", {})


class Host:
    """Plays the subject of the driver protocol; call it with a line and it gives the answer, both without newline."""

    def __init__(
        self, builders: Mapping[str, Builder], implementation: Mapping[str, str], features: Collection[str]
    ) -> None:
        self._builders = builders
        self._implementation = dict(implementation)
        self._features = sorted(features)
        self._endpoint: Endpoint | None = None
        self._behind = self._replaying = False
        self.stopped = False

    def __call__(self, line: bytes) -> bytes:
        """The answer to one line; bad input is answered, never raised."""
        number = 0
        try:
            members = _members(line)
            number = _number(members)
            kind, body = self._answer(*_command(members))
        except ComityError as error:
            kind, body = "Failed", _failure(error)
        return dump({"n": number, "type": kind, "data": body})

    def _answer(self, name: str, data: Json) -> _Reply:
        message = wire.MESSAGES.get(name)
        if message is None or message.KIND != "request":
            return _UNSUPPORTED  # DRV-LINE-002
        match decode_data(data, message):
            case wire.Hello(versions=versions):
                return self._hello(versions)
            case wire.Start() as start:
                return self._start(start)
            case wire.Crash() | wire.Reset() | wire.Stop():
                self._endpoint = None
                self.stopped = name == "Stop"
                return "Done", {"outputs": []}
            case command:
                return self._drive(cast("_Driven", command))

    def _hello(self, versions: list[str]) -> _Reply:
        if not any(version.startswith("1.") for version in versions):
            raise LocalProtocolError(f"this host speaks {VERSION}", code="core.unsupported_version")
        return "Welcome", {
            "version": VERSION,
            "implementation": self._implementation,
            "roles": sorted(self._builders),
            "features": self._features,
            "storage": "host",
            "deterministic": True,
        }

    def _start(self, start: wire.Start) -> _Reply:
        builder = self._builders.get(start.role)
        if builder is None or (start.profile != "open" and start.profile not in self._features):
            return _UNSUPPORTED
        now = _now(start.now)
        self._endpoint = builder(
            StartInfo(
                role=start.role,
                namespace=start.namespace,
                profile=start.profile,
                identity=Identity.from_seed(b64decode(start.identity)),
                entropy=b64decode(start.entropy),
                incarnation=start.incarnation,
                parameters=start.parameters,
                stored={item.token: b64decode(item.data) for item in start.stored},
                recovering=start.recovering,
                now=now,
            )
        )
        self._behind, self._replaying = True, False
        if not start.recovering:
            self._catch_up(self._endpoint, now)
        return _done(self._endpoint)

    def _drive(self, command: _Driven) -> _Reply:
        endpoint, now = self._endpoint, _now(command.now)
        if endpoint is None:
            raise LocalProtocolError(f"{type(command).__name__} before Start")
        if isinstance(command, wire.Entry):
            self._replaying = True
            endpoint.entry(command.position, b64decode(command.data), now)
            if command.last:
                self._catch_up(endpoint, now)
            return _done(endpoint)
        if not self._replaying:  # nothing was in the journal
            self._catch_up(endpoint, now)
        _apply(endpoint, command, now)
        return _done(endpoint)

    def _catch_up(self, endpoint: Endpoint, now: Now) -> None:
        if self._behind and isinstance(endpoint, Replica):
            endpoint.caught_up(now)
        self._behind = False


_Driven: TypeAlias = wire.Do | wire.Deliver | wire.Entry | wire.Persisted | wire.Tick


def host(
    builders: Mapping[str, Builder], *, implementation: Mapping[str, str], features: Collection[str] = ()
) -> Host:
    """A handler of driver lines that plays the roles `builders` knows how to make.

    `implementation` gives `name`, `version` and `language`, and perhaps `commit`; `features` names what is offered
    beyond core, such as `signed`.
    """
    return Host(builders, implementation, features)


def serve_stdio(handler: Host, source: IO[bytes] | None = None, sink: IO[bytes] | None = None) -> None:
    """Answer line by line until `Stop` or the end of input."""
    lines, answers = source or sys.stdin.buffer, sink or sys.stdout.buffer
    for line in lines:
        answers.write(handler(line.rstrip(b"\r\n")) + b"\n")
        answers.flush()
        if handler.stopped:
            return


def _members(line: bytes) -> dict[str, Json]:
    members = parse(line)
    if not isinstance(members, dict):
        raise RemoteProtocolError("/: a line is one object")
    return members


def _number(members: Mapping[str, Json]) -> int:
    number = members.get("n")
    if type(number) is not int or number < 0:
        raise RemoteProtocolError("/n: a whole number is wanted")
    return number


def _command(members: Mapping[str, Json]) -> tuple[str, Json]:
    name, data = members.get("type"), members.get("data")
    if not isinstance(name, str) or not isinstance(data, dict) or len(members) != 3:
        raise RemoteProtocolError("/: a line has n, type (a text) and data (an object), and nothing else")
    return name, data


def _apply(endpoint: Endpoint, command: _Driven, now: Now) -> None:
    match command:
        case wire.Deliver(frame=text):
            try:
                frame = decode_structured(b64decode(text))
            except RemoteProtocolError:
                return  # CORE-ENV-006
            endpoint.receive(frame, now)
        case wire.Do(request=request, args=args):
            endpoint.command(request, args, now)
        case wire.Persisted(token=token):
            endpoint.persisted(token, now)
        case _:
            endpoint.wake(now)


def _done(endpoint: Endpoint) -> _Reply:
    body: dict[str, Any] = {"outputs": [_output(effect) for effect in endpoint.take_effects()]}
    deadline = endpoint.next_deadline()
    if deadline is not None:
        body["idle_until"] = max(0, math.ceil(deadline * 1000 - 1e-3))
    return "Done", body


def _output(effect: Effect) -> Mapping[str, Any]:
    match effect:
        case Send(address, frame):
            return {"kind": "send", "address": address, "frame": _text(encode_structured(frame))}
        case Append(data):
            return {"kind": "append", "data": _text(data)}
        case Persist(token, data):
            return {"kind": "persist", "token": token, "data": _text(data)}
        case _:
            note = {"kind": "notify", "event": effect.event, "data": dict(effect.data)}
            decode_data(
                cast("Json", note), wire.NotifyOutput
            )  # what a Map cannot carry is the endpoint's mistake
            return note


def _text(data: bytes) -> str:
    return b64encode(data).decode("ascii")


def _now(now: wire.Now) -> Now:
    return Now(now.mono_ms / 1000, now.wall_ms / 1000)


def _failure(error: ComityError) -> Mapping[str, Any]:
    refused = isinstance(error, LocalProtocolError | RemoteProtocolError | ConfigError)
    return {"code": error.code, "definite": refused, "detail": str(error)[:_DETAIL_LIMIT]}
