"""`memory://name` — a broker inside the process, for tests, examples and single-process meshes.

Responsible for the whole of the transport port without a network: total order, groups, wildcards, last value,
bounded buffers with real back-pressure. Not responsible for anything outside its event loop: transports with
the same name meet when they are opened on the same loop, and what was published dies with the last of them.

Options: `buffer`, messages that wait for one subscriber or group (1024); `max_payload`, octets of data (1 MiB);
`retain`, addresses whose last value is remembered, the longest unchanged being forgotten first (16384).
At-least-once publishing waits for room in every buffer it is due in; at-most-once drops where there is none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final
from weakref import WeakKeyDictionary

from comity.sdk.address import parse_address, parse_pattern
from comity.sdk.errors import CapabilityError, ConfigError, PayloadTooLarge, TransportError
from comity.sdk.ports import Capabilities, Delivery, Frame, Guarantee, Ordering, Subscription, Transport
from comity.transports._memory_broker import Broker, Member
from comity.transports._payload import check_attributes, data_bytes
from comity.transports._urls import options, positive, split

__all__ = ["MemoryTransport"]

_OPTIONS: Final = {"buffer": 1024, "max_payload": 1 << 20, "retain": 16384}
_BROKERS: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Broker]] = WeakKeyDictionary()


class MemoryTransport:
    """A connection to the broker of that name. Raises `ConfigError` for a wrong URL or option."""

    def __init__(self, url: str, **overrides: str | float) -> None:
        parts = split(url)
        if parts.scheme != "memory" or not parts.netloc or parts.path not in ("", "/"):
            raise ConfigError(f"{url!r} is no URL of this transport: write memory://NAME")
        self._name = parts.netloc
        given = {**_OPTIONS, **options(url, _OPTIONS, overrides)}
        numbers = {name: int(positive(url, name, value, whole=True)) for name, value in given.items()}
        self._buffer, self._retain = numbers["buffer"], numbers["retain"]
        self._broker: Broker | None = None
        self._members: set[Member] = set()
        self._notice: tuple[str, Frame] | None = None
        self._capabilities = Capabilities(
            ordering=Ordering.TOTAL,
            guarantees=frozenset(Guarantee),
            groups=True,
            last_value=True,
            death_notice=True,
            publisher_waits=True,
            max_payload=numbers["max_payload"],
        )

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    def on_death(self, address: str, frame: Frame) -> None:
        """See `Transport.on_death`; such a connection dies by `abort` only."""
        if self._broker is not None:
            raise TransportError(f"memory://{self._name} is already open: a death notice is left before")
        self._notice = address, self._copy(address, frame)

    async def open(self) -> None:
        """Join the broker of that name on this loop, or start it. Raises `TransportError` when open already."""
        if self._broker is not None:
            raise TransportError(f"memory://{self._name} is already open")
        brokers = _BROKERS.setdefault(asyncio.get_running_loop(), {})
        self._siblings = brokers
        self._broker = brokers.setdefault(self._name, Broker(self._retain))
        self._broker.connections += 1

    async def publish(
        self, address: str, frame: Frame, *, guarantee: Guarantee = Guarantee.AT_MOST_ONCE
    ) -> None:
        """See `Transport.publish`. With `AT_LEAST_ONCE` it waits for room; cancelled while waiting, nothing is sent."""
        broker, copy = self._opened, self._copy(address, frame)
        if guarantee is Guarantee.AT_LEAST_ONCE:
            await broker.publish_waiting(address, copy)
        else:
            broker.publish(address, copy)

    async def subscribe(
        self,
        pattern: str,
        on_delivery: Callable[[Delivery], None],
        *,
        group: str | None = None,
        since: float | None = None,
    ) -> Subscription:
        """See `Transport.subscribe`. The members of a group share one buffer and use the same pattern."""
        if since is not None:
            raise CapabilityError("memory:// keeps nothing, so it does not offer replay")
        member = self._opened.join(parse_pattern(pattern), group or None, self._buffer, on_delivery)
        member.on_close = self._members.discard
        self._members.add(member)
        return member

    async def last_value(self, address: str) -> Frame | None:
        """The frame last published to `address`, if it is remembered."""
        parse_address(address)
        return self._opened.last.get(address)

    async def flush(self) -> None:
        """Nothing to wait for: what `publish` returned for is in the buffers."""
        _ = self._opened

    async def lost(self) -> TransportError:
        """See `Transport.lost`: a broker in this process stays."""
        never: asyncio.Future[TransportError] = asyncio.get_running_loop().create_future()
        return await never

    async def close(self) -> None:
        """Deliver what waits for subscriptions that are not paused, end them, and leave the broker."""
        if self._broker is None:
            return
        broker, self._broker = self._broker, None
        for member in list(self._members):
            member.drain()
        self._leave(broker)

    def abort(self) -> None:
        """End the connection as a crash would: nothing is drained, and the death notice is published. Idempotent."""
        if self._broker is None:
            return
        broker, self._broker = self._broker, None
        self._leave(broker)
        if self._notice is not None:
            broker.enqueue(*self._notice)

    def _leave(self, broker: Broker) -> None:
        for member in list(self._members):
            member.leave()
        broker.connections -= 1
        if broker.connections == 0:
            del self._siblings[self._name]

    def _copy(self, address: str, frame: Frame) -> Frame:
        parse_address(address)
        check_attributes(frame.attributes)
        data = data_bytes(frame)
        if len(data) > self._capabilities.max_payload:
            raise PayloadTooLarge(
                f"memory://{self._name}: {len(data)} octets of data are over the limit of "
                f"{self._capabilities.max_payload}"
            )
        return Frame(dict(frame.attributes), data)

    @property
    def _opened(self) -> Broker:
        if self._broker is None:
            raise TransportError(f"memory://{self._name} is not open: call open() first")
        return self._broker


_: type[Transport] = MemoryTransport
