"""Other programs' messages on our topics, and ours in other programs."""

from __future__ import annotations

import asyncio
import os
import shutil

import pytest

from comity.transports.brokers import Broker
from tests.transports.connections import opened
from tests.transports.harness import Inbox, frame, settle

pytestmark = pytest.mark.broker


def tool(name: str) -> str:
    """One of mosquitto's clients, or the policy for machines that lack it."""
    found = shutil.which(name)
    if found is None:
        if os.environ.get("COMITY_REQUIRE_ALL") == "1":
            pytest.fail(f"COMITY_REQUIRE_ALL=1, but no {name} here: apt-get install mosquitto-clients")
        pytest.skip(f"NOT RUN: no {name} here: apt-get install mosquitto-clients")
    return found


async def test_a_plain_client_reads_structured_messages(mqtt_server: Broker, space: str) -> None:
    port = mqtt_server.url.rpartition(":")[2]
    arguments = ["-p", port, "-V", "mqttv311", "-C", "1", "-W", "10", "-t", f"{space}/test/v1/things/#"]
    listening = await asyncio.create_subprocess_exec(
        tool("mosquitto_sub"), *arguments, stdout=asyncio.subprocess.PIPE
    )
    heard = asyncio.create_task(listening.communicate())
    async with opened(mqtt_server.url, mode="structured") as transport:
        while not heard.done():
            await transport.publish(f"{space}.test.v1.things.k", frame(b'{"n":1}'))
            await asyncio.wait({heard}, timeout=0.02)
    output = heard.result()[0].decode()
    assert output == '{"specversion":"1.0","id":"1","source":"/test","type":"Test","data":{"n":1}}\n'


async def test_messages_of_other_programs_are_read_or_ignored(
    mqtt_server: Broker, space: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(mqtt_server.url) as transport:
        inbox, topic = Inbox(), f"{space}/test/v1/things"

        async def stranger(payload: str, *more: str, topic: str = topic, version: str = "5") -> None:
            port = mqtt_server.url.rpartition(":")[2]
            arguments = ["-p", port, "-V", version, "-q", "1", "-t", topic, "-m", payload, *more]
            done = await asyncio.create_subprocess_exec(tool("mosquitto_pub"), *arguments)
            assert await done.wait() == 0

        kind = ["-D", "publish", "content-type"]
        document = '{"specversion":"1.0","id":"1","source":"/x","type":"T","data":{"n":1}}'
        await transport.subscribe(f"{space}.test.v1.things", inbox)
        await stranger(document, *kind, "application/cloudevents+json; charset=utf-8")
        await stranger(document, version="mqttv311")
        await stranger("bare", version="mqttv311")
        await stranger("{}", "-D", "publish", "user-property", "id", "7", *kind, "application/json")
        await stranger("not json", *kind, "application/cloudevents+json")
        await stranger("{}", *kind, "application/cloudevents+avro")
        await stranger("{}", *(["-D", "publish", "user-property", "id", "1"] * 2))
        await stranger("{}", topic=f"{topic}/%2e")
        await settle(transport)
        await inbox.expect(4)
        assert [dict(each.frame.attributes).get("id") for each in inbox] == ["1", "1", None, "7"]
        assert inbox[2].frame == ({}, b"bare")
        assert inbox[3].frame == ({"datacontenttype": "application/json", "id": "7"}, b"{}")
        assert caplog.text.count("is no event and was ignored") == 3
        assert "'id' is given twice" in caplog.text
