"""Whether NATS servers serve: what is published comes back, and of several servers, what is replicated from each.

Responsible for the questions, asked over plain sockets, since nats-py may be missing where a server is started. Not
responsible for how long to go on asking.
"""

from __future__ import annotations

import json
import os
import socket
import ssl
from collections.abc import Generator
from contextlib import ExitStack, closing, contextmanager
from typing import Any, BinaryIO, Final

from comity.transports._layout import HOST, Layout, Seat

__all__ = ["echoes", "replicates"]

_STREAM: Final = "comity-ready"
_WAIT: Final = 2.0
_CONNECT: Final = b'CONNECT {"verbose":false,"pedantic":false,"headers":false}\r\n'
_TLS_REQUIRED: Final = b'"tls_required":true'


def echoes(layout: Layout, seat: Seat) -> bool:
    """Whether a message comes back; a refusal of our missing credentials or of plain text is an answer too."""
    try:
        with _connected(layout, seat) as (lines, connection):
            if connection is None:
                return True
            connection.sendall(b"SUB comity.ready 1\r\nPUB comity.ready 2\r\nok\r\n")
            return lines.readline().startswith((b"MSG", b"-ERR"))
    except OSError:
        return False


def replicates(layout: Layout) -> bool:
    """Whether a stream on all servers takes an entry through each of them, and each of them has it."""
    try:
        return _replicates(layout)
    except (OSError, ValueError, KeyError):
        return False


def _replicates(layout: Layout) -> bool:
    with ExitStack() as stack:
        servers = [_Requests(*stack.enter_context(_connected(layout, seat))) for seat in layout.seats]
        if any(server.refused for server in servers):
            return True
        config = {
            "name": _STREAM,
            "subjects": ["_comity.ready"],
            "num_replicas": len(servers),
            "storage": "memory",
            "max_msgs": 100,
        }
        created = servers[0].ask(f"$JS.API.STREAM.CREATE.{_STREAM}", config)
        if "error" in created:
            return False
        for server in servers:
            entry = os.urandom(8).hex()
            position = server.ask("_comity.ready", entry)["seq"]
            for other in servers:
                found = other.ask(f"$JS.API.STREAM.MSG.GET.{_STREAM}", {"seq": position})
                if "message" not in found:
                    return False
        cluster = servers[0].ask(f"$JS.API.STREAM.INFO.{_STREAM}", {})["cluster"]
        replicas: list[dict[str, Any]] = cluster["replicas"]
        if len(replicas) != len(servers) - 1 or not all(one["current"] for one in replicas):
            return False
        return bool(servers[0].ask(f"$JS.API.STREAM.DELETE.{_STREAM}", {}).get("success"))


class _Requests:
    """Requests to one server, one after the other. `refused` where it does not talk to those without credentials."""

    def __init__(self, lines: BinaryIO, connection: socket.socket | None) -> None:
        self._lines, self._connection = lines, connection
        self._inbox = f"_INBOX.{os.urandom(8).hex()}"
        self.refused = connection is None
        if connection is not None:
            connection.sendall(f"SUB {self._inbox} 1\r\nPING\r\n".encode())
            self.refused = not lines.readline().startswith(b"PONG")

    def ask(self, subject: str, what: object) -> dict[str, Any]:
        """The answer to a request. Raises `OSError` where none comes in time, `ValueError` where it is none."""
        assert self._connection is not None
        data = json.dumps(what).encode()
        self._connection.sendall(
            b"PUB %b %b %d\r\n%b\r\n" % (subject.encode(), self._inbox.encode(), len(data), data)
        )
        while True:
            line = self._lines.readline()
            if line.startswith(b"MSG"):
                found: dict[str, Any] = json.loads(self._lines.read(int(line.split()[-1]) + 2))
                return found
            if not line or line.startswith(b"-ERR"):
                raise ConnectionError(line.decode(errors="replace"))
            if line.startswith(b"PING"):
                self._connection.sendall(b"PONG\r\n")


@contextmanager
def _connected(layout: Layout, seat: Seat) -> Generator[tuple[BinaryIO, socket.socket | None], None, None]:
    """A connection that has been greeted; None instead of it where the server wants TLS that is not ours."""
    with socket.create_connection((HOST, seat.port), timeout=_WAIT) as plain:
        greeting = _line(plain)
        if not greeting.startswith(b"INFO"):
            raise ConnectionError("no greeting")
        trust = layout.trust()
        with ExitStack() as stack:
            connection: socket.socket = plain
            if trust is not None:
                connection = stack.enter_context(_secured(trust, plain))
            lines = stack.enter_context(closing(connection.makefile("rb")))
            if trust is None and _TLS_REQUIRED in greeting:
                yield lines, None
                return
            connection.sendall(_CONNECT)
            yield lines, connection


def _secured(trust: ssl.SSLContext, plain: socket.socket) -> ssl.SSLSocket:
    return trust.wrap_socket(plain, server_hostname=HOST)


def _line(connection: socket.socket) -> bytes:
    """The first line, octet by octet: what follows it belongs to TLS."""
    found = b""
    while not found.endswith(b"\n"):
        octet = connection.recv(1)
        if not octet:
            raise ConnectionError("closed")
        found += octet
    return found
