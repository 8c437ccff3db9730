"""The entries of the registry's journal, as bytes.

Responsible for their one encoding. Not responsible for applying them. Every record carries the journal time and
the wall clock as its writer has them, and up to which revision its writer has sent what watches are to hear.
"""

from __future__ import annotations

import json
from typing import Any, Literal, NamedTuple, TypeAlias

from comity.sdk.errors import JournalError

__all__ = ["Command", "Kind", "Record", "decode", "encode"]

Kind: TypeAlias = Literal["command", "barrier", "tick"]


_KINDS = ("command", "barrier", "tick")


class Command(NamedTuple):
    """A write that was accepted: who sent it under which sequence, id and `time` (Unix ms), and the text of its data.

    `expired`: it came after its `expirytime`, so that only the outcome of an earlier delivery may answer it.
    """

    source: str
    sequence: int
    id: str
    message: str
    data: Any
    expired: bool
    stamp: int


class Record(NamedTuple):
    """One entry. `by` and `number` let its writer recognise it; `at` is journal time in ms, `wall` Unix time in ms."""

    kind: Kind
    at: int
    wall: int
    sent: int
    by: str
    number: int
    command: Command | None = None


def encode(record: Record, data: bytes = b"null") -> bytes:
    """The bytes of a record; `data` is the JSON text of its command's data, which `command.data` does not repeat."""
    head = [*record[:6], *(record.command or ())]
    if record.command is None:
        return json.dumps(head, separators=(",", ":")).encode()
    del head[-3]
    return b"[%b,%b]" % (json.dumps(head, separators=(",", ":")).encode(), data)


def decode(data: bytes) -> Record:
    """Read a record. Raises `JournalError` where the bytes are none."""
    try:
        body = json.loads(data)
        head, payload = (body, None) if type(body[0]) is str else body
        kind, at, wall, sent, by, number, *rest = head
        command = _command(payload, *rest) if rest else None
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise _unreadable(data) from error
    if kind not in _KINDS or (kind == "command") is (command is None):
        raise _unreadable(data)
    if not all(type(value) is int for value in (at, wall, sent, number)):
        raise _unreadable(data)
    return Record(kind, at, wall, sent, by, number, command)


def _command(
    data: Any, source: str, sequence: int, event: str, message: str, expired: bool, stamp: int
) -> Command:
    return Command(source, sequence, event, message, data, expired, stamp)


def _unreadable(data: bytes) -> JournalError:
    return JournalError(f"a journal entry of {len(data)} octets is no record of the registry")
