"""The CloudEvents SDK for JavaScript reads what we publish, and we read what it publishes, through real brokers.

What the SDK does otherwise than the spec says stands in `test_deviations.py`.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from comity.sdk.ports import Frame, Guarantee

from .events import CASES, JSON, frame, plain, same
from .peer import text
from .sides import ADDRESS, Side, listening

pytestmark = [pytest.mark.broker, pytest.mark.slow, pytest.mark.xdist_group("kafka")]

BINARY = ["kafka", "mqtt"]
ALL = ["kafka", "mqtt", "nats"]


@pytest.fixture
def side(request: pytest.FixtureRequest) -> Side:
    """The side that the test names."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Side)
    return found


def on(names: list[str]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("side", names, indirect=True)


def seen(side: Side, sent: Frame, *, binary: bool) -> dict[str, Any]:
    """The SDK's event for `sent`."""
    attributes = dict(sent.attributes)
    if binary and side.broker == "mqtt":
        attributes.pop("datacontenttype", None)  # a deviation, see test_deviations.py
    assert isinstance(sent.data, bytes)
    if not sent.data and not binary:
        return {"attributes": attributes}  # no octets are no data to the SDK's documents
    parsed = sent.data == JSON and not (binary and side.broker == "mqtt")
    data = {"json": json.loads(sent.data)} if parsed else {"base64": text(sent.data)}
    return {"attributes": attributes, "data": data}


@on(BINARY)
@pytest.mark.parametrize("case", CASES)
async def test_the_sdk_reads_our_binary_mode(side: Side, case: str, mark: str) -> None:
    sent = frame(case, mark)
    async with listening(side.url) as (transport, _):
        guarantee = Guarantee.AT_LEAST_ONCE
        await transport.publish(ADDRESS, sent, guarantee=guarantee)
        got = side.receive(mark)
    assert got["event"] == seen(side, sent, binary=True)


@on(ALL)
@pytest.mark.parametrize("case", CASES)
def test_the_sdk_reads_our_structured_mode(side: Side, case: str, mark: str) -> None:
    sent = frame(case, mark)
    side.document(sent)
    assert side.receive(mark)["event"] == seen(side, sent, binary=False)


@pytest.mark.parametrize(
    ("side", "mode", "case"),
    [(name, mode, case) for name in ALL for mode in ("binary", "structured") for case in CASES
     if (name, mode) != ("nats", "binary") and (name, mode, case) != ("kafka", "binary", "no data")],
    indirect=["side"],
)  # fmt: skip
async def test_we_read_what_the_sdk_writes(side: Side, mode: str, case: str, mark: str) -> None:
    sent = frame(case, mark)
    async with listening(side.url) as (_, arrived):
        side.publish(mode, plain(sent))
        got = await arrived(mark)
    assert same(got, sent), got
