"""The compiled spec as the suite uses it: rows of one family and role, validators, channels, codes.

Responsible for answering "which rows judge this role?" and "does this value conform?". Not responsible for any
protocol logic; it reads `comity.sdk.spec` and nothing else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import jsonschema_rs

from comity.sdk.spec import CompiledSpec, load

from .errors import UsageError
from .wire import items_of, members_of

__all__ = ["Law", "Row", "law"]

_ROLES = {"endpoint", "subject"}


@dataclass(frozen=True, slots=True)
class Row:
    """One requirement as the judge needs it. `on` and `where` are its trigger; `family` says who states it."""

    id: str
    family: str
    level: str
    role: str
    profile: str
    text: str
    why: str
    observe: str
    on: str
    where: list[Any] | None

    @property
    def feature(self) -> str | None:
        """The feature without which the row does not apply; None for a core row."""
        return self.profile.partition(":")[2] or None


def _row(family: str, raw: Any) -> Row:
    trigger: dict[str, Any] = raw["trigger"] or {"on": "", "where": None}
    where = trigger["where"]["ast"] if trigger["where"] else None
    return Row(
        id=raw["id"],
        family=family,
        level=raw["level"],
        role=raw["role"],
        profile=raw["profile"],
        text=raw["text"],
        why=raw["why"],
        observe=raw["observe"],
        on=trigger["on"],
        where=where,
    )


class Law:
    """Core, driver and one family, for one role under test. Raises `UsageError` for an unknown role."""

    def __init__(self, family: str, role: str) -> None:
        self.spec: CompiledSpec = load(family)
        self.core = load("core")
        self.driver = load("driver")
        self.family, self.role = family, role
        self.major, self.minor = (int(part) for part in self.spec.version.split("."))
        if role not in self.spec.data["roles"]:
            known = ", ".join(self.spec.data["roles"])
            raise UsageError(f"family {family} has no role {role!r}; it has {known}")
        wanted = _ROLES | {role}
        self.rows: dict[str, Row] = {
            raw["id"]: _row(spec.protocol, raw)
            for spec in (self.core, self.spec, self.driver)
            for raw in spec.requirements
            if raw["role"] in wanted
        }
        self.parameters = {name: row["default"] for name, row in self.spec.parameters.items()}
        self._validators: dict[tuple[str, str], jsonschema_rs.Validator] = {}

    def digests(self) -> dict[str, str]:
        """Digest of each spec in force, by family."""
        return {spec.protocol: spec.digest for spec in (self.core, self.spec, self.driver)}

    def errors(self, name: str, value: Any, *, spec: str = "family") -> str | None:
        """What is wrong with `value` as the definition `name`, or None; `spec` is family, core or driver."""
        validator = self._validators.get((spec, name))
        if validator is None:
            source = {"family": self.spec, "core": self.core, "driver": self.driver}[spec]
            validator = jsonschema_rs.validator_for(source.message_schema(name))
            self._validators[spec, name] = validator
        if validator.is_valid(value) and (not _fractions(value) or validator.is_valid(_moved(value))):
            return None
        first = next(validator.iter_errors(value), None) or next(validator.iter_errors(_moved(value)))
        return f"/{'/'.join(str(part) for part in first.instance_path)}: {first.message}"[:300]

    def members(self, message: str) -> set[str]:
        """Names of the members that the schema of a message knows."""
        return set(self.spec.schema["$defs"][message].get("properties", ()))

    def known(self, message: str, data: Any) -> Any:
        """`data` without the members, at any depth, that closed objects of the message's schema do not name."""
        return self._known({"$ref": f"#/$defs/{message}"}, data)

    def _known(self, schema: dict[str, Any], value: Any) -> Any:
        while "$ref" in schema:
            schema = self.spec.schema["$defs"].get(schema["$ref"].rpartition("/")[2], {})
        members, named = members_of(value), schema.get("properties")
        if members is not None and named is not None and schema.get("additionalProperties") is False:
            return {name: self._known(named[name], item) for name, item in members.items() if name in named}
        items = items_of(value)
        if items is not None and "items" in schema:
            return [self._known(schema["items"], item) for item in items]
        return value

    def requests(self) -> list[str]:
        """Messages that the role under test is asked."""
        return [n for n, m in self.spec.messages.items() if m["kind"] == "request" and self.role in m["to"]]

    def channel(self, message: str) -> str:
        return str(self.spec.messages[message]["channel"])

    def max_bytes(self, channel: str) -> int:
        return int(self.spec.channels[channel]["max_bytes"])

    def is_write(self, message: str) -> bool:
        return bool(self.spec.messages[message].get("write"))


_EXACT = frozenset({str, int, bool, type(None)})


def _fractions(value: Any) -> bool:
    """Whether a whole number is spelt as a fraction, as 5.0, anywhere."""
    if isinstance(value, float):
        return value.is_integer()
    members = members_of(value)
    for item in members.values() if members is not None else items_of(value) or ():
        if type(item) not in _EXACT and _fractions(item):
            return True
    return False


def _moved(value: Any) -> Any:
    """`value` with each such number moved off the whole ones, so that it fails where an integer is called for."""
    if isinstance(value, float) and value.is_integer():
        return value - math.copysign(0.5, value)
    members = members_of(value)
    if members is not None:
        return {name: _moved(item) for name, item in members.items()}
    items = items_of(value)
    return value if items is None else [_moved(item) for item in items]


@cache
def law(family: str, role: str) -> Law:
    """The law for a family and role; made once."""
    return Law(family, role)
