"""Transports and journals by URL. `connect` and `open_journal` find the adapter for a scheme.

Responsible for the choice of the adapter only; nothing is imported or opened before it is chosen. Third
parties add schemes through the entry-point groups `comity.transports` and `comity.journals`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import Final, cast

from comity.sdk.errors import ConfigError
from comity.sdk.ports import Journal, Transport
from comity.transports._urls import masked

__all__ = ["connect", "masked", "open_journal"]

_TRANSPORTS: Final = {
    "kafka": "comity.transports.kafka:KafkaTransport",
    "kafkas": "comity.transports.kafka:KafkaTransport",
    "memory": "comity.transports.memory:MemoryTransport",
    "mqtt": "comity.transports.mqtt:MqttTransport",
    "mqtts": "comity.transports.mqtt:MqttTransport",
    "nats": "comity.transports.nats:NatsTransport",
    "tls": "comity.transports.nats:NatsTransport",
    "ws": "comity.transports.mqtt:MqttTransport",
    "wss": "comity.transports.mqtt:MqttTransport",
}
_JOURNALS: Final = {
    "jetstream": "comity.transports.journals.jetstream:JetStreamJournal",
    "kafka": "comity.transports.journals.kafka:KafkaJournal",
    "memory": "comity.transports.journals.memory:MemoryJournal",
    "sqlite": "comity.transports.journals.sqlite:SqliteJournal",
}


def connect(url: str, **options: str | float) -> Transport:
    """The transport for `url`, not yet opened: `await transport.open()` connects.

    `options` override those of the URL. Raises `ConfigError` for an unknown scheme or option.
    """
    return cast(Transport, _adapter("transport", "comity.transports", _TRANSPORTS, url)(url, **options))


def open_journal(url: str, **options: str | float) -> Journal:
    """The journal for `url`, not yet opened: `async with` or `await journal.open()` opens it.

    `options` override those of the URL. Raises `ConfigError` for an unknown scheme or option.
    """
    return cast(Journal, _adapter("journal", "comity.journals", _JOURNALS, url)(url, **options))


def _adapter(kind: str, group: str, own: Mapping[str, str], url: str) -> Callable[..., object]:
    scheme, colon, _ = url.partition(":")
    if colon and scheme in own:  # the own ones first: they need no metadata, and nobody can shadow them
        module, _, name = own[scheme].partition(":")
        return cast(Callable[..., object], getattr(import_module(module), name))
    others = {point.name: point for point in entry_points(group=group)}
    if colon and scheme in others:
        return cast(Callable[..., object], others[scheme].load())
    known = ", ".join(f"{name}:" for name in sorted({*own, *others}))
    raise ConfigError(f"no {kind} for {masked(url)!r}: known are {known}")
