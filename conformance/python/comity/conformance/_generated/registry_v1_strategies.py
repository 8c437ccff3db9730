"""Strategies for the messages of Comity registry.

Generated from registry 1.0, source sha256:cd195a6a9df1476e7f487e64a4a2f05e0c9c676f2c52f785cdddea719b47affc.
Every edit is lost: change the spec and run `make gen`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

from hypothesis import strategies as st

from . import core_v1_strategies as core
from . import _shapes as s

__all__ = ["MESSAGES", "near_miss", "valid"]


def valid(message: str) -> st.SearchStrategy[dict[str, Any]]:
    """Data of `message` that conform to its schema."""
    return MESSAGES[message]().valid


def near_miss(message: str) -> st.SearchStrategy[tuple[Any, str]]:
    """Pairs of data of `message` that break one rule, and the name of that rule."""
    return MESSAGES[message]().near


@cache
def Lease() -> s.Shape:
    return s.integer(100, 3600000, (("null", None), ("type", True), ("type", 0.5), ("type", "x"), ("type", []), ("type", {}), ("minimum", 99), ("maximum", 3600001)))

@cache
def Health() -> s.Shape:
    return s.choice(("healthy", "degraded", "unhealthy", "unknown"), (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", []), ("type", {}), ("enum", "healthyx"), ("enum", "HEALTHY"), ("enum", "healthy\n"), ("enum", "degradedx"), ("enum", "DEGRADED"), ("enum", "degraded\n")))

@cache
def Endpoint() -> s.Shape:
    return s.text(1, 256, "^[A-Za-z][A-Za-z0-9+.-]*:[!-~]+\\Z", ("A:!", "bb:\"\"", "C22:###", "d+++:$$$$"), (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", []), ("type", {}), ("minLength", ""), ("maxLength", "d+++:$$$$" * 29), ("pattern", "d+++:$$$$\n"), ("pattern", "d+++:$$$$ "), ("pattern", " d+++:$$$$"), ("pattern", "d+++:$$$$é"), ("pattern", "١+++:$$$$")))

@cache
def WatchId() -> s.Shape:
    return s.text(1, 64, "^[A-Za-z0-9._:-]+\\Z", ("A", "bb", "222", "...."), (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", []), ("type", {}), ("minLength", ""), ("maxLength", "...................................................................."), ("pattern", "....\n"), ("pattern", ".... "), ("pattern", " ...."), ("pattern", "....é"), ("pattern", "١...")))

@cache
def Cursor() -> s.Shape:
    return s.text(1, 2048, "^[A-Za-z0-9_-]+\\Z", ("A", "bb", "222", "____"), (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", []), ("type", {}), ("minLength", ""), ("maxLength", "_" * 2052), ("pattern", "____\n"), ("pattern", "____ "), ("pattern", " ____"), ("pattern", "____é"), ("pattern", "١___")))

@cache
def Consistency() -> s.Shape:
    return s.choice(("eventual", "linearizable"), (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", []), ("type", {}), ("enum", "eventualx"), ("enum", "EVENTUAL"), ("enum", "eventual\n"), ("enum", "linearizablex"), ("enum", "LINEARIZABLE"), ("enum", "linearizable\n")))

@cache
def Member() -> s.Shape:
    return s.choice(("name", "endpoint", "metadata", "health", "zone", "node", "resources"), (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", []), ("type", {}), ("enum", "namex"), ("enum", "NAME"), ("enum", "name\n"), ("enum", "endpointx"), ("enum", "ENDPOINT"), ("enum", "endpoint\n")))

@cache
def Path() -> s.Shape:
    return s.text(1, 256, "^(agent|name|endpoint|capabilities|health|zone|node|lease_ms|epoch|revision|(metadata|resources)(\\.[A-Za-z0-9_-]{1,64}){1,8})\\Z", ("agent", "name", "endpoint", "capabilities"), (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", []), ("type", {}), ("minLength", ""), ("maxLength", "capabilities" * 22), ("pattern", "capabilities\n"), ("pattern", "capabilities "), ("pattern", " capabilities"), ("pattern", "CAPABILITIES"), ("pattern", "capabilitiesé"), ("pattern", "١apabilities")))

@cache
def Entry() -> s.Shape:
    return s.record(
        {
            "agent": s.lazy(core.AgentId),
            "capabilities": s.array(s.lazy(core.Capability), 0, 256, (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", {}))),
            "lease_ms": s.lazy(Lease),
            "epoch": s.lazy(core.Revision),
            "revision": s.lazy(core.Revision),
        },
        {
            "name": s.lazy(core.Name),
            "endpoint": s.lazy(Endpoint),
            "metadata": s.open_map(),
            "health": s.lazy(Health),
            "zone": s.lazy(core.Label),
            "node": s.lazy(core.Label),
            "resources": s.open_map(),
        },
        (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", [])),
    )

@cache
def Criterion() -> s.Shape:
    return s.record(
        {
            "path": s.lazy(Path),
            "op": s.choice(("eq", "ne", "gt", "gte", "lt", "lte", "in", "not_in", "contains", "prefix", "exists"), (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", []), ("type", {}), ("enum", "eqx"), ("enum", "EQ"), ("enum", "eq\n"), ("enum", "nex"), ("enum", "NE"), ("enum", "ne\n"))),
        },
        {
            "value": s.open_value(),
        },
        (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", [])),
    )

@cache
def Filter() -> s.Shape:
    return s.record(
        {},
        {
            "all": s.array(s.lazy(Criterion), 0, 32, (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", {}))),
            "any": s.array(s.lazy(Criterion), 0, 32, (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", {}))),
        },
        (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", [])),
    )

@cache
def Order() -> s.Shape:
    return s.record(
        {
            "path": s.lazy(Path),
        },
        {
            "descending": s.boolean((("null", None), ("type", 7), ("type", 0.5), ("type", "x"), ("type", []), ("type", {}))),
        },
        (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", [])),
    )

@cache
def Change() -> s.Shape:
    return s.record(
        {
            "kind": s.choice(("put", "delete"), (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", []), ("type", {}), ("enum", "putx"), ("enum", "PUT"), ("enum", "put\n"), ("enum", "deletex"), ("enum", "DELETE"), ("enum", "delete\n"))),
            "agent": s.lazy(core.AgentId),
            "revision": s.lazy(core.Revision),
        },
        {
            "entry": s.lazy(Entry),
            "reason": s.choice(("deregistered", "expired", "unmatched"), (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", []), ("type", {}), ("enum", "deregisteredx"), ("enum", "DEREGISTERED"), ("enum", "deregistered\n"), ("enum", "expiredx"), ("enum", "EXPIRED"), ("enum", "expired\n"))),
        },
        (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", [])),
    )

@cache
def Register() -> s.Shape:
    return s.record(
        {
            "agent": s.lazy(core.AgentId),
            "capabilities": s.array(s.lazy(core.Capability), 0, 256, (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", {}))),
            "lease_ms": s.lazy(Lease),
        },
        {
            "name": s.lazy(core.Name),
            "endpoint": s.lazy(Endpoint),
            "metadata": s.open_map(),
            "health": s.lazy(Health),
            "zone": s.lazy(core.Label),
            "node": s.lazy(core.Label),
            "resources": s.open_map(),
            "if_revision": s.lazy(core.Revision),
        },
        (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", [])),
    )

@cache
def Registered() -> s.Shape:
    return s.record(
        {
            "agent": s.lazy(core.AgentId),
            "epoch": s.lazy(core.Revision),
            "revision": s.lazy(core.Revision),
            "lease_ms": s.lazy(Lease),
        },
        {},
        (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", [])),
    )

@cache
def Update() -> s.Shape:
    return s.record(
        {
            "agent": s.lazy(core.AgentId),
            "epoch": s.lazy(core.Revision),
        },
        {
            "name": s.lazy(core.Name),
            "endpoint": s.lazy(Endpoint),
            "capabilities": s.array(s.lazy(core.Capability), 0, 256, (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", {}))),
            "metadata": s.open_map(),
            "health": s.lazy(Health),
            "zone": s.lazy(core.Label),
            "node": s.lazy(core.Label),
            "resources": s.open_map(),
            "clear": s.array(s.lazy(Member), 0, 7, (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", {}))),
            "if_revision": s.lazy(core.Revision),
        },
        (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", [])),
    )

@cache
def Updated() -> s.Shape:
    return s.record(
        {
            "agent": s.lazy(core.AgentId),
            "revision": s.lazy(core.Revision),
        },
        {},
        (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", [])),
    )

@cache
def Renew() -> s.Shape:
    return s.record(
        {
            "agent": s.lazy(core.AgentId),
            "epoch": s.lazy(core.Revision),
        },
        {
            "lease_ms": s.lazy(Lease),
        },
        (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", [])),
    )

@cache
def Renewed() -> s.Shape:
    return s.record(
        {
            "agent": s.lazy(core.AgentId),
            "epoch": s.lazy(core.Revision),
            "revision": s.lazy(core.Revision),
            "lease_ms": s.lazy(Lease),
        },
        {},
        (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", [])),
    )

@cache
def Deregister() -> s.Shape:
    return s.record(
        {
            "agent": s.lazy(core.AgentId),
            "epoch": s.lazy(core.Revision),
        },
        {
            "if_revision": s.lazy(core.Revision),
        },
        (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", [])),
    )

@cache
def Deregistered() -> s.Shape:
    return s.record(
        {
            "agent": s.lazy(core.AgentId),
            "revision": s.lazy(core.Revision),
        },
        {},
        (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", [])),
    )

@cache
def Lookup() -> s.Shape:
    return s.record(
        {
            "agent": s.lazy(core.AgentId),
            "consistency": s.lazy(Consistency),
        },
        {},
        (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", [])),
    )

@cache
def Found() -> s.Shape:
    return s.record(
        {
            "entry": s.lazy(Entry),
            "revision": s.lazy(core.Revision),
        },
        {},
        (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", [])),
    )

@cache
def Query() -> s.Shape:
    return s.record(
        {
            "limit": s.integer(1, 100, (("null", None), ("type", True), ("type", 0.5), ("type", "x"), ("type", []), ("type", {}), ("minimum", 0), ("maximum", 101))),
            "consistency": s.lazy(Consistency),
        },
        {
            "where": s.lazy(Filter),
            "order_by": s.array(s.lazy(Order), 0, 4, (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", {}))),
            "cursor": s.lazy(Cursor),
        },
        (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", [])),
    )

@cache
def List() -> s.Shape:
    return s.record(
        {
            "limit": s.integer(1, 100, (("null", None), ("type", True), ("type", 0.5), ("type", "x"), ("type", []), ("type", {}), ("minimum", 0), ("maximum", 101))),
            "consistency": s.lazy(Consistency),
        },
        {
            "cursor": s.lazy(Cursor),
        },
        (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", [])),
    )

@cache
def Page() -> s.Shape:
    return s.record(
        {
            "entries": s.array(s.lazy(Entry), 0, 100, (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", {}))),
            "revision": s.lazy(core.Revision),
        },
        {
            "cursor": s.lazy(Cursor),
        },
        (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", [])),
    )

@cache
def Count() -> s.Shape:
    return s.record(
        {
            "consistency": s.lazy(Consistency),
        },
        {
            "where": s.lazy(Filter),
        },
        (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", [])),
    )

@cache
def Counted() -> s.Shape:
    return s.record(
        {
            "count": s.integer(0, 9007199254740991, (("null", None), ("type", True), ("type", 0.5), ("type", "x"), ("type", []), ("type", {}), ("minimum", -1), ("maximum", 9007199254740992))),
            "revision": s.lazy(core.Revision),
        },
        {},
        (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", [])),
    )

@cache
def Watch() -> s.Shape:
    return s.record(
        {
            "watch": s.lazy(WatchId),
            "lease_ms": s.lazy(Lease),
        },
        {
            "where": s.lazy(Filter),
            "after": s.lazy(core.Revision),
            "index": s.integer(0, 9007199254740991, (("null", None), ("type", True), ("type", 0.5), ("type", "x"), ("type", []), ("type", {}), ("minimum", -1), ("maximum", 9007199254740992))),
        },
        (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", [])),
    )

@cache
def Watching() -> s.Shape:
    return s.record(
        {
            "watch": s.lazy(WatchId),
            "revision": s.lazy(core.Revision),
            "index": s.integer(0, 9007199254740991, (("null", None), ("type", True), ("type", 0.5), ("type", "x"), ("type", []), ("type", {}), ("minimum", -1), ("maximum", 9007199254740992))),
            "lease_ms": s.lazy(Lease),
        },
        {},
        (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", [])),
    )

@cache
def Unwatch() -> s.Shape:
    return s.record(
        {
            "watch": s.lazy(WatchId),
        },
        {},
        (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", [])),
    )

@cache
def Unwatched() -> s.Shape:
    return s.record(
        {
            "watch": s.lazy(WatchId),
        },
        {},
        (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", [])),
    )

@cache
def Changes() -> s.Shape:
    return s.record(
        {
            "watch": s.lazy(WatchId),
            "index": s.integer(1, 9007199254740991, (("null", None), ("type", True), ("type", 0.5), ("type", "x"), ("type", []), ("type", {}), ("minimum", 0), ("maximum", 9007199254740992))),
            "revision": s.lazy(core.Revision),
            "changes": s.array(s.lazy(Change), 0, 64, (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", {}))),
        },
        {
            "synced": s.boolean((("null", None), ("type", 7), ("type", 0.5), ("type", "x"), ("type", []), ("type", {}))),
        },
        (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", [])),
    )

@cache
def Refused() -> s.Shape:
    return s.record(
        {
            "code": s.lazy(core.ErrorCode),
        },
        {
            "revision": s.lazy(core.Revision),
            "pointer": s.lazy(core.Pointer),
            "retry_after_ms": s.lazy(core.Milliseconds),
        },
        (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", [])),
    )


MESSAGES: Final[Mapping[str, Callable[[], s.Shape]]] = {
    "Register": Register,
    "Registered": Registered,
    "Update": Update,
    "Updated": Updated,
    "Renew": Renew,
    "Renewed": Renewed,
    "Deregister": Deregister,
    "Deregistered": Deregistered,
    "Lookup": Lookup,
    "Found": Found,
    "Query": Query,
    "List": List,
    "Page": Page,
    "Count": Count,
    "Counted": Counted,
    "Watch": Watch,
    "Watching": Watching,
    "Unwatch": Unwatch,
    "Unwatched": Unwatched,
    "Changes": Changes,
    "Refused": Refused,
}
