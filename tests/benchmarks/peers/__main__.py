"""A child process with one peer: `python -m tests.benchmarks.peers PEER URL SPACE SIZE CREDITS [--uvloop]`.

It takes one command per line on standard input, answers each with one line of JSON, and ends with its input: so it never
outlives who started it. An alarm ends it in any case. `CREDITS` is the file descriptor of a pipe: who receives writes
one octet for every `BATCH` messages, so that no more than `WINDOW` are under way on any side of a comparison.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any, Final

from tests.benchmarks.peers._job import Conversing, Peer

WINDOW: Final = 4096
BATCH: Final = 256
LIFETIME: Final = 900  # seconds
_TURN: Final = 64  # messages sent before others on the loop have their turn
_PEERS: Final = {
    "ours": "_ours:Ours",
    "same nats": "_raw_nats:NatsByHand",
    "same kafka": "_raw_kafka:KafkaByHand",
    "same mqtt": "_raw_mqtt:MqttByHand",
    "unchecked nats": "_raw_nats:NatsByHandUnchecked",
    "unchecked kafka": "_raw_kafka:KafkaByHandUnchecked",
    "unchecked mqtt": "_raw_mqtt:MqttByHandUnchecked",
    "bytes nats": "_raw_nats:NatsBytes",
    "bytes kafka": "_raw_kafka:KafkaBytes",
    "bytes mqtt": "_raw_mqtt:MqttBytes",
    "faststream nats": "_faststream:FastStreamNats",
    "faststream kafka": "_faststream:FastStreamKafka",
    "faststream mqtt": "_faststream:FastStreamMqtt",
}


class Child:
    """The commands, on one peer."""

    def __init__(self, peer: Peer, credits_fd: int) -> None:
        self._peer = peer
        self._credits_fd = credits_fd
        self._seen = self._wanted = 0
        self._all_seen = asyncio.Event()
        self._replied = asyncio.Event()
        self._allowed = WINDOW
        self._more = asyncio.Event()

    async def listen(self) -> dict[str, float]:
        """Begin to receive."""
        await self._peer.listen(self._see)
        return {}

    async def receive(self, count: int) -> dict[str, float]:
        """Say so, and return when `count` messages have come: when that was, and the processor time it took."""
        self._seen, self._wanted = 0, count
        self._all_seen.clear()
        begun = time.process_time()
        _say({})
        await self._all_seen.wait()
        return {"at": time.monotonic(), "cpu": time.process_time() - begun}

    async def send(self, count: int) -> dict[str, float]:
        """Send `count` messages, never more than the window ahead: when that began, and the processor time it took."""
        self._allowed = WINDOW
        begun, cpu = time.monotonic(), time.process_time()
        loop = asyncio.get_running_loop()
        loop.add_reader(self._credits_fd, self._take_credits)
        for number in range(count):
            while number >= self._allowed:
                self._more.clear()
                await self._more.wait()
            await self._peer.send()
            if number % _TURN == 0:
                await asyncio.sleep(0)
        while self._allowed < WINDOW + count // BATCH * BATCH:
            self._more.clear()
            await self._more.wait()
        loop.remove_reader(self._credits_fd)
        return {"at": begun, "cpu": time.process_time() - cpu}

    async def send_surely(self, count: int, window: int) -> dict[str, float]:
        """Send `count` messages, `window` of them unacknowledged at a time: how many seconds it took."""

        async def client() -> None:
            for _ in range(count // window):
                await self._conversing.send_surely()

        begun = time.monotonic()
        await asyncio.gather(*(client() for _ in range(window)))
        return {"seconds": time.monotonic() - begun}

    async def answer(self) -> dict[str, float]:
        """Answer requests from now on."""
        await self._conversing.answer()
        return {}

    async def expect(self) -> dict[str, float]:
        """Be ready for replies."""
        await self._conversing.expect(self._replied.set)
        return {}

    async def ask(self, count: int) -> dict[str, float]:
        """`count` round trips, one after the other: their median and 99th percentile in seconds."""
        times: list[float] = []
        for _ in range(count):
            self._replied.clear()
            begun = time.perf_counter()
            await self._peer.send()
            await self._replied.wait()
            times.append(time.perf_counter() - begun)
        times.sort()
        return {"p50": times[count // 2], "p99": times[count * 99 // 100]}

    @property
    def _conversing(self) -> Conversing:
        if not isinstance(self._peer, Conversing):
            raise TypeError(f"{type(self._peer).__name__} waits for no acknowledgement and no reply")
        return self._peer

    def _see(self) -> None:
        self._seen += 1
        if self._seen % BATCH == 0:
            os.write(self._credits_fd, b".")
        if self._seen == self._wanted:
            self._all_seen.set()

    def _take_credits(self) -> None:
        self._allowed += BATCH * len(os.read(self._credits_fd, 4096))
        self._more.set()


def _say(answer: dict[str, float]) -> None:
    print(json.dumps(answer), flush=True)


async def _serve(peer: Peer, credits_fd: int) -> None:
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    await peer.open()
    child = Child(peer, credits_fd)
    _say({})
    while line := await lines.readline():
        command: dict[str, Any] = json.loads(line)
        do: Callable[..., Awaitable[dict[str, float]]] = getattr(child, command.pop("do"))
        _say(await do(**command))
    await peer.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, kind in (("peer", str), ("url", str), ("space", str), ("size", int), ("credits", int)):
        parser.add_argument(name, type=kind)
    parser.add_argument("--uvloop", action="store_true")
    args = parser.parse_args()
    signal.alarm(LIFETIME)
    module, _, name = _PEERS[args.peer].partition(":")
    peer = getattr(import_module(f"tests.benchmarks.peers.{module}"), name)(args.url, args.space, args.size)
    factory = import_module("uvloop").new_event_loop if args.uvloop else None
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(_serve(peer, args.credits))


if __name__ == "__main__":
    main()
