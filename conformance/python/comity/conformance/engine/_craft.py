"""Frames that the suite sends: well-made ones, and ones that are wrong in exactly one named way.

Responsible for turning an operation into a structured-mode document. A `craft` names a fact of the core family
(`duplicate_name`, `forged`, …) and picks one of its variants; the judge finds out by itself what it got. Not
responsible for when anything is sent.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any, Final

from ..signature import KeyPair, overspelt, sign, weak_signature
from ..wire import MAX_DEPTH, address, dump, stamp

__all__ = ["HOSTILE", "SIGNED_HOSTILE", "build"]

Doc = dict[str, Any]
_STRANGE: Final = "shoe_size"
TOO_LARGE: Final = 262_160  # data alone that are a little more than the requests channel carries


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _with(text: str, member: str, within: str = "") -> str:
    """An object's text with one member more: in the object that is its member `within`, or in itself."""
    inner = f'"{within}":{{'
    if within and inner + '"' in text:
        return text.replace(inner, f"{inner}{member},", 1)
    return f"{text[:-1]}{',' if len(text) > 2 else ''}{member}}}"


def _duplicate(text: str, variant: int) -> bytes:
    name, value = next(iter(json.loads(text).items()), ("twice", 1))
    first = f'"{name}":{dump(value)}'
    match variant % 5:
        case 0:
            found = _with(_with(text, '"twice":1'), '"twice":2')
        case 1:
            found = _with(text if len(text) > 2 else _with(text, first), first)
        case 2:
            found = _with(
                text if len(text) > 2 else _with(text, first),
                first.replace(name[0], f"\\u{ord(name[0]):04x}", 1),
            )
        case 3:
            found = _with(text, '"twice":1,"twice":1', "metadata")
            found = found if "metadata" in text else _with(text, '"odd":{"twice":1,"twice":1}')
        case _:
            found = text.replace('{"path":', '{"op":"eq","path":', 1)
            found = found if found != text else _with(text, '"odd":[{"a":{"twice":1,"twice":1}}]')
    return found.encode()


def _number(text: str, variant: int) -> bytes:
    number = ("NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1" + "0" * 400)[variant % 6]
    return _with(text, f'"odd":{number}', "metadata" if variant % 4 else "").encode()


def _bad_text(text: str, variant: int) -> bytes:
    match variant % 5:
        case 0:
            return b"\xef\xbb\xbf" + text.encode()
        case 1:
            return _with(text, '"odd":"\\ud800"', "metadata").encode()
        case 2:
            return _with(text, '"odd":"@"').encode().replace(b"@", b"\xff")
        case 3:
            name = '"\\udc00\\ud800"'
            return _with(text, f"{name}:1" if variant % 2 else f'"odd":{{{name}:1}}').encode()
        case _:
            return _with(text, '"odd":"@"', "metadata").encode().replace(b'"@', b'"\xc0\xaf')


def _deep(text: str, variant: int) -> bytes:
    depth = (MAX_DEPTH, MAX_DEPTH + 1, 40, 10000)[variant % 4]
    return _with(text, f'"odd":{"[" * depth}{"]" * depth}').encode()


