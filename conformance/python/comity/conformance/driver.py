"""Driving a subject: one line out, one line in, and every way in which that can go wrong.

Responsible for the two ways to reach a subject (a process on its pipes, a callable in this process), timeouts, and
telling hang, death, garbage, disorder and flooding apart. Not responsible for what lines mean.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import shlex
import subprocess
import tempfile
import time
from collections.abc import Callable
from typing import IO, Any, Protocol

from .errors import AdapterError, UsageError
from .law import Law
from .wire import Lexical, dump, members_of, parse

__all__ = ["CallDriver", "Driver", "DriverFactory", "StdioDriver", "SubjectLost", "resolve"]

MAX_LINE = 64 << 20


class SubjectLost(Exception):
    """The conversation broke. `kind` is hang, death, garbage, order, flood or schema; `quote` what was seen."""

    def __init__(self, kind: str, quote: str) -> None:
        super().__init__(f"{kind}: {quote}")
        self.kind, self.quote = kind, quote[:300]


class Driver(Protocol):
    """One live subject."""

    def ask(self, line: bytes) -> bytes:
        """Send one line, give the one that answers. Raises `SubjectLost`."""
        ...

    def kill(self) -> None:
        """End the subject without warning; `ask` begins a new life."""
        ...

    def close(self) -> None: ...


DriverFactory = Callable[[], Driver]


class CallDriver:
    """A subject in this process: `factory()` gives a callable from line to line."""

    def __init__(self, factory: Callable[[], Callable[[bytes], bytes]]) -> None:
        self._factory = factory
        self._handler: Callable[[bytes], bytes] | None = None

    def ask(self, line: bytes) -> bytes:
        try:
            if self._handler is None:
                self._handler = self._factory()
            answer = self._handler(line)
        except Exception as error:
            self._handler = None
            raise SubjectLost("death", f"{type(error).__name__}: {error}") from error
        if not isinstance(answer, bytes):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise SubjectLost("garbage", repr(answer))
        return answer

    def kill(self) -> None:
        self._handler = None

    def close(self) -> None:
        self._handler = None


class StdioDriver:
    """A subject as a process that speaks lines on its pipes. `timeout` bounds each answer, in seconds."""

    def __init__(self, command: list[str], timeout: float = 10.0) -> None:
        self._command, self._timeout = command, timeout
        self._process: subprocess.Popen[bytes] | None = None
        self._buffer = b""
        self._complaints: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`

    def _start(self) -> subprocess.Popen[bytes]:
        try:
            process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._complaints
            )
        except OSError as error:
            raise AdapterError(f"cannot start {shlex.join(self._command)}: {error.strerror}") from error
        self._process, self._buffer = process, b""
        return process

    def ask(self, line: bytes) -> bytes:
        process = self._process or self._start()
        assert process.stdin is not None
        if self._buffer or (self._readable(process, 0) and self._fill(process)):
            raise self._lost("flood", self._buffer)
        try:
            process.stdin.write(line + b"\n")
            process.stdin.flush()
        except (BrokenPipeError, OSError) as error:
            raise self._lost("death", self._status()) from error
        return self._line(process)

    def _line(self, process: subprocess.Popen[bytes]) -> bytes:
        deadline = time.monotonic() + self._timeout
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) > MAX_LINE:
                raise self._lost("flood", self._buffer)
            if not self._readable(process, deadline - time.monotonic()):
                raise self._lost("hang", f"no answer within {self._timeout:g} s")
            if not self._fill(process):
                raise self._lost("death", self._status())
        line, self._buffer = self._buffer[:end], self._buffer[end + 1 :]
        return line

    def _readable(self, process: subprocess.Popen[bytes], timeout: float) -> bool:
        assert process.stdout is not None
        return bool(select.select([process.stdout.fileno()], [], [], max(0.0, timeout))[0])

    def _fill(self, process: subprocess.Popen[bytes]) -> bool:
        assert process.stdout is not None
        chunk = os.read(process.stdout.fileno(), 1 << 20)
        self._buffer += chunk
        return bool(chunk)

    def _status(self) -> str:
        if self._process is None:
            return "not running"
        try:
            status = self._process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            return "closed its output"
        return f"exited with status {status}{self._last_words()}"

    def _last_words(self) -> str:
        """The last line that the subject wrote to its standard error."""
        end = self._complaints.seek(0, os.SEEK_END)
        self._complaints.seek(max(0, end - 2000))
        lines = self._complaints.read().decode("utf-8", "replace").split("\n")
        said = [line.strip() for line in lines if line.strip()]
        return f"; it said: {said[-1][:200]}" if said else ""

    def _lost(self, kind: str, quote: bytes | str) -> SubjectLost:
        self.kill()
        return SubjectLost(kind, quote if isinstance(quote, str) else quote.decode("utf-8", "replace"))

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    try:
                        pipe.close()
                    except BrokenPipeError:
                        continue
        self._process, self._buffer = None, b""

    def close(self) -> None:
        self.kill()
        self._complaints.close()


class Conversation:
    """Numbered commands over a driver, each answer checked against the driver protocol."""

    def __init__(self, driver: Driver, law: Law) -> None:
        self._driver, self._law, self._n = driver, law, 0
        self.lines = 0

    def ask(self, kind: str, data: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """Give a command, return type and data of the answer. Raises `SubjectLost`."""
        self._n += 1
        self.lines += 1
        answer = self._driver.ask(dump({"n": self._n, "type": kind, "data": data}).encode())
        return self._check(answer)

    def _check(self, answer: bytes) -> tuple[str, dict[str, Any]]:
        try:
            found = members_of(json.loads(answer) if len(answer) > 4096 else parse(answer))
        except (Lexical, ValueError) as error:
            raise self._lost("garbage", f"{error} in {answer[:200]!r}") from error
        if found is None or not {"n", "type", "data"} <= found.keys():
            raise self._lost("garbage", f"no object with n, type and data: {answer[:200]!r}")
        if found["n"] != self._n or isinstance(found["n"], bool):
            raise self._lost("order", f"a line was answered under another n: {_offset(found['n'], self._n)}")
        kind, data = found["type"], found["data"]
        if kind not in ("Done", "Welcome", "Unsupported", "Failed"):
            raise self._lost("schema", f"no answer is called {kind!r}")
        if (wrong := self._law.errors(kind, data, spec="driver")) is not None:
            raise self._lost("schema", f"{kind}{wrong}")
        return kind, data

    def _lost(self, kind: str, quote: str) -> SubjectLost:
        self._driver.kill()
        return SubjectLost(kind, quote)

    def recount(self) -> None:
        """Number lines from 1 again, so that a run does not depend on those before it."""
        self._n = 0

    def kill(self) -> None:
        self._driver.kill()


def _offset(n: object, wanted: int) -> str:
    """How far an answer's number is off; nothing that differs between one run of a plan and another."""
    return f"{n - wanted:+d}" if type(n) is int else repr(n)


def resolve(target: str, *, timeout: float = 10.0) -> DriverFactory:
    """How to make a driver for `stdio:COMMAND` or `python:MODULE:FACTORY`. Raises `UsageError`."""
    scheme, _, rest = target.partition(":")
    if scheme == "stdio" and rest.strip():
        command = shlex.split(rest)
        return lambda: StdioDriver(command, timeout)
    if scheme == "python" and ":" in rest:
        module, _, name = rest.rpartition(":")
        try:
            factory = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError) as error:
            raise UsageError(f"cannot load {target}: {error}") from error
        return lambda: CallDriver(factory)
    raise UsageError(f"{target!r} is neither stdio:COMMAND nor python:MODULE:FACTORY")
