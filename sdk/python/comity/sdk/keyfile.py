"""Identity files: one agent's secret, kept readable by its owner only.

Responsible for reading them strictly and for making one atomically on first use. Not responsible for what is signed.
"""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from .errors import ConfigError
from .identity import Identity

__all__ = ["load_identity"]


def load_identity(path: Path) -> Identity:
    """The identity in `path`, a file with the seed in hexadecimal; made when its directory has none.

    Two processes that make it at once end with the same one. Raises `ConfigError` where the file holds anything else,
    where others than its owner may read it, or where it cannot be made.
    """
    if not path.exists():
        _create(path, Identity.generate())
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(256)
    except OSError as error:
        raise ConfigError(f"identity {path} cannot be read: {error.strerror}") from error
    if stat.S_IMODE(mode) & 0o077:
        raise ConfigError(f"identity {path} may be read by others; run: chmod 600 {path}")
    try:
        return Identity.from_seed(bytes.fromhex(text.decode("ascii").strip()))
    except (ValueError, ConfigError) as error:
        raise ConfigError(f"identity {path} is not a seed of 64 hexadecimal digits") from error


def _create(path: Path, identity: Identity) -> None:
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # made with mode 0600
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(identity.seed.hex().encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileExistsError):  # another process was first: its identity counts
                os.link(name, path)
        finally:
            Path(name).unlink()
    except (
        FileNotFoundError
    ) as error:  # not made here: a misspelt path would be somebody new, and say nothing
        raise ConfigError(f"identity {path} cannot be made: there is no directory {path.parent}") from error
    except OSError as error:
        raise ConfigError(f"identity {path} cannot be made: {error.strerror}") from error
