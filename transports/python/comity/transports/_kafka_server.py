"""Starting a real Apache Kafka on loopback: one node in KRaft mode, broker and controller in one process.

Responsible for its configuration, for formatting its storage and for the wait until a produced message came
back. Not responsible for the jars (`_kafka_jars.py`), nor for keeping track of what runs (`brokers.py`).
"""

from __future__ import annotations

import asyncio
import base64
import os
import socket
import subprocess
import threading
from contextlib import ExitStack, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from comity.sdk.errors import ConfigError, TransportError
from comity.transports._kafka_jars import find_java, jars
from comity.transports._processes import launch

__all__ = ["start"]

_READY: Final = 60.0
_JAVA: Final = ("-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")
_LOG4J: Final = """<Configuration status="error"><Appenders><Console name="out">
<PatternLayout pattern="%d %p %m (%c)%n"/></Console></Appenders>
<Loggers><Root level="warn"><AppenderRef ref="out"/></Root></Loggers></Configuration>
"""
_PROPERTIES: Final = """process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={data}
num.partitions=1
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.cleaner.backoff.ms=200
broker.session.timeout.ms=1000
broker.heartbeat.interval.ms=200
"""


def start(directory: Path, *, config: str, port: int | None) -> tuple[int, int]:
    """Start a broker that keeps everything in `directory`; return its process id and port once it answers.

    `config` is added to its properties, with its ports for `{port}` and `{peer}` (the controller's); of two lines with one
    name the last counts. Without `port` a
    free one is taken. The process is not tied to this one. Raises `ConfigError` where Java, Maven or aiokafka
    is missing, `TransportError` with the end of its log when it does not come up.
    """
    _require_client()
    java, classes = find_java(), jars()
    port, controller = _free_ports(port)
    file, log, data = directory / "server.properties", directory / "kafka.log", directory / "data"
    file.write_text(
        _PROPERTIES.format(port=port, controller=controller, data=data)
        + config.replace("{port}", str(port)).replace("{peer}", str(controller)),
        encoding="utf-8",
    )
    (directory / "log4j2.xml").write_text(_LOG4J, encoding="utf-8")
    command = [
        java,
        *_JAVA,
        f"-Dlog4j2.configurationFile={directory / 'log4j2.xml'}",
        "-cp",
        f"{classes}/*",
    ]
    if not (data / "meta.properties").exists():
        _format(command, file)
    command += ["kafka.Kafka", str(file)]
    return launch(
        "Kafka", command, log, lambda _: port if _listens(port) and _echoes(port) else None, seconds=_READY
    )


def _require_client() -> None:
    if find_spec("aiokafka") is None:
        raise ConfigError("whether Kafka is ready is asked with aiokafka: pip install comity[kafka]")


def _free_ports(port: int | None) -> tuple[int, int]:
    """`port`, or a free one, and another free one."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(2)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        free, controller = (int(one.getsockname()[1]) for one in sockets)
    return port or free, controller


def _format(command: list[str], file: Path) -> None:
    cluster = base64.urlsafe_b64encode(os.urandom(16)).decode().rstrip("=")
    done = subprocess.run(
        [*command, "kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "-c", str(file)],
        capture_output=True,
        text=True,
        timeout=_READY,
        check=False,
    )
    if done.returncode:
        raise TransportError(f"Kafka's storage cannot be formatted: {(done.stdout + done.stderr)[-1000:]}")


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _echoes(port: int) -> bool:
    """Whether a produced message comes back; asked from a thread, since the caller's may run an event loop."""
    from comity.transports._kafka_probe import echo

    came_back: list[bool] = []
    thread = threading.Thread(target=lambda: came_back.append(asyncio.run(echo(f"127.0.0.1:{port}"))))
    thread.start()
    thread.join()
    return came_back == [True]
