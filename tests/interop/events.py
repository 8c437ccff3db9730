"""The events that both sides exchange: every core attribute, every kind of text and of data that a binding must carry."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Final

from comity.sdk.ports import Frame

from .peer import text

__all__ = ["CASES", "frame", "plain", "same"]

CORE: Final = {
    "specversion": "1.0",
    "type": "com.example.someevent",
    "source": "/mycontext/subcontext",
    "time": "2018-04-05T17:31:00.123Z",
    "subject": "larger.than/life",
    "dataschema": "https://example.com/schema?v=1#top",
    "datacontenttype": "application/json",
    "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
}
MINIMAL: Final = {name: CORE[name] for name in ("specversion", "type", "source", "time")}
TEXT: Final = 'Euro € 😀 100% %20 \\ "quoted" a+b ü'
JSON: Final = b'{"n":[1,2.5,null,true],"t":"\xe2\x82\xac \xf0\x9f\x98\x80 %41"}'

CASES: Final[dict[str, Frame]] = {
    "every core attribute": Frame(CORE, JSON),
    "texts": Frame({**CORE, "subject": TEXT, "comityaddress": "a.b.v1.c.%E2%82%AC"}, JSON),
    "octets": Frame({**MINIMAL, "datacontenttype": "application/octet-stream"}, bytes(range(256))),
    "no data": Frame(MINIMAL, b""),
}


def frame(case: str, mark: str) -> Frame:
    """The event of a case, under an id of its own."""
    attributes, data = CASES[case]
    return Frame({**attributes, "id": mark}, data)


def plain(event: Frame) -> dict[str, Any]:
    """An event as the foreign side's `publish` takes it."""
    data = event.data
    assert isinstance(data, bytes)
    if not data:
        return {"attributes": dict(event.attributes)}
    carried = {"json": json.loads(data)} if data == JSON else {"base64": text(data)}
    return {"attributes": dict(event.attributes), "data": carried}


def _instant(event: Frame) -> dict[str, object]:
    return {**event.attributes, "time": datetime.fromisoformat(event.attributes["time"])}


def same(ours: Frame, sent: Frame) -> bool:
    """Whether a frame carries what was sent: the same instant as `time`, data as octets or as the JSON that they spell."""
    assert isinstance(sent.data, bytes)
    if _instant(ours) != _instant(sent):
        return False
    if isinstance(ours.data, bytes) and ours.data != sent.data:
        return bool(sent.data) and sent.data == JSON and json.loads(ours.data) == json.loads(sent.data)
    return isinstance(ours.data, bytes) or ours.data == (json.loads(sent.data) if sent.data else None)
