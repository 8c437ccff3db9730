"""The two open types of the language, `Value` and `Map`, as JSON Schema and as a check.

Responsible for their limits, in one place. Not responsible for their lexical size limit (16 KiB), which a
scanner checks on the bytes.
"""

from __future__ import annotations

from typing import Any

from ._json import is_list, is_map

__all__ = ["BUILTINS", "MAX_DEPTH", "MAX_INTEGER", "builtin_schemas", "value_fault"]

BUILTINS = ("Map", "Value")
MAX_DEPTH = 8
MAX_INTEGER = 2**53 - 1
MAX_KEYS = 64
MAX_ITEMS = 256
MAX_TEXT = 4096
KEY_PATTERN = "^[A-Za-z0-9_-]{1,64}$"

_KEY_CHARS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")


def builtin_schemas() -> dict[str, dict[str, Any]]:
    """JSON Schema of `comity.Value` and `comity.Map`, and of the values at each depth inside them."""
    schemas = {"comity.Value": _value_schema(MAX_DEPTH), "comity.Map": _map_schema(MAX_DEPTH)}
    for depth in range(MAX_DEPTH):
        schemas[f"comity.Value{depth}"] = _value_schema(depth)
    return schemas


def _value_schema(depth: int) -> dict[str, Any]:
    scalar = {"maxLength": MAX_TEXT, "minimum": -MAX_INTEGER, "maximum": MAX_INTEGER}
    if not depth:
        return {"type": ["boolean", "number", "string"], **scalar}
    items = {"items": {"$ref": f"#/$defs/comity.Value{depth - 1}"}, "maxItems": MAX_ITEMS}
    return {"type": ["boolean", "number", "string", "array", "object"], **scalar, **items, **_members(depth)}


def _map_schema(depth: int) -> dict[str, Any]:
    return {"type": "object", **_members(depth)}


def _members(depth: int) -> dict[str, Any]:
    return {
        "maxProperties": MAX_KEYS,
        "propertyNames": {"pattern": KEY_PATTERN},
        "additionalProperties": {"$ref": f"#/$defs/comity.Value{depth - 1}"},
    }


def value_fault(name: str, value: Any, depth: int = MAX_DEPTH) -> str | None:
    """Why `value` is not a built-in `name`, or None when it is one."""
    if is_map(value):
        return _map_fault(value, depth)
    if name == "Map":
        return "not a map"
    if is_list(value):
        return _list_fault(value, depth)
    if isinstance(value, str):
        return "string too long" if len(value) > MAX_TEXT else None
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return None if -MAX_INTEGER <= value <= MAX_INTEGER else "number out of range"
    return "not a JSON scalar, list or map"


def _map_fault(value: dict[Any, Any], depth: int) -> str | None:
    if not depth or len(value) > MAX_KEYS:
        return "too deep" if not depth else "too many keys"
    for key, item in value.items():
        if not isinstance(key, str) or not 1 <= len(key) <= 64 or not _KEY_CHARS.issuperset(key):
            return f"bad key {key!r}"
        fault = value_fault("Value", item, depth - 1)
        if fault:
            return fault
    return None


def _list_fault(value: list[Any], depth: int) -> str | None:
    if not depth or len(value) > MAX_ITEMS:
        return "too deep" if not depth else "too many items"
    faults = (value_fault("Value", item, depth - 1) for item in value)
    return next((fault for fault in faults if fault), None)
