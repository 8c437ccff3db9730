"""Frames that the suite sends: well-made ones, and ones that are wrong in exactly one named way.

Responsible for turning an operation into a structured-mode document. A `craft` names a fact of the core family
(`duplicate_name`, `forged`, …) and picks one of its variants; the judge finds out by itself what it got. Not
responsible for when anything is sent.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any, Final

from ..signature import KeyPair, sign, weak_signature
from ..wire import address, dump, stamp

__all__ = ["HOSTILE", "SIGNED_HOSTILE", "build"]

Doc = dict[str, Any]
_STRANGE: Final = "shoe_size"


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _duplicate(text: str, variant: int) -> bytes:
    if variant % 2 and text.endswith("}}"):
        return f'{text[:-2]},"twice":1,"twice":1}}}}'.encode()
    return f'{text[:-1]},"agent":"did:key:other","agent":"x"}}'.encode()


def _number(text: str, variant: int) -> bytes:
    return f'{text[:-1]},"odd":{("NaN", "Infinity", "-Infinity", "1e400")[variant % 4]}}}'.encode()


def _bad_text(text: str, variant: int) -> bytes:
    match variant % 3:
        case 0:
            return b"\xef\xbb\xbf" + text.encode()
        case 1:
            return f'{text[:-1]},"odd":"\\ud800"}}'.encode()
        case _:
            return text[:-1].encode() + b',"odd":"\xff"}'


def _deep(text: str, variant: int) -> bytes:
    depth = (32, 33, 40, 10000)[variant % 4]
    return f'{text[:-1]},"odd":{"[" * depth}{"]" * depth}}}'.encode()


def _truncated(text: str, variant: int) -> bytes:
    return (text[:-1], text + "x", text + "{}", text[: len(text) // 2], "")[variant % 5].encode()


def _oversized(text: str, variant: int) -> bytes:
    return text.encode() + b" " * 300_000


_LEXICAL: Final[dict[str, Callable[[str, int], bytes]]] = {
    "duplicate_name": _duplicate,
    "bad_number": _number,
    "bad_text": _bad_text,
    "too_deep": _deep,
    "truncated": _truncated,
    "too_large": _oversized,
}


def _invalid(data: Doc, variant: int) -> Doc:
    """Break one rule of the schema."""
    name = next(key for key in ("agent", "limit", "watch", "consistency") if key in data)
    match variant % 6:
        case 0:
            return {key: value for key, value in data.items() if key != name}
        case 1:
            return {**data, name: None}
        case 2:
            return {**data, name: {"a": 1} if not isinstance(data.get(name), dict) else 7}
        case 3 if "lease_ms" in data:
            return {**data, "lease_ms": 99}
        case 4 if "lease_ms" in data:
            return {**data, "lease_ms": "1000"}
        case _:
            return {**data, name: f"{data.get(name)}\n"}


def _attribute(doc: Doc, variant: int) -> Doc:
    match variant % 5:
        case 0:
            return {key: value for key, value in doc.items() if key != "time"}
        case 1:
            return {**doc, "sequence": "12"}
        case 2:
            return {**doc, "comityversion": "one"}
        case 3:
            return {**doc, "time": doc["time"][:-1] + "z"}
        case _:
            return {key: value for key, value in doc.items() if key != "comityversion"}


_ATTRIBUTES: Final[dict[str, Callable[[Doc, int], Doc]]] = {
    "bad_attribute": _attribute,
    "extra_attribute": lambda doc, _: {**doc, "xroute": "7", "hops": "3"},
    "unknown_type": lambda doc, _: {**doc, "type": doc["type"].rpartition(".")[0] + ".Frobnicate"},
    "other_major": lambda doc, v: {**doc, "comityversion": ("2.0", "9.1")[v % 2]},
    "newer_member": lambda doc, _: {**doc, "comityversion": "1.9"},
    "critical_member": lambda doc, _: {**doc, "comityversion": "1.9", "comitycrit": _STRANGE},
    "foreign_namespace": lambda doc, _: {**doc, "comityaddress": "elsewhere" + doc["comityaddress"][4:]},
}
_MEMBER: Final = ("unknown_member", "newer_member", "critical_member")
HOSTILE: Final = (*_LEXICAL, "invalid", "unknown_member", *_ATTRIBUTES)
SIGNED_HOSTILE: Final = ("unsigned", "forged", "altered", "other_key", "weak_key")


def _altered(doc: Doc, variant: int) -> Doc:
    """Change one covered attribute behind the signature so that the event is still well formed."""
    match variant % 4:
        case 0:
            return {**doc, "sequence": f"{int(doc['sequence']) + 500:016d}"}
        case 1:
            return {**doc, "id": doc["id"] + "x"}
        case 2:
            return {**doc, "expirytime": "2099-01-01T00:00:00Z"}
        case _:
            return {**doc, "comityaddress": doc["comityaddress"] + "x"}


def _signed(doc: Doc, kind: str, variant: int, key: KeyPair, other: KeyPair) -> Doc:
    match kind:
        case "unsigned":
            return doc
        case "forged":
            signed = sign(doc, key)
            flipped = "B" if signed["comitysig"][9] == "A" else "A"
            return {**signed, "comitysig": signed["comitysig"][:9] + flipped + signed["comitysig"][10:]}
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
        data = {**data, _STRANGE: 43}
    elif kind == "invalid":
        data = _invalid(data, variant)
    if kind in _LEXICAL:
        doc["data_base64"] = _b64(_LEXICAL[kind](dump(data), variant))
    elif profile == "signed" or craft.get("base64"):
        doc["data_base64"] = _b64(dump(data).encode())
    else:
        doc["data"] = data
    if kind in _ATTRIBUTES:
        doc = _ATTRIBUTES[kind](doc, variant)
    return _signed(doc, kind, variant, key, other) if profile == "signed" else doc
