"""`sqlite:PATH` — a journal in one SQLite file: the durable default of one machine.

Responsible for group commit (concurrent appends share one transaction in one writer thread) and for waking
followers, at once in this process and by polling for entries of other processes. Not responsible for the
file itself: `_sqlite_file.py` is.

Options: `synchronous=full` (default: what was acknowledged survives loss of power) or `normal` (survives the
death of the process); `poll`, seconds between looks for other processes' entries (0.05); `busy`, seconds to
wait for another process's lock (5); `incarnation`, to be raised by whoever restores the file from a backup or
starts over in a new file: SQLite cannot know that an older state has come back.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import unquote

from comity.sdk.errors import ConfigError, JournalError
from comity.sdk.ports import Durability, Entry, Journal, Snapshot
from comity.transports._urls import options, positive, split
from comity.transports.journals._base import JournalBase, Wake
from comity.transports.journals._sqlite_file import SqliteFile

__all__ = ["SqliteJournal"]

T = TypeVar("T")

_OPTIONS: Final = ("synchronous", "poll", "busy", "incarnation")
_DURABILITY: Final = {"full": Durability.POWER, "normal": Durability.PROCESS}
_BATCH: Final = 4096


class SqliteJournal(JournalBase):
    """See the module for the URL. Raises `ConfigError` for a wrong URL, `JournalError` for everything else."""

    def __init__(self, url: str, **overrides: str | float) -> None:
        given = options(url, _OPTIONS, overrides)
        parts = split(url)
        path = unquote(parts.path)
        if parts.scheme != "sqlite" or not path or "\0" in path or parts.netloc:
            raise ConfigError(
                f"{url!r} is no journal URL: write sqlite:PATH, such as sqlite:/var/lib/registry.db"
            )
        self._path = Path(path)
        self._synchronous = str(given.get("synchronous", "full")).lower()
        if self._synchronous not in _DURABILITY:
            raise ConfigError(f"{url}: synchronous is full or normal, not {self._synchronous!r}")
        self._poll = positive(url, "poll", given.get("poll", 0.05))
        self._busy = positive(url, "busy", given.get("busy", 5.0))
        self._least_incarnation = int(positive(url, "incarnation", given.get("incarnation", 1), whole=True))
        self._file: SqliteFile | None = None
        self._wake = Wake()
        self._waiting: list[tuple[bytes, asyncio.Future[int]]] = []
        self._writing = False

    @property
    def durability(self) -> Durability:
        return _DURABILITY[self._synchronous]

    @property
    def incarnation(self) -> int:
        return self._opened.incarnation

    async def open(self) -> None:
        """Open or create the file. Raises `JournalError` that names the path and what to do."""
        if self._file is not None:
            raise JournalError(f"{self._path}: the journal is already open")
        self._writer = ThreadPoolExecutor(1, "comity-journal-writer")
        self._reader = ThreadPoolExecutor(1, "comity-journal-reader")
        try:
            self._file = await self._write(self._open_file)
        except BaseException:
            self._shut_down()
            raise

    async def append(self, data: bytes) -> int:
        file = self._opened
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append((data, future))
        if not self._writing:
            self._writing = True
            asyncio.get_running_loop().call_soon(self._hand_over, file)
        return await future

    async def follow(self, after: int) -> AsyncIterator[Entry]:
        position = after
        while True:
            seen = self._wake.count
            entries = await self._read(self._opened.read, position)
            for entry in entries:
                yield entry
            if entries:
                position = entries[-1].position
            else:
                await self._wake.wait(seen, self._poll)

    async def end(self) -> int:
        return await self._write(self._opened.end)

    async def save_snapshot(self, snapshot: Snapshot) -> None:
        await self._write(self._opened.save_snapshot, snapshot)

    async def load_snapshot(self) -> Snapshot | None:
        return await self._write(self._opened.snapshot)

    async def truncate(self, position: int) -> None:
        await self._write(self._opened.truncate, position)

    async def close(self) -> None:
        """Finish what was handed over, then close the file. Followers end with `JournalError`. Idempotent."""
        if self._file is None:
            return
        file, self._file = self._file, None
        try:
            while self._writing:
                await self._wake.wait(self._wake.count, self._poll)
            await self._read(int)  # whatever is being read comes to its end first
        finally:
            closed = self._write(file.close)
            self._shut_down()
            self._wake.set()
            await closed

    @property
    def _opened(self) -> SqliteFile:
        if self._file is None:
            raise JournalError(f"{self._path}: the journal is not open")
        return self._file

    def _open_file(self) -> SqliteFile:
        return SqliteFile(
            self._path,
            synchronous=self._synchronous,
            busy=self._busy,
            incarnation=self._least_incarnation,
        )

    def _hand_over(self, file: SqliteFile) -> None:
        batch, self._waiting = self._waiting[:_BATCH], self._waiting[_BATCH:]
        written = self._write(file.append, [data for data, _ in batch])
        written.add_done_callback(partial(self._settle, file, [future for _, future in batch]))

    def _settle(
        self, file: SqliteFile, futures: list[asyncio.Future[int]], written: asyncio.Future[int]
    ) -> None:
        error = written.exception()
        for offset, future in enumerate(futures):
            if future.done():
                continue
            if error is None:
                future.set_result(written.result() + offset)
            else:
                future.set_exception(JournalError(str(error)) if isinstance(error, JournalError) else error)
        self._wake.set()
        if self._waiting:
            self._hand_over(file)
        else:
            self._writing = False

    def _write(self, function: Callable[..., T], *args: object) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._writer, function, *args)

    def _read(self, function: Callable[..., T], *args: object) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._reader, function, *args)

    def _shut_down(self) -> None:
        self._writer.shutdown(wait=False)
        self._reader.shutdown(wait=False)


_: type[Journal] = SqliteJournal
