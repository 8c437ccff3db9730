"""Groups of `nats://` with streams: what a member holds, hands over, and leaves behind when it is killed."""

from __future__ import annotations

import asyncio
import sys

import pytest

from comity.sdk.ports import Delivery
from comity.transports import _nats_group, _nats_reading
from comity.transports.brokers import Broker
from tests.transports.connections import opened
from tests.transports.harness import Inbox, frame, until, until_only
from tests.transports.nats_streams import SURE, acking, flags, jetstream, numbers

pytestmark = pytest.mark.broker

MEMBER = """
import asyncio, sys
from comity.transports import _nats_group, connect

_nats_group._HELD = 1.5

async def main():
    transport = connect(sys.argv[1], stream=600)
    await transport.open()
    def take(delivery):
        print(delivery.frame.data.decode(), flush=True)
    await transport.subscribe(sys.argv[2], take, group="g")
    print("ready", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_what_a_killed_member_held_comes_to_another_one_flagged(
    nats_server: Broker, space: str
) -> None:
    address, inbox = f"{space}.test.v1.things", Inbox()
    async with opened(nats_server.url, stream=600) as transport:
        command = [sys.executable, "-c", MEMBER, nats_server.url, address]
        child = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        assert child.stdout is not None
        try:
            async with asyncio.timeout(20):
                assert await child.stdout.readline() == b"ready\n"
                for number in range(5):
                    await transport.publish(address, frame(b"%d" % number), guarantee=SURE)
                    assert await child.stdout.readline() == b"%d\n" % number
        finally:
            child.kill()
            await child.wait()
        await transport.subscribe(address, acking(inbox), group="g")
        await transport.publish(address, frame(b"5"), guarantee=SURE)
        await until(lambda: len(inbox) >= 6, 20)
        assert sorted(numbers(inbox)) == list(range(6))
        assert sorted(
            int(d.frame.data) for d in inbox if d.redelivered and isinstance(d.frame.data, bytes)
        ) == [
            0,
            1,
            2,
            3,
            4,
        ]


async def test_what_a_living_member_holds_stays_its_own(
    nats_server: Broker, space: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For longer than the server waits for an acknowledgement."""
    monkeypatch.setattr(_nats_group, "_HELD", 1.5)
    monkeypatch.setattr(_nats_reading, "_SIGN", 0.5)
    address, slow, other = f"{space}.test.v1.things", Inbox(), Inbox()
    async with opened(nats_server.url, stream=600) as transport:
        await transport.subscribe(address, slow, group="g")
        for number in range(5):
            await transport.publish(address, frame(b"%d" % number), guarantee=SURE)
        await slow.expect(5)
        await transport.subscribe(address, acking(other), group="g")
        with pytest.raises(TimeoutError):
            await until(lambda: len(slow) > 5 or bool(other), 3)
        for delivery in slow:
            delivery.ack()


async def test_who_leaves_hands_back_at_once_what_it_did_not_acknowledge(
    nats_server: Broker, space: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_nats_group, "_HELD", 60.0)  # so that nothing comes by waiting for it
    address, first, second = f"{space}.test.v1.things", Inbox(), Inbox()

    def ack_early(delivery: Delivery) -> None:
        first(delivery)
        if delivery.frame.data in (b"0", b"1"):
            delivery.ack()

    async with opened(nats_server.url, stream=600) as transport:
        leaving = await transport.subscribe(address, ack_early, group="g")
        for number in range(4):
            await transport.publish(address, frame(b"%d" % number), guarantee=SURE)
        await first.expect(4)
        await leaving.close()
        await transport.publish(address, frame(b"4"), guarantee=SURE)
        await transport.subscribe(address, acking(second), group="g")
        await second.expect(3)
        assert sorted(flags(second)) == [(2, True), (3, True), (4, False)], "the group keeps its place"


async def test_a_paused_member_is_bounded_and_loses_nothing(nats_server: Broker, space: str) -> None:
    address, inbox = f"{space}.test.v1.things", Inbox()
    async with opened(nats_server.url, stream=600, buffer=16) as transport:
        member = await transport.subscribe(address, acking(inbox), group="g")
        member.pause()
        for number in range(200):
            await transport.publish(address, frame(b"%d" % number), guarantee=SURE)
        async with jetstream(nats_server) as other:
            (info,) = await other.consumers_info(f"comity_{space}_test_v1_things")
        assert info.num_ack_pending <= 16
        member.resume()
        await inbox.expect(200)
        assert numbers(inbox) == list(range(200))


@pytest.mark.parametrize("group", [None, "g"])
async def test_leaving_that_is_cancelled_leaves_nothing_behind(
    nats_server: Broker, space: str, group: str | None
) -> None:
    async with opened(nats_server.url, stream=600) as transport:
        await transport.subscribe(f"{space}.test.v1.things", Inbox())  # what all share is there from now on
        tasks = asyncio.all_tasks()
        for turns in range(24):
            leaving = await transport.subscribe(f"{space}.test.v1.things", Inbox(), group=group)
            closing = asyncio.create_task(leaving.close())
            for _ in range(turns):
                await asyncio.sleep(0)
            closing.cancel()
            await asyncio.wait({closing})
            await leaving.close()
        await until_only(tasks)
