"""A broker as it runs: its nodes, each a process that may die and be started again on its own ports and files.

Responsible for starting all nodes of a broker, some of them again, and ending them. Not responsible for any one kind of
server, nor for remembering what runs.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from comity.sdk.errors import ConfigError, TransportError
from comity.transports import _processes
from comity.transports._kafka_server import KafkaServer
from comity.transports._layout import Layout, Seat, Server, lay_out
from comity.transports._mqtt_server import MqttServer
from comity.transports._nats_server import NatsServer

__all__ = ["SERVERS", "Node", "Running", "again", "check", "end", "recall", "serves", "start"]

SERVERS: Final[Mapping[str, Server]] = {"kafka": KafkaServer(), "mqtt": MqttServer(), "nats": NatsServer()}
_CLUSTER: Final = 3
_ATTEMPTS: Final = 5
_TAKEN: Final = "address already in use"
_SHOWN: Final = {"kafka": "Kafka", "mqtt": "mosquitto", "nats": "nats-server"}


@dataclass(frozen=True, slots=True)
class Node:
    """One node: its number from 1, its ports for clients and for the other nodes, its process, where its files are."""

    number: int
    port: int
    peer: int
    pid: int
    started: str
    data: str

    @property
    def alive(self) -> bool:
        """Whether that very process still runs."""
        return _processes.alive(self.pid, self.started)


@dataclass(frozen=True, slots=True)
class Running:
    """A broker that was started here: where to connect, its nodes, and where all of them keep their files."""

    name: str
    url: str
    version: str
    tls: bool
    data: str
    nodes: tuple[Node, ...]

    @property
    def alive(self) -> bool:
        """Whether any node of it still runs."""
        return any(node.alive for node in self.nodes)

    @property
    def pid(self) -> int:
        """The process of its first node."""
        return self.nodes[0].pid

    @property
    def layout(self) -> Layout:
        """Where its nodes run."""
        seats = tuple(Seat(node.number, Path(node.data), node.port, node.peer) for node in self.nodes)
        return Layout(Path(self.data), seats, self.tls)


def recall(kept: Mapping[str, Any]) -> Running:
    """What `dataclasses.asdict` made of a `Running`. Raises `TypeError` or `KeyError` for anything else."""
    members = dict(kept)
    nodes = tuple(Node(**node) for node in members.pop("nodes"))
    return Running(**members, nodes=nodes)


def check(name: str, nodes: int) -> None:
    """Raise `ConfigError` for an unknown broker, or a number of nodes that it cannot have."""
    if name not in SERVERS:
        raise ConfigError(f"no broker {name!r}: known are {', '.join(sorted(SERVERS))}")
    if nodes not in (1, _CLUSTER):
        raise ConfigError(f"{nodes} nodes: a broker here has 1 or {_CLUSTER}")
    if nodes > 1 and not SERVERS[name].clusters:
        raise ConfigError(
            f"{name} cannot have {nodes} nodes: mosquitto has no clustering; leave --nodes out, "
            "or take nats or kafka where a broker has to survive the loss of a node"
        )


def start(name: str, directory: Path, *, nodes: int, tls: bool, config: str) -> Running:
    """Start a broker that keeps everything in `directory`; ready when it returns.

    Ports are free ones, others where somebody else was faster. Raises `ConfigError` where it cannot be had here,
    `TransportError` with the end of the logs when it does not come up.
    """
    check(name, nodes)
    version = SERVERS[name].version()
    for _ in range(_ATTEMPTS - 1):
        try:
            return _start(name, version, lay_out(directory, nodes=nodes, tls=tls, config=config))
        except TransportError as error:
            if _TAKEN not in str(error).lower():
                raise
        for path in directory.iterdir():
            shutil.rmtree(path)
    return _start(name, version, lay_out(directory, nodes=nodes, tls=tls, config=config))


def _start(name: str, version: str, layout: Layout) -> Running:
    server = SERVERS[name]
    server.prepare(layout)
    begun = _launch(name, layout.seats, lambda: server.serves(layout))
    trust = f"?ca={quote(str(layout.ca))}" if layout.tls else ""
    url = f"{server.schemes[layout.tls]}://{layout.hosts}{trust}"
    return Running(name, url, version, layout.tls, str(layout.directory), begun)


def _launch(name: str, seats: Sequence[Seat], ready: Callable[[], bool]) -> tuple[Node, ...]:
    server = SERVERS[name]
    commands = [_processes.Command(server.command(seat), seat.directory / "log") for seat in seats]
    processes = _processes.launch(_SHOWN.get(name, name), commands, ready, seconds=server.patience)
    return tuple(
        Node(seat.number, seat.port, seat.peer, pid, _processes.started(pid) or "", str(seat.directory))
        for seat, pid in zip(seats, processes, strict=True)
    )


def again(broker: Running, numbers: Collection[int]) -> Running:
    """Start those nodes again on their ports and files; ended first if they still run.

    Where that makes all nodes run, it returns once they serve together; else once those have come up by themselves.
    """
    end(broker, numbers)
    server, layout = SERVERS[broker.name], broker.layout
    seats = [seat for seat in layout.seats if seat.number in numbers]
    complete = all(node.alive or node.number in numbers for node in broker.nodes)

    def ready() -> bool:
        if complete:
            return server.serves(layout)
        return all(server.answers(layout, seat) for seat in seats)

    begun = {node.number: node for node in _launch(broker.name, seats, ready)}
    return replace(broker, nodes=tuple(begun.get(node.number, node) for node in broker.nodes))


def serves(broker: Running) -> bool:
    """Whether what is published comes back, with several nodes from each of them."""
    return SERVERS[broker.name].serves(broker.layout)


def end(broker: Running, numbers: Collection[int] | None = None, *, kill: bool = False) -> None:
    """End those nodes, or all; gently first unless `kill`."""
    ended = [node for node in broker.nodes if numbers is None or node.number in numbers]
    _processes.end([(node.pid, node.started) for node in ended], kill=kill)
