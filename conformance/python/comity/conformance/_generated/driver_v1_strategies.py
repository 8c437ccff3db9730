"""Strategies for the messages of Comity driver protocol.

Generated from driver 1.0, source sha256:ae710ac0a7ece2a78f0f81655c929f071f9170f09e103a8c154083ae7f70dd26.
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
def Base64() -> s.Shape:
    return s.text(0, 2796204, "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?\\Z", ("", "bbbbbbb=", "2222222222==", "+++++++++++++++="), (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", []), ("type", {}), ("pattern", "+++++++++++++++=\n"), ("pattern", "+++++++++++++++= "), ("pattern", " +++++++++++++++="), ("pattern", "+++++++++++++++=é"), ("pattern", "١++++++++++++++=")))

@cache
def Token() -> s.Shape:
    return s.text(1, 128, None, ("x", "xxxx", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"), (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", []), ("type", {}), ("minLength", ""), ("maxLength", "x" * 160)))

@cache
def Text() -> s.Shape:
    return s.text(0, 1024, None, ("", "ééé", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"), (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", []), ("type", {}), ("maxLength", "x" * 1056)))

@cache
def Address() -> s.Shape:
    return s.text(1, 1024, None, ("x", "xxxx", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"), (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", []), ("type", {}), ("minLength", ""), ("maxLength", "x" * 1056)))

@cache
def Position() -> s.Shape:
    return s.integer(1, 1099511627775, (("null", None), ("type", True), ("type", 0.5), ("type", "x"), ("type", []), ("type", {}), ("minimum", 0), ("maximum", 1099511627776)))

@cache
def Now() -> s.Shape:
    return s.record(
        {
            "mono_ms": s.lazy(core.Milliseconds),
            "wall_ms": s.lazy(core.Milliseconds),
        },
        {},
        (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", [])),
    )

@cache
def Implementation() -> s.Shape:
    return s.record(
        {
            "name": s.lazy(Text),
            "version": s.lazy(Text),
            "language": s.lazy(Text),
        },
        {
            "commit": s.lazy(Text),
        },
        (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", [])),
    )

@cache
def Stored() -> s.Shape:
    return s.record(
        {
            "token": s.lazy(Token),
            "data": s.lazy(Base64),
        },
        {},
        (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", [])),
    )

@cache
def SendOutput() -> s.Shape:
    return s.record(
        {
            "kind": s.choice(("send",), (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", []), ("type", {}), ("enum", "sendx"), ("enum", "SEND"), ("enum", "send\n"))),
            "address": s.lazy(Address),
            "frame": s.lazy(Base64),
        },
        {},
        (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", [])),
    )

@cache
def AppendOutput() -> s.Shape:
    return s.record(
        {
            "kind": s.choice(("append",), (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", []), ("type", {}), ("enum", "appendx"), ("enum", "APPEND"), ("enum", "append\n"))),
            "data": s.lazy(Base64),
        },
        {},
        (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", [])),
    )

@cache
def PersistOutput() -> s.Shape:
    return s.record(
        {
            "kind": s.choice(("persist",), (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", []), ("type", {}), ("enum", "persistx"), ("enum", "PERSIST"), ("enum", "persist\n"))),
            "token": s.lazy(Token),
            "data": s.lazy(Base64),
        },
        {},
        (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", [])),
    )

@cache
def NotifyOutput() -> s.Shape:
    return s.record(
        {
            "kind": s.choice(("notify",), (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", []), ("type", {}), ("enum", "notifyx"), ("enum", "NOTIFY"), ("enum", "notify\n"))),
            "event": s.lazy(Token),
            "data": s.open_map(),
        },
        {},
        (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", [])),
    )

@cache
def Output() -> s.Shape:
    return s.union("kind", {"send": s.lazy(SendOutput), "append": s.lazy(AppendOutput), "persist": s.lazy(PersistOutput), "notify": s.lazy(NotifyOutput)}, (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", [])))

@cache
def Hello() -> s.Shape:
    return s.record(
        {
            "versions": s.array(s.text(0, 9, "^[1-9][0-9]{0,2}\\.(0|[1-9][0-9]{0,3})\\Z", ("1.0", "21.21", "322.0", "433.4333"), (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", []), ("type", {}), ("maxLength", "433.4333433.4333"), ("pattern", "433.4333\n"), ("pattern", "433.4333 "), ("pattern", " 433.4333"), ("pattern", "433.4333é"), ("pattern", "١33.4333"))), 1, 16, (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", {}))),
        },
        {},
        (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", [])),
    )

@cache
def Welcome() -> s.Shape:
    return s.record(
        {
            "version": s.text(0, 9, "^[1-9][0-9]{0,2}\\.(0|[1-9][0-9]{0,3})\\Z", ("1.0", "21.21", "322.0", "433.4333"), (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", []), ("type", {}), ("maxLength", "433.4333433.4333"), ("pattern", "433.4333\n"), ("pattern", "433.4333 "), ("pattern", " 433.4333"), ("pattern", "433.4333é"), ("pattern", "١33.4333"))),
            "implementation": s.lazy(Implementation),
            "roles": s.array(s.lazy(Token), 1, 64, (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", {}))),
            "features": s.array(s.lazy(Token), 0, 64, (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", {}))),
            "storage": s.choice(("host", "self"), (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", []), ("type", {}), ("enum", "hostx"), ("enum", "HOST"), ("enum", "host\n"), ("enum", "selfx"), ("enum", "SELF"), ("enum", "self\n"))),
            "deterministic": s.boolean((("null", None), ("type", 7), ("type", 0.5), ("type", "x"), ("type", []), ("type", {}))),
        },
        {},
        (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", [])),
    )

@cache
def Start() -> s.Shape:
    return s.record(
        {
            "role": s.lazy(Token),
            "namespace": s.text(0, 32, "^[a-z][a-z0-9-]{0,31}\\Z", ("a", "b1", "c--", "dddd"), (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", []), ("type", {}), ("maxLength", "dddddddddddddddddddddddddddddddddddd"), ("pattern", "dddd\n"), ("pattern", "dddd "), ("pattern", " dddd"), ("pattern", "DDDD"), ("pattern", "ddddé"), ("pattern", "١ddd"))),
            "profile": s.choice(("open", "signed"), (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", []), ("type", {}), ("enum", "openx"), ("enum", "OPEN"), ("enum", "open\n"), ("enum", "signedx"), ("enum", "SIGNED"), ("enum", "signed\n"))),
            "identity": s.lazy(Base64),
            "entropy": s.lazy(Base64),
            "incarnation": s.integer(1, 8191, (("null", None), ("type", True), ("type", 0.5), ("type", "x"), ("type", []), ("type", {}), ("minimum", 0), ("maximum", 8192))),
            "parameters": s.open_map(),
            "stored": s.array(s.lazy(Stored), 0, 1024, (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", {}))),
            "recovering": s.boolean((("null", None), ("type", 7), ("type", 0.5), ("type", "x"), ("type", []), ("type", {}))),
            "now": s.lazy(Now),
        },
        {
            "directory": s.text(1, 1024, None, ("x", "xxxx", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"), (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", []), ("type", {}), ("minLength", ""), ("maxLength", "x" * 1056))),
        },
        (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", [])),
    )

@cache
def Do() -> s.Shape:
    return s.record(
        {
            "request": s.lazy(Token),
            "args": s.open_map(),
            "now": s.lazy(Now),
        },
        {},
        (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", [])),
    )

@cache
def Deliver() -> s.Shape:
    return s.record(
        {
            "address": s.lazy(Address),
            "frame": s.lazy(Base64),
            "now": s.lazy(Now),
        },
        {},
        (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", [])),
    )

@cache
def Entry() -> s.Shape:
    return s.record(
        {
            "position": s.lazy(Position),
            "data": s.lazy(Base64),
            "last": s.boolean((("null", None), ("type", 7), ("type", 0.5), ("type", "x"), ("type", []), ("type", {}))),
            "now": s.lazy(Now),
        },
        {},
        (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", [])),
    )

@cache
def Persisted() -> s.Shape:
    return s.record(
        {
            "token": s.lazy(Token),
            "now": s.lazy(Now),
        },
        {},
        (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", [])),
    )

@cache
def Tick() -> s.Shape:
    return s.record(
        {
            "now": s.lazy(Now),
        },
        {},
        (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", [])),
    )

@cache
def Crash() -> s.Shape:
    return s.record(
        {},
        {},
        (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", [])),
    )

@cache
def Reset() -> s.Shape:
    return s.record(
        {},
        {},
        (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", [])),
    )

@cache
def Stop() -> s.Shape:
    return s.record(
        {},
        {},
        (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", [])),
    )

@cache
def Done() -> s.Shape:
    return s.record(
        {
            "outputs": s.array(s.lazy(Output), 0, 65536, (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", {}))),
        },
        {
            "idle_until": s.lazy(core.Milliseconds),
        },
        (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", [])),
    )

@cache
def Unsupported() -> s.Shape:
    return s.record(
        {},
        {},
        (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", [])),
    )

@cache
def Failed() -> s.Shape:
    return s.record(
        {
            "code": s.lazy(core.ErrorCode),
            "definite": s.boolean((("null", None), ("type", 7), ("type", 0.5), ("type", "x"), ("type", []), ("type", {}))),
            "detail": s.lazy(Text),
        },
        {},
        (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", [])),
    )


MESSAGES: Final[Mapping[str, Callable[[], s.Shape]]] = {
    "Hello": Hello,
    "Welcome": Welcome,
    "Start": Start,
    "Do": Do,
    "Deliver": Deliver,
    "Entry": Entry,
    "Persisted": Persisted,
    "Tick": Tick,
    "Crash": Crash,
    "Reset": Reset,
    "Stop": Stop,
    "Done": Done,
    "Unsupported": Unsupported,
    "Failed": Failed,
}
