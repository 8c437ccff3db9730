"""The contract of TLS: an adapter's test module takes these with `from … import *`.

It provides the fixture `showing`: called with the settings of a certificate, a context that gives the URL of a broker
that shows it.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import pytest

from .certificates import Authority
from .connections import opened, refused
from .harness import Inbox, frame

__all__ = [
    "Showing",
    "authority",
    "test_a_broker_that_wants_a_client_certificate",
    "test_an_expired_certificate",
    "test_tls_with_our_authority",
]


class Showing(Protocol):
    """A broker for the block that shows a certificate which ends in `days`, and with `verify` asks for one itself."""

    def __call__(
        self, authority: Authority, *, days: int = 1, verify: bool = False
    ) -> AbstractContextManager[str]: ...


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Who signs the certificates of the tests."""
    return Authority(tmp_path_factory.mktemp("ours"))


async def test_tls_with_our_authority(showing: Showing, authority: Authority, tmp_path: Path) -> None:
    with showing(authority) as url:
        async with opened(f"{url}?ca={authority.file}") as transport:
            inbox = Inbox()
            await transport.subscribe("a.b.v1.c", inbox)
            await transport.publish("a.b.v1.c", frame())
            await inbox.expect(1)
        await refused(url, "certificate is not trusted: name its authority with")
        await refused(f"{url}?ca={Authority(tmp_path).file}", "certificate is not trusted")
        named = url.replace("127.0.0.1", "localhost")
        await refused(
            f"{named}?ca={authority.file}", "certificate is for other names: connect by one of them"
        )


async def test_an_expired_certificate(showing: Showing, authority: Authority) -> None:
    with showing(authority, days=-1) as url:
        await refused(f"{url}?ca={authority.file}", "has expired: renew it, or set this clock right")


async def test_a_broker_that_wants_a_client_certificate(showing: Showing, authority: Authority) -> None:
    cert, key = authority.issue("client")
    with showing(authority, verify=True) as url:
        url = f"{url}?ca={authority.file}"
        async with opened(f"{url}&cert={cert}&key={key}") as transport:
            await transport.flush()
        await refused(url, r"\?cert=")
