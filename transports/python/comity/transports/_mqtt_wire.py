"""MQTT 5 packets as octets: pure functions, no socket.

Responsible for the packets of a client that publishes and subscribes at QoS 0 and 1, and for telling malformed
ones. Not responsible for when they are sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, NamedTuple

from comity.sdk.errors import LocalProtocolError, RemoteProtocolError

__all__ = [
    "MAX_TEXT",
    "PING",
    "Connect",
    "Framer",
    "Kind",
    "Properties",
    "Property",
    "Publish",
    "Will",
    "acknowledge",
    "disconnect",
    "number",
    "publish",
    "read_properties",
    "read_publish",
    "subscribe",
    "unsubscribe",
]

MAX_TEXT: Final = 65535
PING: Final = b"\xc0\x00"
_LARGEST: Final = 268_435_455
_USER: Final = 38


class Kind(IntEnum):
    """The packet types that a client meets."""

    CONNACK = 2
    PUBLISH = 3
    PUBACK = 4
    SUBACK = 9
    UNSUBACK = 11
    PINGRESP = 13
    DISCONNECT = 14


class Property(IntEnum):
    """The properties that are written or looked at here."""

    EXPIRY = 2
    CONTENT_TYPE = 3
    SUBSCRIPTION = 11
    SESSION_EXPIRY = 17
    KEEP_ALIVE = 19
    REASON = 31
    RECEIVE_MAXIMUM = 33
    MAXIMUM_QOS = 36
    RETAIN_AVAILABLE = 37
    MAXIMUM_PACKET = 39
    IDENTIFIERS_AVAILABLE = 41
    SHARED_AVAILABLE = 42


_SIZES: Final = {  # octets of an integer; 0 is a variable one, -1 octets with their length, -2 a pair of texts
    **dict.fromkeys((1, 23, 25, 36, 37, 40, 41, 42), 1),
    **dict.fromkeys((19, 33, 34, 35), 2),
    **dict.fromkeys((2, 17, 24, 39), 4),
    **dict.fromkeys((3, 8, 9, 18, 21, 22, 26, 28, 31), -1),
    11: 0,
    _USER: -2,
}


@dataclass(slots=True)
class Properties:
    """What came with a packet: integers and octets by number, and those that may come several times."""

    numbers: dict[int, int] = field(default_factory=dict[int, int])
    octets: dict[int, bytes] = field(default_factory=dict[int, bytes])
    user: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    subscriptions: list[int] = field(default_factory=list[int])

    def text(self, which: Property) -> str | None:
        """A property as text. Raises `RemoteProtocolError` where it is not UTF-8."""
        octets = self.octets.get(which)
        return None if octets is None else _text(octets)


class Publish(NamedTuple):
    """A received PUBLISH; `packet` is its identifier, 0 at QoS 0."""

    topic: str
    payload: bytes
    packet: int
    again: bool
    retained: bool
    properties: Properties


class Will(NamedTuple):
    """What the broker is to publish at QoS 1 if the client is gone for `delay` seconds; `retain` as in `publish`."""

    topic: bytes
    payload: bytes
    content_type: str | None
    user: Sequence[tuple[str, str]]
    delay: int
    retain: int | None

    @property
    def flags(self) -> int:
        """Its part of a CONNECT's flags."""
        return 0x0C | (self.retain is not None) << 5

    def encode(self) -> bytes:
        """Its part of a CONNECT's payload."""
        properties = b"\x18" + self.delay.to_bytes(4)
        properties += _describe(self.content_type, self.user, self.retain)
        head = number(len(properties)) + properties
        return head + _octets(self.topic) + _octets(self.payload)


