"""The registry's core in process, through its public methods: get, query, indexed update, load.

The queries rotate over every capability, kind and zone, so that no two in a row meet the same postings; compound
postings are built by the queries themselves in the warm-up and their cost is a row of its own.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from comity.registry import Registry
from comity.sdk._generated.registry_v1.messages import Update
from tests.benchmarks.common import Row, emit, interleaved

AGENTS = 100_000
CAPABILITIES = [f"skill-{number}.task@1.{number % 3}" for number in range(200)]
KINDS = [f"kind-{number}" for number in range(10)]
ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def population() -> list[dict[str, Any]]:
    """Entries as the wire has them: three of 200 capabilities, one of ten kinds, 70 % healthy."""
    draw = random.Random(7)
    return [
        {
            "agent": "did:key:z6Mk" + "".join(draw.choices(ALPHABET, k=44)),
            "name": f"agent-{number}",
            "capabilities": draw.sample(CAPABILITIES, 3),
            "metadata": {"kind": draw.choice(KINDS), "slot": number},
            "health": draw.choices(["healthy", "degraded", "unhealthy"], [70, 20, 10])[0],
            "zone": f"zone-{number % 8}",
            "lease_ms": 60_000,
            "epoch": number + 1,
            "revision": number + 1,
        }
        for number in range(AGENTS)
    ]


def wanted() -> itertools.cycle[tuple[str, str]]:
    return itertools.cycle([(c.partition("@")[0], k) for k in KINDS for c in CAPABILITIES])


def where(capability: str, kind: str) -> dict[str, Any]:
    return {
        "all": [
            {"path": "capabilities", "op": "contains", "value": capability},
            {"path": "metadata.kind", "op": "eq", "value": kind},
            {"path": "health", "op": "eq", "value": "healthy"},
        ]
    }


def scan(entries: list[dict[str, Any]], capability: str, kind: str) -> list[dict[str, Any]]:
    """The same question as a hand-written comprehension over all entries, in the same order."""
    dotted = capability + "@"
    return [
        entry
        for entry in entries
        if entry["health"] == "healthy"
        and entry["metadata"]["kind"] == kind
        and any(c == capability or c.startswith(dotted) for c in entry["capabilities"])
    ]


def timed(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def main() -> None:
    entries = population()
    loads = [timed(partial(Registry().load, entries)) for _ in range(3)]
    registry = Registry()
    registry.load(entries)
    rows = [load_row(min(loads))]
    rows.append(get_row(registry, entries))
    rows += query_rows(registry, entries)
    rows.append(update_row(registry, entries))
    emit(rows)


def load_row(seconds: float) -> Row:
    rate = AGENTS / seconds
    return Row(
        "registry load", round(rate), "agents/s", "≥ 100,000 agents/s", rate >= 100_000, note="100,000 agents"
    )


def per_call(batches: Mapping[str, Callable[[], object]], size: int) -> dict[str, float]:
    """Microseconds per call of batches that make `size` calls each, in turn."""
    return {side: seconds * 1e6 / size for side, seconds in interleaved(batches, inner=1).items()}


def get_row(registry: Registry, entries: list[dict[str, Any]]) -> Row:
    agents = [entry["agent"] for entry in entries]
    random.Random(1).shuffle(agents)
    table = {entry["agent"]: entry for entry in entries}

    def ask(get: Callable[[str], object]) -> None:
        for agent in agents:
            get(agent)

    us = per_call({"ours": partial(ask, registry.get), "dict": partial(ask, table.get)}, AGENTS)
    note = "random agents, among 100,000"
    return Row(
        "registry get", us["ours"], "µs", "≤ 1 µs", us["ours"] <= 1, "a plain dict", us["dict"], None, note
    )


def query_rows(registry: Registry, entries: list[dict[str, Any]]) -> list[Row]:
    in_order = sorted(entries, key=lambda entry: entry["agent"])
    filters = [where(*pair) for pair in itertools.islice(wanted(), 2000)]
    first = [timed(partial(registry.query, f, limit=1000)) for f in filters[:200]]
    asked, scanned = itertools.cycle(filters), wanted()
    hits = [len(registry.query(f, limit=1000).entries) for f in filters]
    for pair, found in zip(itertools.islice(wanted(), 5), filters, strict=False):
        assert registry.query(found, limit=1000).entries == scan(in_order, *pair)
    ours = interleaved({"ours": lambda: registry.query(next(asked), limit=1000)}, inner=500)["ours"] * 1e6
    peer = interleaved({"scan": lambda: scan(in_order, *next(scanned))}, inner=1, rounds=9)["scan"] * 1e6
    note = f"rotating over 2,000 filters, {sum(hits) / len(hits):.0f} hits on average, in the order of agents"
    build = f"the {len(first)} first queries: median {sorted(first)[100] * 1e6:.0f} µs, the longest builds the posting"
    return [
        Row("registry query, 3 criteria", ours, "µs", "≤ 20 µs", ours <= 20, "scan", peer, peer / ours, note),
        Row("registry query against a scan", peer / ours, "×", "≥ 100 ×", peer / ours >= 100),
        Row(
            "registry query, building the posting", max(first) * 1e3, "ms", "once per shape", True, note=build
        ),
    ]


def update_row(registry: Registry, entries: list[dict[str, Any]]) -> Row:
    draw = random.Random(3)
    healths = itertools.cycle(["degraded", "healthy", "unhealthy"])
    updates = [
        Update.model_validate({"agent": entry["agent"], "epoch": entry["epoch"], "health": next(healths)})
        for entry in draw.sample(entries, 20_000)
    ]
    batches = itertools.cycle(updates[start : start + 1000] for start in range(0, len(updates), 1000))
    numbers = itertools.count(10**9)

    def write() -> None:
        for update in next(batches):
            registry.apply(update, next(numbers), 0)
            registry.take_changes()

    us = per_call({"ours": write}, 1000)["ours"]
    note = "an Update of health through the machine, all postings kept; 20,000 random agents"
    return Row("registry indexed update", us, "µs", "≤ 10 µs", us <= 10, note=note)


if __name__ == "__main__":
    main()
