"""Mutants for the rows of the core family: what every endpoint owes."""

# pyright: basic
# what is patched is private and untyped here on purpose: a mutant reaches where no caller may
from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from typing import Any

from jiter import from_json

from comity.registry import service
from comity.registry._core.dedup import WINDOW, Dedup, Outcome
from comity.sdk import codec, identity, inbox, outbox, security
from comity.sdk.errors import RemoteProtocolError
from comity.sdk.inbox import Accepted, Dropped, Inbox
from comity.sdk.outbox import Outbox
from comity.sdk.ports import Frame, Send
from tests.mutants._patch import Patch, mutant


def _with(send: Send, **attributes: str) -> Send:
    return Send(send.address, Frame({**send.frame.attributes, **attributes}, send.frame.data))


@mutant("CORE-ENV-001", "sends-another-content-type")
def _(p: Patch) -> None:
    p.around(Outbox, "_send", lambda original, *a: _with(original(*a), datacontenttype="text/json"))


@mutant("CORE-ENV-002", "leaves-out-a-member")
def _(p: Patch) -> None:
    def change(original: Any, self: Any, *a: Any) -> Send:
        send: Send = original(self, *a)
        data = json.loads(send.frame.data) if isinstance(send.frame.data, bytes) else {}
        data.pop("revision", None)
        return Send(send.address, Frame(send.frame.attributes, json.dumps(data).encode()))

    p.around(Outbox, "_send", change)


@mutant("CORE-ENV-003", "names-events-by-type-and-address-alone")
def _(p: Patch) -> None:
    p.around(Outbox, "_content_id", lambda original, self, message, *a: original(self, message, a[0]))


def _refusals(p: Patch, code: str, instead: str | None, mark: str = "") -> None:
    """Refuse with another code, or not at all, where the right code is `code`."""

    def change(
        original: Any, self: Any, found: str, attributes: Any, detail: str = "", pointer: Any = None
    ) -> Any:
        if found != code or not detail.startswith(mark):
            return original(self, found, attributes, detail, pointer)
        return Dropped("mutant") if instead is None else original(self, instead, attributes, detail, pointer)

    p.around(Inbox, "_refuse", change)


@mutant("CORE-ENV-004", "ignores-bad-attributes-in-silence")
def _(p: Patch) -> None:
    _refusals(p, "core.malformed", None, "attribute")


@mutant("CORE-ENV-005", "refuses-unknown-attributes")
def _(p: Patch) -> None:
    def change(original: Any, attributes: Any) -> Any:
        if "xroute" in attributes:
            raise RemoteProtocolError("attribute xroute is unknown", code="core.malformed")
        return original(attributes)

    p.around(inbox, "read_envelope", change)


@mutant("CORE-ENV-006", "chokes-on-garbage")
def _(p: Patch) -> None:
    from comity.sdk import driver

    def change(original: Any, data: bytes) -> Any:
        try:
            return original(data)
        except RemoteProtocolError as error:
            raise ValueError("garbage") from error

    p.around(driver, "decode_structured", change)


@mutant("CORE-REP-001", "correlates-by-sequence")
def _(p: Patch) -> None:
    def change(original: Any, self: Any, request: Any, *a: Any) -> Send:
        return _with(original(self, request, *a), correlationid=request.get("sequence", "0"))

    p.around(Outbox, "reply", change)


@mutant("CORE-REP-002", "replies-to-everybody")
def _(p: Patch) -> None:
    def change(original: Any, *a: Any) -> Send:
        send: Send = original(*a)
        to = send.address.rpartition(".")[0] + ".everybody"
        return Send(to, _with(send, comityaddress=to).frame)

    p.around(Outbox, "reply", change)


@mutant("CORE-REP-003", "answers-an-update-as-a-goodbye")
def _(p: Patch) -> None:
    def change(original: Any, self: Any, request: Any, outcome: Outcome, now: Any) -> Any:
        renamed = outcome._replace(reply="Deregistered") if outcome.reply == "Updated" else outcome
        return original(self, request, renamed, now)

    p.around(service.RegistryService, "_reply", change)


@mutant("CORE-LEX-001", "takes-the-last-of-two-members")
def _(p: Patch) -> None:
    p.around(codec, "read", lambda original, data: original(data) if not _twice(data) else from_json(data))


