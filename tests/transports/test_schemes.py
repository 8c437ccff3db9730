"""`connect` and `open_journal` find adapters by scheme, third parties' too."""

from __future__ import annotations

from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

import comity.transports
from comity.sdk.errors import ConfigError
from comity.transports import connect, masked, open_journal
from comity.transports.journals.memory import MemoryJournal
from comity.transports.memory import MemoryTransport
from comity.transports.mqtt import MqttTransport
from comity.transports.nats import NatsTransport
from tests.transports.certificates import Authority


def test_own_schemes_need_no_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(comity.transports, "entry_points")
    assert isinstance(connect("memory://x"), MemoryTransport)
    assert isinstance(connect("mqtt://x"), MqttTransport)
    assert isinstance(connect("mqtts://x"), MqttTransport)
    assert isinstance(connect("nats://x"), NatsTransport)
    assert isinstance(connect("tls://x"), NatsTransport)
    assert isinstance(connect("ws://x"), MqttTransport)
    assert isinstance(connect("wss://x"), MqttTransport)
    assert isinstance(open_journal("memory:"), MemoryJournal)


@pytest.mark.parametrize("url", ["", "nats", "amqp://guest:secret@x", "amqp://secret@[::1", ":", "//x"])
def test_an_unknown_scheme_names_the_known_ones_and_no_secret(url: str) -> None:
    with pytest.raises(
        ConfigError, match="known are kafka:, kafkas:, memory:, mqtt:, mqtts:, nats:, tls:, ws:, wss:"
    ) as caught:
        connect(url)
    assert "secret" not in str(caught.value)
    with pytest.raises(ConfigError, match="known are jetstream:, kafka:, memory:, sqlite:"):
        open_journal(url)


def test_third_parties_add_schemes_but_shadow_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def points(group: str) -> EntryPoints:
        return EntryPoints(EntryPoint(name, "builtins:dict", group) for name in ("pigeon", "nats"))

    monkeypatch.setattr(comity.transports, "entry_points", points)
    assert isinstance(connect("nats://x"), NatsTransport)
    with pytest.raises(
        ConfigError, match="kafka:, kafkas:, memory:, mqtt:, mqtts:, nats:, pigeon:, tls:, ws:, wss:"
    ):
        connect("owl://x")
    with pytest.raises(ValueError, match="dictionary update sequence"):
        connect("pigeon://x")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("nats://anna:secret@h:1,h:2/?ca=x", "nats://anna:***@h:1,h:2/?ca=x"),
        ("nats://secret@h", "nats://***@h"),
        ("jetstream:nats://anna:secret@h/name?replicas=3", "jetstream:nats://anna:***@h/name?replicas=3"),
        ("kafka:kafkas://secret@[::1", "kafka:kafkas:…"),
        ("nats://anna:sec/ret@h:1", "nats://***@h:1"),
        ("kafka://anna:sec?ret@h:1", "kafka://***@h:1"),
        ("mqtt://anna:sec#ret@h:1?ca=x", "mqtt://***@h:1?ca=x"),
        ("sqlite:/tmp/a.db", "sqlite:/tmp/a.db"),
        ("memory:", "memory:"),
    ],
)
def test_what_is_shown_of_a_url_has_no_secret(url: str, shown: str) -> None:
    assert masked(url) == shown


@pytest.mark.parametrize("scheme", ["nats", "kafka", "mqtt", "mqtts", "ws"])
@pytest.mark.parametrize("mark", ["/", "?", "#"])
def test_a_password_that_is_not_escaped_is_never_shown(scheme: str, mark: str) -> None:
    with pytest.raises(ConfigError) as caught:
        connect(f"{scheme}://anna:QX7{mark}ZK9@host:1234")
    assert "QX7" not in str(caught.value)
    assert "ZK9" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["nats", "kafka", "mqtt", "ws", "memory"])
@pytest.mark.parametrize("query", ["password=QX7", "x=1&password=QX7", "QX7@", "password=QX7&password=QX7"])
def test_an_option_that_there_is_not_is_named_without_what_it_was_given(scheme: str, query: str) -> None:
    with pytest.raises(ConfigError, match=r"unknown option|given twice") as caught:
        connect(f"{scheme}://host?{query}")
    assert "QX7" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["kafkas", "mqtts", "tls"])
def test_a_key_that_is_encrypted_is_refused_and_nobody_asked_on_the_terminal(
    scheme: str, tmp_path: Path
) -> None:
    cert, file = Authority(tmp_path).issue("ours")
    key = serialization.load_pem_private_key(file.read_bytes(), None)
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    file.write_bytes(key.private_bytes(pem, form, serialization.BestAvailableEncryption(b"secret")))
    with pytest.raises(ConfigError, match="the key is encrypted: decrypt it"):
        connect(f"{scheme}://127.0.0.1:1?cert={cert}&key={file}")
