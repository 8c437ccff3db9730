"""Kills a journal's process again and again: `killer.py URL ACKNOWLEDGED LIVES`.

Each life is a forked child in which 16 clients append at once and write a line to the file ACKNOWLEDGED for
each entry that the journal has acknowledged; it is killed with SIGKILL at a random moment after the first.
"""

from __future__ import annotations

import asyncio
import os
import random
import select
import signal
import sys

from comity.transports import open_journal

CLIENTS = 16


async def live(url: str, life: int, acknowledged: int, started: int) -> None:
    """Append until killed."""
    async with open_journal(url) as journal:

        async def client(name: int) -> None:
            count = 0
            while True:
                position = await journal.append(f"{life}:{name}:{count}".encode())
                os.write(acknowledged, f"{position} {life} {name} {count}\n".encode())
                if count == 0:
                    os.write(started, b".")
                count += 1

        await asyncio.gather(*map(client, range(CLIENTS)))


def main(url: str, path: str, lives: int) -> None:
    """Fork, wait for the first acknowledgement, wait a random moment, kill; so many lives."""
    acknowledged = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    dice = random.Random()  # the moment is random on purpose: no seed repeats a scheduler
    for life in range(lives):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            asyncio.run(live(url, life, acknowledged, writer))
            os._exit(1)
        os.close(writer)
        if not os.read(reader, 1):
            sys.exit(f"life {life} ended by itself")
        os.close(reader)
        select.select([], [], [], dice.random() * 0.1)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
