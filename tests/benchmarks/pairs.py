"""Pairs of child processes, one that sends and one that receives, and rounds of measurements in turn.

Responsible for starting them, for a limit to every wait, and for ending them in any case. Not responsible for what
they do: `peers` is.
"""

from __future__ import annotations

import json
import os
import select
import statistics
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

__all__ = ["Child", "Pair", "Sample", "in_turn", "ratio"]

_PATIENCE = 120.0
_ROOT = Path(__file__).parents[2]


class Sample(NamedTuple):
    """Messages per second from end to end, and the processor time of each end per message in seconds."""

    rate: float
    sending: float
    receiving: float

    @property
    def cpu(self) -> float:
        """Processor time of both ends per message, in seconds."""
        return self.sending + self.receiving


class Child:
    """A process that takes commands and answers each with one line; it is gone when the block ends."""

    def __init__(self, name: str, *arguments: str, pass_fds: tuple[int, ...] = ()) -> None:
        self._name = name
        self._stack = ExitStack()
        self._errors = self._stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - the stack closes it
        self._process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            pass_fds=pass_fds,
        )

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(10 if kind is None else 0.5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._stack.close()

    def tell(self, do: str, **arguments: float) -> None:
        """Give a command; `result` has its answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, **arguments}).encode() + b"\n")
        self._process.stdin.flush()

    def result(self, patience: float = _PATIENCE) -> dict[str, Any]:
        """The next answer. Raises `RuntimeError` with what the process wrote last where it has none in time."""
        out = self._process.stdout
        assert out is not None
        ready, _, _ = select.select([out], [], [], patience)
        line = out.readline() if ready else b""
        if not line:
            self._errors.seek(0)
            said = self._errors.read().decode(errors="replace")[-2000:]
            raise RuntimeError(f"{self._name} did not answer within {patience:g} s; it wrote:\n{said}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def ask(self, do: str, **arguments: float) -> dict[str, Any]:
        """Give a command and wait for its answer."""
        self.tell(do, **arguments)
        return self.result()


class Pair:
    """Two children with the same peer and a pipe of credits between them, in a space of their own."""

    def __init__(self, peer: str, url: str, size: int, *, uvloop: bool = False) -> None:
        self._stack = ExitStack()
        space = f"s{uuid.uuid4().hex[:12]}"
        ends = os.pipe()
        children: list[Child] = []
        with ExitStack() as stack:
            for role, end in zip(("sends", "receives"), ends, strict=True):
                stack.callback(os.close, end)
                options = ["--uvloop"] if uvloop else []
                arguments = ("tests.benchmarks.peers", peer, url, space, str(size), str(end), *options)
                child = Child(f"{peer} that {role}", *arguments, pass_fds=(end,))
                children.append(self._stack.enter_context(child))
        self.sender, self.receiver = children

    def __enter__(self) -> Self:
        try:
            self.sender.result()
            self.receiver.result()
        except BaseException:
            self._stack.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def throughput(self, count: int) -> Sample:
        """From the first message sent to the last one received."""
        self.receiver.ask("receive", count=count)
        self.sender.tell("send", count=count)
        received, sent = self.receiver.result(), self.sender.result()
        return Sample(count / (received["at"] - sent["at"]), sent["cpu"] / count, received["cpu"] / count)


def in_turn(sides: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, list[Any]]:
    """What each side gave in each round, all sides in turn in every round, the first round left out."""
    found: dict[str, list[Any]] = {name: [] for name in sides}
    for _ in range(rounds + 1):
        for name, measure in sides.items():
            found[name].append(measure())
    return {name: values[1:] for name, values in found.items()}


def ratio(ours: list[float], peer: list[float]) -> float:
    """The median over the rounds of ours against the peer's of the same round."""
    return statistics.median(mine / theirs for mine, theirs in zip(ours, peer, strict=True))
