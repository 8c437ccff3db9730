"""What a broker looks like before it runs: its nodes, their ports and files, and what each kind of server must know.

Responsible for shapes, for free ports, and for the certificates that nodes share. Not responsible for any one kind of
server, nor for processes.
"""

from __future__ import annotations

import random
import socket
import ssl
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from comity.sdk.errors import ConfigError, TransportError

__all__ = ["HOST", "Layout", "Seat", "Server", "free_ports", "lay_out", "listens", "opened"]

HOST: Final = "127.0.0.1"
_PORTS: Final = range(20_000, 32_768)
_DAYS: Final = 365
_WAIT: Final = 1.0


@dataclass(frozen=True, slots=True)
class Seat:
    """Where one node runs: its number from 1, its directory, its port for clients and that for the other nodes."""

    number: int
    directory: Path
    port: int
    peer: int


@dataclass(frozen=True, slots=True)
class Layout:
    """A broker's nodes, and what they share. `config` is added to each node's own configuration as it is."""

    directory: Path
    seats: tuple[Seat, ...]
    tls: bool
    config: str = ""

    @property
    def ca(self) -> Path:
        """Certificate of the authority that signed the nodes' own."""
        return self.directory / "tls" / "ca.pem"

    @property
    def certificate(self) -> Path:
        """The nodes' certificate."""
        return self.directory / "tls" / "server.pem"

    @property
    def key(self) -> Path:
        """The key of the nodes' certificate."""
        return self.directory / "tls" / "server.key"

    @property
    def hosts(self) -> str:
        """All nodes as they stand in a URL, separated by commas."""
        return ",".join(f"{HOST}:{seat.port}" for seat in self.seats)

    def trust(self) -> ssl.SSLContext | None:
        """What verifies these nodes; None without TLS."""
        return ssl.create_default_context(cafile=self.ca) if self.tls else None


class Server(Protocol):
    """One kind of server. `schemes` are those of its URL without TLS and with it, `clusters` whether it has several nodes.

    `patience` is how long, in seconds, a start may take.
    """

    @property
    def schemes(self) -> tuple[str, str]: ...
    @property
    def clusters(self) -> bool: ...
    @property
    def patience(self) -> float: ...
    def version(self) -> str:
        """The version that would run. Raises `ConfigError` that says what to install where it cannot be had."""
        ...

    def prepare(self, layout: Layout) -> None:
        """Write everything that the nodes read when they start, into each one's directory."""
        ...

    def command(self, seat: Seat) -> list[str]:
        """What starts the node that was prepared there, in the foreground."""
        ...

    def answers(self, layout: Layout, seat: Seat) -> bool:
        """Whether that node is up, be the others or not."""
        ...

    def serves(self, layout: Layout) -> bool:
        """Whether what is published comes back; with several nodes, what is replicated, from each of them."""
        ...


def lay_out(directory: Path, *, nodes: int, tls: bool, config: str) -> Layout:
    """A fresh layout in `directory` on ports that are free. Raises `ConfigError` where certificates cannot be made."""
    ports = free_ports(2 * nodes)
    seats = tuple(
        Seat(number, directory / str(number), next(ports), next(ports)) for number in range(1, nodes + 1)
    )
    for seat in seats:
        seat.directory.mkdir()
    layout = Layout(directory, seats, tls, config)
    if tls:
        _certify(layout)
    return layout


def _certify(layout: Layout) -> None:
    try:
        from comity.transports._authority import Authority
    except ModuleNotFoundError as error:
        raise ConfigError("certificates need cryptography: pip install comity[brokers]") from error
    layout.ca.parent.mkdir(mode=0o700)
    Authority(layout.ca.parent, days=_DAYS).issue("server", days=_DAYS)


def free_ports(number: int) -> Iterator[int]:
    """So many free ports, below those of outgoing connections, so that a node that was down finds its own again."""
    found: list[int] = []
    with ExitStack() as stack:
        for port in random.sample(_PORTS, len(_PORTS)):
            if len(found) == number:
                return iter(found)
            probe = stack.enter_context(socket.socket())
            with suppress(OSError):
                probe.bind((HOST, port))
                found.append(port)
    raise TransportError(f"no {number} ports of {HOST} between {_PORTS.start} and {_PORTS.stop} are free")


@contextmanager
def opened(port: int, trust: ssl.SSLContext | None = None) -> Generator[socket.socket, None, None]:
    """A connection to `port` for the block, with TLS where there is something to trust; a wait takes one second."""
    with socket.create_connection((HOST, port), timeout=_WAIT) as plain:
        if trust is None:
            yield plain
        else:
            with trust.wrap_socket(plain, server_hostname=HOST) as secured:
                yield secured


def listens(port: int) -> bool:
    """Whether somebody accepts connections there."""
    with suppress(OSError), opened(port):
        return True
    return False
