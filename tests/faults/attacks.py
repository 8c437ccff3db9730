"""What a hostile client sends: waves of messages, as the octets of a raw NATS publish.

Responsible for the messages only. Each wave gives pairs of headers and payload, for the address of a request.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from comity.sdk.identity import Identity
from comity.transports.nats_binding import encode

from .agents import Agent

__all__ = ["WAVES", "Wave"]

Raw = tuple[dict[str, str], bytes]
Wave = Callable[[Agent, random.Random], Iterator[Raw]]


def _frame(by: Agent, name: str, **data: Any) -> Raw:
    return encode(by.make(name, **data).frame)


def _renew(agent: Agent) -> Raw:
    return _frame(agent, "Renew", agent=agent.id, epoch=2**40)


def garbage(agent: Agent, dice: random.Random) -> Iterator[Raw]:
    """Octets that are nothing, and events broken in every place."""
    headers, payload = _renew(agent)
    structured = {"Content-Type": "application/cloudevents+json"}
    for _ in range(300):
        yield {}, dice.randbytes(dice.randrange(2000))
        yield structured, dice.randbytes(dice.randrange(200))
        yield headers, payload[: dice.randrange(len(payload))]
        yield headers, payload + dice.randbytes(3)
        spoilt = dict(headers)
        spoilt[dice.choice(list(headers))] = dice.choice(["", "%", "%FF%FE", "\x00", "9" * 4000, "%0d%0a"])
        yield spoilt, payload
        left_out = dict(headers)
        del left_out[dice.choice(list(headers))]
        yield left_out, payload
    for text in (
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b'{"agent":"x","agent":"y"}',
        b'{"epoch":NaN}',
        b'{"epoch":1e999}',
        b'{"epoch":' + b"9" * 200_000 + b"}",
        b'"\\ud800"',
        b"\xff\xfe",
        b"null",
    ):
        for _ in range(20):
            yield headers, text
            yield structured, text


def large(agent: Agent, dice: random.Random) -> Iterator[Raw]:
    """Messages as large as the server takes, valid up to their size."""
    headers, _ = _renew(agent)
    filler = b'{"agent":"' + b"x" * 900_000 + b'"}'
    for _ in range(300):
        yield headers, filler
        yield {"Content-Type": "application/cloudevents+json"}, filler


def strangers(agent: Agent, dice: random.Random) -> Iterator[Raw]:
    """Events for another namespace, and writes in another agent's name."""
    headers, payload = _renew(agent)
    victim = Identity.generate().agent_id
    for number in range(1000):
        address = f"elsewhere.registry.v1.requests.{agent.id}"
        yield _with(headers, comityaddress=address), payload
        yield _with(headers, id=f"f-{number}", source=victim), payload
        yield _with(headers, id=f"g-{number}", source="did:key:z6Mk" + "1" * 44), payload
        yield _with(headers, id=f"h-{number}", source="*.>"), payload


def watches(agent: Agent, dice: random.Random) -> Iterator[Raw]:
    """Watches, each under a new name, with filters as large as the schema lets them be."""
    words = [f"{number:02d}" + "w" * 13 for number in range(12)]
    criteria = [{"path": f"metadata.k{n}", "op": "in", "value": words} for n in range(32)]
    for number in range(1000):
        where = {"all": criteria, "any": criteria}
        yield _frame(agent, "Watch", watch=f"flood-{number}", where=where, lease_ms=3_600_000)


def ahead(agent: Agent, dice: random.Random) -> Iterator[Raw]:
    """Large, valid requests from ever new sources whose clocks are an hour ahead."""
    in_an_hour = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    many = [{"path": "metadata.k", "op": "in", "value": ["w" * 120] * 120}] * 2
    for number in range(1000):
        headers, payload = _frame(agent, "Query", consistency="eventual", limit=1, where={"all": many})
        source = Identity.from_seed(number.to_bytes(32, "big")).agent_id
        yield _with(headers, source=source, time=in_an_hour), payload


def _with(headers: Mapping[str, str], **attributes: str) -> dict[str, str]:
    return dict(headers) | {f"ce-{name}": text for name, text in attributes.items()}


WAVES: dict[str, Wave] = {
    "garbage": garbage,
    "large": large,
    "strangers": strangers,
    "watches": watches,
    "ahead": ahead,
}
