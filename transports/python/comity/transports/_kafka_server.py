"""Starting a real Apache Kafka on loopback: nodes in KRaft mode, each broker and controller in one process.

Responsible for its configuration and for formatting its storage. Not responsible for the jars (`_kafka_jars.py`), for
asking whether it serves (`_kafka_probe.py`), nor for keeping track of what runs (`brokers.py`).
"""

from __future__ import annotations

import asyncio
import base64
import os
import subprocess
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from comity.sdk.errors import ConfigError, TransportError
from comity.transports._kafka_jars import find_java, jars, version
from comity.transports._layout import HOST, Layout, Seat, listens

__all__ = ["KafkaServer"]

_FORMAT: Final = 60.0
_JAVA: Final = ("-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")
_LOG4J: Final = """<Configuration status="error"><Appenders><Console name="out">
<PatternLayout pattern="%d %p %m (%c)%n"/></Console></Appenders>
<Loggers><Root level="warn"><AppenderRef ref="out"/></Root></Loggers></Configuration>
"""
_PROPERTIES: Final = """process.roles=broker,controller
node.id={number}
controller.quorum.voters={voters}
listeners={protocol}://127.0.0.1:{port},CONTROLLER://127.0.0.1:{peer}
advertised.listeners={protocol}://127.0.0.1:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SSL:SSL,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name={protocol}
log.dirs={data}
num.partitions=1
default.replication.factor={replicas}
min.insync.replicas={least}
auto.create.topics.enable=false
offsets.topic.replication.factor={replicas}
offsets.topic.num.partitions=1
transaction.state.log.replication.factor={replicas}
transaction.state.log.min.isr={least}
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor={replicas}
share.coordinator.state.topic.min.isr={least}
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.cleaner.backoff.ms=200
broker.session.timeout.ms={session}
broker.heartbeat.interval.ms=200
"""
_TLS: Final = """ssl.keystore.type=PEM
ssl.keystore.location={store}
ssl.truststore.type=PEM
ssl.truststore.location={ca}
"""


class KafkaServer:
    """Apache Kafka; several nodes keep each topic on three of them, of which two confirm a write."""

    schemes = ("kafka", "kafkas")
    clusters = True
    patience = 120.0

    def version(self) -> str:
        """See `Server.version`."""
        if find_spec("aiokafka") is None:
            raise ConfigError("whether Kafka is ready is asked with aiokafka: pip install comity[kafka]")
        find_java()
        jars()
        return version()

    def prepare(self, layout: Layout) -> None:
        """See `Server.prepare`. `config` is added with the node's ports for `{port}` and `{peer}` (the controller's);
        of two lines with one name the last counts.
        """
        if layout.tls:
            _write_store(layout)
        for seat in layout.seats:
            (seat.directory / "server.properties").write_text(_properties(layout, seat), encoding="utf-8")
            (seat.directory / "log4j2.xml").write_text(_LOG4J, encoding="utf-8")
        _format(layout)

    def command(self, seat: Seat) -> list[str]:
        """See `Server.command`."""
        return [*_java(seat), "kafka.Kafka", str(seat.directory / "server.properties")]

    def answers(self, layout: Layout, seat: Seat) -> bool:
        """See `Server.answers`; its controller does so before the others are there."""
        return listens(seat.peer)

    def serves(self, layout: Layout) -> bool:
        """See `Server.serves`; asked from a thread, since the caller's may run an event loop."""
        if not all(listens(seat.port) for seat in layout.seats):
            return False
        from comity.transports._kafka_probe import echo

        came_back: list[bool] = []
        nodes = [seat.number for seat in layout.seats]
        asking = threading.Thread(
            target=lambda: came_back.append(asyncio.run(echo(layout.hosts, nodes, layout.trust())))
        )
        asking.start()
        asking.join()
        return came_back == [True]


def _properties(layout: Layout, seat: Seat) -> str:
    several = len(layout.seats) > 1
    text = _PROPERTIES.format(
        number=seat.number,
        voters=",".join(f"{one.number}@{HOST}:{one.peer}" for one in layout.seats),
        port=seat.port,
        peer=seat.peer,
        protocol="SSL" if layout.tls else "PLAINTEXT",
        data=seat.directory / "data",
        replicas=len(layout.seats),
        least=2 if several else 1,
        session=3000 if several else 1000,
    )
    if layout.tls:
        text += _TLS.format(store=_store(layout), ca=layout.ca)
    config = layout.config.replace("{port}", str(seat.port)).replace("{peer}", str(seat.peer))
    return text + config + "\n"


def _store(layout: Layout) -> Path:
    return layout.key.with_name("kafka.pem")


def _write_store(layout: Layout) -> None:
    """Key and certificate in one file, as Kafka wants them."""
    store = _store(layout)
    store.touch(mode=0o600)
    store.write_bytes(layout.key.read_bytes() + layout.certificate.read_bytes())


def _java(seat: Seat) -> list[str]:
    logging = f"-Dlog4j2.configurationFile={seat.directory / 'log4j2.xml'}"
    return [find_java(), *_JAVA, logging, "-cp", f"{jars()}/*"]


def _format(layout: Layout) -> None:
    """Format the storage of all nodes for one new cluster, at once: most of it is waiting for Java."""
    cluster = base64.urlsafe_b64encode(os.urandom(16)).decode().rstrip("=")
    tool = ["kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "-c"]
    running = [
        subprocess.Popen(
            [*_java(seat), *tool, str(seat.directory / "server.properties")],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for seat in layout.seats
    ]
    try:
        told = [one.communicate(timeout=_FORMAT)[0] for one in running]
    except subprocess.TimeoutExpired as error:
        raise TransportError(f"Kafka's storage was not formatted within {_FORMAT:g} s") from error
    finally:
        for one in running:
            one.kill()
            one.wait()
            if one.stdout is not None:
                one.stdout.close()
    for one, text in zip(running, told, strict=True):
        if one.returncode:
            raise TransportError(f"Kafka's storage cannot be formatted: {text[-1000:]}")
