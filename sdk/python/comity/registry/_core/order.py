"""Order and pages: sort keys, cursors, and where a page begins.

Responsible for the one order that everybody computes alike (REG-QRY-017) and for cursors that only their own
query takes back (REG-QRY-019). Not responsible for which entries match.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from comity.sdk.errors import RemoteProtocolError

from .values import Getter, getter, kind_of, order_of

__all__ = ["Cursor", "Order"]

_DIGEST_BYTES = 12
_MAX_KEYS_BYTES = 1024
_LAST = (9, 0)


def _digest(*parts: Any) -> bytes:
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).digest()[:_DIGEST_BYTES]


class Order:
    """A compiled `order_by`: missing values last in either direction; ties by agent."""

    __slots__ = ("_keys", "by_agent")

    def __init__(self, order_by: Sequence[Mapping[str, Any]] = ()) -> None:
        self._keys: list[tuple[Getter, bool]] = [
            (getter(key["path"]), key.get("descending", False)) for key in order_by
        ]
        self.by_agent = not order_by

    def place(self, entry: Mapping[str, Any]) -> list[Any]:
        """The values that place an entry: one per key, `None` for last, and the agent."""
        return [*(_shallow(read(entry)) for read, _ in self._keys), entry["agent"]]

    def fits(self, place: list[Any]) -> bool:
        """Whether `place` could be one of this order: a value or `None` per key, and an agent."""
        return len(place) == len(self._keys) + 1 and type(place[-1]) is str

    def sort(self, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The entries in order; the list that was given is used up."""
        entries.sort(key=lambda entry: entry["agent"])
        for read, descending in reversed(self._keys):
            entries.sort(key=_sort_key(read, descending), reverse=descending)
        return entries

    def behind(self, entries: list[dict[str, Any]], place: list[Any]) -> int:
        """Index of the first of the sorted `entries` that lies behind `place`."""
        return bisect_left(entries, True, key=lambda entry: self._after(self.place(entry), place))

    def _after(self, one: list[Any], other: list[Any]) -> bool:
        for (_, descending), mine, theirs in zip(self._keys, one, other, strict=False):
            first, second = order_of(mine) or _LAST, order_of(theirs) or _LAST
            if first != second:
                return (first < second) if descending and _LAST not in (first, second) else first > second
        return bool(one[-1] > other[-1])


def _sort_key(read: Getter, descending: bool) -> Callable[[dict[str, Any]], tuple[int, Any]]:
    last = (-1, 0) if descending else _LAST
    return lambda entry: order_of(read(entry)) or last


def _shallow(value: Any) -> Any:
    """What of a value matters for its place: lists are alike, and so are maps."""
    return type(value)() if type(value) in (list, dict) else value


class Cursor:
    """Cursors of one query: a place, sealed with a digest of the query that gave it."""

    __slots__ = ("_order", "_query")

    def __init__(self, order: Order, query: Sequence[Any]) -> None:
        self._order = order
        self._query = query

    def after(self, entry: Mapping[str, Any]) -> str:
        """The cursor that continues behind `entry`.

        A place too long for a cursor is cut, and found again by the entry's agent and the digest of its place.
        """
        place = self._order.place(entry)
        body = [_digest(place).hex(), _cut(place)]
        text = json.dumps([_digest(self._query, body).hex(), *body], separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()

    def place(self, cursor: str, find: Callable[[str], Mapping[str, Any] | None]) -> list[Any]:
        """The place that a cursor names. Raises `RemoteProtocolError` with `registry.bad_cursor`."""
        seal, digest, place = _open(cursor)
        if seal != _digest(self._query, [digest, place]).hex() or not self._order.fits(place):
            raise _bad_cursor()
        last = find(place[-1])
        whole = None if last is None else self._order.place(last)
        return whole if whole is not None and _digest(whole).hex() == digest else place


def _cut(place: list[Any]) -> list[Any]:
    if len(json.dumps(place)) <= _MAX_KEYS_BYTES:
        return place
    return [value[:32] if type(value) is str else value for value in place[:-1]] + place[-1:]


def _open(cursor: str) -> list[Any]:
    try:
        body: Any = json.loads(
            base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        )
    except (ValueError, binascii.Error, RecursionError) as error:
        raise _bad_cursor() from error
    if kind_of(body) != "list" or len(body) != 3 or kind_of(body[2]) != "list":
        raise _bad_cursor()
    return body  # type: ignore[no-any-return]


def _bad_cursor() -> RemoteProtocolError:
    return RemoteProtocolError(
        "the cursor is not one that this query gave", code="registry.bad_cursor", pointer="/cursor"
    )
