"""The sqlite journal: durable appends of 256 octets by 64 concurrent clients, against SQLite by hand.

The peers run in the same rounds on the same disk: one synced transaction for each append, which is what a journal
without group commit does, and one for each 64, without clients, threads or an event loop: the ceiling.
"""

from __future__ import annotations

import asyncio
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from comity.transports import open_journal
from tests.benchmarks.common import Row, emit

ROOT = Path(__file__).parents[2]
CLIENTS, APPENDS, ROUNDS = 64, 20_000, 5
DATA = bytes(range(256))


async def _clients(url: str) -> float:
    """Appends per second of all clients, each waiting for its own before the next."""
    async with open_journal(url) as journal:

        async def client() -> None:
            for _ in range(APPENDS // CLIENTS):
                await journal.append(DATA)

        begin = time.perf_counter()
        await asyncio.gather(*(client() for _ in range(CLIENTS)))
        elapsed = time.perf_counter() - begin
        assert await journal.end() == APPENDS // CLIENTS * CLIENTS
    return APPENDS // CLIENTS * CLIENTS / elapsed


def journal(synchronous: str) -> Callable[[Path], float]:
    return lambda directory: asyncio.run(_clients(f"sqlite:{directory}/journal.db?synchronous={synchronous}"))


def by_hand(group: int) -> Callable[[Path], float]:
    def measure(directory: Path) -> float:
        connection = sqlite3.connect(directory / "by-hand.db", isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(
            "CREATE TABLE entries (position INTEGER PRIMARY KEY AUTOINCREMENT, data BLOB NOT NULL)"
        )
        count = max(1000, group * 300)
        begin = time.perf_counter()
        for _ in range(count // group):
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT INTO entries (data) VALUES (?)", [(DATA,)] * group)
            connection.execute("COMMIT")
        elapsed = time.perf_counter() - begin
        connection.close()
        return count // group * group / elapsed

    return measure


def measured() -> dict[str, float]:
    """Median of interleaved rounds, each in a new directory on the disk that holds the project."""
    sides = {
        "full": journal("full"),
        "normal": journal("normal"),
        "single": by_hand(1),
        "ceiling": by_hand(64),
    }
    samples: dict[str, list[float]] = {name: [] for name in sides}
    (ROOT / "build").mkdir(exist_ok=True)
    for _ in range(ROUNDS):
        for name, measure in sides.items():
            with tempfile.TemporaryDirectory(dir=ROOT / "build") as directory:
                samples[name].append(measure(Path(directory)))
    return {name: statistics.median(values) for name, values in samples.items()}


def rows() -> list[Row]:
    found = measured()
    full, unit = found["full"], "appends/s"
    return [
        Row(
            "sqlite journal, synchronous=FULL, 64 clients",
            full,
            unit,
            "≥ 20,000",
            full >= 20_000,
            peer="one transaction each",
            peer_value=found["single"],
            ratio=full / found["single"],
            note="group commit; durable against loss of power as far as the disk keeps its word",
        ),
        Row(
            "the same, against the ceiling",
            full,
            unit,
            "stated",
            True,
            peer="64 in one transaction, no clients",
            peer_value=found["ceiling"],
            ratio=full / found["ceiling"],
        ),
        Row("sqlite journal, synchronous=NORMAL, 64 clients", found["normal"], unit, "stated", True),
    ]


if __name__ == "__main__":
    emit(rows())