def _twice(data: bytes) -> bool:
    try:
        from_json(data, catch_duplicate_keys=True, allow_inf_nan=False)
    except ValueError as error:
        return "Detected duplicate key" in str(error)
    return False


@mutant("CORE-LEX-002", "reads-infinite-numbers")
def _(p: Patch) -> None:
    def change(original: Any, data: bytes) -> Any:
        return (
            from_json(data, allow_inf_nan=True, catch_duplicate_keys=True)
            if b'"odd"' in data
            else original(data)
        )

    p.around(codec, "read", change)
    p.around(codec, "check_finite", lambda original, value: None)


@mutant("CORE-LEX-003", "skips-a-byte-order-mark")
def _(p: Patch) -> None:
    p.around(codec, "read", lambda original, data: original(data.removeprefix(b"\xef\xbb\xbf")))


@mutant("CORE-LEX-004", "nests-without-a-limit")
def _(p: Patch) -> None:
    p.around(codec, "check_depth", lambda original, value, text: None)


@mutant("CORE-LEX-005", "stops-reading-after-the-value")
def _(p: Patch) -> None:
    def change(original: Any, data: bytes) -> Any:
        try:
            return original(data)
        except RemoteProtocolError:
            try:
                return json.JSONDecoder().raw_decode(data.decode())[0]
            except (ValueError, RecursionError) as error:
                raise RemoteProtocolError("mutant", code="core.malformed") from error

    p.around(codec, "read", change)


@mutant("CORE-LEX-006", "takes-events-of-any-size")
def _(p: Patch) -> None:
    p.around(Inbox, "_over", lambda original, *a: 0)


@mutant("CORE-SCH-001", "calls-invalid-data-malformed")
def _(p: Patch) -> None:
    _refusals(p, "core.invalid", "core.malformed")


@mutant("CORE-SCH-002", "ignores-unknown-types")
def _(p: Patch) -> None:
    _refusals(p, "core.unknown_type", None)


@mutant("CORE-SCH-003", "does-not-say-where")
def _(p: Patch) -> None:
    p.around(Inbox, "_refuse", lambda original, self, code, attributes, *a: original(self, code, attributes))


@mutant("CORE-VER-001", "speaks-every-major-version")
def _(p: Patch) -> None:
    def change(original: Any, attributes: Any) -> Any:
        route, *rest = original(attributes)
        return (route._replace(major=1), *rest)

    p.around(inbox, "read_envelope", change)


@mutant("CORE-VER-002", "ignores-unknown-members-of-its-own-version")
def _(p: Patch) -> None:
    p.around(Inbox, "_decode", lambda original, frame, message, newer: original(frame, message, True))


@mutant("CORE-VER-003", "refuses-members-of-newer-versions")
def _(p: Patch) -> None:
    p.around(Inbox, "_decode", lambda original, frame, message, newer: original(frame, message, False))


@mutant("CORE-VER-004", "ignores-what-is-critical")
def _(p: Patch) -> None:
    p.around(codec, "_check_critical", lambda original, *a: None)


def _known(p: Patch, change: Any) -> None:
    p.around(Dedup, "known", change)


@mutant("CORE-DLV-001", "acts-on-every-copy")
def _(p: Patch) -> None:
    def change(original: Any, *a: Any) -> Any:
        found = original(*a)
        return found if found is None or found.data.get("code", "").startswith("core.") else None

    _known(p, change)


@mutant("CORE-DLV-002", "acts-on-forgotten-sequences")
def _(p: Patch) -> None:
    def change(original: Any, *a: Any) -> Any:
        found = original(*a)
        return None if found is not None and found.data.get("code") == "core.stale_request" else found

    _known(p, change)


@mutant("CORE-DLV-002", "forgets-one-sequence-too-few")
def _(p: Patch) -> None:
    def change(original: Any, self: Any, source: str, sequence: int, *a: Any) -> Any:
        held = self._sources.get(source)
        edge = held is not None and sequence == held.highest - WINDOW
        return None if edge else original(self, source, sequence, *a)

    _known(p, change)


@mutant("CORE-DLV-003", "answers-a-reused-sequence-with-the-other-outcome")
def _(p: Patch) -> None:
    def change(original: Any, self: Any, source: str, sequence: int, event: str, stamp: int) -> Any:
        held = self._sources.get(source)
        kept = dict(held.outcomes()).get(sequence) if held is not None else None
        return original(self, source, sequence, event if kept is None else json.loads(kept)[0], stamp)

    _known(p, change)