@dataclass(frozen=True, slots=True)
class Connect:
    """What a CONNECT says. Times in whole seconds, sizes in octets."""

    client: str
    keep_alive: int
    session: int
    window: int
    largest: int
    user: str | None = field(repr=False)
    password: str | None = field(repr=False)
    will: Will | None = field(default=None, repr=False)

    def encode(self) -> bytes:
        """The packet; it resumes a session that the broker still knows."""
        will = self.will.encode() if self.will else b""
        flags = (self.user is not None) << 7 | (self.password is not None) << 6
        flags |= self.will.flags if self.will else 0
        properties = b"".join(
            (
                b"\x11" + self.session.to_bytes(4),
                b"\x21" + self.window.to_bytes(2),
                b"\x27" + self.largest.to_bytes(4),
            )
        )
        head = b"\x00\x04MQTT\x05" + bytes([flags]) + self.keep_alive.to_bytes(2)
        credentials = b"".join(_string(text) for text in (self.user, self.password) if text is not None)
        payload = _string(self.client) + will + credentials
        return _packet(0x10, head + number(len(properties)) + properties + payload)


class Framer:
    """Cuts a stream of octets into packets."""

    def __init__(self, largest: int) -> None:
        self._rest = b""
        self._wanted = 2
        self._parts: list[bytes] = []
        self._size = 0
        self._largest = largest

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """The packets that are complete with `data`: first octet and body.

        Raises `RemoteProtocolError` for a length that is none, or over the largest that was agreed.
        """
        self._parts.append(data)
        self._size += len(data)
        if self._size < self._wanted:
            return
        buffer = data if len(self._parts) == 1 else b"".join(self._parts)
        at, end = 0, len(buffer)
        try:
            while end - at >= 2:
                start, size = _read_number(buffer, at + 1)
                if start < 0:
                    break
                if size > self._largest:
                    raise RemoteProtocolError(f"a packet of {size} octets")
                if start + size > end:
                    self._wanted = start + size - at
                    break
                first, at = buffer[at], start + size
                self._wanted = 2
                yield first, buffer[start:at]
        finally:
            self._parts = [buffer[at:]]
            self._size = end - at


def publish(
    topic: bytes,
    payload: bytes,
    content_type: str | None,
    user: Sequence[tuple[str, str]],
    *,
    packet: int,
    retain: int | None,
    again: bool = False,
) -> bytes:
    """A PUBLISH, at QoS 1 with a `packet` identifier and at QoS 0 without; `retain` is how many seconds it is kept."""
    properties = _describe(content_type, user, retain)
    head = len(topic).to_bytes(2) + topic + (packet.to_bytes(2) if packet else b"")
    size = number(len(properties))
    first = 0x30 | again << 3 | bool(packet) << 1 | (retain is not None)
    length = number(len(head) + len(size) + len(properties) + len(payload))
    return b"%c%b%b%b%b%b" % (first, length, head, size, properties, payload)


def _describe(content_type: str | None, user: Sequence[tuple[str, str]], retain: int | None) -> bytes:
    parts = [b"" if retain is None else b"\x02" + retain.to_bytes(4)]
    if content_type is not None:
        parts.append(b"\x03" + _string(content_type))
    for name, value in user:
        octets = value.encode()
        parts.append(b"&%b%b%b%b" % (len(name).to_bytes(2), name.encode(), len(octets).to_bytes(2), octets))
    return b"".join(parts)


def subscribe(packet: int, identifier: int, topic: str, qos: int, *, retained: bool) -> bytes:
    """A SUBSCRIBE; `retained` asks for the retained messages too, which otherwise are not sent."""
    properties = b"\x0b" + number(identifier)
    options = bytes([qos | (0 if retained else 2 << 4)])
    body = packet.to_bytes(2) + number(len(properties)) + properties + _string(topic) + options
    return _packet(0x82, body)


def unsubscribe(packet: int, topic: str) -> bytes:
    """An UNSUBSCRIBE."""
    return _packet(0xA2, packet.to_bytes(2) + b"\x00" + _string(topic))


def acknowledge(packet: int) -> bytes:
    """A PUBACK."""
    return b"\x40\x02" + packet.to_bytes(2)


def disconnect(*, keep: bool = False) -> bytes:
    """A DISCONNECT without a death notice; it ends the session as well, unless that is to `keep` its time."""
    return b"\xe0\x00" if keep else b"\xe0\x07\x00\x05\x11\x00\x00\x00\x00"


