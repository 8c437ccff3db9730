"""What a registry answers to each read.

Responsible for Lookup, Query, List and Count against one state, and for pages that fit into an event. Not
responsible for when the state is recent enough.
"""

from __future__ import annotations

from typing import Any

from comity.sdk._generated.registry_v1.messages import Count, List, Lookup, Query
from comity.sdk.errors import RemoteProtocolError
from comity.sdk.lexical import dump
from comity.sdk.model import MISSING, Message

from ._core.dedup import Outcome, refusal
from ._core.registry import Page
from ._core.state import State

__all__ = ["answer"]

_MAX_BYTES = 500_000 - 4096  # half of the channel's max_bytes, less what is around the entries


def answer(state: State, message: Message) -> Outcome:
    """The reply to a read, true at the state's revision (REG-REV-003)."""
    match message:
        case Lookup(agent=agent):
            return _lookup(state, agent)
        case Count(where=where):
            count = state.registry.count(_given(where))
            return Outcome("Counted", {"count": count, "revision": state.revision})
        case Query(where=where, order_by=order_by, limit=limit, cursor=cursor):
            order = [] if order_by is MISSING else [key.model_dump() for key in order_by]
            return _page(state, _given(where), order, limit, cursor)
        case List(limit=limit, cursor=cursor):
            return _page(state, None, [], limit, cursor)
        case _:
            raise TypeError(f"{type(message).__name__} is no read")


def _lookup(state: State, agent: str) -> Outcome:
    entry = state.registry.get(agent)
    if entry is None:
        return refusal("registry.unknown_agent", revision=state.revision)  # REG-LKP-002
    return Outcome("Found", {"entry": entry, "revision": state.revision})


def _page(state: State, where: Any, order: list[dict[str, Any]], limit: int, cursor: Any) -> Outcome:
    given = None if cursor is MISSING else cursor
    try:
        page = state.registry.query(where, order, limit, given)
        if (fitting := _fitting(page)) < len(page.entries):
            page = state.registry.query(where, order, fitting, given)
    except RemoteProtocolError as error:
        return refusal(error.code, pointer=error.pointer)  # REG-QRY-019
    data: dict[str, Any] = {"entries": page.entries, "revision": state.revision}
    if page.cursor is not None:
        data["cursor"] = page.cursor
    return Outcome("Page", data)


def _fitting(page: Page) -> int:
    room = _MAX_BYTES
    for number, entry in enumerate(page.entries):
        room -= len(dump(entry)) + 1
        if room < 0:
            return max(1, number)
    return len(page.entries)


def _given(where: Any) -> dict[str, Any] | None:
    return None if where is MISSING else where.model_dump()
