"""The size of what users bring along: the text of a `Value` or `Map` is at most 16 KiB.

Responsible for finding the open places of a message by its class and measuring what stands there. Not responsible for
their shape, which the model itself checks.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final, get_args

from .errors import RemoteProtocolError
from .lexical import dump
from .model import MISSING, Map, Record, Value

__all__ = ["MAX_VALUE", "check_sizes"]

MAX_VALUE: Final = 16384
"""Octets of compact JSON that one `Value` or `Map` may have."""
_MARKS = (get_args(Value)[1], get_args(Map)[1])


def check_sizes(record: Record, place: str = "") -> None:
    """Raise `RemoteProtocolError` with `core.invalid` and the pointer of the first open value over the limit."""
    for name, wire, is_open in _members(type(record)):
        held = getattr(record, name)
        if held is not MISSING:
            _check(held, f"{place}/{wire}", is_open)


def _check(held: Any, place: str, is_open: bool) -> None:
    if isinstance(held, Record):
        check_sizes(held, place)
    elif is_open and len(dump(held)) > MAX_VALUE:
        raise RemoteProtocolError(f"{place}: over {MAX_VALUE} octets", code="core.invalid", pointer=place)
    elif isinstance(held, list) and not is_open:
        for index, item in enumerate(held):  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
            if isinstance(item, Record):
                check_sizes(item, f"{place}/{index}")


@cache
def _members(record: type[Record]) -> tuple[tuple[str, str, bool], ...]:
    fields = record.model_fields.items()
    return tuple(
        (name, field.alias or name, any(m in _MARKS for m in field.metadata) or _open(field.annotation))
        for name, field in fields
    )


def _open(annotation: Any) -> bool:
    return any(part in _MARKS or _open(part) for part in get_args(annotation))
