"""Memory under a consumer that stalled, on every broker at the same time: 5 minutes, or `--seconds N`.

In a process of its own, each consumer pauses its subscription, while a producer in another one goes on at a stated rate.
The resident memory of the consumer is sampled every second. It is bounded where its second half needs no more than 5 % above
what its first half reached. In the end the consumer resumes: what was kept arrives, and what a full buffer cost was counted.

`python -m tests.benchmarks.soak_stalled`, or `make soak-stalled`. It is no part of `make bench`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from comity.sdk.ports import Delivery, Frame, Guarantee
from comity.transports import connect
from comity.transports.brokers import names, running
from tests.benchmarks.common import Row, emit
from tests.benchmarks.pairs import Child
from tests.benchmarks.transports import DURABLE

RATE: Final = 500
SIZE: Final = 4096
SECONDS: Final = 300
AT_ONCE: Final = 32  # messages that may be unacknowledged
_CONFIG: Final = {
    "mqtt": "autosave_interval 3600"
}  # mosquitto halts while it saves all that the consumer left with it
_PATIENCE: Final = 60.0  # seconds, as a busy machine is no finding
_QUIET: Final = 15.0  # seconds without a message after which nothing more is expected


class Scenario(NamedTuple):
    """One consumer and its producer."""

    broker: str
    guarantee: Guarantee


class Found(NamedTuple):
    """KiB of the consumer each second, and messages sent, received in the end, and dropped."""

    memory: list[float]
    sent: int
    received: int
    dropped: int


def scenarios() -> list[Scenario]:
    """Every broker with every guarantee that its transport gives."""
    return [
        Scenario(name, guarantee)
        for name in names()
        for guarantee in sorted(
            connect(f"{name}://127.0.0.1:1{DURABLE.get(name, '')}").capabilities.guarantees
        )
    ]


def _options(one: Scenario) -> str:
    return DURABLE.get(one.broker, "") if one.guarantee is Guarantee.AT_LEAST_ONCE else ""


def measure(seconds: int) -> dict[Scenario, Found]:
    """All scenarios at once."""
    with ExitStack() as stack:
        urls = {name: stack.enter_context(running(name, _CONFIG.get(name, ""))).url for name in names()}
        ends: dict[Scenario, tuple[Child, Child]] = {}
        for one in scenarios():
            arguments = (
                "tests.benchmarks.soak_stalled",
                "--url",
                urls[one.broker] + _options(one),
                "--guarantee",
                one.guarantee,
            )
            consumer, producer = (
                stack.enter_context(
                    Child(f"{one.broker} {role}", *arguments, "--role", role, "--seconds", str(seconds))
                )
                for role in ("consume", "produce")
            )
            ends[one] = consumer, producer
        for consumer, _ in ends.values():
            consumer.result()
        for _, producer in ends.values():
            producer.tell("go")
        memory = _sampled({one: consumer.pid for one, (consumer, _) in ends.items()}, seconds)
        sent = {one: producer.result(120 + seconds)["sent"] for one, (_, producer) in ends.items()}
        for consumer, _ in ends.values():
            consumer.tell("go")
        return {
            one: Found(memory[one], sent[one], **consumer.result(600)) for one, (consumer, _) in ends.items()
        }


def _sampled(processes: dict[Scenario, int], seconds: int) -> dict[Scenario, list[float]]:
    memory: dict[Scenario, list[float]] = {one: [] for one in processes}
    begun = time.monotonic()
    for second in range(seconds):
        for one, process in processes.items():
            memory[one].append(_resident(process))
        time.sleep(max(0.0, begun + second + 1 - time.monotonic()))
    return memory


def _resident(process: int) -> float:
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    return float(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")))


def rows(seconds: int) -> list[Row]:
    """Of each scenario, what its consumer grew by."""
    return [_row(one, found, seconds) for one, found in measure(seconds).items()]


def _row(one: Scenario, found: Found, seconds: int) -> Row:
    half = len(found.memory) // 2
    early, late = max(found.memory[:half]), max(found.memory[half:])
    lost = found.sent - found.received - found.dropped
    bounded = (
        late <= 1.05 * early and lost == 0 and (one.guarantee is Guarantee.AT_MOST_ONCE or not found.dropped)
    )
    grown = (max(early, late) - found.memory[0]) / 1024
    note = (
        f"{found.sent:,} messages of {SIZE:,} octets in {seconds} s; resident {found.memory[0] / 1024:.0f} MiB before and "
        f"{max(early, late) / 1024:.0f} at most; then {found.received:,} received and {found.dropped:,} counted as dropped"
    )
    return Row(
        f"{one.broker}, stalled consumer, {one.guarantee}", grown, "MiB more", "bounded", bounded, note=note
    )


# ------------------------------------------------------------------ in a child


def _address(guarantee: Guarantee) -> str:
    return f"{guarantee}.soak.v1.stalled.key"


async def consume(url: str, guarantee: Guarantee) -> None:
    """Subscribe and pause; once told, resume, and say what came."""
    transport = connect(url, timeout=_PATIENCE)
    await transport.open()
    arrived, received = asyncio.Event(), 0

    def receive(delivery: Delivery) -> None:
        nonlocal received
        received += 1
        delivery.ack()
        arrived.set()

    subscription = await transport.subscribe(_address(guarantee), receive)
    subscription.pause()
    await _told("{}")
    subscription.resume()
    with suppress(TimeoutError):
        while True:
            async with asyncio.timeout(_QUIET):
                await arrived.wait()
            arrived.clear()
    print(json.dumps({"received": received, "dropped": subscription.dropped}), flush=True)
    await transport.close()


async def produce(url: str, guarantee: Guarantee, seconds: int) -> None:
    """Once told, send at the rate for so many seconds, a few at a time, and say how many that were."""
    transport = connect(url, timeout=_PATIENCE)
    await transport.open()
    frame = Frame({"specversion": "1.0", "id": "1", "source": "/soak", "type": "Soak"}, b"x" * SIZE)
    await _told()
    begun, sent = time.monotonic(), 0

    async def steadily() -> None:
        nonlocal sent
        while (now := time.monotonic() - begun) < seconds:
            if sent < RATE * now:
                sent += 1
                await transport.publish(_address(guarantee), frame, guarantee=guarantee)
            else:
                await asyncio.sleep(AT_ONCE / RATE)

    await asyncio.gather(*(steadily() for _ in range(AT_ONCE)))
    await transport.flush()
    print(json.dumps({"sent": sent}), flush=True)
    await transport.close()


async def _told(ready: str = "") -> None:
    if ready:
        print(ready, flush=True)
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    if not await lines.readline():
        raise SystemExit("nobody is there any more")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=SECONDS)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--role", choices=["consume", "produce"], help=argparse.SUPPRESS)
    parser.add_argument("--url", default="", help=argparse.SUPPRESS)
    parser.add_argument("--guarantee", type=Guarantee, default=Guarantee.AT_MOST_ONCE, help=argparse.SUPPRESS)
    args: Any = parser.parse_args()
    signal.alarm(args.seconds + 900)
    if args.role == "consume":
        asyncio.run(consume(args.url, args.guarantee))
    elif args.role == "produce":
        asyncio.run(produce(args.url, args.guarantee, args.seconds))
    else:
        emit(lambda: rows(args.seconds))


if __name__ == "__main__":
    main()
