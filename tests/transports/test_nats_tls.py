"""`tls://` keeps the contract of TLS on a real nats-server, and never gives it up."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager

import pytest

from comity.sdk.errors import ConfigError
from comity.transports import connect
from tests.conftest import broker_or_policy
from tests.transports.certificates import Authority
from tests.transports.connections import refused
from tests.transports.harness import until
from tests.transports.secured import *  # noqa: F403
from tests.transports.secured import Showing

pytestmark = pytest.mark.broker


@pytest.fixture
def showing() -> Showing:
    @contextmanager
    def show(authority: Authority, *, days: int = 1, verify: bool = False) -> Generator[str, None, None]:
        cert, key = authority.issue(f"server{days}", days=days)
        files = f'cert_file: "{cert}", key_file: "{key}", ca_file: "{authority.file}"'
        with broker_or_policy("nats", f"tls {{{files}, verify: {str(verify).lower()}}}") as broker:
            yield broker.url.replace("nats:", "tls:")

    return show


async def test_tls_is_never_given_up() -> None:
    said: list[bytes] = []

    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'INFO {"server_id":"x","version":"2.11.0","headers":true,"max_payload":1048576}\r\n')
        said.append(await reader.read(1000))
        writer.close()

    async with await asyncio.start_server(plain, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        await refused(f"tls://anna:secret@127.0.0.1:{port}", "offers no TLS, so nothing was sent")
        await until(lambda: bool(said))
    assert said == [b""]


def test_a_certificate_file_that_is_missing_is_named() -> None:
    with pytest.raises(ConfigError, match="certificate file cannot be used"):
        connect("tls://h?ca=/nowhere/ca.pem")
