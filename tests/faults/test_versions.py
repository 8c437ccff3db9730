"""Servers of another version, seen by those who go on using them: streams need nothing that an older one lacks, and
know what only a newer one says.

What a cluster does while its nodes change is `soak.py`'s.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, cast

import nats
import pytest
from nats.js.errors import APIError

from comity.sdk.errors import ConfigError, JournalError
from comity.sdk.ports import Entry, Guarantee, Snapshot
from comity.transports import open_journal
from comity.transports._kafka_jars import jars
from comity.transports._nats_append import Appender
from comity.transports._nats_client import Connection
from comity.transports._nats_url import NUMBERS, settings
from comity.transports.brokers import Broker

from ..conftest import broker_or_policy
from ..journals.contract import read
from ..transports.connections import opened
from ..transports.harness import Inbox, frame
from ..transports.nats_streams import acking
from .processes import eventually
from .versions import VERSIONS, fetch, starting_as


@pytest.mark.broker
async def test_what_a_newer_server_made_an_older_one_goes_on_with(space: str) -> None:
    """Streams, a group and a journal; the way up first is `soak.py`'s."""
    older, newer = VERSIONS["nats"]
    fetch("nats")
    with ExitStack() as stack:
        with starting_as("nats", newer):
            broker = stack.enter_context(broker_or_policy("nats"))
        journal, inbox, address = (
            open_journal(f"jetstream:{broker.url}/{space}"),
            Inbox(),
            f"{space}.test.v1.x",
        )
        await journal.open()
        async with opened(broker.url, stream=600) as transport:
            await transport.subscribe(address, acking(inbox), group="g")
            native = cast(Any, transport)._connection.native
            await transport.publish(address, frame(b"0"), guarantee=Guarantee.AT_LEAST_ONCE)
            for number, version in enumerate((newer, older, newer), start=1):
                with starting_as("nats", version):
                    await asyncio.to_thread(broker.restart)
                await journal.append(b"%d" % number)
                await journal.save_snapshot(Snapshot(number, version.encode()))
                await transport.publish(address, frame(b"%d" % number), guarantee=Guarantee.AT_LEAST_ONCE)
                assert repr(native.connected_server_version) == f"<nats server v{version}>"
            await inbox.expect(4)
        assert await read(journal, 0, 3) == [Entry(n, b"%d" % n) for n in (1, 2, 3)]
        assert await journal.load_snapshot() == Snapshot(3, newer.encode())
        await journal.close()


@asynccontextmanager
async def serving(*versions: str) -> AsyncGenerator[str]:
    """The URL of a server that says to be of these versions, one after the other; each but the last ends with its first
    subscription."""
    left = list(versions)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        version = left.pop(0) if len(left) > 1 else left[0]
        about = {"server_id": "x", "version": version, "headers": True, "max_payload": 1 << 20}
        writer.write(f"INFO {json.dumps(about)}\r\n".encode())
        while line := await reader.readline():
            if line.startswith(b"PING"):
                writer.write(b"PONG\r\n")
            elif line.startswith(b"SUB") and version != versions[-1]:
                break
        writer.close()

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
        yield f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.broker
async def test_an_append_that_is_still_being_stored_is_waited_for(nats_server: Broker, space: str) -> None:
    """What servers of a cluster say of a repetition: from 2.11 on that, before that the sequence is 0."""
    url = nats_server.url
    busy = {"error": {"code": 409, "err_code": 10158, "description": "duplicate message id is in process"}}
    answers: list[dict[str, Any]] = [
        busy,
        {"stream": "x", "seq": 0, "duplicate": True},
        {"stream": "x", "seq": 7},
    ]
    stream: Any = await nats.connect(url)  # pyright: ignore[reportUnknownMemberType]

    async def store(message: Any) -> None:
        for answer in answers:
            await message.respond(json.dumps(answer).encode())

    await stream.subscribe(space, cb=store)
    await stream.flush()
    connection = Connection(settings(url, dict(NUMBERS)))
    await connection.open()
    appender = Appender(connection, 5)
    await appender.start()
    assert await appender.append(space, {}, b"x", "1") == 7
    await connection.close([])
    await stream.close()


@pytest.mark.broker
@pytest.mark.parametrize("code", [10071, 10158, 10164])
async def test_a_snapshot_that_another_replica_was_faster_with_is_saved_all_the_same(
    nats_server: Broker, space: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Servers of a cluster have a code for that from 2.11 on which one server never says."""
    async with open_journal(f"jetstream:{nats_server.url}/{space}") as journal:
        await journal.append(b"1")
        js = cast(Any, journal)._streams._js
        publish, said = js.publish, list[int]()

        async def busy(subject: str, data: bytes, **options: Any) -> Any:
            if subject.endswith(".snapshot") and not said:
                said.append(code)
                raise APIError(code=400, err_code=code, description="busy")
            return await publish(subject, data, **options)

        monkeypatch.setattr(js, "publish", busy)
        await journal.save_snapshot(Snapshot(1, b"s"))
        assert said == [code]
        assert await journal.load_snapshot() == Snapshot(1, b"s")


async def test_a_journal_is_refused_on_a_server_that_is_too_old() -> None:
    async with serving("2.8.4") as url:
        with pytest.raises(
            JournalError, match=r"a journal needs nats-server 2\.9 or later, and this is .*2.*8.*4"
        ):
            await open_journal(f"jetstream:{url}/x").open()


async def test_to_be_connected_anew_to_a_server_that_is_too_old_is_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A client chooses among the servers of a cluster, and one of them may be left behind."""
    async with serving("2.11.11", "2.8.4") as url:
        connection = Connection(settings(url, dict(NUMBERS)))
        await connection.open()
        await Appender(connection, 5).start()
        assert "2.9" not in caplog.text
        await eventually(lambda: "streams need nats-server 2.9 or later" in caplog.text, "nothing was said")
        await connection.close([])


def test_another_kafka_than_the_pinned_one_can_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    maven = tmp_path / "mvn"
    maven.write_text(
        """#!/bin/sh\necho "$@" >> "$0.asked"\nfor last; do :; done\n/bin/mkdir "${last#-DoutputDirectory=}"\n""",
        encoding="utf-8",
    )
    maven.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("COMITY_CACHE_DIR", str(tmp_path / "cache"))
    pinned, *others = (jars(), *(_jars_of(version) for version in ("4.0.1", "4.0.1", "4.2.0")))
    assert len({pinned, *others}) == 3, "each is kept apart, and got once"
    asked = (tmp_path / "mvn.asked").read_text(encoding="utf-8")
    assert re.findall(r"-Dkafka.version=(\S+)", asked) == [VERSIONS["kafka"][1], "4.0.1", "4.2.0"]
    for wrong in ("newest", "3.9.2"):
        with pytest.raises(ConfigError, match=rf"COMITY_KAFKA_VERSION={wrong} is no version from 4\.0 on"):
            _jars_of(wrong)


def _jars_of(version: str) -> Path:
    with starting_as("kafka", version):
        return jars()
