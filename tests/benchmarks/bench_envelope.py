"""Envelope and payload of one 640-byte message: build and encode, decode and validate.

Peers do the same work in the same run. The CloudEvents SDK's structured conversion with the same checks: a strict parse,
since the SDK's own keeps duplicate names, and the generated Pydantic models of attributes and payload. And bare Pydantic
with one model of the whole document, which knows nothing of lexical rules, addresses, versions, clocks or limits.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from comity.sdk._generated.core_v1.messages import Attributes
from comity.sdk._generated.registry_v1.messages import Register
from comity.sdk.codec import decode_structured, encode_structured
from comity.sdk.family import load_family
from comity.sdk.identity import Identity
from comity.sdk.inbox import Accepted, Inbox
from comity.sdk.lexical import parse
from comity.sdk.outbox import Outbox
from comity.sdk.ports import Now
from tests.benchmarks.common import Row, emit, interleaved

NOW = Now(1.0, 1_790_000_000.25)
FAMILY = load_family("registry")
IDENTITY = Identity.from_seed(bytes(range(32)))
FIELDS: dict[str, Any] = {
    "agent": IDENTITY.agent_id,
    "capabilities": ["ml.inference@1.2", "text.summary"],
    "lease_ms": 30_000,
    "metadata": {"zone": "eu-1", "load": 0.25, "tags": ["a", "b"]},
    "health": "healthy",
}


class Document(Attributes):
    """The whole structured document as one closed model."""

    data: Register


def _outbox() -> Outbox:
    return Outbox(FAMILY, IDENTITY, namespace="plant", entropy=b"bench")


SEND = _outbox().request(Register(**FIELDS), NOW)
DOCUMENT = encode_structured(SEND.frame)
ATTRIBUTES: dict[str, Any] = dict(SEND.frame.attributes)
FORMAT = JSONFormat()
OUTBOX = _outbox()
SEQUENCE = itertools.count(1)
INBOX = Inbox(FAMILY, accepts=FAMILY.channels["requests"].messages, namespace="plant")


def encode_ours() -> bytes:
    return encode_structured(OUTBOX.request(Register(**FIELDS), NOW).frame)


def encode_cloudevents() -> bytes:
    payload = Register(**FIELDS).model_dump(mode="json")
    attributes = {
        "specversion": "1.0",
        "source": IDENTITY.agent_id,
        "type": Register.TYPE,
        "time": datetime.fromtimestamp(NOW.wall, UTC),
        "datacontenttype": "application/json",
        "sequence": f"{next(SEQUENCE):016d}",
        "comityversion": FAMILY.version,
        "comityaddress": ATTRIBUTES["comityaddress"],
    }
    return FORMAT.write(CloudEvent(attributes, payload))  # which makes the id


def encode_pydantic() -> bytes:
    return Document(**ATTRIBUTES, data=Register(**FIELDS)).model_dump_json().encode()


def decode_ours() -> object:
    return INBOX.receive(decode_structured(DOCUMENT), NOW)


def decode_cloudevents() -> object:
    members = cast("dict[str, Any]", parse(DOCUMENT))
    del members["data"]
    Attributes.model_validate(members)
    return decode_unchecked()


def decode_unchecked() -> object:
    event = FORMAT.read(CloudEvent, DOCUMENT)
    return Register.model_validate(event.get_data())


def decode_pydantic() -> object:
    return Document.model_validate_json(DOCUMENT)


def rows() -> list[Row]:
    assert isinstance(decode_ours(), Accepted)
    assert decode_pydantic().data == decode_cloudevents()  # type: ignore[attr-defined]
    note = f"{len(DOCUMENT)} bytes"
    found: list[Row] = []
    for what, ours, sdk, bare in (
        ("build and encode", encode_ours, encode_cloudevents, encode_pydantic),
        ("decode and validate", decode_ours, decode_cloudevents, decode_pydantic),
    ):
        found += _compare(what, note, {"ours": ours, "sdk": sdk, "bare": bare})
    return found


def _compare(what: str, note: str, sides: dict[str, Callable[[], object]]) -> list[Row]:
    times = interleaved(sides, inner=1000)
    ours, sdk, bare = (times[side] * 1e6 for side in ("ours", "sdk", "bare"))
    faster, slower = sdk / ours, ours / bare
    return [
        Row(what, ours, "µs", "≥ 3 × faster", faster >= 3, "CloudEvents SDK, same checks", sdk, faster, note),
        Row(what, ours, "µs", "≤ 2.5 ×", slower <= 2.5, "bare Pydantic", bare, slower, note),
    ]


if __name__ == "__main__":
    emit(rows())
