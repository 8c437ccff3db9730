"""The figures of one transport, each a ratio against a named peer of the same run on the same real broker.

What is compared, 256 octets and 4 KiB of data, sender and receiver in processes of their own, all sides in turn:

- the SDK as its user calls it (`peers._ours`): typed message, envelope, codec, `Transport.publish`, and back;
- the *same job* by hand with the raw client: the same CloudEvents headers, the same Pydantic encoding and validation of
  data, once with attributes validated by the model of the spec and once only read;
- FastStream with its validation on, and the raw client moving opaque octets.

A figure is the median of the rounds, a ratio the median of the ratios of each round. Signatures are off on all sides.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from typing import Final

from comity.sdk.ports import Guarantee
from comity.transports import connect
from comity.transports.brokers import running
from tests.benchmarks.common import Row
from tests.benchmarks.pairs import Pair, Sample, in_turn, ratio

__all__ = ["rows"]

SIZES: Final = {256: "256 B", 4096: "4 KiB"}
CLIENTS: Final = {"nats": "nats-py", "kafka": "aiokafka", "mqtt": "gmqtt"}
FASTER: Final = {"nats": 3.0, "kafka": 2.0, "mqtt": 2.0}
ROUNDS: Final = 9
MESSAGES: Final = {256: 8192, 4096: 4096}
TRIPS: Final = {"nats": 1000, "kafka": 200, "mqtt": 1000}
DURABLE: Final[dict[str, str]] = {
    "nats": "?stream=300"
}  # options of the URL with which a broker acknowledges, where it needs any
WINDOW: Final = 64
SURELY: Final = 3200


def rows(broker: str) -> list[Row]:
    """Every figure of the transport to `broker`."""
    found: list[Row] = []
    with running(broker) as server:
        for size in SIZES:
            found += throughput(broker, server.url, size)
        for size in SIZES:
            found.append(round_trip(broker, server.url, size))
        durable = server.url + DURABLE.get(broker, "")
        if Guarantee.AT_LEAST_ONCE in connect(durable).capabilities.guarantees:
            found += [acknowledged(broker, durable, size) for size in SIZES]
    return found


def throughput(broker: str, url: str, size: int) -> list[Row]:
    """Messages per second from the first sent to the last received, at most 4096 of them under way."""
    peers = ["ours", *(f"{side} {broker}" for side in ("same", "unchecked", "faststream", "bytes")), "uvloop"]
    with ExitStack() as stack:
        pairs = {peer: stack.enter_context(_pair(peer, url, size)) for peer in peers}
        for pair in pairs.values():
            pair.receiver.ask("listen")
        sides = {peer: partial(pair.throughput, MESSAGES[size]) for peer, pair in pairs.items()}
        found: dict[str, list[Sample]] = in_turn(sides, ROUNDS)
    client, faster = CLIENTS[broker], FASTER[broker]
    compare = partial(_rates, f"{broker}, {SIZES[size]}, throughput", found)
    reached = f"; by hand {client} reaches {_share(found, f'unchecked {broker}', f'faststream {broker}'):.2f}"
    return [
        compare(f"same {broker}", f"{client}, same job", "≥ 0.8 × same job", 0.8),
        compare(
            f"unchecked {broker}", f"{client}, same job, attributes not validated", "≥ 0.8 × same job", 0.8
        ),
        compare(
            f"faststream {broker}", "FastStream, validating", f"≥ {faster:g} × FastStream", faster, reached
        ),
        compare(f"bytes {broker}", f"{client}, opaque octets", "stated", 0),
        compare("uvloop", "ours on uvloop", "stated", 0),
    ]


def round_trip(broker: str, url: str, size: int) -> Row:
    """The 99th percentile of request and reply, one at a time, each a message of `size` octets."""
    with ExitStack() as stack:
        pairs = {peer: stack.enter_context(Pair(peer, url, size)) for peer in ("ours", f"same {broker}")}
        for pair in pairs.values():
            pair.receiver.ask("answer")
            pair.sender.ask("expect")
        sides = {peer: partial(pair.sender.ask, "ask", count=TRIPS[broker]) for peer, pair in pairs.items()}
        found = in_turn(sides, ROUNDS)
    ours, same = ([trips["p99"] * 1e3 for trips in side] for side in found.values())
    typical = [statistics.median(trips["p50"] for trips in side) * 1e3 for side in found.values()]
    slower = ratio(ours, same)
    return Row(
        f"{broker}, {SIZES[size]}, round trip p99", statistics.median(ours), "ms", "≤ 1.3 × same job", slower <= 1.3,
        f"{CLIENTS[broker]}, same job", statistics.median(same), slower,
        f"request and reply, one at a time; median {typical[0]:.2f} ms against {typical[1]:.2f}",
    )  # fmt: skip


def acknowledged(broker: str, url: str, size: int) -> Row:
    """Publishing at least once, 64 messages unacknowledged at a time, while the other end receives them."""
    with ExitStack() as stack:
        pairs = {peer: stack.enter_context(Pair(peer, url, size)) for peer in ("ours", f"same {broker}")}
        for pair in pairs.values():
            pair.receiver.ask("listen")
        sides = {
            peer: partial(pair.sender.ask, "send_surely", count=SURELY, window=WINDOW)
            for peer, pair in pairs.items()
        }
        found = in_turn(sides, ROUNDS)
    ours, same = ([SURELY / sent["seconds"] for sent in side] for side in found.values())
    share = ratio(ours, same)
    return Row(
        f"{broker}, {SIZES[size]}, acknowledged publishes", statistics.median(ours), "messages/s",
        "≥ 0.85 × same window", share >= 0.85, f"{CLIENTS[broker]}, same job", statistics.median(same), share,
        f"{WINDOW} unacknowledged at a time",
    )  # fmt: skip


def _pair(peer: str, url: str, size: int) -> Pair:
    return Pair("ours", url, size, uvloop=True) if peer == "uvloop" else Pair(peer, url, size)


def _share(found: dict[str, list[Sample]], side: str, peer: str) -> float:
    return ratio([sample.rate for sample in found[side]], [sample.rate for sample in found[peer]])


def _rates(
    name: str,
    found: dict[str, list[Sample]],
    peer: str,
    title: str,
    goal: str,
    least: float,
    remark: str = "",
) -> Row:
    ours, theirs, share = found["ours"], found[peer], _share(found, "ours", peer)
    note = f"processor µs per message, sending + receiving: {_cpu(ours)}, the peer {_cpu(theirs)}{remark}"
    return Row(
        name, statistics.median(sample.rate for sample in ours), "messages/s", goal, share >= least,
        title, statistics.median(sample.rate for sample in theirs), share, note,
    )  # fmt: skip


def _cpu(samples: Sequence[Sample]) -> str:
    sending = statistics.median(sample.sending for sample in samples)
    receiving = statistics.median(sample.receiving for sample in samples)
    return f"{sending * 1e6:.0f} + {receiving * 1e6:.0f}"
