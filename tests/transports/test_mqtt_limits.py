"""Limits that a mosquitto is given, and what `mqtt://` makes of them."""

from __future__ import annotations

import pytest

from comity.sdk.errors import PayloadTooLarge
from comity.transports.brokers import Broker
from tests.conftest import broker_or_policy
from tests.transports.connections import opened
from tests.transports.harness import Inbox, frame, settle, until
from tests.transports.mqtt_servers import SURE, acknowledging, cut

pytestmark = pytest.mark.broker


async def test_the_largest_packet_of_the_broker_is_kept_to() -> None:
    with broker_or_policy("mqtt", "max_packet_size 20000") as broker:
        async with opened(broker.url) as transport:
            inbox, limit = Inbox(), transport.capabilities.max_payload
            assert limit == 20_000 - 8192
            await transport.subscribe("a.b.v1.c", acknowledging(inbox))
            for guarantee in transport.capabilities.guarantees:
                await transport.publish("a.b.v1.c", frame(b"x" * limit), guarantee=guarantee)
                with pytest.raises(PayloadTooLarge, match="limit of 11808"):
                    await transport.publish("a.b.v1.c", frame(b"x" * (limit + 1)), guarantee=guarantee)
                with pytest.raises(PayloadTooLarge, match="limit of 20000"):
                    await transport.publish(
                        "a.b.v1.c", frame(a="x" * 12_000, b="x" * 9_000), guarantee=guarantee
                    )
            await inbox.expect(2)


async def test_a_broker_that_is_told_to_drop_does_so_without_a_word() -> None:
    """So the page says what to set, and `comity brokers up` sets it."""
    with broker_or_policy("mqtt", "max_queued_messages 10") as broker:
        async with opened(broker.url, window=5) as receiver, opened(broker.url) as sender:
            inbox = Inbox()
            subscription = await receiver.subscribe("a.b.v1.c", acknowledging(inbox))
            subscription.pause()
            for number in range(50):
                await sender.publish("a.b.v1.c", frame(b"%d" % number), guarantee=SURE)
            subscription.resume()
            await settle(receiver, sender, receiver)
            assert inbox.datas == [b"%d" % number for number in range(15)]


async def test_what_a_paused_subscriber_holds_at_qos_1_is_the_window_and_no_more(
    mqtt_server: Broker, space: str
) -> None:
    """In octets: the window times the largest payload."""
    address, size = f"{space}.test.v1.things", 1 << 18
    async with opened(mqtt_server.url, window=4) as receiver, opened(mqtt_server.url) as sender:
        inbox = Inbox()
        subscription = await receiver.subscribe(address, acknowledging(inbox))
        subscription.pause()
        for _ in range(20):
            await sender.publish(address, frame(b"x" * size), guarantee=SURE)
        await settle(sender, receiver)
        assert subscription._octets == 4 * size  # type: ignore[attr-defined]
        subscription.resume()
        await inbox.expect(20)


async def test_a_subscription_that_closes_lets_go_of_what_was_not_acknowledged(
    mqtt_server: Broker, space: str
) -> None:
    """Else each keeps a place of the window, until nobody on the connection is sent anything."""
    async with opened(mqtt_server.url, window=4) as receiver, opened(mqtt_server.url) as sender:
        held, inbox = Inbox(), Inbox()
        for number in range(6):
            address = f"{space}.test.v1.things.k{number}"
            subscription = await receiver.subscribe(address, held)
            await sender.publish(address, frame(), guarantee=SURE)
            await held.expect(number + 1)
            await subscription.close()
        address = f"{space}.test.v1.others"
        await receiver.subscribe(address, acknowledging(inbox))
        for _ in range(8):
            await sender.publish(address, frame(), guarantee=SURE)
        await inbox.expect(8)
        assert len(held) == 6


async def test_what_a_paused_subscriber_holds_does_not_grow_with_reconnections(
    mqtt_server: Broker, space: str
) -> None:
    address = f"{space}.test.v1.things"
    async with opened(mqtt_server.url, window=4) as receiver, opened(mqtt_server.url) as sender:
        inbox = Inbox()
        subscription = await receiver.subscribe(address, acknowledging(inbox))
        subscription.pause()
        await sender.publish(address, frame(b"unsure"))
        for number in range(20):
            await sender.publish(address, frame(b"%d" % number), guarantee=SURE)
        for _ in range(3):
            await settle(sender, receiver)
            assert len(subscription.waiting) == 5  # type: ignore[attr-defined]
            await until(cut(receiver))
        await settle(receiver)
        subscription.resume()
        await inbox.expect(21)
        assert inbox.datas == [b"unsure", *(b"%d" % number for number in range(20))]
        assert subscription._octets == 0  # type: ignore[attr-defined]
