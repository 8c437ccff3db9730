"""What a receiver has to make of one frame, in the normative order of its checks.

Responsible for everything that the frame itself decides. Not responsible for what depends on when it came or on
what came before it (repetition, expiry, clock): those are judged where deliveries are known.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from ..law import Law
from ..signature import verify
from ..wire import Lexical, NotAnEvent, data_of, document, members_of, namespace_of

__all__ = ["Inspection", "inspect"]

_EXTENSION = re.compile(r"[a-z0-9]{1,20}\Z")
_BODY = ("data", "data_base64")


@dataclass(slots=True)
class Inspection:
    """What a frame deserves. `fate` is take, refuse (with `code`) or drop; `facts` are those of the core family."""

    fate: str
    code: str = ""
    facts: set[str] = field(default_factory=set[str])
    doc: dict[str, Any] = field(default_factory=dict[str, Any])
    message: str = ""
    data: Any = None


def _version(text: str) -> tuple[int, int]:
    major, _, minor = text.partition(".")
    return int(major), int(minor)


def inspect(frame: bytes, law: Law, *, namespace: str, profile: str) -> Inspection:
    """Judge one frame that was delivered on the requests channel."""
    try:
        doc = document(frame)
    except NotAnEvent:
        return Inspection("drop", facts={"unreadable"})
    found = Inspection("take", doc=doc)
    for name in ("id", "source"):
        if law.errors("Attributes", doc, spec="core") and not isinstance(doc.get(name), str):
            return Inspection("drop", facts={"unreadable"}, doc=doc)
    if len(frame) > law.max_bytes("requests"):
        return _refuse(found, "core.too_large", "too_large")
    return _attributes(found, law, namespace, profile)


def _refuse(found: Inspection, code: str, *facts: str) -> Inspection:
    found.fate, found.code = "refuse", code
    found.facts |= set(facts)
    return found


def _drop(found: Inspection, fact: str) -> Inspection:
    found.fate = "drop"
    found.facts.add(fact)
    return found


def _attributes(found: Inspection, law: Law, namespace: str, profile: str) -> Inspection:
    known = law.core.schema["$defs"]["Attributes"]["properties"]
    attributes = {name: value for name, value in found.doc.items() if name not in _BODY}
    extra = [name for name in attributes if name not in known]
    if extra and all(_EXTENSION.match(name) for name in extra):
        found.facts.add("extra_attribute")
        attributes = {name: value for name, value in attributes.items() if name in known}
    if law.errors("Attributes", attributes, spec="core"):
        return _refuse(found, "core.malformed", "bad_attribute")
    if namespace_of(attributes["comityaddress"]) != namespace:
        return _drop(found, "foreign_namespace")
    if profile == "signed" and (fact := verify(found.doc)) is not None:
        return _drop(found, fact)
    if _version(attributes["comityversion"])[0] != law.major:
        return _refuse(found, "core.unsupported_version", "other_major")
    head, _, message = attributes["type"].rpartition(".")
    if head != f"comity.{law.family}.v{law.major}" or message not in law.requests():
        return _refuse(found, "core.unknown_type", "unknown_type")
    found.message = message
    return _data(found, law, _version(attributes["comityversion"])[1])


def _data(found: Inspection, law: Law, minor: int) -> Inspection:
    try:
        data = data_of(found.doc)
    except Lexical as error:
        return _refuse(found, "core.malformed", error.fact)
    members = members_of(data)
    if members is not None:
        crit = set(str(found.doc.get("comitycrit", "")).split()) - law.members(found.message)
        if crit:
            return _refuse(found, "core.not_understood", "critical_member")
    wrong = law.errors(found.message, data)
    if wrong and members is not None and (known := law.known(found.message, data)) != data:
        found.facts.add("newer_member" if minor > law.minor else "unknown_member")
        if minor > law.minor:
            data, wrong = known, law.errors(found.message, known)
    found.data = data
    if wrong:
        return _refuse(found, "core.invalid", "invalid")
    if (
        members is not None
        and law.is_write(found.message)
        and members.get("agent", found.doc["source"]) != found.doc["source"]
    ):
        return _refuse(found, "core.forbidden", "foreign_write")
    return found
