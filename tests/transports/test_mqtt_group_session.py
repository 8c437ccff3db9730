"""The short session of a group's members over `mqtt://`: what it bounds, and what joining a group leaves as it was."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress

import pytest

from comity.sdk.ports import Guarantee
from comity.transports import connect
from comity.transports.brokers import Broker
from tests.transports.connections import opened
from tests.transports.harness import Inbox, frame, settle, until
from tests.transports.mqtt_servers import SURE, acknowledging, inside
from tests.transports.proxy import proxied

pytestmark = pytest.mark.broker

MEMBER = """
import asyncio, sys
from comity.transports import connect

async def main():
    transport = connect(sys.argv[1], group_session=1)
    await transport.open()
    await transport.subscribe(sys.argv[2], lambda delivery: print(int(delivery.frame.data), flush=True), group="g")
    print("up", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

asyncio.run(main())
"""


async def test_after_a_member_is_killed_the_other_has_all_and_only_what_its_session_had_is_lost(
    mqtt_server: Broker, space: str
) -> None:
    """What it held and had not acknowledged, and its share until its session ended: mosquitto hands on neither."""
    address, stayer, pipe = f"{space}.test.v1.things", Inbox(), asyncio.subprocess.PIPE
    arguments = [sys.executable, "-c", MEMBER, mqtt_server.url, address]
    member = await asyncio.create_subprocess_exec(*arguments, stdin=pipe, stdout=pipe)
    assert member.stdout is not None
    async with opened(mqtt_server.url) as other:

        async def send(*numbers: int) -> int:
            """How many of them the stayer is given."""
            before = len(stayer)
            for number in numbers:
                await other.publish(address, frame(b"%d" % number), guarantee=SURE)
            await settle(other)
            return len(stayer) - before

        try:
            assert await asyncio.wait_for(member.stdout.readline(), 20) == b"up\n"
            await other.subscribe(address, acknowledging(stayer), group="g")
            assert await send(*range(10)) == 5
            held = {int(await asyncio.wait_for(member.stdout.readline(), 20)) for _ in range(5)}
        finally:
            with suppress(ProcessLookupError):
                os.kill(member.pid, signal.SIGKILL)
            await member.wait()
        sent = 10
        async with asyncio.timeout(30):
            while await send(sent, sent + 1) < 2:
                sent += 2
        assert await send(*range(sent + 2, sent + 22)) == 20
    had = [int(data) for data in stayer.datas if isinstance(data, bytes)]
    assert len(had) == len(set(had)), "each once"
    assert set(range(10)) - {*had} == held
    lost = {*range(10, sent + 22)} - {*had}
    assert len(lost) == (sent - 10) // 2, "its half, and no more"
    assert max(lost, default=0) < sent, "nothing once its session has ended"


async def test_joining_a_group_loses_nothing_and_announces_no_death(mqtt_server: Broker, space: str) -> None:
    """It takes a new connection, which is nobody else's business."""
    address, deaths, things = f"{space}.test.v1.things", Inbox(), Inbox()
    async with opened(mqtt_server.url) as other:
        await other.subscribe(f"{space}.test.v1.deaths", deaths)
        joining = connect(mqtt_server.url)
        joining.on_death(f"{space}.test.v1.deaths", frame(b"died"))
        await joining.open()
        await joining.subscribe(address, acknowledging(things))
        sending = asyncio.gather(
            *(other.publish(address, frame(b"%d" % n), guarantee=SURE) for n in range(1000))
        )
        await until(lambda: len(things) > 100)
        await joining.publish(f"{space}.test.v1.others", frame())
        await joining.subscribe(f"{space}.test.v1.others", Inbox(), group="g")
        await sending
        await until(lambda: {*things.datas} == {b"%d" % n for n in range(1000)})
        await joining.flush()
        await settle(other)
        assert deaths == []
        joining.abort()  # type: ignore[attr-defined]
        await deaths.expect(1)


async def test_only_who_joins_a_group_is_connected_anew_and_once(mqtt_server: Broker, space: str) -> None:
    address = f"{space}.test.v1.things"
    async with opened(mqtt_server.url) as transport:
        link = inside(transport)._link
        await transport.subscribe(address, Inbox())
        assert inside(transport)._link is link
        await transport.subscribe(address, Inbox(), group="g")
        short = inside(transport)._link
        assert short is not link
        await transport.subscribe(address, Inbox(), group="h")
        assert inside(transport)._link is short
    async with opened(mqtt_server.url, session=5) as brief:
        link = inside(brief)._link
        await brief.subscribe(address, Inbox(), group="g")
        assert inside(brief)._link is link, "its session is short enough"


async def test_who_joins_several_groups_at_once_is_connected_anew_once(
    mqtt_server: Broker, space: str
) -> None:
    address, joined = f"{space}.test.v1.things", [Inbox() for _ in range(5)]
    with proxied(int(mqtt_server.url.rpartition(":")[2])) as proxy:
        async with opened(f"mqtt://127.0.0.1:{proxy.port}") as transport:
            joining = (
                transport.subscribe(address, inbox, group=f"g{number}") for number, inbox in enumerate(joined)
            )
            await asyncio.gather(*joining)
            assert proxy.accepted == 2
            await transport.publish(address, frame())
            for inbox in joined:
                await inbox.expect(1)


async def test_what_is_published_while_joining_arrives_once(mqtt_server: Broker, space: str) -> None:
    """At QoS 0 and 1, and in doubt is none of it: the broker has answered before it is left."""
    address, inbox = f"{space}.test.v1.things", Inbox()
    async with opened(mqtt_server.url) as joining, opened(mqtt_server.url) as other:
        await other.subscribe(address, acknowledging(inbox))

        async def publish(guarantee: Guarantee) -> None:
            for number in range(500):
                await joining.publish(address, frame(b"%d" % number), guarantee=guarantee)
                await asyncio.sleep(0)

        publishing = [asyncio.create_task(publish(guarantee)) for guarantee in Guarantee]
        await until(lambda: len(inbox) > 10)
        await joining.subscribe(f"{space}.test.v1.others", Inbox(), group="g")
        assert not all(task.done() for task in publishing)
        await asyncio.gather(*publishing)
        await joining.flush()
        await inbox.expect(1000)


@pytest.mark.parametrize("moment", ["at once", "while it waits", "without a connection", "behind it"])
async def test_who_stops_waiting_to_join_is_connected_all_the_same(
    mqtt_server: Broker, space: str, moment: str
) -> None:
    address, inbox = f"{space}.test.v1.things", Inbox()
    async with opened(mqtt_server.url) as transport, opened(mqtt_server.url) as other:
        connection = inside(transport)
        before = connection._link
        reached = {
            "at once": lambda: True,
            "while it waits": lambda: not connection._up.is_set(),
            "without a connection": lambda: connection._link is None,
            "behind it": lambda: connection._link not in (None, before),
        }
        joining = asyncio.create_task(transport.subscribe(address, Inbox(), group="g"))
        await until(reached[moment])
        joining.cancel()
        await asyncio.wait({joining})
        await transport.subscribe(f"{address}.k", inbox)
        await other.publish(f"{address}.k", frame(), guarantee=SURE)
        await inbox.expect(1)
