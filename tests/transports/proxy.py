"""A TCP proxy that harms what it carries: cuts, delays, fragments and half-open connections, drawn from a seed.

Responsible for one listening port in front of one server, on a thread of its own, so that it goes on while a test
waits for something else. What happens to the N-th connection depends on the seed and on the octets it carries alone.
Not responsible for what a fault means to a protocol: `faulty.py` has the tests.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from random import Random
from typing import Final

__all__ = ["Faults", "Proxy", "proxied"]

_CHUNK: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Faults:
    """What happens to every connection. Sizes in octets, times in seconds; the defaults harm nothing.

    `cut_within`: a connection is reset after it carried that many octets in one direction, at most, drawn anew for
    each direction. `fragment`: it is forwarded in pieces of at most that size. `delay`: each piece waits so long, at
    most.
    """

    seed: int = 0
    cut_within: int | None = None
    fragment: int = _CHUNK
    delay: float = 0


class _Pair:
    """One connection to the proxy and its own to the server."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.flowing = asyncio.Event()
        self.flowing.set()
        self._writers = client, server

    def cut(self) -> None:
        self.flowing.set()
        for writer in self._writers:
            writer.transport.abort()


class Proxy:
    """In front of the server on loopback port `target` of `host`; clients connect to `port`."""

    def __init__(self, target: int, faults: Faults) -> None:
        self.target = target
        self.faults = faults
        self.port = 0
        self.accepted = 0
        self._pairs: set[_Pair] = set()
        self._silent = False
        self.listening = threading.Event()

    def cut(self) -> None:
        """Reset every connection that there is."""
        self._do(self._cut)

    def half_open(self) -> None:
        """Carry nothing more on the connections that there are; they stay open. New ones are served."""
        self._do(self._hold)

    def silence(self) -> None:
        """Carry nothing on any connection, old or new, until `speak`."""
        self._do(self._hold, True)

    def speak(self) -> None:
        """Carry everything again, also what was held back."""
        self._do(self._release)

    def harm(self, faults: Faults) -> None:
        """From now on, new connections meet these faults."""
        self.faults = faults

    def end(self) -> None:
        """Let `serve` return."""
        self._loop.call_soon_threadsafe(self._ended.set)

    async def serve(self) -> None:
        """Listen until `end`."""
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        self.listening.set()
        await self._ended.wait()
        server.close()
        while self._pairs:
            self._cut()
            await asyncio.sleep(0)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number, self.accepted = self.accepted, self.accepted + 1
        try:
            beyond, onward = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            await _end(writer)
            return
        pair = _Pair(writer, onward)
        if self._silent:
            pair.flowing.clear()
        self._pairs.add(pair)
        try:
            await asyncio.gather(
                self._pump(reader, onward, pair, f"{number} out"),
                self._pump(beyond, writer, pair, f"{number} in"),
            )
        finally:
            await _end(writer, onward)
            self._pairs.discard(pair)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pair: _Pair, name: str
    ) -> None:
        faults = self.faults
        chance = Random(f"{faults.seed} {name}")
        left = chance.randint(1, faults.cut_within) if faults.cut_within else None
        with suppress(OSError):
            while piece := await reader.read(faults.fragment):
                await pair.flowing.wait()
                if faults.delay:
                    await asyncio.sleep(chance.uniform(0, faults.delay))
                writer.write(piece[:left])
                await writer.drain()
                if left is not None and (left := left - len(piece)) <= 0:
                    pair.cut()
                    return
            writer.write_eof()

    def _cut(self) -> None:
        for pair in list(self._pairs):
            pair.cut()

    def _hold(self, silent: bool = False) -> None:
        self._silent = silent
        for pair in self._pairs:
            pair.flowing.clear()

    def _release(self) -> None:
        self._silent = False
        for pair in self._pairs:
            pair.flowing.set()

    def _do(self, what: Callable[..., None], *arguments: object) -> None:
        done = threading.Event()

        def act() -> None:
            what(*arguments)
            done.set()

        self._loop.call_soon_threadsafe(act)
        assert done.wait(10), "the proxy does not answer"


async def _end(*writers: asyncio.StreamWriter) -> None:
    for writer in writers:
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()


@contextmanager
def proxied(target: int, faults: Faults = Faults()) -> Generator[Proxy, None, None]:
    """A proxy for the length of the block."""
    proxy = Proxy(target, faults)
    thread = threading.Thread(target=lambda: asyncio.run(proxy.serve()))
    thread.start()
    try:
        assert proxy.listening.wait(10), "the proxy does not listen"
        yield proxy
    finally:
        proxy.end()
        thread.join(10)
