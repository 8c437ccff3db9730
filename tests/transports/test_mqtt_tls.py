"""`mqtts://` keeps the contract of TLS on a real mosquitto: it trusts whom it is told to, and shows what it is given."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import pytest

from comity.sdk.errors import ConfigError
from comity.transports import connect
from tests.conftest import broker_or_policy
from tests.transports.certificates import Authority
from tests.transports.connections import refused
from tests.transports.secured import *  # noqa: F403
from tests.transports.secured import Showing

pytestmark = pytest.mark.broker


@pytest.fixture
def showing() -> Showing:
    @contextmanager
    def show(authority: Authority, *, days: int = 1, verify: bool = False) -> Generator[str, None, None]:
        cert, key = authority.issue(f"server{days}", days=days)
        files = f"certfile {cert}\nkeyfile {key}\ncafile {authority.file}"
        with broker_or_policy("mqtt", f"{files}\nrequire_certificate {str(verify).lower()}") as broker:
            yield broker.url.replace("mqtt:", "mqtts:")

    return show


async def test_no_tls_where_it_is_wanted(showing: Showing, authority: Authority) -> None:
    with showing(authority) as url:
        await refused(url.replace("mqtts:", "mqtt:"), "hung up", timeout=1)


def test_a_certificate_file_that_is_missing_is_named() -> None:
    with pytest.raises(ConfigError, match="certificate file cannot be used"):
        connect("mqtts://h?ca=/nowhere/ca.pem")
