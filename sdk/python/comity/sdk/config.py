"""Settings: `comity.toml` found upwards, then `COMITY_*`, then arguments, each over the one before.

Responsible for finding, checking and merging settings, and for saying where a wrong one stands. Not responsible for
opening what they name: the transport is one URL and whoever connects reads it.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final, Literal, cast

from .errors import ConfigError

__all__ = ["FILE_NAME", "Config", "find_file", "load_config"]

FILE_NAME: Final = "comity.toml"
_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
_ENVIRONMENT: Final = "COMITY_"
_PATHS: Final = frozenset({"identity", "journal", "storage"})


@dataclass(frozen=True, slots=True)
class Config:
    """Every setting, with its default.

    `transport` is one URL, as are `journal` (`memory:`, `sqlite:PATH`) and `storage` (`memory:`, `file:DIRECTORY`).
    `identity` names the file that holds the agent's secret key, made on first use; without it each run is somebody new.
    `registry` is the agent id of the registry, where only its answers are to be believed (profile `signed`); `gateway`
    that of the gateway whose refusals are believed as well, where the namespace is at home on another broker.
    Timeouts are in milliseconds. Relative paths count from the file that names them.
    """

    transport: str = "memory://default"
    journal: str = "sqlite:comity-registry.db"
    storage: str = "memory:"
    namespace: str = "default"
    name: str | None = None
    profile: Literal["open", "signed"] = "open"
    identity: str | None = None
    registry: str | None = None
    gateway: str | None = None
    connect_timeout_ms: int = 5_000
    request_timeout_ms: int = 5_000
    source: Path | None = field(default=None, compare=False)


_KEYS: Final = tuple(f.name for f in fields(Config) if f.name != "source")
_NUMBERS: Final = frozenset(key for key in _KEYS if key.endswith("_ms"))


def find_file(start: Path | None = None) -> Path | None:
    """The nearest `comity.toml` in `start` (by default the working directory) or above it."""
    begin = (start or Path.cwd()).resolve()
    return next((d / FILE_NAME for d in (begin, *begin.parents) if (d / FILE_NAME).is_file()), None)


def load_config(
    path: Path | None = None, *, environment: Mapping[str, str] | None = None, **arguments: str | int | None
) -> Config:
    """Settings from `path` (or the file found upwards), the environment and `arguments`; None means not given.

    Raises `ConfigError` naming file and line, variable or argument of the first wrong setting.
    """
    file = path or find_file()
    settings = _from_file(file) if file is not None else {}
    settings |= _from_environment(os.environ if environment is None else environment)
    for key, value in arguments.items():
        if value is not None:
            settings[key] = _checked(key, value, f"argument {key}")
    return replace(Config(**settings), source=file)


def _from_file(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        table = tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: {error}") from error
    settings: dict[str, Any] = {}
    for key, value in table.items():
        where = f"{path}:{_line(text, key)}"
        settings[key] = _anchored(key, _checked(key, value, where), path.parent)
    return settings


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for key in _KEYS:
        variable = _ENVIRONMENT + key.upper()
        value = environment.get(variable)
        if value:
            number = int(value) if key in _NUMBERS and value.isascii() and value.isdigit() else value
            settings[key] = _checked(key, number, f"environment variable {variable}")
    return settings


def _checked(key: str, value: object, where: str) -> str | int:
    if key not in _KEYS:
        raise ConfigError(f"{where}: there is no setting {key!r}; there are {', '.join(_KEYS)}")
    if key in _NUMBERS:
        if type(value) is not int or not 1 <= value <= 3_600_000:
            raise ConfigError(f"{where}: {key} is a number of milliseconds from 1 to 3600000, not {value!r}")
        return value
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{where}: {key} is a text, not {value!r}")
    if key == "namespace" and not _NAME.fullmatch(value):
        raise ConfigError(f"{where}: namespace {value!r} does not match [a-z][a-z0-9-]{{0,31}}")
    if key == "profile" and value not in ("open", "signed"):
        raise ConfigError(f"{where}: profile is open or signed, not {value!r}")
    if key == "name" and (len(value) > 64 or not value.isprintable()):
        raise ConfigError(f"{where}: name is at most 64 printable characters")
    if key in ("registry", "gateway") and not _is_agent(value):
        raise ConfigError(f"{where}: {key} is an agent id such as did:key:z6Mk…, not {value!r}")
    if key == "transport" and "://" not in value:
        raise ConfigError(f"{where}: transport is a URL such as nats://127.0.0.1:4222, not {value!r}")
    return value


def _is_agent(value: str) -> bool:
    from .identity import public_key  # imported late: few configurations need the library for keys

    return public_key(value) is not None


def _anchored(key: str, value: str | int, home: Path) -> str | int:
    """Relative paths in a file count from that file, wherever the program was started."""
    if key not in _PATHS:
        return value
    scheme, colon, rest = cast("str", value).partition(":") if key != "identity" else ("", "", value)
    place, question, query = cast("str", rest).partition("?")
    if not place:
        return value
    return f"{scheme}{colon}{home / Path(place).expanduser()}{question}{query}"


def _line(text: str, key: str) -> int:
    spelled = re.compile(rf"""\s*\[*\s*["']?{re.escape(key)}["']?\s*[=.\]]""")
    return next((n for n, line in enumerate(text.splitlines(), 1) if spelled.match(line)), 1)
