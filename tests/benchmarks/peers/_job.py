"""The job that every peer does, and what a user who does it by hand writes for each message.

Responsible for the messages and their size, the attributes, and the validation of both by the generated Pydantic
models. Not responsible for how a broker carries them. Signatures are off on every side.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from comity.sdk._generated.core_v1.messages import Attributes
from comity.sdk._generated.registry_v1.messages import Found, Register
from comity.sdk.codec import encode_data
from comity.sdk.family import load_family
from comity.sdk.identity import Identity

__all__ = ["AGENT", "FAMILY", "ByHand", "Conversing", "Peer", "found", "register"]

FAMILY: Final = load_family("registry")
IDENTITY: Final = Identity.from_seed(bytes(range(32)))
AGENT: Final = IDENTITY.agent_id
_MEMBER: Final = 64  # octets of one member that fills a message up


class Peer(ABC):
    """One side of a comparison on one connection. `space` keeps the sides apart, `size` is that of the data in octets."""

    def __init__(self, url: str, space: str, size: int) -> None:
        self.url = url
        self.space = space
        self.size = size

    @abstractmethod
    async def open(self) -> None:
        """Connect."""

    @abstractmethod
    async def close(self) -> None:
        """Disconnect."""

    @abstractmethod
    async def listen(self, seen: Callable[[], None]) -> None:
        """Subscribe to what `send` sends, and call `seen` for each message that was read and is valid."""

    @abstractmethod
    async def send(self) -> None:
        """Build, encode and publish one message; who waits for nothing loses it with its connection."""


class Conversing(Peer):
    """One that can also wait for the broker's word, and for replies."""

    @abstractmethod
    async def send_surely(self) -> None:
        """Build, encode and publish one message, and return once the broker has acknowledged it."""

    @abstractmethod
    async def answer(self) -> None:
        """Answer every request with a reply of the same size."""

    @abstractmethod
    async def expect(self, replied: Callable[[], None]) -> None:
        """Subscribe to the replies, and call `replied` for each that was read and is valid."""


def register(size: int) -> dict[str, Any]:
    """The members of a Register whose JSON has `size` octets."""
    fields: dict[str, Any] = {
        "agent": AGENT,
        "capabilities": ["ml.inference@1.2"],
        "lease_ms": 30_000,
        "metadata": {"zone": "eu-1", "load": 0.25},
        "health": "healthy",
    }
    return _filled(fields, fields["metadata"], size - len(encode_data(Register(**fields))))


def found(size: int) -> dict[str, Any]:
    """The members of a Found whose JSON has `size` octets."""
    entry: dict[str, Any] = {
        "agent": AGENT,
        "capabilities": [],
        "lease_ms": 30_000,
        "epoch": 1,
        "revision": 1,
        "metadata": {"load": 0.25},
    }
    fields = {"entry": entry, "revision": 1}
    return _filled(fields, entry["metadata"], size - len(encode_data(Found.model_validate(fields))))


def _filled(fields: dict[str, Any], metadata: dict[str, Any], room: int) -> dict[str, Any]:
    frame = len(',"k00":""')
    for number in itertools.count():
        part = _MEMBER if room >= _MEMBER + frame + 1 else room
        metadata[f"k{number:02d}"] = "x" * (part - frame)
        room -= part
        if not room:
            return fields
    raise AssertionError


class ByHand:
    """One sender and receiver of messages, written by hand: attributes as CloudEvents has them, data by Pydantic.

    With `checked`, attributes are validated by the model of the spec as well, which is what the SDK does.
    """

    def __init__(self, space: str, size: int, *, checked: bool) -> None:
        self._request = register(size)
        self._reply = found(size)
        self._checked = checked
        self._numbers = itertools.count(1)
        self._address = f"{space}.registry.v1.requests.{AGENT}"
        self._reply_address = f"{space}.registry.v1.replies.{AGENT}"

    def request(self) -> tuple[dict[str, str], bytes]:
        """The attributes and data of the next request."""
        number = next(self._numbers)
        attributes = self._attributes(Register.TYPE, f"bench-{number:016d}", f"{number:016d}", self._address)
        return attributes, Register(**self._request).model_dump_json(by_alias=True).encode()

    def reply(self, request: Mapping[str, str]) -> tuple[dict[str, str], bytes]:
        """The attributes and data of the answer to the request with attributes `request`."""
        number = request["sequence"]
        attributes = self._attributes(Found.TYPE, f"reply-{number}", number, self._reply_address)
        attributes["correlationid"] = request["id"]
        return attributes, Found.model_validate(self._reply).model_dump_json(by_alias=True).encode()

    def read(self, attributes: Mapping[str, str], data: bytes) -> Register:
        """The request that arrived. Raises `ValidationError` where it is none."""
        if self._checked:
            Attributes.model_validate(attributes)
        return Register.model_validate_json(data)

    def read_reply(self, attributes: Mapping[str, str], data: bytes) -> Found:
        """The reply that arrived. Raises `ValidationError` where it is none."""
        if self._checked:
            Attributes.model_validate(attributes)
        return Found.model_validate_json(data)

    @staticmethod
    def _attributes(kind: str, event: str, sequence: str, address: str) -> dict[str, str]:
        return {
            "specversion": "1.0",
            "id": event,
            "source": AGENT,
            "type": kind,
            "time": datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "datacontenttype": "application/json",
            "sequence": sequence,
            "comityversion": "1.0",
            "comityaddress": address,
        }