def read_publish(first: int, body: bytes) -> Publish:
    """The PUBLISH in `body`. Raises `RemoteProtocolError` where it is malformed."""
    try:
        at = 2 + int.from_bytes(body[:2])
        topic = body[2:at].decode()
        packet = 0
        if first & 6:
            packet = int.from_bytes(body[at : at + 2])
            at += 2
        if at >= len(body) or first & 6 == 6:
            raise RemoteProtocolError("a malformed PUBLISH: it ends too soon, or its QoS is none")
        properties, at = read_properties(body, at)
    except UnicodeDecodeError as error:
        raise RemoteProtocolError(f"a malformed PUBLISH: {error}") from error
    return Publish(topic, body[at:], packet, bool(first & 8), bool(first & 1), properties)


def read_properties(body: bytes, at: int) -> tuple[Properties, int]:
    """The properties at `at`, and where they end. Raises `RemoteProtocolError` where they are malformed."""
    found = Properties()
    if at >= len(body):
        return found, at
    at, size = _read_number(body, at)
    end = at + size
    if at < 0 or end > len(body):
        raise RemoteProtocolError("properties that do not end")
    try:
        while at < end:
            which = body[at]
            if which != _USER or at + 5 > end:
                at = _read_property(found, which, _SIZES.get(which), body, at + 1)
                continue
            middle = at + 3 + (body[at + 1] << 8 | body[at + 2])  # nearly all are these, so without a call
            start = middle + 2
            if start > end:
                raise RemoteProtocolError("a text that does not end")
            name, at = body[at + 3 : middle], start + (body[middle] << 8 | body[middle + 1])
            found.user.append((name.decode(), body[start:at].decode()))
    except UnicodeDecodeError as error:
        raise RemoteProtocolError("a text that is not UTF-8") from error
    if at != end:
        raise RemoteProtocolError("properties that end in the middle")
    return found, at


def _read_property(found: Properties, which: int, size: int | None, body: bytes, at: int) -> int:
    if size is None:
        raise RemoteProtocolError(f"unknown property {which}")
    if size == -2:
        name, at = _read_octets(body, at)
        value, at = _read_octets(body, at)
        found.user.append((_text(name), _text(value)))
    elif size == -1:
        found.octets[which], at = _read_octets(body, at)
    elif size == 0:
        at, identifier = _read_number(body, at)
        if at < 0:
            raise RemoteProtocolError("a number that does not end")
        found.subscriptions.append(identifier)
    else:
        found.numbers[which] = int.from_bytes(body[at : at + size])
        at += size
    return at


def _read_octets(body: bytes, at: int) -> tuple[bytes, int]:
    start = at + 2
    end = start + (body[at] << 8 | body[at + 1] if start <= len(body) else MAX_TEXT)
    if end > len(body):
        raise RemoteProtocolError("a text that does not end")
    return body[start:end], end


def _text(octets: bytes) -> str:
    try:
        return octets.decode()
    except UnicodeDecodeError as error:
        raise RemoteProtocolError("a text that is not UTF-8") from error


def _read_number(body: bytes, at: int) -> tuple[int, int]:
    """Where a variable number ends, -1 where it does not yet, and the number."""
    value = 0
    for shift in (0, 7, 14, 21):
        if at >= len(body):
            return -1, 0
        octet = body[at]
        at += 1
        value |= (octet & 0x7F) << shift
        if octet < 0x80:
            return at, value
    raise RemoteProtocolError("a number of more than four octets")


def number(value: int) -> bytes:
    """A variable byte integer."""
    if value < 0x80:
        return bytes((value,))
    if value > _LARGEST:
        raise LocalProtocolError(f"{value} octets are more than MQTT can carry")
    octets = bytearray()
    while value >= 0x80:
        octets.append(value & 0x7F | 0x80)
        value >>= 7
    octets.append(value)
    return bytes(octets)


def _string(text: str) -> bytes:
    return _octets(text.encode())


def _octets(octets: bytes) -> bytes:
    if len(octets) > MAX_TEXT:
        raise LocalProtocolError(f"a text of {len(octets)} octets is longer than MQTT can carry")
    return len(octets).to_bytes(2) + octets


def _packet(first: int, body: bytes) -> bytes:
    return bytes((first,)) + number(len(body)) + body
