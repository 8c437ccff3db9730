"""`mqtts://` trusts whom it is told to, and shows the certificate that it is given."""

from __future__ import annotations

from pathlib import Path

import pytest

from comity.sdk.errors import ConfigError
from comity.transports import connect
from comity.transports.brokers import Broker
from tests.conftest import broker_or_policy
from tests.transports.certificates import Authority
from tests.transports.connections import opened, refused
from tests.transports.harness import Inbox, frame

pytestmark = pytest.mark.broker


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ours"))


def tls(authority: Authority, *, days: int = 1, verify: bool = False) -> str:
    cert, key = authority.issue(f"server{days}", days=days)
    return (
        f"certfile {cert}\nkeyfile {key}\ncafile {authority.file}\nrequire_certificate {str(verify).lower()}"
    )


def secured(broker: Broker) -> str:
    return broker.url.replace("mqtt:", "mqtts:")


async def test_tls_with_our_authority(authority: Authority, tmp_path: Path) -> None:
    with broker_or_policy("mqtt", tls(authority)) as broker:
        async with opened(f"{secured(broker)}?ca={authority.file}") as transport:
            inbox = Inbox()
            await transport.subscribe("a.b.v1.c", inbox)
            await transport.publish("a.b.v1.c", frame())
            await inbox.expect(1)
        await refused(secured(broker), "certificate is not trusted: name its authority with")
        await refused(f"{secured(broker)}?ca={Authority(tmp_path).file}", "certificate is not trusted")
        named = secured(broker).replace("127.0.0.1", "localhost")
        await refused(
            f"{named}?ca={authority.file}", "certificate is for other names: connect by one of them"
        )
        await refused(broker.url, "hung up", timeout=1)


async def test_an_expired_certificate(authority: Authority) -> None:
    with broker_or_policy("mqtt", tls(authority, days=-1)) as broker:
        await refused(
            f"{secured(broker)}?ca={authority.file}", "has expired: renew it, or set this clock right"
        )


async def test_a_broker_that_wants_a_client_certificate(authority: Authority) -> None:
    cert, key = authority.issue("client")
    with broker_or_policy("mqtt", tls(authority, verify=True)) as broker:
        url = f"{secured(broker)}?ca={authority.file}"
        async with opened(f"{url}&cert={cert}&key={key}") as transport:
            await transport.flush()
        await refused(url, r"\?cert=")


def test_a_certificate_file_that_is_missing_is_named() -> None:
    with pytest.raises(ConfigError, match="certificate file cannot be used"):
        connect("mqtts://h?ca=/nowhere/ca.pem")
