"""`sqlite:` keeps the contract of journals, and its own promises about files, disks and processes."""

# ruff: noqa: ASYNC220, ASYNC221, ASYNC240 - a test may block its own loop on files and children

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from comity.sdk.errors import ConfigError, JournalError
from comity.sdk.ports import Durability, Entry
from comity.transports import open_journal
from comity.transports.journals._sqlite_file import SqliteFile
from comity.transports.journals.sqlite import SqliteJournal
from tests.journals.contract import *  # noqa: F403
from tests.journals.contract import MakeJournal, read
from tests.journals.lives import survived


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a journal%.db"


@pytest.fixture
def url(path: Path) -> str:
    return f"sqlite:{str(path).replace('%', '%25')}"


@pytest.fixture(params=["full", "normal"])
def make_journal(url: str, request: pytest.FixtureRequest) -> MakeJournal:
    return lambda: open_journal(f"{url}?synchronous={request.param}")


def test_durability_says_what_was_asked(url: str) -> None:
    assert open_journal(url).durability is Durability.POWER
    assert open_journal(url, synchronous="normal").durability is Durability.PROCESS


@pytest.mark.parametrize(
    "bad",
    [
        "sqlite:",
        "sqlite:a%00b",
        "sqlite://host/x",
        "sqlite:x?synchronous=off",
        "sqlite:x?poll=0",
        "sqlite:x?pol=1",
    ],
)
def test_a_wrong_url_is_refused(bad: str) -> None:
    with pytest.raises(ConfigError):
        SqliteJournal(bad)


async def test_whoever_restores_raises_the_incarnation(url: str, path: Path, tmp_path: Path) -> None:
    async with SqliteJournal(url) as journal:
        await journal.append(b"kept")
        assert journal.incarnation == 1
    backup = shutil.copy(path, tmp_path / "backup")
    async with SqliteJournal(url) as journal:
        await journal.append(b"lost with the disk")
    shutil.copy(backup, path)
    async with SqliteJournal(url, incarnation=2) as journal:
        assert journal.incarnation == 2
        assert await journal.end() == 1
    async with SqliteJournal(url) as journal:
        assert journal.incarnation == 2


async def test_a_follower_sees_what_another_connection_appends(url: str) -> None:
    async with SqliteJournal(url) as one, SqliteJournal(url, poll=0.005) as other:
        follower = asyncio.create_task(read(other, 0, 1))
        await asyncio.wait([follower], timeout=0)
        position = await one.append(b"a")
        assert await follower == [Entry(position, b"a")]


