"""What the suite says to an agent, as bytes, and what an agent has to make of such bytes.

Responsible for well-made replies and changes, for those that are odd or hostile in one named way, and for the
checks by which the judge tells them apart without having been told. Not responsible for when they are sent, nor for
which request they answer.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from typing import Any, Final

from ..law import Law
from ..plan import identity
from ..signature import sign, verify, weak_signature
from ..wire import Lexical, NotAnEvent, address, data_of, document, dump, members_of, namespace_of, stamp

__all__ = ["IGNORED", "ODD", "Arrival", "build", "inspect"]

Doc = dict[str, Any]
ODD: Final = {"extra_attribute": "CORE-ENV-005", "newer_member": "CORE-VER-003", "ahead": "CORE-CLK-001"}
IGNORED: Final = {
    "unreadable": "CORE-ENV-006",
    "foreign_namespace": "CORE-ADR-001",
    "unsigned": "CORE-SIG-002",
    "forged": "CORE-SIG-003",
    "altered": "CORE-SIG-004",
    "other_key": "CORE-SIG-005",
    "weak_key": "CORE-SIG-006",
}
AHEAD_MS: Final = 500
_REGISTRY: Final = "registry"
_BYSTANDER: Final = "client-0"


def build(
    message: str, data: Doc, *, law: Law, namespace: str, agent: str, wall_ms: int, profile: str,
    correlation: str | None = None, sequence: int = 0, craft: Doc | None = None,
) -> bytes:  # fmt: skip
    """A frame from the registry to `agent`; `craft` names in what way it is odd or hostile."""
    kind = (craft or {}).get("kind", "")
    if kind == "unreadable":
        return b'{"specversion": "1.0", "id": '
    key, channel = identity(_REGISTRY), law.channel(message)
    data = {**data, "shoe_size": 43} if kind == "newer_member" else data
    text = dump(data)
    doc: Doc = {
        "specversion": "1.0",
        "id": hashlib.sha256(f"{message} {correlation} {text}".encode()).hexdigest()[:32],
        "source": key.agent,
        "type": f"comity.{law.family}.v{law.major}.{message}",
        "time": stamp(wall_ms + (craft or {}).get("ahead_ms", 0)),
        "datacontenttype": "application/json",
        "sequence": f"{sequence:016d}",
        "comityversion": "1.9" if kind == "newer_member" else "1.0",
        "comityaddress": address(namespace, law.family, law.major, channel, agent),
    }
    if correlation is not None:
        doc["correlationid"] = correlation
    if kind == "extra_attribute":
        doc |= {"xroute": "7", "hops": "3"}
    if kind == "foreign_namespace":
        doc["comityaddress"] = f"elsewhere.{doc['comityaddress'].partition('.')[2]}"
    if profile == "signed":
        return dump(_signed({**doc, "data_base64": base64.b64encode(text.encode()).decode()}, kind)).encode()
    return dump({**doc, "data": data}).encode()


def _signed(doc: Doc, kind: str) -> Doc:
    key = identity(_REGISTRY)
    match kind:
        case "unsigned":
            return doc
        case "forged":
            signed = sign(doc, key)
            flipped = "B" if signed["comitysig"][9] == "A" else "A"
            return {**signed, "comitysig": signed["comitysig"][:9] + flipped + signed["comitysig"][10:]}
        case "altered":
            return {**sign(doc, key), "expirytime": "2099-01-01T00:00:00Z"}
        case "other_key":
            return sign(doc, identity(_BYSTANDER))
        case "weak_key":
            agent, signature = weak_signature(key.seed)
            return {**doc, "source": agent, "comitykey": agent, "comitysig": signature}
        case _:
            return sign(doc, key)


@dataclass(slots=True)
class Arrival:
    """What one frame deserves: to be acted on, or to be ignored because of `row`. `facts` are the core family's."""

    ignore: bool = False
    facts: set[str] = field(default_factory=set[str])
    doc: Doc = field(default_factory=dict[str, Any])
    message: str = ""
    data: Doc = field(default_factory=dict[str, Any])

    @property
    def rows(self) -> list[str]:
        """Rows of the core family that this frame puts to the test."""
        return [row for fact, row in (IGNORED if self.ignore else ODD).items() if fact in self.facts]


def inspect(frame: bytes, law: Law, *, namespace: str, profile: str) -> Arrival:
    """Look at a frame as an agent has to. Raises `ValueError` where it is wrong in a way that no plan asks for."""
    try:
        doc = document(frame)
    except NotAnEvent:
        return Arrival(ignore=True, facts={"unreadable"})
    found = Arrival(doc=doc, message=str(doc["type"]).rpartition(".")[2])
    known = law.core.schema["$defs"]["Attributes"]["properties"]
    attributes = {name: value for name, value in doc.items() if name not in ("data", "data_base64")}
    if attributes.keys() - known:
        found.facts.add("extra_attribute")
    attributes = {name: value for name, value in attributes.items() if name in known}
    if (wrong := law.errors("Attributes", attributes, spec="core")) is not None:
        raise ValueError(f"attributes{wrong}")
    fact = "foreign_namespace" if namespace_of(doc["comityaddress"]) != namespace else None
    if fact is None and profile == "signed":
        fact = verify(doc)
        if fact == "forged" and doc.get("expirytime", "").startswith("2099"):
            fact = "altered"
    if fact is not None:
        found.ignore, found.facts = True, {fact}
        return found
    return _data(found, law)


def _data(found: Arrival, law: Law) -> Arrival:
    try:
        data = members_of(data_of(found.doc))
    except Lexical as error:
        raise ValueError(str(error)) from error
    if data is None or found.message not in law.spec.messages:
        raise ValueError(f"{found.message} carries {data!r}")
    strange = data.keys() - law.members(found.message)
    if strange and int(found.doc["comityversion"].partition(".")[2]) > law.minor:
        found.facts.add("newer_member")
        data = {name: value for name, value in data.items() if name not in strange}
    if (wrong := law.errors(found.message, data)) is not None:
        raise ValueError(f"{found.message}{wrong}")
    found.data = data
    return found
