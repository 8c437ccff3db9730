"""Real brokers on loopback, for tests and for users: `up`, `status`, `down`, and `running` for a block.

Responsible for which brokers were started here, across processes, and for ending only those. Not responsible
for how one is started: `_nats_server.py`, `_mqtt_server.py` and `_kafka_server.py` are.

What `up` started is kept in a directory of the user's: `COMITY_STATE_DIR`, else `comity` under
`XDG_STATE_HOME`, else a directory of the user's own under the system's temporary one.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from comity.sdk.errors import ConfigError
from comity.transports import _kafka_jars, _kafka_server, _mqtt_server, _nats_server, _processes

__all__ = ["Broker", "Running", "down", "names", "running", "status", "up"]


@dataclass(frozen=True, slots=True)
class Running:
    """A broker that was started here: where it listens, which process it is, where it keeps its files."""

    name: str
    url: str
    pid: int
    started: str
    version: str
    data: str

    @property
    def alive(self) -> bool:
        """Whether that very process still runs."""
        return _processes.alive(self.pid, self.started)


class Broker:
    """A broker for the length of a block: it can be killed and started again on the same port and files."""

    def __init__(self, name: str, directory: Path, config: str = "") -> None:
        self._name = name
        self._directory = directory
        self._config = config
        self._now = _start(name, directory, config, None)

    @property
    def now(self) -> Running:
        """What runs, or ran last."""
        return self._now

    @property
    def url(self) -> str:
        """Where to connect; the same after a restart."""
        return self._now.url

    def kill(self) -> None:
        """End it as `kill -9` does."""
        _processes.end(self._now.pid, self._now.started, kill=True)

    def stop(self) -> None:
        """End it as an operator does."""
        _processes.end(self._now.pid, self._now.started)

    def restart(self) -> None:
        """Start it again, on the same port and files; ended first if it still runs."""
        self.stop()
        self._now = _start(self._name, self._directory, self._config, int(self.url.rpartition(":")[2]))


def names() -> list[str]:
    """The brokers that can be started."""
    return sorted(_STARTERS)


@contextmanager
def running(name: str, config: str = "") -> Generator[Broker, None, None]:
    """A broker of its own for the length of the block, with temporary files.

    `config` is added to the broker's own configuration file. Raises `ConfigError` for an unknown broker or one
    that cannot be had here, `TransportError` when it does not come up.
    """
    with tempfile.TemporaryDirectory(prefix="comity-", ignore_cleanup_errors=True) as directory:
        broker = Broker(name, Path(directory), config)
        try:
            yield broker
        finally:
            broker.stop()


def up(wanted: Iterable[str]) -> list[Running]:
    """Start those brokers, or find them already running; ready when it returns."""
    wanted = list(wanted)
    with _state() as state:
        for name in wanted:
            known = state.get(name)
            if known is None or not known.alive:
                _discard(known)
                state[name] = _start_kept(name)
        return [state[name] for name in wanted]


def down(wanted: Iterable[str]) -> list[Running]:
    """End those of them that run, delete their files, and return what was ended."""
    with _state() as state:
        found = [state.pop(_known(name)) for name in wanted if _known(name) in state]
        ended = [one for one in found if one.alive]
        for one in found:
            _discard(one)
        return ended


def status() -> list[Running]:
    """What `up` started and still runs."""
    with _state() as state:
        return [one for one in state.values() if one.alive]


def _start_kept(name: str) -> Running:
    directory = Path(tempfile.mkdtemp(prefix=f"comity-{_known(name)}-"))
    try:
        return _start(name, directory, "", None)
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise


def _discard(one: Running | None) -> None:
    if one is not None:
        _processes.end(one.pid, one.started)
        shutil.rmtree(one.data, ignore_errors=True)


def _start(name: str, directory: Path, config: str, port: int | None) -> Running:
    return _STARTERS[_known(name)](directory, config, port)


def _start_nats(directory: Path, config: str, port: int | None) -> Running:
    binary = _nats_server.find()
    version = _nats_server.version(binary)
    pid, port = _nats_server.start(binary, directory, config=config, port=port)
    begun = _processes.started(pid) or ""
    return Running("nats", f"nats://127.0.0.1:{port}", pid, begun, version, str(directory))


def _start_mqtt(directory: Path, config: str, port: int | None) -> Running:
    binary = _mqtt_server.find()
    version = _mqtt_server.version(binary)
    pid, port = _mqtt_server.start(binary, directory, config=config, port=port)
    begun = _processes.started(pid) or ""
    return Running("mqtt", f"mqtt://127.0.0.1:{port}", pid, begun, version, str(directory))


def _start_kafka(directory: Path, config: str, port: int | None) -> Running:
    pid, port = _kafka_server.start(directory, config=config, port=port)
    begun = _processes.started(pid) or ""
    return Running("kafka", f"kafka://127.0.0.1:{port}", pid, begun, _kafka_jars.version(), str(directory))


def _known(name: str) -> str:
    if name not in _STARTERS:
        raise ConfigError(f"no broker {name!r}: known are {', '.join(names())}")
    return name


_STARTERS: Final[dict[str, Callable[[Path, str, int | None], Running]]] = {
    "kafka": _start_kafka,
    "mqtt": _start_mqtt,
    "nats": _start_nats,
}


@contextmanager
def _state() -> Generator[dict[str, Running], None, None]:
    """What is known, held alone for the length of the block and written back after it, also when it fails."""
    directory = _state_directory()
    file = directory / "brokers.json"
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        state: dict[str, Running] = {}
        with suppress(OSError, ValueError, TypeError, AttributeError):  # a damaged file knows nothing
            state = {
                name: Running(**one) for name, one in json.loads(file.read_text(encoding="utf-8")).items()
            }
        try:
            yield state
        finally:
            fresh = file.with_suffix(".new")
            fresh.write_text(json.dumps({name: asdict(one) for name, one in state.items()}), encoding="utf-8")
            fresh.replace(file)


def _state_directory() -> Path:
    own, shared = os.environ.get("COMITY_STATE_DIR"), os.environ.get("XDG_STATE_HOME")
    if own or shared:
        directory = Path(own) if own else Path(shared or "", "comity")
    else:
        directory = Path(tempfile.gettempdir(), f"comity-{os.getuid()}")
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if directory.stat().st_uid != os.getuid():
        raise ConfigError(
            f"{directory} belongs to another user: set COMITY_STATE_DIR to a directory of yours"
        )
    return directory
