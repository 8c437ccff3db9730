"""What `kafka://` and `kafkas://` do where the broker wants to know who comes, and lets not everybody do everything."""

from __future__ import annotations

from pathlib import Path

import pytest

from comity.sdk.errors import TransportError
from comity.sdk.ports import Guarantee
from comity.transports import connect
from tests.transports.certificates import Authority
from tests.transports.connections import opened, refused
from tests.transports.harness import Inbox, frame
from tests.transports.kafka_guarded import PASSWORD, QUOTED, SPACE, Guarded

pytestmark = [pytest.mark.broker, pytest.mark.slow, pytest.mark.xdist_group("kafka")]

SURE = Guarantee.AT_LEAST_ONCE
ANNA, BOB = f"anna:{QUOTED}", f"bob:{QUOTED}"


async def works(url: str) -> None:
    """Assert that whoever connects there publishes and is delivered to, alone and as a member."""
    alone, member = Inbox(), Inbox()
    async with opened(url) as transport:
        await transport.subscribe(f"{SPACE}.open", alone)
        await transport.subscribe(f"{SPACE}.open", member, group="allowed")
        await transport.publish(f"{SPACE}.open", frame(b"1"), guarantee=SURE)
        await alone.expect(1)
        await member.expect(1)
        member[0].ack()


# ------------------------------------------------------------------ credentials


@pytest.mark.parametrize("query", ["", "sasl=plain", "sasl=scram-sha-256", "sasl=SCRAM-SHA-512"])
async def test_a_password(guarded: Guarded, query: str) -> None:
    await works(guarded.url("SASL", ANNA, query))


async def test_a_password_over_tls(guarded: Guarded) -> None:
    await works(guarded.url("BOTH", ANNA))


@pytest.mark.parametrize("sasl", ["plain", "scram-sha-256", "scram-sha-512"])
@pytest.mark.parametrize("who", ["anna:wrong-secret", "nobody:wrong-secret"])
async def test_a_wrong_password(guarded: Guarded, sasl: str, who: str) -> None:
    text = await refused(guarded.url("SASL", who, f"sasl={sasl}"), "refuses these credentials: correct user")
    assert "wrong-secret" not in text


async def test_a_mechanism_that_the_broker_does_not_offer(guarded: Guarded) -> None:
    url = guarded.url("BOTH", ANNA, "sasl=plain")
    await refused(url, "does not offer PLAIN: choose what the broker offers: [?]sasl=")


async def test_no_password_where_one_is_wanted(guarded: Guarded) -> None:
    await refused(guarded.url("SASL"), "hung up: it may want TLS .*credentials")


async def test_a_password_where_none_is_wanted(guarded: Guarded) -> None:
    await refused(
        guarded.broker.url.replace("://", f"://{ANNA}@"), "takes no credentials: leave USER:PASSWORD@ out"
    )


async def test_passwords_are_never_shown(guarded: Guarded) -> None:
    transport = connect(guarded.url("SASL", ANNA))
    shown = f"{transport!r} {vars(transport)!r}"
    assert "anna:***@" in shown
    assert PASSWORD not in shown
    assert QUOTED not in shown


def test_a_password_in_the_clear_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    connect("kafka://anna:geheim@h?sasl=plain")
    assert "sends its password unencrypted: use kafkas://, or ?sasl=scram-sha-512" in caplog.text
    assert "geheim" not in caplog.text
    caplog.clear()
    connect("kafka://anna:geheim@h")
    connect("kafkas://anna:geheim@h?sasl=plain")
    assert caplog.text == ""


# ------------------------------------------------------------------------ TLS


async def test_tls_with_our_authority(guarded: Guarded, tmp_path: Path) -> None:
    await works(guarded.url("TLS"))
    bare = f"kafkas://127.0.0.1:{guarded.ports['TLS']}"
    await refused(bare, "certificate is not trusted: name its authority with")
    await refused(f"{bare}?ca={Authority(tmp_path).file}", "certificate is not trusted")
    named = guarded.url("TLS").replace("127.0.0.1", "localhost")
    await refused(named, "certificate is for other names: connect by one of them")


async def test_an_expired_certificate(guarded: Guarded) -> None:
    await refused(guarded.url("EXPIRED"), "has expired: renew it, or set this clock right")


async def test_a_broker_that_wants_a_client_certificate(guarded: Guarded, tmp_path: Path) -> None:
    cert, key = guarded.authority.issue("client")
    await works(guarded.url("MUTUAL", query=f"cert={cert}&key={key}"))
    await refused(guarded.url("MUTUAL"), "certificate|TLS failed")
    foreign, foreign_key = Authority(tmp_path).issue("stranger")
    await refused(guarded.url("MUTUAL", query=f"cert={foreign}&key={foreign_key}"), "TLS failed|hung up")


async def test_tls_where_there_is_none_and_none_where_it_is_wanted(guarded: Guarded) -> None:
    await refused(guarded.broker.url.replace("kafka:", "kafkas:"), "TLS failed|hung up: it may want TLS")
    await refused(f"kafka://127.0.0.1:{guarded.ports['TLS']}", "hung up: it may want TLS")


# ---------------------------------------------------------------- permissions


async def test_a_topic_that_may_not_be_written(guarded: Guarded) -> None:
    async with opened(guarded.url("SASL", BOB), timeout=3) as transport:
        with pytest.raises(TransportError, match=r"mute.*permission"):
            await transport.publish(f"{SPACE}.mute", frame(), guarantee=SURE)
        await transport.publish(f"{SPACE}.mute", frame())
        with pytest.raises(TransportError, match=r"mute.*permission"):
            await transport.flush()
        await transport.publish(f"{SPACE}.open", frame(), guarantee=SURE)


async def test_a_topic_that_may_not_be_read(guarded: Guarded) -> None:
    inbox = Inbox()
    async with opened(guarded.url("SASL", BOB), timeout=3) as transport:
        await transport.subscribe(f"{SPACE}.open", inbox)
        for group in (None, "allowed"):
            with pytest.raises(TransportError, match=r"secret may not be read: .*permission"):
                await transport.subscribe(f"{SPACE}.secret", Inbox(), group=group)
        await transport.publish(f"{SPACE}.open", frame(), guarantee=SURE)
        await inbox.expect(1)


@pytest.mark.parametrize("channel", ["hidden", "unmade"])
async def test_a_topic_that_may_not_even_be_seen(guarded: Guarded, channel: str) -> None:
    async with opened(guarded.url("SASL", BOB), timeout=3) as transport:
        for attempt in (
            transport.publish(f"{SPACE}.{channel}", frame()),
            transport.subscribe(f"{SPACE}.{channel}", Inbox()),
            transport.subscribe(f"{SPACE}.{channel}", Inbox(), group="allowed"),
        ):
            with pytest.raises(TransportError, match=rf"{channel} cannot be made .*permission"):
                await attempt


async def test_a_group_that_may_not_be_joined(guarded: Guarded) -> None:
    async with opened(guarded.url("SASL", BOB), timeout=3) as transport:
        with pytest.raises(TransportError, match=r"open/other.*permission"):
            await transport.subscribe(f"{SPACE}.open", Inbox(), group="other")


async def test_settings_that_may_not_be_read_are_taken_on_trust(
    guarded: Guarded, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(guarded.url("SASL", BOB)) as transport:
        await transport.subscribe(f"{SPACE}.open", Inbox())
        await transport.publish(f"{SPACE}.secret", frame(), guarantee=SURE)
    assert caplog.text.count("their settings may not be read") == 1
