"""Storage: a participant's own small state, in memory or in a directory of files.

Responsible for replacing each named value whole and atomically. Not responsible for what the values mean, nor
for sharing: one participant, one storage.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from comity.sdk.errors import ConfigError, JournalError
from comity.sdk.ports import Storage

__all__ = ["FileStorage", "MemoryStorage", "open_storage"]

_SUFFIX: Final = ".value"
_LONGEST: Final = 200


class MemoryStorage:
    """Values in a dictionary, gone with the process."""

    def __init__(self) -> None:
        self._values: dict[str, bytes] = {}

    async def load(self) -> dict[str, bytes]:
        """All values."""
        return dict(self._values)

    async def save(self, token: str, data: bytes) -> None:
        """Keep `data` under `token`."""
        _file_name(token)
        self._values[token] = bytes(data)


class FileStorage:
    """One file for each value in `directory`, which is made if it is missing; only its owner may read it.

    A value is written aside, synced and renamed into place, so that a crash leaves the old one or the new one.
    Raises `JournalError` that names the path where the disk refuses.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._one_at_a_time = asyncio.Lock()

    async def load(self) -> dict[str, bytes]:
        """All values; what an interrupted `save` left over is ignored."""
        return await asyncio.to_thread(self._load)

    async def save(self, token: str, data: bytes) -> None:
        """Return when `data` is durable under `token`; saves take place in the order of their calls."""
        name = _file_name(token)
        async with self._one_at_a_time:
            # shielded: a cancelled save must not let the next one overtake the thread that is still writing
            writing = asyncio.ensure_future(asyncio.to_thread(self._save, name, bytes(data)))
            try:
                await asyncio.shield(writing)
            except asyncio.CancelledError:
                await asyncio.wait([writing])
                raise

    def _load(self) -> dict[str, bytes]:
        try:
            files = sorted(self._directory.glob(f"*{_SUFFIX}"))
            return {unquote(file.name.removesuffix(_SUFFIX)): file.read_bytes() for file in files}
        except OSError as error:
            raise JournalError(f"{error.filename or self._directory}: {error.strerror}: check it") from error

    def _save(self, name: str, data: bytes) -> None:
        file, aside = self._directory / name, self._directory / f"{name}.new"
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(os.open(aside, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as output:
                output.write(data)
                output.flush()
                os.fsync(output.fileno())
            aside.replace(file)
            directory = os.open(self._directory, os.O_RDONLY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
        except OSError as error:
            raise JournalError(f"{file}: {error.strerror}: the value was not kept; check the disk") from error


def open_storage(url: str) -> Storage:
    """The storage for `memory:` or `file:DIRECTORY`. Raises `ConfigError` for anything else."""
    parts = urlsplit(url)
    if url == "memory:":
        return MemoryStorage()
    if parts.scheme == "file" and parts.path and not (parts.netloc or parts.query):
        return FileStorage(Path(unquote(parts.path)))
    raise ConfigError(f"no storage for {url!r}: write memory: or file:DIRECTORY")


def _file_name(token: str) -> str:
    name = quote(token, safe="_:-").replace(".", "%2E")
    if not token or len(name) > _LONGEST:
        raise ConfigError(f"a name in storage has 1 to {_LONGEST} octets once escaped, not {len(name)}")
    return name + _SUFFIX


_: tuple[type[Storage], type[Storage]] = (MemoryStorage, FileStorage)
