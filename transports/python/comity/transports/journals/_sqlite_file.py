"""The SQLite file behind a `sqlite:` journal: synchronous, one writer and one reader connection.

Responsible for the file's layout, its transactions and for errors that name the file and what to do. Not
responsible for threads, for grouping appends or for waking anybody: `sqlite.py` does that.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from comity.sdk.errors import JournalError
from comity.sdk.ports import Entry, Snapshot
from comity.transports.journals._base import check_snapshot, check_truncation, compacted

__all__ = ["SqliteFile"]

_APPLICATION = 0x436D7479  # "Cmty", so that nobody's other database is taken for a journal
_LAYOUT = 1
_READ = 128
_SCHEMA = (
    "CREATE TABLE entries (position INTEGER PRIMARY KEY AUTOINCREMENT, data BLOB NOT NULL)",
    "CREATE TABLE snapshot (id INTEGER PRIMARY KEY CHECK (id = 1), position INTEGER NOT NULL, data BLOB NOT NULL)",
    "CREATE TABLE meta (id INTEGER PRIMARY KEY CHECK (id = 1), incarnation INTEGER NOT NULL,"
    " truncated INTEGER NOT NULL)",
    "INSERT INTO meta VALUES (1, 1, 0)",
)
_ADVICE = {
    "SQLITE_FULL": "there is no room: free some space and append again; nothing acknowledged is lost",
    "SQLITE_IOERR": "the disk refused: see the system log; nothing acknowledged is lost",
    "SQLITE_NOTADB": "the file is no SQLite database: name another path, or restore it from a backup",
    "SQLITE_CORRUPT": "the file is damaged: restore it from a backup",
    "SQLITE_READONLY": "the file or its directory is read-only: change the permissions",
    "SQLITE_CANTOPEN": "it cannot be opened: check the path and its permissions",
    "SQLITE_PERM": "it may not be opened: check the permissions",
    "SQLITE_BUSY": "another process holds the file for too long: see which one has it open",
}


class SqliteFile:
    """An open journal file. `append` belongs to one thread, `read` to another; both raise `JournalError`."""

    def __init__(self, path: Path, *, synchronous: str, busy: float, incarnation: int) -> None:
        self._path = path
        self._check_place()
        with self._explained(), _closing_on_error(self._connect(synchronous, busy)) as writer:
            self._writer = writer
            self.incarnation = self._prepare(incarnation)
            self._reader = self._connect(synchronous, busy)
        self._identity = self._stat()

    def append(self, batch: Sequence[bytes]) -> int:
        """Add `batch` in one transaction and return the position of its first entry, once it is durable."""
        if self._stat() != self._identity:
            raise JournalError(
                f"{self._path}: the file was removed or replaced while open: reopen the journal"
            )
        with self._transaction() as writer:
            writer.executemany("INSERT INTO entries (data) VALUES (?)", [(data,) for data in batch])
            (last,) = writer.execute("SELECT last_insert_rowid()").fetchone()
        return int(last) - len(batch) + 1

    def read(self, after: int) -> list[Entry]:
        """The next entries behind `after`, at most 128. Raises `JournalError` where they were truncated."""
        with self._explained():
            rows = self._reader.execute(
                "SELECT truncated, position, data FROM meta LEFT JOIN entries ON position > ? "
                "ORDER BY position LIMIT ?",
                (after, _READ),
            ).fetchall()
        if after < rows[0][0]:
            raise compacted(after, rows[0][0])
        return [Entry(position, data) for _, position, data in rows if position is not None]

    def end(self) -> int:
        """Position of the last entry ever appended."""
        with self._explained():
            row = self._writer.execute("SELECT seq FROM sqlite_sequence WHERE name = 'entries'").fetchone()
        return int(row[0]) if row else 0

    def snapshot(self) -> Snapshot | None:
        """The latest snapshot."""
        with self._explained():
            row = self._writer.execute("SELECT position, data FROM snapshot").fetchone()
        return Snapshot(*row) if row else None

    def save_snapshot(self, snapshot: Snapshot) -> None:
        """Replace the snapshot, durably."""
        with self._transaction() as writer:
            check_snapshot(snapshot, self.snapshot(), self.end())
            writer.execute("INSERT OR REPLACE INTO snapshot VALUES (1, ?, ?)", snapshot)

    def truncate(self, position: int) -> None:
        """Delete entries up to `position`."""
        with self._transaction() as writer:
            check_truncation(position, self.snapshot())
            writer.execute("DELETE FROM entries WHERE position <= ?", (position,))
            writer.execute("UPDATE meta SET truncated = max(truncated, ?)", (position,))

    def close(self) -> None:
        """Close both connections; the last one to close folds the write-ahead log into the file."""
        with self._explained():
            self._reader.close()
            self._writer.close()

    def _check_place(self) -> None:
        if not self._path.parent.is_dir():
            raise JournalError(f"{self._path}: its directory does not exist: create {self._path.parent}")
        if self._path.is_dir():
            raise JournalError(f"{self._path}: it is a directory: name a file in it")

    def _connect(self, synchronous: str, busy: float) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=busy, isolation_level=None, check_same_thread=False, cached_statements=32
        )
        with _closing_on_error(connection):
            connection.execute(f"PRAGMA synchronous = {synchronous}")
            connection.execute("PRAGMA fullfsync = ON")  # where fsync alone leaves data in the drive's cache
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
            if mode != "wal":
                raise JournalError(f"{self._path}: SQLite offers no write-ahead log here: use a local disk")
        return connection

    def _prepare(self, incarnation: int) -> int:
        with self._transaction() as writer:
            (application,) = writer.execute("PRAGMA application_id").fetchone()
            (tables,) = writer.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            if application != _APPLICATION and tables:
                raise JournalError(
                    f"{self._path}: the database belongs to another application: name another path"
                )
            if not tables:
                self._create(writer)
            (layout,) = writer.execute("PRAGMA user_version").fetchone()
            if layout != _LAYOUT:
                raise JournalError(
                    f"{self._path}: layout {layout} is not {_LAYOUT}: use the release that wrote it"
                )
            writer.execute("UPDATE meta SET incarnation = max(incarnation, ?)", (incarnation,))
            (stored,) = writer.execute("SELECT incarnation FROM meta").fetchone()
        return int(stored)

    def _create(self, writer: sqlite3.Connection) -> None:
        for statement in _SCHEMA:
            writer.execute(statement)
        writer.execute(f"PRAGMA application_id = {_APPLICATION}")
        writer.execute(f"PRAGMA user_version = {_LAYOUT}")
        directory = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)  # SQLite syncs the file; its name in the directory is ours to keep
        finally:
            os.close(directory)

    @contextmanager
    def _transaction(self) -> Generator[sqlite3.Connection, None, None]:
        with self._explained():
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise

    @contextmanager
    def _explained(self) -> Generator[None, None, None]:
        try:
            yield
        except sqlite3.Error as error:
            name = getattr(error, "sqlite_errorname", "")
            advice = next(
                (text for key, text in _ADVICE.items() if name.startswith(key)), "reopen the journal"
            )
            raise JournalError(f"{self._path}: {error}: {advice}") from error

    def _stat(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino


@contextmanager
def _closing_on_error(connection: sqlite3.Connection) -> Generator[sqlite3.Connection, None, None]:
    """Close `connection` if the block fails, and only then."""
    try:
        yield connection
    except BaseException:
        connection.close()
        raise
