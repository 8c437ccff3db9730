"""The last will over `mqtt://`: whose process is killed is announced, and who comes back in time is not."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import pytest

from comity.sdk.errors import PayloadTooLarge
from comity.transports import connect
from comity.transports.brokers import Broker
from tests.transports.connections import opened
from tests.transports.harness import Inbox, frame, settle, until
from tests.transports.mqtt_servers import cut

pytestmark = pytest.mark.broker

AGENT = """
import asyncio, sys
from comity.sdk.ports import Frame
from comity.transports import connect

async def main():
    transport = connect(sys.argv[1])
    transport.on_death(sys.argv[2], Frame({"specversion": "1.0", "id": "1", "source": "/agent", "type": "Died"}, b"{}"))
    await transport.open()
    print("up", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await transport.close()

asyncio.run(main())
"""


@pytest.mark.parametrize("killed", [True, False])
async def test_a_process_that_is_killed_is_announced_and_one_that_ends_is_not(
    mqtt_server: Broker, space: str, killed: bool
) -> None:
    address, pipe = f"{space}.test.v1.deaths", asyncio.subprocess.PIPE
    async with opened(mqtt_server.url) as witness:
        inbox = Inbox()
        await witness.subscribe(address, inbox)
        arguments = [sys.executable, "-c", AGENT, mqtt_server.url, address]
        agent = await asyncio.create_subprocess_exec(*arguments, stdin=pipe, stdout=pipe)
        assert agent.stdout is not None
        assert await asyncio.wait_for(agent.stdout.readline(), 10) == b"up\n"
        if killed:
            os.kill(agent.pid, signal.SIGKILL)
        await asyncio.wait_for(agent.communicate(b""), 10)
        assert agent.returncode == (-signal.SIGKILL if killed else 0)
        if killed:
            await inbox.expect(1)
            assert inbox[0].frame.attributes["type"] == "Died"
        await witness.publish(address, frame(b"marker"))
        await inbox.expect(2 if killed else 1)


async def test_a_connection_that_comes_back_within_its_grace_is_not_announced(
    mqtt_server: Broker, space: str
) -> None:
    address = f"{space}.test.v1.deaths"
    async with opened(mqtt_server.url) as witness:
        hasty, patient = Inbox(), Inbox()
        await witness.subscribe(f"{address}.hasty", hasty)
        await witness.subscribe(f"{address}.patient", patient)
        for name, options in (("patient", {"grace": 60}), ("hasty", dict[str, int]())):
            transport = connect(mqtt_server.url, **options)
            transport.on_death(f"{address}.{name}", frame())
            await transport.open()
            lost = cut(transport)
            await until(lost)
            await transport.flush()
            await transport.close()
        await until(lambda: len(hasty) == 1)
        await settle(witness)
        assert patient == []


async def test_nothing_is_delivered_after_a_crash(mqtt_server: Broker, space: str) -> None:
    address, inbox = f"{space}.test.v1.things", Inbox()
    async with opened(mqtt_server.url) as sender:
        transport = connect(mqtt_server.url)
        await transport.open()
        subscription = await transport.subscribe(address, inbox)
        subscription.pause()
        for _ in range(200):
            await sender.publish(address, frame())
        await settle(sender, transport)
        subscription.resume()
        transport.abort()  # type: ignore[attr-defined]
        await settle(sender)
        assert inbox == []


async def test_a_death_notice_is_remembered_as_the_last_value(mqtt_server: Broker, space: str) -> None:
    address = f"{space}.test.v1.deaths"
    async with opened(mqtt_server.url, retain=60) as witness:
        inbox = Inbox()
        await witness.subscribe(address, inbox)
        transport = connect(mqtt_server.url, retain=60)
        transport.on_death(address, frame(b""))
        await transport.open()
        transport.abort()  # type: ignore[attr-defined]
        await inbox.expect(1)
        assert await witness.last_value(address) == frame(b"")  # type: ignore[attr-defined]


def test_a_death_notice_has_to_fit_a_connect() -> None:
    transport = connect("mqtt://h")
    transport.on_death("a.b.v1.c", frame(b"x" * 65_535))
    with pytest.raises(PayloadTooLarge, match="65536 octets of data are over the limit of 65535"):
        transport.on_death("a.b.v1.c", frame(b"x" * 65_536))
