"""The sender's half: events with their attributes, addresses, sequences and ids.

Responsible for building events that any receiver accepts, and for ids that never name two different events. Not
responsible for sending or repeating them: who repeats a request sends the same `Send` again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256

from .address import Address
from .codec import encode_data
from .envelope import REQUIRED, format_time, parse_time
from .errors import LocalProtocolError, RemoteProtocolError
from .family import Family
from .identity import Identity
from .inbox import Profile
from .model import Message
from .ports import Frame, Now, Send
from .security import sign_frame

__all__ = ["Outbox"]

_LAST = 10**16 - 1
_TIME = re.compile(REQUIRED["time"])


class Outbox:
    """Makes the events that one identity sends in one family and namespace.

    `entropy` is secret to nobody but must differ between lives of an agent that reuse sequences; ids of requests derive
    from it and the sequence. `next_sequence` is what the next request takes.
    """

    def __init__(
        self,
        family: Family,
        identity: Identity,
        *,
        namespace: str,
        profile: Profile = "open",
        entropy: bytes,
        first_sequence: int = 1,
    ) -> None:
        self._family = family
        self._identity = identity
        self._namespace = namespace
        self._version = family.version
        self._signed = profile == "signed"
        self._life = _digest(entropy, identity.agent_id.encode())[:16]
        self.next_sequence = first_sequence

    def request(self, message: Message, now: Now, *, expires_ms: int | None = None) -> Send:
        """A new request under the next sequence, to the channel of its message, keyed by this agent.

        Raises `LocalProtocolError` when the sequences are used up.
        """
        sequence = self.next_sequence
        if sequence > _LAST:
            raise LocalProtocolError("the 10^16 sequences of this identity are used up")
        self.next_sequence = sequence + 1
        stamp = f"{sequence:016d}"
        extra = {} if expires_ms is None else {"expirytime": format_time(now.wall + expires_ms / 1000)}
        event = f"{self._life}-{stamp}"
        address = self._address(message, self._identity.agent_id)
        return self._send(message, encode_data(message), address, event, format_time(now.wall), stamp, extra)

    def reply(self, request: Mapping[str, str], message: Message, now: Now) -> Send:
        """The answer to the request with attributes `request`: a pure function of both (CORE-REP-001, CORE-REP-002).

        It takes time and sequence of the request, so that the same answer given twice, even after a crash, is the same
        event (CORE-ENV-003). `now` dates the answer to a request whose own `time` cannot be read.
        """
        data = encode_data(message)
        address = self._address(message, request["source"])
        sequence = request.get("sequence", "")
        sequence = sequence if len(sequence) == 16 and sequence.isascii() and sequence.isdigit() else "0" * 16
        time = _readable(request.get("time", "")) or format_time(now.wall)
        event = self._content_id(message, address, request["id"], sequence, time, data)
        return self._send(message, data, address, event, time, sequence, {"correlationid": request["id"]})

    def event(self, message: Message, key: str, now: Now, *, sequence: int = 0) -> Send:
        """An event to the channel of its message under `key`, with an id that derives from its content and address.

        Who sends it again after a crash gives the same `now.wall` and `sequence`, so that it is the same event.
        """
        data = encode_data(message)
        address = self._address(message, key)
        stamp = f"{sequence:016d}"
        event = self._content_id(message, address, stamp, data)
        return self._send(message, data, address, event, format_time(now.wall), stamp, {})

    def _send(
        self,
        message: Message,
        data: bytes,
        address: str,
        event: str,
        time: str,
        sequence: str,
        extra: Mapping[str, str],
    ) -> Send:
        attributes = {
            "specversion": "1.0",
            "id": event,
            "source": self._identity.agent_id,
            "type": message.TYPE,
            "time": time,
            "datacontenttype": "application/json",
            "sequence": sequence,
            "comityversion": self._version,
            "comityaddress": address,
            **extra,
        }
        frame = Frame(attributes, data)
        return Send(address, sign_frame(frame, self._identity) if self._signed else frame)

    def _address(self, message: Message, key: str) -> str:
        family = self._family
        channel = family.channel_of[type(message).__name__]
        return _address(self._namespace, family.name, family.major, channel.name, key)

    def _content_id(self, message: Message, *parts: str | bytes) -> str:
        return _digest(message.TYPE.encode(), *(p.encode() if isinstance(p, str) else p for p in parts))


@lru_cache(maxsize=4096)
def _address(namespace: str, family: str, major: int, channel: str, key: str) -> str:
    return str(Address(namespace, family, major, channel, (key,)))


def _digest(*parts: bytes) -> str:
    digest = sha256()
    for part in parts:
        digest.update(b"%d:%b" % (len(part), part))
    return digest.hexdigest()[:32]


def _readable(time: str) -> str | None:
    if _TIME.fullmatch(time) is None:
        return None
    try:
        parse_time(time)
    except RemoteProtocolError:
        return None
    return time
