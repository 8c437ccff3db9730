"""What a broker's refusals mean, and what to do about them.

Responsible for the words of errors. Not responsible for raising them.
"""

from __future__ import annotations

import ssl
from typing import Final

from comity.sdk.errors import RemoteProtocolError
from comity.transports._mqtt_wire import Property, read_properties
from comity.transports._tls import untrusted

__all__ = ["TAKEN_OVER", "advice", "refusal"]

_CREDENTIALS: Final = "the broker refuses these credentials: correct user and password in the URL"
_VERSION: Final = "the broker speaks no MQTT 5: use one that does (mosquitto 2, EMQX, HiveMQ, …)"
_NOT_AUTHORIZED: Final = 0x87
TAKEN_OVER: Final = 0x8E
_MEANINGS: Final = {
    0x01: _VERSION,
    0x04: _CREDENTIALS,
    0x05: _CREDENTIALS,
    0x84: _VERSION,
    0x85: "the broker refuses the client identifier: correct ?client=",
    0x86: _CREDENTIALS,
    _NOT_AUTHORIZED: "not permitted: grant it, or connect as somebody who may",
    0x88: "the broker is not available: try again later",
    0x89: "the broker is busy: try again later",
    0x8A: "this client is banned: see the broker's configuration",
    0x8B: "the broker shuts down: try again later",
    0x8D: "the broker heard nothing in time: see the network",
    TAKEN_OVER: "another client took over this session: give each its own ?client=",
    0x95: "a packet was too large for the broker: send less, or raise its limit",
    0x97: "a quota of the broker is exceeded: raise it, or send less",
    0x9A: "the broker keeps no retained messages: leave ?retain= out",
    0x9B: "the broker offers no delivery at QoS 1: publish at most once",
    0x9E: "the broker offers no shared subscriptions: subscribe without a group",
}


def refusal(what: str, code: int, properties: bytes = b"", *, connecting: bool = False) -> str:
    """The words for `what` that was answered with `code`, with the broker's own reason where it gives one."""
    meaning = (
        _CREDENTIALS
        if connecting and code == _NOT_AUTHORIZED
        else _MEANINGS.get(code, "see the broker's log")
    )
    try:
        reason = read_properties(properties, 0)[0].text(Property.REASON)
    except RemoteProtocolError:
        reason = None
    return f"{what}: code {code:#04x}{f' ({reason})' if reason else ''}: {meaning}"


def advice(error: Exception) -> str:
    """What to do about an error of the network."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return untrusted(error, "broker")
    if isinstance(error, ssl.SSLError):
        return "TLS failed: check ?ca=, ?cert= and ?key= against what the broker asks for"
    if isinstance(error, TimeoutError):
        return "no answer in time: check that an MQTT broker listens there"
    if isinstance(error, ConnectionRefusedError):
        return "nobody listens there: start a broker (comity brokers up mqtt) or correct the URL"
    if isinstance(error, ConnectionError):
        return "the broker hung up: it may speak no MQTT 5, or ask for a client certificate (?cert=FILE&key=FILE)"
    if isinstance(error, OSError):
        return "it cannot be reached: correct the URL or the network"
    return "check that an MQTT broker listens there"
