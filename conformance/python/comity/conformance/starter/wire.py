"""What travels: JSON by the lexical rules, the attributes of an event, and the shapes of the messages.

Nothing here knows what a registry does; another role needs the same rules and other shapes.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from datetime import datetime
from math import ceil, isinf
from typing import Any, TypeGuard

Json = Any
Check = Callable[[Json, str, bool], Json]
INTEGER = 2**53 - 1


class Refusal(Exception):
    """Answered with `Refused`; `code` is one of the spec's, `details` are further members of the answer."""

    def __init__(self, code: str, **details: Json) -> None:
        super().__init__(code)
        self.reply = ("Refused", {"code": code, **details})


def parse(data: bytes, depth: int = 32) -> Json:
    """The JSON value of `data`, or a refusal where two parsers could read it differently (CORE-LEX-001 to 005)."""
    try:
        text = data.decode()
        if nesting(text) > depth:
            raise ValueError("nested too deep")
        value = json.loads(
            text, object_pairs_hook=unique, parse_float=finite, parse_int=whole, parse_constant=nan
        )
        compact(value)  # a lone surrogate has no UTF-8
    except ValueError:
        raise Refusal("core.malformed") from None
    return value


def nesting(text: str) -> int:
    depth = deepest = 0
    for token in re.findall(r'"(?:[^"\\]|\\.)*"|[][{}]', text, re.DOTALL):
        depth += (token in ("[", "{")) - (token in ("]", "}"))
        deepest = max(depth, deepest)
    return deepest


def unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a name twice")
    return dict(pairs)


def nan(text: str) -> Json:
    raise ValueError("no number")


def finite(text: str) -> float:
    if isinf(number := float(text)):
        raise ValueError("beyond the finite doubles")
    return number


def whole(text: str) -> int:
    return int(text) if finite(text) else 0


def is_map(value: Json) -> TypeGuard[dict[str, Json]]:
    return isinstance(value, dict)


def is_list(value: Json) -> TypeGuard[list[Json]]:
    return isinstance(value, list)


def compact(value: Json) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def pick(data: Json, *names: str) -> Json:
    return {name: data[name] for name in names if name in data}


def refused(code: str) -> tuple[str, Json]:
    return Refusal(code).reply


STAMP = (
    "[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    r"T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?Z"
)
REQUIRED = {
    "specversion": r"1\.0",
    "id": "[A-Za-z0-9._:-]{1,64}",
    "source": "did:key:z6Mk[1-9A-HJ-NP-Za-km-z]{44}",
    "type": r"comity\.[a-z][a-z0-9-]{0,31}\.v[1-9][0-9]{0,2}\.[A-Z][A-Za-z0-9]{0,63}",
    "time": STAMP,
    "datacontenttype": "application/json",
    "sequence": "[0-9]{16}",
    "comityversion": r"[1-9][0-9]{0,2}\.(0|[1-9][0-9]{0,3})",
    "comityaddress": "(?s:.{1,1024})",
}
OPTIONAL = {
    "correlationid": REQUIRED["id"],
    "causationid": REQUIRED["id"],
    "expirytime": STAMP,
    "traceparent": "[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}",
    "tracestate": "(?s:.{0,512})",
    "partitionkey": "(?s:.{0,256})",
    "comitycrit": "[A-Za-z_][A-Za-z0-9_]*( [A-Za-z_][A-Za-z0-9_]*)*",
    "comitykey": REQUIRED["source"],
    "comitysig": "[A-Za-z0-9_-]{86}",
    "comityvia": "{0}( {0}){{0,7}}".format(REQUIRED["source"]),
}
NOBODY = {"id": "", "source": ""}


def matches(event: Json, name: str, pattern: str) -> bool:
    value = event.get(name)
    return isinstance(value, str) and re.fullmatch(pattern, value) is not None


def moment(stamp: str) -> int:
    """Unix time in ms, rounded up. The pattern of a stamp admits 30 February; the calendar does not."""
    try:
        return ceil(datetime.fromisoformat(stamp).timestamp() * 1000)
    except ValueError:
        raise Refusal("core.malformed") from None


def open_event(frame: bytes) -> Json:
    """The event in `frame`, None where nobody could be answered (CORE-ENV-006)."""
    try:
        event = parse(frame, 256)
    except Refusal:
        return None
    answerable = is_map(event) and all(matches(event, name, REQUIRED[name]) for name in NOBODY)
    return event if answerable else None


def payload(event: Json) -> Json:
    if ("data" in event) == ("data_base64" in event):
        raise Refusal("core.malformed")
    if "data" in event:
        return parse(compact(event["data"]))
    try:
        return parse(base64.b64decode(event["data_base64"], validate=True))
    except (ValueError, TypeError):
        raise Refusal("core.malformed") from None


def must(condition: object, at: str) -> None:
    if not condition:
        raise invalid(at)


def invalid(at: str) -> Refusal:
    return Refusal("core.invalid", pointer=at[:512])


def shape(accepts: Callable[[Json], object]) -> Check:
    def check(value: Json, at: str, newer: bool) -> Json:
        must(accepts(value), at)
        return value

    return check


def text(pattern: str, most: int) -> Check:
    return shape(lambda value: isinstance(value, str) and len(value) <= most and re.fullmatch(pattern, value))


def number(low: int, high: int) -> Check:
    return shape(lambda value: type(value) is int and low <= value <= high)


