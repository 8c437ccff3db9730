"""`kafka://` — Apache Kafka through aiokafka.

Responsible for the transport port over one cluster: URL, frames by the CloudEvents binding (binary mode out, both
modes in), which topic and record key an address is. Not responsible for connections, which all transports of an
event loop share, nor for reading.

`kafka://[user:password@]host[:port][,host[:port]…][?options]`; `kafkas://` is TLS. The first host to answer is asked
for the other brokers. Options: `timeout`, seconds that any wait may take (5); `buffer`, messages that wait for one
subscriber (65536); `partitions` (4) and `retention`, seconds (3600), of topics that are made here; `sasl`, `plain`,
`scram-sha-256` or `scram-sha-512` (the default with a user); `ca`, `cert` and `key`, PEM files.

What is published is kept by the brokers: a subscriber that is slow loses nothing and nobody waits for it. The order
of an address is kept, and so is that of all addresses without keys on one channel. A subscription without a group
reads its whole channel and takes what its pattern matches. Members of a group get the channel's partitions.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import lru_cache, partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from comity.sdk.address import parse_address, parse_pattern, to_kafka
from comity.sdk.errors import CapabilityError, ConfigError, PayloadTooLarge, TransportError
from comity.sdk.ports import Capabilities, Delivery, Frame, Guarantee, Ordering, Subscription, Transport
from comity.transports._ending import Ending
from comity.transports._kafka_url import Settings, read_options, read_settings
from comity.transports._urls import masked, positive
from comity.transports.kafka_binding import encode

if TYPE_CHECKING:
    from comity.transports._kafka_channel import Reading
    from comity.transports._kafka_group import Member
    from comity.transports._kafka_hub import Hub
    from comity.transports._kafka_live import Live

__all__ = ["KafkaTransport"]

_log = logging.getLogger(__name__)
_MAX_PAYLOAD: Final = 1 << 20
_MAX_ATTRIBUTES: Final = 1 << 16
_CAPABILITIES: Final = Capabilities(
    ordering=Ordering.KEY,
    guarantees=frozenset(Guarantee),
    durable=True,
    replay=True,
    groups=True,
    max_payload=_MAX_PAYLOAD,
)
_HUBS: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Settings, Hub]] = WeakKeyDictionary()


class KafkaTransport:
    """See the module for the URL. Raises `ConfigError` for a wrong URL or option, or where aiokafka is missing."""

    def __init__(self, url: str, **overrides: str | float) -> None:
        self._shown = masked(url)
        _require_client(url)
        given = read_options(url, overrides)
        self._settings = read_settings(url, given)
        self._buffer = int(positive(url, "buffer", given["buffer"], whole=True))
        self._hub: Hub | None = None
        self._readings: set[Reading] = set()
        self._members: set[Member] = set()
        self._refused: BaseException | None = None
        self._ending: Ending | None = None

    @property
    def capabilities(self) -> Capabilities:
        return _CAPABILITIES

    @property
    def settings(self) -> Settings:
        """Where and how it connects, for whoever connects alike."""
        return self._settings

    def on_death(self, address: str, frame: Frame) -> None:
        """Kafka publishes nothing for a client that is gone. Raises `CapabilityError`."""
        raise CapabilityError(f"{self._shown}: this adapter does not offer a death notice")

    async def open(self) -> None:
        """Connect; fails at once where nobody listens, and in any case within the timeout."""
        from comity.transports._kafka_hub import Hub

        if self._hub is not None:
            raise TransportError(f"{self._shown} is already open")
        if self._ending is not None and self._ending.under_way:
            raise TransportError(f"{self._shown} is still closing: await close() first")
        hubs = _HUBS.setdefault(asyncio.get_running_loop(), {})
        hub = hubs.setdefault(self._settings, Hub(self._settings, hubs))
        await hub.enter()
        self._hub = hub

    async def publish(
        self, address: str, frame: Frame, *, guarantee: Guarantee = Guarantee.AT_MOST_ONCE
    ) -> None:
        """See `Transport.publish`. With `AT_LEAST_ONCE` it returns when the brokers have it, on all replicas in sync.

        What was published `AT_MOST_ONCE` and refused later is raised by the next `flush`.
        """
        topic, key = _place(address)
        headers, payload = encode(frame)
        self._check_size(headers, payload)
        clients = self._opened.clients
        future = await clients.send(topic, key, payload, headers)
        if guarantee is Guarantee.AT_LEAST_ONCE:
            await clients.confirmed(future)
        else:
            future.add_done_callback(self._note)

    async def subscribe(
        self,
        pattern: str,
        on_delivery: Callable[[Delivery], None],
        *,
        group: str | None = None,
        since: float | None = None,
    ) -> Subscription:
        """See `Transport.subscribe`. A group that is new begins here, or at `since`; a known one goes on where it was."""
        from comity.transports._kafka_channel import Reading
        from comity.transports._kafka_group import Member

        hub, wanted = self._opened, parse_pattern(pattern)
        if group:
            member = Member(hub.clients, wanted, group, on_delivery, self._buffer, since)
            await member.open()
            self._members.add(member)
            member.on_close = self._members.discard
            return await self._kept(hub, member)
        reading = Reading(wanted, on_delivery, self._buffer, hub.live.wake, partial(self._forget, hub.live))
        await hub.live.add(reading, since)
        self._readings.add(reading)
        return await self._kept(hub, reading)

    async def last_value(self, address: str) -> Frame | None:
        """Channels keep everything for a time and nothing for ever. Raises `CapabilityError`."""
        raise CapabilityError(f"{self._shown}: this adapter does not offer the last value of an address")

    async def flush(self) -> None:
        """A real barrier. Raises `TransportError` where something published before was refused."""
        await self._flush(self._opened)

    async def prepare(self, channel: str) -> bool:
        """Make the topic of `channel` (an address without keys), or look at it where it exists; whether it was made.

        Raises `TransportError` where it cannot be made, or is not fit for use.
        """
        topic, _ = to_kafka(parse_address(channel))
        return await self._opened.clients.ensure(topic)

    async def settled(self) -> None:
        """Return once the subscriptions without a group have been handed all that the brokers have now."""
        await self._opened.live.settle(list(self._readings))

    async def lost(self) -> TransportError:
        """See `Transport.lost`: it connects anew for as long as it takes."""
        never: asyncio.Future[TransportError] = asyncio.get_running_loop().create_future()
        return await never

    async def close(self) -> None:
        """Send what waits, deliver what the brokers have (not to those that are paused), disconnect. Idempotent.

        It takes up to the timeout for sending and delivering, and up to the timeout for disconnecting.
        """
        if self._hub is not None:
            hub, self._hub = self._hub, None
            self._ending = Ending(partial(self._end, hub))
        if self._ending is not None:
            await self._ending()

    async def _end(self, hub: Hub) -> None:
        readings = list(self._readings)
        try:
            members = [member.close() for member in self._members]
            await asyncio.gather(self._drain(hub, readings), *members)
            for reading in readings:
                await reading.close()
        finally:
            await hub.leave()

    async def _kept(self, hub: Hub, subscription: Member | Reading) -> Subscription:
        """That `subscription`, which ends where the connection was closed while it was made."""
        if self._hub is not hub:
            await subscription.close()
            raise TransportError(f"{self._shown} was closed before the subscription was in force")
        return subscription

    async def _flush(self, hub: Hub) -> None:
        await hub.clients.flush()
        refused, self._refused = self._refused, None
        if refused is not None:
            raise hub.clients.explained(refused) from refused

    async def _drain(self, hub: Hub, readings: list[Reading]) -> None:
        try:
            async with hub.clients.explaining():
                await self._flush(hub)
                await hub.live.settle(readings)
        except TransportError as error:
            _log.warning("closing without all that was sent or received: %s", error)

    def _forget(self, live: Live, reading: Reading) -> None:
        live.remove(reading)
        self._readings.discard(reading)

    @property
    def _opened(self) -> Hub:
        if self._hub is None:
            raise TransportError(f"{self._shown} is not open: call open() first")
        return self._hub

    def _check_size(self, headers: list[tuple[str, bytes]], payload: bytes) -> None:
        if len(payload) > _MAX_PAYLOAD:
            raise PayloadTooLarge(
                f"{self._shown}: {len(payload)} octets of data are over the limit of {_MAX_PAYLOAD}"
            )
        if (size := sum([len(octets) for _, octets in headers])) > _MAX_ATTRIBUTES:
            raise PayloadTooLarge(
                f"{self._shown}: {size} octets of attributes are over the limit of {_MAX_ATTRIBUTES}"
            )

    def _note(self, future: asyncio.Future[Any]) -> None:
        self._refused = future.exception() or self._refused


@lru_cache(maxsize=16384)
def _place(address: str) -> tuple[str, bytes | None]:
    """The topic and record key of `address`. Raises `ConfigError` where it is none."""
    return to_kafka(parse_address(address))


def _require_client(url: str) -> None:
    try:
        import_module("comity.transports._kafka_client")
    except ModuleNotFoundError as error:
        raise ConfigError(f"{masked(url)} needs aiokafka: pip install comity[kafka]") from error


_: type[Transport] = KafkaTransport
