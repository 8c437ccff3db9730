"""`deploy/`: the compose file is one, what it names is there, and its servers' configuration runs.

There is no container runtime in these tests: images are neither built nor started. The three nats-servers run as processes,
from the very configuration and certificates that the containers would be given.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import compose_spec
import pytest
import yaml

from comity.mesh import Mesh, running_registry
from comity.sdk.config import load_config
from comity.sdk.errors import ComityError, TransportError
from comity.transports import connect, open_journal
from comity.transports._nats_server import find
from tests.faults.processes import eventually

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
TEXT = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
NODES = ("nats-1", "nats-2", "nats-3")
REPLICAS = ("registry-1", "registry-2", "registry-3")


def compose(text: str = TEXT) -> dict[str, Any]:
    """The file with defaults put in and merges resolved, accepted by the specification. Raises `ValueError`."""
    plain = yaml.safe_load(re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text))
    compose_spec.PyCompose.from_json(json.dumps(plain))
    return plain  # type: ignore[no-any-return]


def certified(directory: Path) -> Path:
    """What the command in the head of the file makes."""
    command = next(line for line in TEXT.splitlines() if "certificates.sh" in line).removeprefix("#").split()
    assert shutil.which("openssl"), "openssl is missing (on Debian: apt-get install openssl)"
    script = DEPLOY / command[0]
    subprocess.run([script, str(directory / command[1]), *command[2:]], check=True, timeout=60)
    return directory / command[1]


def test_it_is_a_compose_file() -> None:
    assert set(compose()["services"]) == {*NODES, *REPLICAS}


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("stop_grace_period: 30s", "stop_grace_period: soon"),
        ("restart: unless-stopped", "restrat: unless-stopped"),
        ("interval: 2s", "intervall: 2s"),
        ("condition: service_healthy", "condition: service_happy"),
        ("data-1: {}", "data-1: []"),
    ],
)
def test_one_that_is_wrong_is_refused(good: str, bad: str) -> None:
    assert good in TEXT
    with pytest.raises(ValueError):
        compose(TEXT.replace(good, bad))


def test_everything_that_it_names_is_there(tmp_path: Path) -> None:
    plain = compose()
    made = {f"./certs/{file.name}" for file in certified(tmp_path).iterdir()}
    assert {secret["file"] for secret in plain["secrets"].values()} <= made
    assert all((DEPLOY / config["file"]).is_file() for config in plain["configs"].values())
    for service in plain["services"].values():
        named = {each if isinstance(each, str) else each["source"] for each in service["secrets"]}
        assert named <= plain["secrets"].keys()
        assert {volume.partition(":")[0] for volume in service.get("volumes", ())} <= plain["volumes"].keys()
    build = plain["services"]["registry-1"]["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).is_file()


def test_no_two_nodes_share_a_name_or_a_disk_and_each_replica_asks_another_node() -> None:
    services = compose()["services"]
    assert {services[node]["environment"]["NAME"] for node in NODES} == set(NODES)
    assert len({services[node]["volumes"][0] for node in NODES}) == 3
    asked = {services[replica]["environment"]["COMITY_TRANSPORT"].partition("?")[0] for replica in REPLICAS}
    assert asked == {f"tls://{node}:4222" for node in NODES}


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        found = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in found:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in found]


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[Path, dict[str, int]]]:
    """The three servers as processes, with the container's paths, names and ports put in place of its own."""
    certs, ports = certified(tmp_path), free_ports(6)
    clients: dict[str, int] = dict(zip(NODES, ports[:3], strict=True))
    routes: dict[str, int] = dict(zip(NODES, ports[3:], strict=True))
    with ExitStack() as stack:
        for node in NODES:
            stack.callback(_end, _start(tmp_path / node, node, certs, clients, routes))
        yield certs, clients


def _start(
    home: Path, node: str, certs: Path, clients: dict[str, int], routes: dict[str, int]
) -> subprocess.Popen[bytes]:
    service = compose()["services"][node]
    home.mkdir()
    for each in service["secrets"]:
        source, target = (each, each) if isinstance(each, str) else (each["source"], each["target"])
        shutil.copy(certs / source, home / target)
    text = (DEPLOY / "nats.conf").read_text(encoding="utf-8")
    replaced = {"/run/secrets": str(home), "/data": str(home / "data"), "127.0.0.1:8222": "127.0.0.1:-1"}
    replaced |= {"0.0.0.0:4222": f"127.0.0.1:{clients[node]}", "0.0.0.0:6222": f"127.0.0.1:{routes[node]}"}
    replaced |= {f"{each}:6222": f"127.0.0.1:{port}" for each, port in routes.items()}
    for old, new in replaced.items():
        assert old in text
        text = text.replace(old, new)
    (home / "nats.conf").write_text(text, encoding="utf-8")
    environment = {"NAME": node, "ADVERTISED": f"127.0.0.1:{clients[node]}"}
    assert environment.keys() == service["environment"].keys()
    log = (home / "log").open("wb")
    with log:
        return subprocess.Popen([find(), "--config", str(home / "nats.conf")], env=environment, stderr=log)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(20)


def _urls(
    replica: str, certs: Path, clients: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> tuple[str, str]:
    """Transport and journal of a replica as Comity reads them from its environment, with this machine's places."""
    for name, value in compose()["services"][replica]["environment"].items():
        monkeypatch.setenv(name, value)
    config = load_config()
    assert config.namespace == "default"
    urls = [config.transport, config.journal]
    for node, port in clients.items():
        urls = [url.replace(f"{node}:4222", f"127.0.0.1:{port}") for url in urls]
    return urls[0].replace("/run/secrets", str(certs)), urls[1].replace("/run/secrets", str(certs))


async def _formed(journal: str) -> None:
    """Return once the three of them keep a journal together."""
    while True:
        try:
            async with open_journal(journal):
                return
        except ComityError:
            await asyncio.sleep(0.2)


@pytest.mark.broker
@pytest.mark.slow
async def test_its_servers_form_a_cluster_that_keeps_a_registry(
    cluster: tuple[Path, dict[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    certs, clients = cluster
    transport, journal = _urls("registry-2", certs, clients, monkeypatch)
    elsewhere, _ = _urls("registry-3", certs, clients, monkeypatch)
    async with asyncio.timeout(60):
        await _formed(journal)
        async with running_registry(transport, journal), Mesh.connect(elsewhere, agent="one") as mesh:
            await mesh.registry.register(capabilities=["text.translate"])
            assert await mesh.registry.count(capability="text.translate") == 1


@pytest.mark.broker
@pytest.mark.slow
async def test_nobody_gets_in_without_a_certificate(cluster: tuple[Path, dict[str, int]]) -> None:
    certs, clients = cluster
    url = f"tls://127.0.0.1:{clients['nats-1']}?ca={certs / 'ca.pem'}&timeout=5"
    await eventually(lambda: _listens(clients["nats-1"]), "the server does not listen", 20)
    with pytest.raises(TransportError):
        await connect(url).open()


def _listens(port: int) -> bool:
    with socket.socket() as attempt:
        return attempt.connect_ex(("127.0.0.1", port)) == 0