def choice(*values: str) -> Check:
    return shape(lambda value: isinstance(value, str) and value in values)


def listing(item: Check, most: int) -> Check:
    def check(value: Json, at: str, newer: bool) -> Json:
        if not is_list(value) or len(value) > most:
            raise invalid(at)
        return [item(each, f"{at}/{index}", newer) for index, each in enumerate(value)]

    return check


class Record:
    """A closed object. Unknown members are refused, or left out where the sender's minor version is `newer`."""

    def __init__(self, needed: str, **members: Check) -> None:
        self.needed, self.members = needed.split(), members

    def __call__(self, value: Json, at: str, newer: bool) -> Json:
        if not is_map(value) or any(name not in value for name in self.needed):
            raise invalid(at)
        for name in () if newer else value:  # CORE-VER-002, CORE-VER-003
            must(name in self.members, f"{at}/{name.replace('~', '~0').replace('/', '~1')}")
        known = [(name, check) for name, check in self.members.items() if name in value]
        return {name: check(value[name], f"{at}/{name}", newer) for name, check in known}


def user_value(value: Json, at: str, newer: bool, levels: int = 8) -> Json:
    """`Value`: a null-free scalar, list or map of bounded depth, breadth and size."""
    children: list[tuple[object, Json]] = []
    if is_map(value):
        children = list(value.items())
        must(levels and len(children) <= 64, at)
    elif is_list(value):
        children = list(enumerate(value))
        must(levels and len(children) <= 256, at)
    elif isinstance(value, int | float):  # a bool is an int in Python
        must(abs(value) <= INTEGER, at)
    else:
        must(isinstance(value, str) and len(value) <= 4096, at)
    for name, child in children:
        must(isinstance(name, int) or re.fullmatch("[A-Za-z0-9_-]{1,64}", str(name)), at)
        user_value(child, f"{at}/{name}", newer, levels - 1)
    if levels == 8 and len(compact(value)) > 16_384:
        raise Refusal("core.malformed")
    return value


def user_map(value: Json, at: str, newer: bool) -> Json:
    must(is_map(value), at)
    return user_value(value, at, newer)


AGENT = text("did:key:z6Mk[1-9A-HJ-NP-Za-km-z]{44}", 56)
LABEL = text("[A-Za-z0-9][A-Za-z0-9._-]*", 64)
CAPABILITY = text(r"[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)*(@[0-9]+(\.[0-9]+){0,2})?", 128)
PATH = text(
    "agent|name|endpoint|capabilities|health|zone|node|lease_ms|epoch|revision"
    r"|(metadata|resources)(\.[A-Za-z0-9_-]{1,64}){1,8}",
    256,
)
LEASE, REVISION, LIMIT = number(100, 3_600_000), number(0, INTEGER), number(1, 100)
WATCH, CURSOR = text("[A-Za-z0-9._:-]+", 64), text("[A-Za-z0-9_-]+", 2048)
CONSISTENCY = choice("eventual", "linearizable")
OPERATOR = choice("eq", "ne", "gt", "gte", "lt", "lte", "in", "not_in", "contains", "prefix", "exists")
CRITERIA = listing(Record("path op", path=PATH, op=OPERATOR, value=user_value), 32)
FILTER = Record("", all=CRITERIA, any=CRITERIA)
ORDER = listing(Record("path", path=PATH, descending=shape(lambda value: isinstance(value, bool))), 4)
MEMBERS: dict[str, Check] = {
    "name": text(r"[^\x00-\x1F\x7F]+", 64),
    "endpoint": text("[A-Za-z][A-Za-z0-9+.-]*:[!-~]+", 256),
    "capabilities": listing(CAPABILITY, 256),
    "metadata": user_map,
    "health": choice("healthy", "degraded", "unhealthy", "unknown"),
    "zone": LABEL,
    "node": LABEL,
    "resources": user_map,
}
CLEAR = listing(choice(*(name for name in MEMBERS if name != "capabilities")), 7)
WRITES: dict[str, Record] = {
    "Register": Record(
        "agent capabilities lease_ms", agent=AGENT, lease_ms=LEASE, if_revision=REVISION, **MEMBERS
    ),
    "Update": Record(
        "agent epoch", agent=AGENT, epoch=REVISION, clear=CLEAR, if_revision=REVISION, **MEMBERS
    ),
    "Renew": Record("agent epoch", agent=AGENT, epoch=REVISION, lease_ms=LEASE),
    "Deregister": Record("agent epoch", agent=AGENT, epoch=REVISION, if_revision=REVISION),
    "Watch": Record(
        "watch lease_ms", watch=WATCH, where=FILTER, after=REVISION, lease_ms=LEASE, index=REVISION
    ),
    "Unwatch": Record("watch", watch=WATCH),
}
PAGE: dict[str, Check] = {"limit": LIMIT, "cursor": CURSOR, "consistency": CONSISTENCY}
READS: dict[str, Record] = {
    "Lookup": Record("agent consistency", agent=AGENT, consistency=CONSISTENCY),
    "Query": Record("limit consistency", where=FILTER, order_by=ORDER, **PAGE),
    "List": Record("limit consistency", **PAGE),
    "Count": Record("consistency", where=FILTER, consistency=CONSISTENCY),
}

REQUESTS = {**WRITES, **READS}