@mutant("CORE-DLV-004", "forgets-after-half-the-time")
def _(p: Patch) -> None:
    def change(original: Any, self: Any, now: int, wall: int) -> None:
        original(self, now + self._retention // 2, wall + self._retention // 2)

    p.around(Dedup, "forget", change)


@mutant("CORE-DLV-004", "counts-from-the-first-write")
def _(p: Patch) -> None:
    def change(original: Any, self: Any, source: str, sequence: int, event: str, *rest: Any) -> None:
        stamp, outcome, now = rest
        held = self._sources.get(source)
        since = (stamp, outcome, now) if held is None else (held.stamp, outcome, held.seen)
        original(self, source, sequence, event, *since)

    p.around(Dedup, "record", change)


@mutant("CORE-DLV-005", "takes-what-it-forgot-for-new")
def _(p: Patch) -> None:
    def change(original: Any, self: Any, *a: Any) -> None:
        original(self, *a)
        self._floor = -(2**53)

    p.around(Dedup, "forget", change)


@mutant("CORE-DLV-006", "refuses-everybody-it-forgot")
def _(p: Patch) -> None:
    def change(original: Any, self: Any, source: str, sequence: int, event: str, stamp: int) -> Any:
        forgot = source not in self._sources and self._floor > 0
        return original(self, source, sequence, event, self._floor if forgot else stamp)

    _known(p, change)


@mutant("CORE-ADR-001", "listens-to-every-namespace")
def _(p: Patch) -> None:
    def change(original: Any, attributes: Any) -> Any:
        route, *rest = original(attributes)
        return (route._replace(namespace="plant"), *rest)

    p.around(inbox, "read_envelope", change)


@mutant("CORE-CLK-001", "acts-on-the-future-at-once")
def _(p: Patch) -> None:
    p.around(Inbox, "_hold", lambda original, self, accepted, until: accepted)


@mutant("CORE-CLK-002", "holds-without-a-bound")
def _(p: Patch) -> None:
    def change(original: Any, self: Any, accepted: Accepted, until: int) -> Any:
        self._max_held = 1_000_000
        return original(self, accepted, until)

    p.around(Inbox, "_hold", change)


@mutant("CORE-CLK-003", "acts-after-the-expiry-time")
def _(p: Patch) -> None:
    p.around(
        Inbox, "_date", lambda original, self, accepted, t, _, now: original(self, accepted, t, None, now)
    )


@mutant("CORE-SIG-001", "sends-unsigned")
def _(p: Patch) -> None:
    p.around(outbox, "sign_frame", lambda original, frame, key: frame)


@mutant("CORE-SIG-002", "takes-unsigned-events")
def _(p: Patch) -> None:
    def change(original: Any, frame: Frame) -> None:
        if "comitysig" in frame.attributes:
            original(frame)

    p.around(inbox, "verify_frame", change)


@mutant("CORE-SIG-003", "takes-any-signature")
def _(p: Patch) -> None:
    p.around(security, "verify", lambda original, *a: True)


@mutant("CORE-SIG-004", "does-not-cover-the-expiry-time")
def _(p: Patch) -> None:
    def change(original: Any, frame: Frame) -> None:
        try:
            original(frame)
        except RemoteProtocolError:
            bare = {key: value for key, value in frame.attributes.items() if key != "expirytime"}
            original(Frame(bare, frame.data))

    p.around(inbox, "verify_frame", change)


@mutant("CORE-SIG-005", "asks-the-key-and-not-the-source")
def _(p: Patch) -> None:
    def change(original: Any, frame: Frame) -> None:
        key = frame.attributes.get("comitykey", "")
        body = security.pre_authentication(frame.attributes, frame.data)  # type: ignore[arg-type]
        signature = urlsafe_b64decode(frame.attributes.get("comitysig", "") + "==")
        if not identity.verify(key, body, signature):
            original(frame)

    p.around(inbox, "verify_frame", change)


@mutant("CORE-SIG-006", "takes-keys-of-small-order")
def _(p: Patch) -> None:
    # the point of order 1: under it R = [S]B verifies any message
    weak = identity.agent_id(b"\x01" + bytes(31))
    p.around(security, "verify", lambda original, agent, *a: agent == weak or original(agent, *a))