def _truncated(text: str, variant: int) -> bytes:
    ends = (
        text[:-1],
        text + "x",
        text + "{}",
        text[: len(text) // 2],
        "",
        text + ",",
        text + "\0",
        text + " \n1",
    )
    return ends[variant % len(ends)].encode()


def _oversized(text: str, variant: int) -> bytes:
    size = (TOO_LARGE, 300_000)[variant % 2]
    return text.encode() + b" " * (size - len(text.encode()))


_LEXICAL: Final[dict[str, Callable[[str, int], bytes]]] = {
    "duplicate_name": _duplicate,
    "bad_number": _number,
    "bad_text": _bad_text,
    "too_deep": _deep,
    "truncated": _truncated,
    "too_large": _oversized,
}


def _invalid(data: Doc, variant: int) -> Doc:
    """Break one rule of the schema, with the wish's own way where the message has the member, else with another."""
    name = next((key for key in ("agent", "limit", "watch", "consistency") if key in data), "agent")
    number = next((key for key in ("lease_ms", "epoch", "limit") if key in data), "")
    deep: Any = 1
    for _ in range(9):
        deep = [deep]
    ways: list[Doc] = [
        {key: value for key, value in data.items() if key != name},
        {**data, name: None},
        {**data, name: {"a": 1} if not isinstance(data.get(name), dict) else 7},
        {**data, name: f"{data.get(name)}\n"},
        {**data, "odd": _nested(MAX_DEPTH - 1)},
    ]
    if number:
        ways += [{**data, number: value} for value in (1000.0, 5.0, True, "1000", -1, 2**53)]
    if "lease_ms" in data:
        ways += [{**data, "lease_ms": value} for value in (99, 3_600_001)]
    if "capabilities" in data:
        ways += [
            {**data, "capabilities": value}
            for value in (["Ml"], ["ml@"], ["ml\n"], ["ml@1.0.0.0"], [None], "ml")
        ]
    if "metadata" in data:
        odd: tuple[Any, ...] = (None, deep, [None], {"a b": 1}, "x" * 4097, 2**53)
        ways += [{**data, "metadata": {**data["metadata"], "odd": value}} for value in odd]
        ways += [{**data, member: None} for member in ("metadata", "name")]
        ways += [
            {**data, "health": "fine"},
            {**data, "zone": ""},
            {**data, "zone": "a\n"},
            {**data, "name": "a\tb"},
        ]
    if "epoch" in data:
        ways += [{**data, "clear": value} for value in (["capabilities"], ["agent"], "zone")]
    if "where" in data:
        one = {"path": "zone", "op": "exists"}
        wheres: tuple[Doc, ...] = ({"all": [one] * 33}, {"any": [{**one, "op": "like"}]}, {"all": one},
                                   {"all": [{"op": "eq"}]}, {"all": [{**one, "path": "metadata"}, {**one, "path": "zones"}]},
                                   {"all": [{**one, "value": None}]})  # fmt: skip
        ways += [{**data, "where": where} for where in wheres]
    return ways[variant % len(ways)]


def _nested(depth: int) -> Any:
    """Lists within lists, so that an object with this member nests one deeper than `depth`."""
    found: list[Any] = []
    for _ in range(depth - 1):
        found = [found]
    return found


def _stranger(data: Doc, variant: int) -> Doc:
    """An unknown member, on top or in a filter."""
    where: Doc = data.get("where", {})
    match variant % 3:
        case 1 if where.get("all"):
            return {**data, "where": {**where, "all": [{**where["all"][0], _STRANGE: 43}, *where["all"][1:]]}}
        case 2 if where:
            return {**data, "where": {**where, _STRANGE: 43}}
        case _:
            return {**data, _STRANGE: 43}


def _attribute(doc: Doc, variant: int) -> Doc:
    if variant % 3 == 0:
        gone = ("time", "comityversion", "sequence", "comityaddress", "type")[variant // 3 % 5]
        return {key: value for key, value in doc.items() if key != gone}
    wrong: tuple[tuple[str, Any], ...] = (
        ("sequence", "12"), ("sequence", "0" + doc["sequence"]),
        ("comityversion", "one"), ("comityversion", "1"), ("comityversion", "1.01"), ("datacontenttype", "text/plain"),
        ("time", doc["time"][:-1] + "z"), ("time", doc["time"][:-1] + "0000Z"), ("time", doc["time"][:17] + "60Z"),
        ("time", doc["time"].replace("T", " ")), ("expirytime", "never"), ("expirytime", doc["time"][:-1] + "+00:00"),
        ("type", doc["type"].lower()), ("comitycrit", "agent,zone"), ("traceparent", "00-1-2-3"),
    )  # fmt: skip
    name, value = wrong[variant % len(wrong)]
    return {**doc, name: value}


def _unknown_type(doc: Doc, variant: int) -> Doc:
    head, _, name = doc["type"].rpartition(".")
    types = (
        f"{head}.Frobnicate",
        f"comity.elsewhere.v1.{name}",
        f"comity.registry.v2.{name}",
        f"{head}.{name}s",
    )
    return {**doc, "type": types[variant % len(types)]}


def _other_major(doc: Doc, variant: int) -> Doc:
    found = {**doc, "comityversion": ("2.0", "9.1", "10.0")[variant % 3]}
    return _unknown_type(found, variant) if variant % 4 == 3 else found


def _newer(doc: Doc, variant: int) -> Doc:
    """A higher minor; every other time what is critical is known."""
    known = {"comitycrit": "agent"} if variant % 2 and "agent" in doc.get("data", ()) else {}
    return {**doc, "comityversion": "1.9", **known}


def _critical(doc: Doc, variant: int) -> Doc:
    data = doc.get("data")
    if isinstance(data, dict) and variant % 5 == 4:  # before the schema is asked
        doc = {**doc, "data": {_STRANGE: 43}}
    crit = (_STRANGE, f"consistency agent limit {_STRANGE}", f"{_STRANGE} agent")[variant % 3]
    return {**doc, "comityversion": ("1.9", "1.0")[variant % 2], "comitycrit": crit}


def _elsewhere(doc: Doc, variant: int) -> Doc:
    namespace, _, rest = doc["comityaddress"].partition(".")
    return {**doc, "comityaddress": f"{('elsewhere', namespace + '2', namespace[:-1])[variant % 3]}.{rest}"}


_ATTRIBUTES: Final[dict[str, Callable[[Doc, int], Doc]]] = {
    "bad_attribute": _attribute,
    "extra_attribute": lambda doc, _: {**doc, "xroute": "7", "hops": "3"},
    "unknown_type": _unknown_type,
    "other_major": _other_major,
    "newer_member": _newer,
    "critical_member": _critical,
    "foreign_namespace": _elsewhere,
}
_MEMBER: Final = ("unknown_member", "newer_member", "critical_member")
HOSTILE: Final = (*_LEXICAL, "invalid", "unknown_member", *_ATTRIBUTES)
SIGNED_HOSTILE: Final = ("unsigned", "forged", "altered", "other_key", "weak_key")


def _altered(doc: Doc, variant: int) -> Doc:
    """Change one covered attribute behind the signature so that the event is still well formed."""
    head, _, message = doc["type"].rpartition(".")
    swapped = {"Renew": "Deregister", "Deregister": "Renew", "Lookup": "List"}.get(message, "Count")
    changes: tuple[Doc, ...] = (
        {"sequence": f"{int(doc['sequence']) + 500:016d}"},
        {"id": doc["id"] + "x"},
        {"expirytime": "2099-01-01T00:00:00Z"},
        {"comityaddress": doc["comityaddress"] + "x"},
        {"type": f"{head}.{swapped}"},
        {"time": doc["time"][:-2] + ("1Z" if doc["time"][-2] != "1" else "2Z")},
        {"comityversion": "1.1"},
        {"causationid": "other"},
        {"correlationid": "other"},
    )
    return {**doc, **changes[variant % len(changes)]}


def _forged(doc: Doc, variant: int, key: KeyPair) -> Doc:
    """A signature with one letter changed, over other data, or with S spelt beyond the group's order."""
    signed = sign(doc, key)
    match variant % 3:
        case 0:
            flipped = "B" if signed["comitysig"][9] == "A" else "A"
            return {**signed, "comitysig": signed["comitysig"][:9] + flipped + signed["comitysig"][10:]}
        case 1:
            return {**signed, "data_base64": _b64(base64.b64decode(doc["data_base64"]) + b" ")}
        case _:
            return {**signed, "comitysig": overspelt(signed["comitysig"])}


def _signed(doc: Doc, kind: str, variant: int, key: KeyPair, other: KeyPair) -> Doc:
    match kind:
        case "unsigned":
            return doc
        case "forged":
            return _forged(doc, variant, key)
        case "altered":
            return _altered(sign(doc, key), variant)
        case "other_key":
            return sign(doc, other)
        case "weak_key":
            agent, signature = weak_signature(key.seed)
            data = base64.b64decode(doc["data_base64"]).decode().replace(key.agent, agent)
            weak = {**doc, "source": agent, "data_base64": _b64(data.encode())}
            return {**weak, "comitykey": agent, "comitysig": signature}
        case _:
            return sign(doc, key)


def build(
    op: Doc, data: Doc, *, namespace: str, family: str, channel: str, key: KeyPair, other: KeyPair,
    sequence: int, event_id: str, wall_ms: int, profile: str,
) -> Doc:  # fmt: skip
    """The document for one send. `other` is the key of a bystander, for signatures by the wrong one."""
    craft: Doc = op.get("craft", {})
    kind, variant = str(craft.get("kind", "")), int(craft.get("variant", 0))
    doc: Doc = {
        "specversion": "1.0",
        "id": event_id,
        "source": key.agent,
        "type": f"comity.{family}.v1.{op['message']}",
        "time": stamp(wall_ms + int(craft.get("ahead_ms", 0))),
        "datacontenttype": "application/json",
        "sequence": f"{sequence:016d}",
        "comityversion": "1.0",
        "comityaddress": address(namespace, family, 1, channel, key.agent),
    }
    if "expires_ms" in craft:
        doc["expirytime"] = stamp(wall_ms + int(craft["expires_ms"]))
    if kind in _MEMBER:
        data = _stranger(data, variant if kind != "critical_member" else 0)
    elif kind == "invalid":
        data = _invalid(data, variant)
    if kind in _LEXICAL:
        doc["data_base64"] = _b64(_LEXICAL[kind](dump(data), variant))
    elif profile == "signed" or craft.get("base64") or "pad" in craft or kind == "invalid":
        pad = ("\n\t \r" * int(craft.get("pad", 0)))[: int(craft.get("pad", 0))]
        doc["data_base64"] = _b64(f"{pad[:3]}{dump(data)}{pad[3:]}".encode())
    else:
        doc["data"] = data
    if craft.get("crit"):
        doc["comityversion"], doc["comitycrit"] = f"1.{craft['minor']}", " ".join(data)
    if kind in _ATTRIBUTES:
        doc = _ATTRIBUTES[kind](doc, variant)
    return _signed(doc, kind, variant, key, other) if profile == "signed" else doc
