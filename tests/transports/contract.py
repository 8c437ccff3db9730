"""The contract of every transport: an adapter's test module takes these with `from … import *`.

It provides two fixtures: `make_transport`, of which each call with options opens a new connection to the same
broker, closed after the test; and `space`, a namespace that no other test uses. What an adapter's capabilities
lack is asserted to be refused.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from comity.sdk.address import Address, Pattern
from comity.sdk.errors import (
    CapabilityError,
    ConfigError,
    LocalProtocolError,
    PayloadTooLarge,
    TransportError,
)
from comity.sdk.ports import Delivery, Frame, Guarantee, Json, Ordering, Transport

from .cancelled import *  # noqa: F403
from .harness import Inbox, MakeTransport, frame, settle, until, until_only
from .kept import *  # noqa: F403
from .scripted import *  # noqa: F403

VECTORS = Path(__file__).parents[2] / "spec/core/v1/vectors/addresses.json"


async def test_a_frame_arrives_as_it_was_sent(make_transport: MakeTransport, space: str) -> None:
    sender, receiver = await make_transport(), await make_transport()
    inbox = Inbox()
    await receiver.subscribe(f"{space}.test.v1.things.*", inbox)
    sent = frame(
        bytes(range(256)),
        subject='Euro € 😀 "quoted" 100% \\ back',
        datacontenttype="application/octet-stream",
        time="2018-04-05T03:56:24Z",
    )
    address = str(Address(space, "test", 1, "things", ("did:key:z6Mk ü.*>/",)))
    await sender.publish(address, sent)
    (delivery,) = await inbox.expect(1)
    assert delivery.address == address
    assert delivery.frame == sent
    assert not delivery.redelivered


async def test_json_data_travels_compactly_as_octets(make_transport: MakeTransport, space: str) -> None:
    transport, inbox = await make_transport(), Inbox()
    await transport.subscribe(f"{space}.test.v1.things", inbox)
    value: Json = {"ü": [1, None, True, "😀"]}
    await transport.publish(f"{space}.test.v1.things", frame()._replace(data=value))
    (delivery,) = await inbox.expect(1)
    assert delivery.frame.data == '{"ü":[1,null,true,"😀"]}'.encode()


@pytest.mark.parametrize(
    "bad", [{"Time": "x"}, {"": "x"}, {"a\r\nb": "x"}, {"x": 1}, {"x": None}, {"x": "\ud800"}], ids=str
)
async def test_attributes_that_no_binding_can_write_are_refused(
    make_transport: MakeTransport, space: str, bad: dict[str, Any]
) -> None:
    transport, inbox = await make_transport(), Inbox()
    await transport.subscribe(f"{space}.test.v1.things", inbox)
    with pytest.raises(LocalProtocolError, match="attribute"):
        await transport.publish(f"{space}.test.v1.things", Frame({**frame().attributes, **bad}, b"1"))
    await transport.publish(f"{space}.test.v1.things", frame(b"2"))
    (delivery,) = await inbox.expect(1)
    assert delivery.frame.data == b"2"


async def test_each_publisher_keeps_its_order(make_transport: MakeTransport, space: str) -> None:
    receiver, inbox = await make_transport(), Inbox()
    ordering = receiver.capabilities.ordering
    assert ordering is not Ordering.NONE
    await receiver.subscribe(f"{space}.test.v1.things.>", inbox)
    senders = [await make_transport() for _ in range(3)]

    async def send(number: int, sender: Transport) -> None:
        for count in range(300):
            await sender.publish(f"{space}.test.v1.things.k{count % 7}", frame(b"%d %d" % (number, count)))

    await asyncio.gather(*(send(number, sender) for number, sender in enumerate(senders)))
    await inbox.expect(900)
    for number in range(3):
        for key in range(7) if ordering is Ordering.KEY else [None]:
            mine = [
                one.frame.data
                for one in inbox
                if isinstance(one.frame.data, bytes)
                and one.frame.data.startswith(b"%d " % number)
                and (key is None or one.address.endswith(f"k{key}"))
            ]
            counts = [count for count in range(300) if key is None or count % 7 == key]
            assert mine == [b"%d %d" % (number, count) for count in counts]


async def test_a_subscription_is_in_force_when_subscribe_returns(
    make_transport: MakeTransport, space: str
) -> None:
    sender, receiver = await make_transport(), await make_transport()
    for number in range(300):
        inbox = Inbox()
        subscription = await receiver.subscribe(f"{space}.test.v1.things.k{number}", inbox)
        await sender.publish(f"{space}.test.v1.things.k{number}", frame())
        await sender.flush()
        await inbox.expect(1)
        await subscription.close()


async def test_what_was_flushed_is_with_the_broker(make_transport: MakeTransport, space: str) -> None:
    sender, receiver, inbox = await make_transport(), await make_transport(), Inbox()
    await receiver.subscribe(f"{space}.test.v1.things", inbox)
    for number in range(2000):
        await sender.publish(f"{space}.test.v1.things", frame(b"%d" % number))
        if number % 500 == 499:
            await settle(sender, receiver)
            await inbox.expect(number + 1)


async def test_a_group_shares_and_others_have_all(make_transport: MakeTransport, space: str) -> None:
    if not (await make_transport()).capabilities.groups:
        with pytest.raises(CapabilityError):
            await (await make_transport()).subscribe(f"{space}.test.v1.things", Inbox(), group="g")
        return
    members, alone = [Inbox(), Inbox()], Inbox()
    for inbox in members:
        await (await make_transport()).subscribe(f"{space}.test.v1.things.*", inbox, group="my group")
    await (await make_transport()).subscribe(f"{space}.test.v1.things.*", alone)
    sender = await make_transport()
    for number in range(200):
        await sender.publish(f"{space}.test.v1.things.k{number}", frame(b"%d" % number))
    await alone.expect(200)
    await until(lambda: sum(map(len, members)) >= 200)
    assert Counter(members[0].datas + members[1].datas) == Counter(alone.datas)
    assert min(map(len, members)) > 0


async def test_who_stays_in_a_group_has_all(make_transport: MakeTransport, space: str) -> None:
    transport = await make_transport()
    if not transport.capabilities.groups:
        return
    leaver, stayer = Inbox(), Inbox()
    leaving = await transport.subscribe(f"{space}.test.v1.things", leaver, group="g")
    await (await make_transport()).subscribe(f"{space}.test.v1.things", stayer, group="g")
    await leaving.close()
    await settle(transport)
    sender = await make_transport()
    for number in range(50):
        await sender.publish(f"{space}.test.v1.things", frame(b"%d" % number))
    await stayer.expect(50)
    assert leaver == []


async def test_patterns_mean_the_same_everywhere(make_transport: MakeTransport, space: str) -> None:
    rows = json.loads(VECTORS.read_text(encoding="utf-8"))["patterns"]
    addresses = sorted({row["address"].replace("acme", space, 1) for row in rows})
    patterns = sorted({row["pattern"].replace("acme", space, 1) for row in rows})
    sender, receiver = await make_transport(), await make_transport()
    inboxes = {pattern: Inbox() for pattern in patterns}
    for pattern, inbox in inboxes.items():
        await receiver.subscribe(pattern, inbox)
    for address in addresses:
        await sender.publish(address, frame())
    for pattern, inbox in inboxes.items():
        expected = [address for address in addresses if Pattern.parse(pattern).matches(address)]
        await inbox.expect(len(expected))
        received = [delivery.address for delivery in inbox]
        by_key = receiver.capabilities.ordering is Ordering.KEY
        assert (sorted(received) if by_key else received) == expected
    await settle(sender, receiver)
    assert sum(map(len, inboxes.values())) == sum(
        Pattern.parse(pattern).matches(address) for pattern in patterns for address in addresses
    )


async def test_namespaces_are_apart(make_transport: MakeTransport, space: str) -> None:
    sender, receiver, inbox = await make_transport(), await make_transport(), Inbox()
    await receiver.subscribe(f"{space}.test.v1.things.>", inbox)
    await sender.publish(f"{space}x.test.v1.things.k", frame())
    await sender.publish(f"{space}.test.v1.things.k", frame(b"mine"))
    await settle(sender, receiver)
    assert inbox.datas == [b"mine"]


async def test_ten_thousand_keys(make_transport: MakeTransport, space: str) -> None:
    sender, receiver = await make_transport(), await make_transport(buffer=20_000)
    everything, one = Inbox(), Inbox()
    await receiver.subscribe(f"{space}.test.v1.things.>", everything)
    await receiver.subscribe(f"{space}.test.v1.things.agent%2E7777", one)
    for number in range(10_000):
        await sender.publish(str(Address(space, "test", 1, "things", (f"agent.{number}",))), frame())
    await everything.expect(10_000)
    await one.expect(1)
    assert len({delivery.address for delivery in everything}) == 10_000


async def test_the_payload_limit_is_kept_and_survived(make_transport: MakeTransport, space: str) -> None:
    sender, receiver, inbox = await make_transport(), await make_transport(), Inbox()
    await receiver.subscribe(f"{space}.test.v1.things", inbox)
    limit = sender.capabilities.max_payload
    await sender.publish(f"{space}.test.v1.things", frame(b"x" * limit))
    for size in (limit + 1, 10 << 20):
        with pytest.raises(PayloadTooLarge):
            await sender.publish(f"{space}.test.v1.things", frame(b"x" * size))
    await sender.publish(f"{space}.test.v1.things", frame(b"after"))
    await inbox.expect(2)
    assert [len(delivery.frame.data) for delivery in inbox if isinstance(delivery.frame.data, bytes)] == [
        limit,
        5,
    ]


async def test_a_pause_keeps_order_and_loses_nothing(make_transport: MakeTransport, space: str) -> None:
    sender, receiver, inbox = await make_transport(), await make_transport(), Inbox()
    subscription = await receiver.subscribe(f"{space}.test.v1.things", inbox)
    subscription.pause()
    for number in range(100):
        await sender.publish(f"{space}.test.v1.things", frame(b"%d" % number))
    await settle(sender, receiver)
    assert inbox == []
    subscription.resume()
    await inbox.expect(100)
    assert inbox.datas == [b"%d" % number for number in range(100)]
    assert subscription.dropped == 0


async def test_a_slow_consumer_is_bounded_counted_and_alone(
    make_transport: MakeTransport, space: str
) -> None:
    sender, receiver = await make_transport(), await make_transport(buffer=16)
    slow, quick = Inbox(), Inbox()
    subscription = await receiver.subscribe(f"{space}.test.v1.things", slow)
    await (await make_transport()).subscribe(f"{space}.test.v1.things", quick)
    subscription.pause()
    for number in range(200):
        await sender.publish(f"{space}.test.v1.things", frame(b"%d" % number))
    await quick.expect(200)
    await settle(sender, receiver)
    if sender.capabilities.durable:  # the broker keeps what finds no room
        assert subscription.dropped == 0
    else:
        assert subscription.dropped in (183, 184), "16 wait, and one may be in hand"
    subscription.resume()
    await slow.expect(200 - subscription.dropped)
    assert slow.datas[:16] == [b"%d" % number for number in range(16)]


async def test_a_callback_that_raises_harms_nobody(
    make_transport: MakeTransport, space: str, caplog: pytest.LogCaptureFixture
) -> None:
    transport, inbox = await make_transport(), Inbox()

    def raising(delivery: Delivery) -> None:
        inbox(delivery)
        raise ZeroDivisionError("a defect of the subscriber")

    await transport.subscribe(f"{space}.test.v1.things", raising)
    for number in range(3):
        await transport.publish(f"{space}.test.v1.things", frame(b"%d" % number))
    await inbox.expect(3)
    await settle(transport)
    assert caplog.text.count("ZeroDivisionError: a defect of the subscriber") == 3


async def test_a_closed_subscription_is_silent(make_transport: MakeTransport, space: str) -> None:
    transport, closed, other = await make_transport(), Inbox(), Inbox()
    subscription = await transport.subscribe(f"{space}.test.v1.things", closed)
    await transport.subscribe(f"{space}.test.v1.things", other)
    await subscription.close()
    await subscription.close()
    await transport.publish(f"{space}.test.v1.things", frame())
    await other.expect(1)
    assert closed == []


async def test_cancelling_leaves_no_task_and_no_harm(make_transport: MakeTransport, space: str) -> None:
    transport, inbox = await make_transport(), Inbox()
    await transport.subscribe(f"{space}.test.v1.things.sure", inbox)
    await settle(transport)
    tasks = asyncio.all_tasks()
    for turns in range(6):
        cancelled: list[asyncio.Task[object]] = [
            asyncio.create_task(transport.publish(f"{space}.test.v1.things.maybe", frame())),
            asyncio.create_task(transport.subscribe(f"{space}.test.v1.things.none", Inbox())),
            asyncio.create_task(transport.flush()),
        ]
        for _ in range(turns):
            await asyncio.sleep(0)
        for task in cancelled:
            task.cancel()
        for result in await asyncio.gather(*cancelled, return_exceptions=True):
            if not isinstance(result, BaseException) and result is not None:
                await result.close()  # type: ignore[attr-defined]
            assert not isinstance(result, Exception)
    await until_only(tasks)
    await transport.publish(f"{space}.test.v1.things.sure", frame())
    await inbox.expect(1)


async def test_a_cancelled_wait_for_room_sends_nothing(make_transport: MakeTransport, space: str) -> None:
    sender, receiver, inbox = await make_transport(), await make_transport(buffer=4), Inbox()
    if not sender.capabilities.publisher_waits:
        return
    address = f"{space}.test.v1.things"
    subscription = await receiver.subscribe(address, inbox)
    subscription.pause()
    sending = [
        asyncio.create_task(sender.publish(address, frame(b"%d" % n), guarantee=Guarantee.AT_LEAST_ONCE))
        for n in range(8)
    ]
    await settle(sender, receiver)
    waiting = [task for task in sending if not task.done()]
    assert len(waiting) == 4
    waiting[0].cancel()
    waiting[2].cancel()
    await asyncio.wait({waiting[0], waiting[2]})
    subscription.resume()
    await inbox.expect(6)
    assert inbox.datas == [b"0", b"1", b"2", b"3", b"5", b"7"]


async def test_closing_delivers_what_was_published(make_transport: MakeTransport, space: str) -> None:
    tasks = asyncio.all_tasks()
    sender, receiver, inbox = await make_transport(), await make_transport(), Inbox()
    await receiver.subscribe(f"{space}.test.v1.things", inbox)
    for number in range(1000):
        await sender.publish(f"{space}.test.v1.things", frame(b"%d" % number))
    await sender.close()
    await receiver.close()
    assert inbox.datas == [b"%d" % number for number in range(1000)]
    await until_only(tasks)


async def test_a_closed_transport_refuses(make_transport: MakeTransport, space: str) -> None:
    transport = await make_transport()
    with pytest.raises(TransportError, match="already open"):
        await transport.open()
    await transport.close()
    await transport.close()
    for attempt in (
        transport.publish(f"{space}.test.v1.things", frame()),
        transport.subscribe(f"{space}.test.v1.things", Inbox()),
        transport.flush(),
    ):
        with pytest.raises(TransportError, match="not open"):
            await attempt


async def test_closing_while_others_publish_harms_nobody(make_transport: MakeTransport, space: str) -> None:
    sender, receiver, inbox = await make_transport(), await make_transport(), Inbox()
    await receiver.subscribe(f"{space}.test.v1.things", Inbox())
    await (await make_transport()).subscribe(f"{space}.test.v1.things", inbox)
    for number in range(500):
        await sender.publish(f"{space}.test.v1.things", frame(b"%d" % number))
        if number == 250:
            await receiver.close()
    await inbox.expect(500)


@pytest.mark.parametrize(
    "bad", ["", "things", "{}.test.v1.things.*", "{}.test.v1.things. ", "{}.test.v1.things.a\r\n"]
)
async def test_what_is_no_address_is_refused(make_transport: MakeTransport, space: str, bad: str) -> None:
    with pytest.raises(ConfigError):
        await (await make_transport()).publish(bad.format(space), frame())


@pytest.mark.parametrize("bad", ["", ">", "*.test.v1.things", "{}.test.v1.>", "{}.test.v1.things.>.a"])
async def test_what_is_no_pattern_is_refused(make_transport: MakeTransport, space: str, bad: str) -> None:
    with pytest.raises(ConfigError):
        await (await make_transport()).subscribe(bad.format(space), Inbox())


async def test_an_unknown_option_is_refused(make_transport: MakeTransport) -> None:
    with pytest.raises(ConfigError, match="'bufer'"):
        await make_transport(bufer=1)