async def test_a_full_disk_loses_nothing_and_passes(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    connections: list[sqlite3.Connection] = []
    connect = sqlite3.connect

    def recorded(*args: Any, **options: Any) -> sqlite3.Connection:
        connections.append(connect(*args, **options))
        return connections[-1]

    monkeypatch.setattr(sqlite3, "connect", recorded)
    async with SqliteJournal(url) as journal:
        acknowledged = [await journal.append(b"x" * 4000) for _ in range(50)]
        limit(connections[0], 20)
        results = await asyncio.gather(
            *(journal.append(b"y" * 4000) for _ in range(100)), return_exceptions=True
        )
        assert all(isinstance(result, JournalError) and "room" in str(result) for result in results)
        limit(connections[0], 1 << 30)
        acknowledged.append(await journal.append(b"z"))
        assert [entry.position for entry in await read(journal, 0, 51)] == acknowledged


def limit(connection: sqlite3.Connection, pages: int) -> None:
    """Let the file grow by no more than `pages`."""
    (now,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {now + pages}")


REFUSED_WRITES = """
import asyncio, resource, sys
from comity.sdk.errors import JournalError
from comity.transports.journals._sqlite_file import SqliteFile
from comity.transports.journals.sqlite import SqliteJournal

async def main():
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    async with SqliteJournal(sys.argv[1]) as journal:
        kept = []
        resource.setrlimit(resource.RLIMIT_FSIZE, (256 << 10, hard))
        try:
            for number in range(1000):
                kept.append(await journal.append(b"%d" % number + b"." * 4000))
        except JournalError as error:
            print(error)
        else:
            sys.exit("nothing was refused")
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        kept.append(await journal.append(b"after"))
        found = []
        async for entry in journal.follow(0):
            found.append(entry.position)
            if entry.data == b"after":
                break
        assert found == kept, (found, kept)

asyncio.run(main())
"""


def test_refused_writes_lose_nothing_and_pass(url: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", REFUSED_WRITES, url], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "nothing acknowledged is lost" in done.stdout


async def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=r"directory does not exist: create .*nowhere"):
        await SqliteJournal(f"sqlite:{tmp_path}/nowhere/journal.db").open()


async def test_a_directory_is_no_journal(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="is a directory"):
        await SqliteJournal(f"sqlite:{tmp_path}").open()


async def test_what_is_no_database_is_refused_and_left_alone(url: str, path: Path) -> None:
    path.write_bytes(b"precious notes, no database\n" * 100)
    before = path.read_bytes()
    with pytest.raises(JournalError, match="no SQLite database"):
        await SqliteJournal(url).open()
    assert path.read_bytes() == before


async def test_another_applications_database_is_refused_and_left_alone(url: str, path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE customers (name TEXT)")
    other.close()
    with pytest.raises(JournalError, match="another application"):
        await SqliteJournal(url).open()


async def test_a_damaged_file_is_named(url: str, path: Path) -> None:
    async with SqliteJournal(url) as journal:
        await asyncio.gather(*(journal.append(b"x" * 3000) for _ in range(100)))
    damaged = bytearray(path.read_bytes())
    damaged[4096:] = b"\xa5" * (len(damaged) - 4096)
    path.write_bytes(damaged)
    with pytest.raises(JournalError, match=r"a journal%\.db.*(damaged|restore)"):
        async with SqliteJournal(url) as journal:
            await read(journal, 0, 100)


READ_ONLY = """
import asyncio, os, sys
from comity.sdk.errors import JournalError
from comity.transports.journals._sqlite_file import SqliteFile
from comity.transports.journals.sqlite import SqliteJournal

if os.geteuid() == 0:
    os.seteuid(65534)
try:
    asyncio.run(SqliteJournal(sys.argv[1]).open())
except JournalError as error:
    print(error)
"""


async def test_a_read_only_file_is_named() -> None:
    with tempfile.TemporaryDirectory() as name:
        directory, path = Path(name), Path(name, "journal.db")
        async with SqliteJournal(f"sqlite:{path}"):
            pass
        path.chmod(0o444)
        directory.chmod(0o555)
        command = [sys.executable, "-c", READ_ONLY, f"sqlite:{path}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        directory.chmod(0o755)
    assert "permissions" in done.stdout, done.stderr


async def test_a_removed_file_is_noticed(url: str, path: Path) -> None:
    async with SqliteJournal(url) as journal:
        await journal.append(b"a")
        path.unlink()
        with pytest.raises(JournalError, match="removed or replaced"):
            await journal.append(b"into the void")


async def test_a_held_lock_is_waited_for_and_then_named(url: str, path: Path) -> None:
    async with SqliteJournal(url, busy=0.05) as journal:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalError, match="another process holds"):
            await journal.append(b"a")
        other.execute("ROLLBACK")
        other.close()
        assert await journal.append(b"a") == 1


async def test_an_append_between_look_and_wait_is_not_missed(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked, appended = threading.Event(), threading.Event()
    look = SqliteFile.read

    def slowly(file: SqliteFile, after: int) -> list[Entry]:
        found = look(file, after)
        looked.set()
        appended.wait(10)
        return found

    monkeypatch.setattr(SqliteFile, "read", slowly)
    async with SqliteJournal(url, poll=3600) as journal:
        follower = asyncio.create_task(read(journal, 0, 1))
        await asyncio.to_thread(looked.wait, 10)
        position = await journal.append(b"a")
        appended.set()
        assert await follower == [Entry(position, b"a")]


TWO = """
import asyncio, sys
from comity.transports.journals._sqlite_file import SqliteFile
from comity.transports.journals.sqlite import SqliteJournal

async def main(url, name):
    async with SqliteJournal(url, busy=30) as journal:
        print("ready", flush=True)
        sys.stdin.readline()
        async def client(number):
            for count in range(100):
                position = await journal.append(f"{name}:{number}:{count}".encode())
                print(position, name, number, count)
        await asyncio.gather(*map(client, range(8)))

asyncio.run(main(*sys.argv[1:]))
"""


async def test_two_processes_appending_at_once_keep_one_order(url: str) -> None:
    children = [
        subprocess.Popen(
            [sys.executable, "-c", TWO, url, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for name in ("left", "right")
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    async with SqliteJournal(url) as journal:
        found = await read(journal, 0, 1600)
    acknowledged: dict[int, bytes] = {}
    for child in children:
        output, _ = await asyncio.to_thread(child.communicate, timeout=60)
        assert child.returncode == 0
        for line in output.splitlines():
            position, *rest = line.split()
            assert int(position) not in acknowledged
            acknowledged[int(position)] = ":".join(rest).encode()
    assert acknowledged == dict(found)
    names = [entry.data.split(b":")[0] for entry in found]
    assert sum(one != other for one, other in pairwise(names)) > 1, "they took turns"
    for start in {entry.data.rsplit(b":", 1)[0] for entry in found}:
        counts = [
            int(entry.data.rsplit(b":", 1)[1]) for entry in found if entry.data.rsplit(b":", 1)[0] == start
        ]
        assert counts == list(range(100))


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_over_fifty_kills(url: str, tmp_path: Path) -> None:
    survived(url, tmp_path / "acknowledged", lives=50)
