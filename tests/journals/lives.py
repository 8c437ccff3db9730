"""What a journal owes whose process is killed again and again (see `killer.py`, which this runs), or its broker is."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import Counter
from pathlib import Path

from comity.sdk.ports import Entry
from comity.transports import open_journal
from comity.transports.brokers import Broker
from tests.faults.processes import eventually
from tests.journals.contract import read

__all__ = ["outlived", "survived"]


def survived(url: str, acknowledged: Path, *, lives: int, entries: int = 1000) -> None:
    """Nothing acknowledged in so many lives, over `entries` in all, is lost, nothing is there twice, and order is kept."""
    killer = Path(__file__).with_name("killer.py")
    command = [sys.executable, str(killer), url, str(acknowledged), str(lives)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in acknowledged.read_text(encoding="ascii").splitlines()]
    promised = {int(position): f"{life}:{client}:{count}".encode() for position, life, client, count in lines}
    assert len(promised) == len(lines) > entries
    assert {line[1] for line in lines} == {str(life) for life in range(lives)}
    found = asyncio.run(_everything(url))
    assert promised.items() <= dict(found).items()
    assert max(Counter(entry.data for entry in found).values()) == 1
    last: dict[bytes, int] = {}
    for entry in found:
        client, count = entry.data.rsplit(b":", 1)
        assert last.get(client, -1) + 1 == int(count), "a client's entries stand in its order, without a gap"
        last[client] = int(count)


async def outlived(url: str, broker: Broker, *, kills: int, **options: float) -> None:
    """Nothing acknowledged is lost over so many kills of the broker under load.

    What was under way is appended once, however often it had to be repeated; followers go on.
    """
    async with asyncio.timeout(120), open_journal(url, **options) as journal:
        acknowledged: dict[int, bytes] = {}
        seen: list[Entry] = []
        stop = asyncio.Event()

        async def client(name: int) -> None:
            number = 0
            while not stop.is_set():
                number += 1
                data = b"%d:%d" % (name, number)
                acknowledged[await journal.append(data)] = data

        async def follow() -> None:
            async for entry in journal.follow(0):
                seen.append(entry)

        async def more() -> None:
            enough = len(acknowledged) + 100
            await eventually(lambda: len(acknowledged) >= enough, "appending stands still", 40)

        clients = [asyncio.create_task(client(name)) for name in range(8)]
        follower = asyncio.create_task(follow())
        for _ in range(kills):
            await more()
            await asyncio.to_thread(broker.kill)
            await asyncio.to_thread(broker.restart)
        await more()
        stop.set()
        await asyncio.gather(*clients)
        await eventually(lambda: len(seen) >= len(acknowledged), "the follower stands still", 40)
        assert seen == [Entry(position, acknowledged[position]) for position in sorted(acknowledged)]
        follower.cancel()
        await asyncio.wait({follower})


async def _everything(url: str) -> list[Entry]:
    async with open_journal(url) as journal:
        return await read(journal, 0, await journal.end())
