"""`mqtt://`, `mqtts://`, `ws://` and `wss://` — MQTT 5 brokers.

Responsible for the transport port over one MQTT connection: URL, frames by the CloudEvents binding (binary mode
out unless told otherwise, both modes in), groups as shared subscriptions, last values as retained messages. At
most once is QoS 0, at least once is QoS 1: the broker has the message when `publish` returns, and a subscriber
that is slow or away is sent it later. Whether it outlives the broker is the broker's configuration, so nothing
is promised about that.

`mqtt://[user[:password]@]host[:port][?options]`; `mqtts://` is TLS, `ws://` and `wss://` are the same over
WebSocket and may have a path (`/mqtt`). Options: `timeout`, seconds that any wait may take (5); `keepalive`,
seconds of silence after which the connection is given up (10); `buffer`, messages at QoS 0 that wait for one
subscriber, and never over 128 MiB (65536); `window`, messages at QoS 1 that may be unconfirmed, in each direction
(1024); `outbox`, octets that wait for the connection (2 MiB); `session`, seconds for which the broker keeps what
is missed while disconnected (300); `group_session`, the most that this is from the first subscription with a group
on, as brokers go on to give a member that crashed its share for as long (15); `retain`, seconds for which it
remembers the last value of an address (not at all); `grace`, seconds that a lost connection has to come back before
the death notice is published (none); `client`, the client identifier (a random one); `mode`, `binary` or
`structured`; `ca`, `cert` and `key`, PEM files.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final
from urllib.parse import quote
from weakref import WeakValueDictionary

from comity.sdk.address import Pattern, from_mqtt, parse_address, parse_pattern, to_mqtt
from comity.sdk.errors import CapabilityError, ComityError, ConfigError, PayloadTooLarge, TransportError
from comity.sdk.ports import Capabilities, Delivery, Frame, Guarantee, Ordering, Subscription, Transport
from comity.transports import _mqtt_wire as wire
from comity.transports._ending import Ending
from comity.transports._mqtt_client import Connection
from comity.transports._mqtt_routes import Message, MqttSubscription, Route
from comity.transports._mqtt_settings import LARGEST, read_settings, whole
from comity.transports._tls import FILES
from comity.transports._urls import masked, options, positive
from comity.transports.mqtt_binding import Native, decode, encode, structured

__all__ = ["MqttTransport"]

_log = logging.getLogger(__name__)
_NUMBERS: Final = {
    "timeout": 5.0,
    "buffer": 65536,
    "window": 1024,
    "outbox": 2 << 20,
    "session": 300,
    "group_session": 15,
    "keepalive": 10,
}
_TEXTS: Final = ("retain", "grace", "client", "mode", *FILES)
_MODES: Final = {"binary": encode, "structured": structured}
_PAYLOAD: Final = 1 << 20
_FOR_ATTRIBUTES: Final = 8192  # of the broker's limit, which counts the whole packet
_CAPABILITIES: Final = Capabilities(
    ordering=Ordering.PUBLISHER,
    guarantees=frozenset(Guarantee),
    groups=True,
    death_notice=True,
    max_payload=_PAYLOAD,
)


class MqttTransport:
    """See the module for the URL. Raises `ConfigError` for a wrong URL or option."""

    def __init__(self, url: str, **overrides: str | float) -> None:
        self._shown = masked(url)
        given = {**_NUMBERS, "mode": "binary", **options(url, (*_NUMBERS, *_TEXTS), overrides)}
        self._settings = read_settings(url, given)
        self._buffer = int(positive(url, "buffer", given["buffer"], whole=True))
        self._group_session = whole(url, "group_session", given["group_session"], 4)
        self._retain, self._grace = (
            whole(url, name, given[name], 4) if name in given else None for name in ("retain", "grace")
        )
        if given["mode"] not in _MODES:
            raise ConfigError(f"{self._shown}: mode={given['mode']!r} is none of {', '.join(_MODES)}")
        self._encode = _MODES[str(given["mode"])]
        self._connection: Connection | None = None
        self._ending: Ending | None = None
        self._capabilities = replace(_CAPABILITIES, last_value=self._retain is not None)
        self._routes: dict[int, Route] = {}
        self._topics: dict[str, Route] = {}
        self._asked: dict[str, list[Frame]] = {}
        self._changing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._last_identifier = 0
        self._late = 0

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    def on_death(self, address: str, frame: Frame) -> None:
        """See `Transport.on_death`: the last will, at QoS 1, of at most 65,535 octets of data.

        It is published whenever the connection is gone for `grace` seconds (at once), also before a reconnection.
        """
        if self._connection is not None:
            raise TransportError(f"{self._shown} is already open: a death notice is left before")
        topic = to_mqtt(parse_address(address)).encode()
        kind, user, payload = self._native(frame)
        self._check_size(payload, wire.MAX_TEXT)
        will = wire.Will(topic, payload, kind, user, self._grace or 0, self._retain)
        self._settings = replace(self._settings, connect=replace(self._settings.connect, will=will))

    async def open(self) -> None:
        """Connect; fails at once where nobody listens, and in any case within the timeout."""
        if self._connection is not None:
            raise TransportError(f"{self._shown} is already open")
        if self._ending is not None and self._ending.under_way:
            raise TransportError(f"{self._shown} is still closing: await close() first")
        connection = Connection(self._settings, self._receive, self._on_contact, self._on_refusal)
        await connection.open()
        self._connection = connection
        self._capabilities = _offered(self._capabilities, connection.offers)

    async def publish(
        self, address: str, frame: Frame, *, guarantee: Guarantee = Guarantee.AT_MOST_ONCE
    ) -> None:
        """See `Transport.publish`. At most once it is kept without a connection, up to `outbox`, until there is one
        again, and a broker that does not permit it says nothing; at least once it is confirmed or raises."""
        connection = self._opened
        if guarantee not in self._capabilities.guarantees:
            raise self._lacks(f"{guarantee} delivery")
        topic = to_mqtt(parse_address(address)).encode()
        native = self._native(frame)
        self._check_size(native.payload, self._capabilities.max_payload)
        if guarantee is Guarantee.AT_LEAST_ONCE:
            await connection.publish_surely(partial(self._write, topic, native))
        else:
            await connection.publish(self._write(topic, native))

    async def subscribe(
        self,
        pattern: str,
        on_delivery: Callable[[Delivery], None],
        *,
        group: str | None = None,
        since: float | None = None,
    ) -> Subscription:
        """See `Transport.subscribe`. Raises `TransportError` where it is not permitted."""
        connection, wanted = self._opened, parse_pattern(pattern)
        if since is not None:
            raise self._lacks("replay")
        if group and not self._capabilities.groups:
            raise self._lacks("shared subscriptions, and so no groups")
        topic = _filter(wanted, group)
        async with self._change(topic):
            route = self._topics.get(topic) or self._new_route(wanted, group, topic)
            member = MqttSubscription(route, self._buffer, on_delivery, self._close)
            route.members.append(member)
            if len(route.members) == 1:
                try:
                    if route.shared:
                        await connection.shorten_session(self._group_session)
                    await self._put_in_force(connection, route)
                except BaseException:
                    member.end()
                    raise
        if self._connection is not connection:
            member.end()
            raise TransportError(f"{self._shown} was closed before the subscription was in force")
        return member

    async def last_value(self, address: str) -> Frame | None:
        """The frame last published to `address`, if the broker still remembers it.

        Raises `CapabilityError` without the option `retain`, and `TransportError` where it cannot be told, as
        `address` is subscribed to on this connection and what is not acknowledged holds the window.
        """
        connection, topic = self._opened, to_mqtt(parse_address(address))
        if not self._capabilities.last_value:
            raise self._lacks("the last value of an address (set ?retain=SECONDS where the broker can)")
        async with self._change(topic):
            found = self._asked[topic] = []
            route = self._topics.get(topic) or self._new_route(parse_pattern(address), None, topic)
            try:
                held = connection.in_hand.is_full
                await self._put_in_force(connection, route, retained=True)
                await connection.barrier()
                if route.members and not found and (held or connection.in_hand.is_full):
                    raise TransportError(
                        f"{self._shown}: the last value of {address} cannot be told, as the window is held: "
                        "acknowledge what was delivered, or set ?window= higher"
                    )
            finally:
                del self._asked[topic]
                if not route.members and route.identifier in self._routes:
                    await self._withdraw(connection, route)
        return found[-1] if found else None

    async def flush(self) -> None:
        """A real barrier. Raises `TransportError` where the connection broke and something may be lost."""
        await self._opened.flush()

    async def lost(self) -> TransportError:
        """See `Transport.lost`: another client that has its name takes the session."""
        return await self._opened.lost()

    async def close(self) -> None:
        """Deliver what has arrived (not to those that are paused), send what waits, disconnect. Idempotent."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            self._ending = Ending(partial(self._end, connection))
        if self._ending is not None:
            await self._ending()

    async def _end(self, connection: Connection) -> None:
        try:
            await connection.close(self._drain)
        finally:
            self._stop()

    def abort(self) -> None:
        """End the connection as a crash would: nothing is drained, and the broker publishes the death notice.

        Idempotent.
        """
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.abort()
            self._stop()

    def _stop(self) -> None:
        """What members have is the broker's to send again: its connection is over."""
        for route in self._routes.values():
            for member in list(route.members):
                member.stop()
        self._routes.clear()
        self._topics.clear()

    # ------------------------------------------------------------------- routes

    def _change(self, topic: str) -> asyncio.Lock:
        """Held by who changes what is asked of the broker for `topic`: one at a time, and the others are not delayed."""
        return self._changing.setdefault(topic, asyncio.Lock())

    def _new_route(self, pattern: Pattern, group: str | None, topic: str) -> Route:
        self._last_identifier += 1
        return Route(pattern, group, self._last_identifier, topic)

    async def _put_in_force(self, connection: Connection, route: Route, *, retained: bool = False) -> None:
        known = route.topic in self._topics
        self._routes[route.identifier] = self._topics[route.topic] = route
        try:
            sure = Guarantee.AT_LEAST_ONCE in self._capabilities.guarantees
            qos = 1 if sure and route.members else 0  # to ask for a last value needs no place in the window
            await connection.subscribe(route.identifier, route.topic, qos, retained=retained)
        except BaseException:
            if not known:
                self._forget(route)
            raise

    async def _withdraw(self, connection: Connection, route: Route) -> None:
        try:
            await connection.unsubscribe(route.identifier)
        finally:
            self._forget(route)

    def _forget(self, route: Route) -> None:
        self._routes.pop(route.identifier, None)
        self._topics.pop(route.topic, None)

    async def _close(self, member: MqttSubscription) -> None:
        """End `member`. The last one of a group has what is on its way until the broker sends nothing more: it would
        be lost otherwise."""
        route, connection = member.route, self._connection
        if connection is None or not route.shared or len(route.members) > 1:
            member.end()
        try:
            async with self._change(route.topic):
                if (
                    connection is not None
                    and route.is_without(member)
                    and self._topics.get(route.topic) is route
                ):
                    await self._withdraw(connection, route)
        finally:
            member.end()

    async def _drain(self) -> None:
        routes = list(self._routes.values())
        for route in routes:
            for member in list(route.members):
                member.drain()
        for route in routes:
            await route.settle()

    def _on_contact(self, resumed: bool) -> None:
        for route in self._routes.values():
            route.begin(resumed=resumed)

    def _on_refusal(self, identifier: int) -> None:
        route = self._routes.get(identifier)
        if route is not None:
            self._forget(route)
            for member in list(route.members):
                member.end()

    # ---------------------------------------------------------------- messages

    def _native(self, frame: Frame) -> Native:
        native = self._encode(frame)
        if self._retain is not None and not native.payload:
            return structured(frame)  # an empty message would make the broker forget the last value
        return native

    def _check_size(self, payload: bytes, limit: int) -> None:
        if len(payload) > limit:
            raise PayloadTooLarge(
                f"{self._shown}: {len(payload)} octets of data are over the limit of {limit}"
            )

    def _write(self, topic: bytes, native: Native, packet: int = 0, again: bool = False) -> bytes:
        kind, user, payload = native
        return wire.publish(topic, payload, kind, user, packet=packet, retain=self._retain, again=again)

    def _receive(self, connection: Connection, publish: wire.Publish) -> None:
        confirm = connection.in_hand.confirmation(publish.packet) if publish.packet else None
        try:
            address = str(from_mqtt(publish.topic))
            properties = publish.properties
            kind = properties.text(wire.Property.CONTENT_TYPE)
            frame = decode(Native(kind, properties.user, publish.payload))
        except ComityError as error:
            _log.warning("a message on %r is no event and was ignored: %s", publish.topic, error)
            if confirm is not None:
                confirm()
            return
        message = Message(
            address, frame, publish.packet, len(publish.payload), publish.again, confirm, holders=1
        )
        if publish.retained:
            self._asked.get(publish.topic, []).append(frame)
        else:
            for identifier in properties.subscriptions:
                route = self._routes.get(identifier)
                if route is not None:
                    route.deliver(message)
                elif publish.packet:
                    self._count_late(publish.topic)
        message.let_go()

    def _count_late(self, topic: str) -> None:
        """What the broker had queued for a subscription that is over; said at the first and at each doubling."""
        self._late += 1
        if self._late.bit_count() == 1:
            _log.warning(
                "%s: dropped what came for a subscription that has ended, %d messages by now, the last on %r",
                self._shown,
                self._late,
                topic,
            )

    @property
    def _opened(self) -> Connection:
        if self._connection is None:
            raise TransportError(f"{self._shown} is not open: call open() first")
        return self._connection

    def _lacks(self, what: str) -> CapabilityError:
        return CapabilityError(f"{self._shown}: this broker, so used, does not offer {what}")


def _filter(pattern: Pattern, group: str | None) -> str:
    levels = ["+" if level == "*" else level for level in pattern.levels]
    topic = "/".join([*pattern.stem.split("."), *levels, *(["#"] if pattern.tail else [])])
    return f"$share/{quote(group, safe='')}/{topic}" if group else topic


def _offered(ours: Capabilities, offers: wire.Properties) -> Capabilities:
    """What of `ours` the broker offers; what it does not mention it has."""
    numbers, known = offers.numbers, wire.Property
    largest = numbers.get(known.MAXIMUM_PACKET, LARGEST)
    return replace(
        ours,
        groups=numbers.get(known.SHARED_AVAILABLE, 1) == 1,
        last_value=ours.last_value and numbers.get(known.RETAIN_AVAILABLE, 1) == 1,
        guarantees=ours.guarantees
        if numbers.get(known.MAXIMUM_QOS, 2)
        else frozenset({Guarantee.AT_MOST_ONCE}),
        max_payload=max(0, min(_PAYLOAD, largest - _FOR_ATTRIBUTES)),
    )


_: type[Transport] = MqttTransport
