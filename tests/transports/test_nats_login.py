"""Logging in to a nats-server with NKeys and with an operator's JWTs."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from comity.sdk.errors import ConfigError, TransportError
from comity.transports import connect
from tests.conftest import broker_or_policy
from tests.transports.connections import opened, refused
from tests.transports.harness import Inbox, frame, until
from tests.transports.nats_jwt import Issuer, Operator, seed_file

pytestmark = pytest.mark.broker


async def test_an_nkey_opens_the_account_that_knows_it(tmp_path: Path) -> None:
    anna, bob, stranger = (Issuer.user() for _ in range(3))
    accounts = (
        f"accounts {{ A: {{users: [{{nkey: {anna.public}}}]}}, "
        f"B: {{users: [{{nkey: {bob.public}, permissions: {{publish: 'mine.>'}}}}]}} }}"
    )
    with broker_or_policy("nats", accounts) as broker:
        as_anna, as_bob = (f"{broker.url}?nkey={seed_file(tmp_path, one)}" for one in (anna, bob))
        async with opened(as_anna) as first:
            here, there = Inbox(), Inbox()
            await first.subscribe("mine.test.v1.things", here)
            async with opened(as_bob) as second:
                await second.subscribe("mine.test.v1.things", there)
                await first.publish("mine.test.v1.things", frame(b"of A"))
                await second.publish("mine.test.v1.things", frame(b"of B"))
                assert (await here.expect(1)).datas == [b"of A"], "accounts do not hear each other"
                assert (await there.expect(1)).datas == [b"of B"]
                await second.publish("others.test.v1.things", frame())
                with pytest.raises(TransportError, match="grant it"):
                    await second.flush()
        message = await refused(f"{broker.url}?nkey={seed_file(tmp_path, stranger)}", "refuses this NKey")
        assert stranger.public in message, "the public key is what has to be made known"
        assert stranger.seed.decode() not in message
        await refused(broker.url, "refuses these credentials")


async def test_a_jwt_opens_its_account_until_it_expires_or_is_revoked(tmp_path: Path) -> None:
    operator, other = Operator(tmp_path), Operator(tmp_path)
    good = operator.creds("good")
    expired = operator.creds("expired", expires=time.time() - 3600)
    revoked = operator.creds("revoked", revoked=True)
    foreign = other.creds("foreign")
    with broker_or_policy("nats", operator.config()) as broker:
        async with opened(f"{broker.url}?creds={good}") as transport:
            inbox = Inbox()
            await transport.subscribe("mine.test.v1.things", inbox)
            await transport.publish("mine.test.v1.things", frame())
            await inbox.expect(1)
        await refused(f"{broker.url}?creds={expired}", r"expired on \d{4}-.*: renew the file")
        message = await refused(f"{broker.url}?creds={revoked}", "whether it is revoked")
        assert "eyJ" not in message, "no JWT is shown"
        await refused(f"{broker.url}?creds={foreign}", "another operator")
        await refused(broker.url, "refuses these credentials")


async def test_a_file_that_is_renewed_is_read_again_when_the_connection_is_made_anew(tmp_path: Path) -> None:
    operator = Operator(tmp_path)
    operator.creds("anna", expires=time.time() + 3600)
    with broker_or_policy("nats", operator.config()) as broker:
        async with opened(f"{broker.url}?creds={tmp_path / 'anna.creds'}", timeout=10) as transport:
            inbox = Inbox()
            await transport.subscribe("mine.test.v1.things", inbox)
            broker.kill()
            (tmp_path / "anna.creds").unlink()
            operator.creds("anna")
            broker.restart()
            await transport.publish("mine.test.v1.things", frame())
            with pytest.raises(TransportError, match="may not have arrived"):
                await transport.flush()  # once the connection is back
            inbox.clear()
            await transport.publish("mine.test.v1.things", frame())
            await inbox.expect(1)


async def test_a_jwt_that_expires_while_connected_is_said_and_a_renewed_file_mends_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    operator = Operator(tmp_path)
    creds = operator.creds("short", expires=time.time() + 2)
    with broker_or_policy("nats", operator.config()) as broker:
        async with opened(f"{broker.url}?creds={creds}", timeout=10) as transport:
            inbox = Inbox()
            await transport.subscribe("mine.test.v1.things", inbox)
            await until(lambda: "authentication expired" in caplog.text)
            creds.unlink()
            operator.creds("short")
            await transport.flush()  # once the connection is back
            await transport.publish("mine.test.v1.things", frame())
            await inbox.expect(1)


def test_a_file_that_holds_no_credentials_is_named_and_never_shown(tmp_path: Path) -> None:
    account, user = Issuer.account(), Issuer.user()
    bad = {
        "empty": b"",
        "binary": bytes(range(256)),
        "cut": user.seed[:20],
        "account": account.seed,
        "words": b"correct horse battery staple",
    }
    for name, octets in bad.items():
        (tmp_path / name).write_bytes(octets)
        for option in ("nkey", "creds"):
            with pytest.raises(ConfigError, match=f"{option}=.*/{name} ") as caught:
                connect(f"nats://h?{option}={tmp_path / name}")
            assert not octets or octets.decode("latin-1") not in str(caught.value)
    with pytest.raises(ConfigError, match="nkey=/nowhere/seed cannot be read: No such file"):
        connect("nats://h?nkey=/nowhere/seed")


@pytest.mark.parametrize(
    "url",
    [
        "nats://anna:secret@h?nkey={seed}",
        "nats://secret@h?creds={creds}",
        "nats://h?nkey={seed}&creds={creds}",
    ],
)
def test_only_one_way_to_log_in_is_taken(tmp_path: Path, url: str) -> None:
    seed = seed_file(tmp_path, Issuer.user())
    with pytest.raises(ConfigError, match="log in by one of") as caught:
        connect(url.format(seed=seed, creds=Operator(tmp_path).creds("anna")))
    assert "secret" not in str(caught.value)


def test_a_seed_is_not_in_what_is_printed_of_settings(tmp_path: Path) -> None:
    from comity.transports._nats_url import NUMBERS, settings

    user = Issuer.user()
    made = settings("nats://h", {**NUMBERS, "nkey": str(seed_file(tmp_path, user))})
    assert user.seed.decode() not in repr(made)


def test_without_nkeys_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "comity.transports._nats_credentials", raising=False)
    monkeypatch.setitem(sys.modules, "nkeys", None)
    with pytest.raises(ConfigError, match=r"pip install comity\[nats\]"):
        connect(f"nats://h?nkey={tmp_path}")
