"""Strategies for the messages of Comity core.

Generated from core 1.0, source sha256:b3f2e5cd77f02648d905b229259a46062c4ac066215851899372cce9943490c6.
Every edit is lost: change the spec and run `make gen`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

from hypothesis import strategies as st

from . import _shapes as s

__all__ = ["MESSAGES", "near_miss", "valid"]


def valid(message: str) -> st.SearchStrategy[dict[str, Any]]:
    """Data of `message` that conform to its schema."""
    return MESSAGES[message]().valid


def near_miss(message: str) -> st.SearchStrategy[tuple[Any, str]]:
    """Pairs of data of `message` that break one rule, and the name of that rule."""
    return MESSAGES[message]().near


@cache
def AgentId() -> s.Shape:
    return s.text(0, 56, "^did:key:z6Mk[1-9A-HJ-NP-Za-km-z]{44}\\Z", ("did:key:z6Mk11111111111111111111111111111111111111111111", "did:key:z6MkBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB", "did:key:z6MkLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLL", "did:key:z6MkSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSS"), (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", []), ("type", {}), ("maxLength", "did:key:z6MkSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSS" * 2), ("pattern", "DID:KEY:Z6mKssssssssssssssssssssssssssssssssssssssssssss"), ("pattern", "١id:key:z6MkSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSS")))

@cache
def Name() -> s.Shape:
    return s.text(1, 64, "^[^\\x00-\\x1F\\x7F]+\\Z", ("a", "bb", "ccc", "dddd"), (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", []), ("type", {}), ("minLength", ""), ("maxLength", "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"), ("pattern", "dddd\n")))

@cache
def Label() -> s.Shape:
    return s.text(1, 64, "^[A-Za-z0-9][A-Za-z0-9._-]*\\Z", ("A", "bb", "222", "D..."), (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", []), ("type", {}), ("minLength", ""), ("maxLength", "D...D...D...D...D...D...D...D...D...D...D...D...D...D...D...D...D..."), ("pattern", "D...\n"), ("pattern", "D... "), ("pattern", " D..."), ("pattern", "D...é"), ("pattern", "١...")))

@cache
def Revision() -> s.Shape:
    return s.integer(0, 9007199254740991, (("null", None), ("type", True), ("type", 0.5), ("type", "x"), ("type", []), ("type", {}), ("minimum", -1), ("maximum", 9007199254740992)))

@cache
def Milliseconds() -> s.Shape:
    return s.integer(0, 9007199254740991, (("null", None), ("type", True), ("type", 0.5), ("type", "x"), ("type", []), ("type", {}), ("minimum", -1), ("maximum", 9007199254740992)))

@cache
def ErrorCode() -> s.Shape:
    return s.text(0, 64, "^[a-z][a-z0-9-]*\\.[a-z][a-z0-9_]*\\Z", ("a.a", "b1.b1", "c--.c__", "dddd.dddd"), (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", []), ("type", {}), ("maxLength", "dddd.dddddddd.dddddddd.dddddddd.dddddddd.dddddddd.dddddddd.dddddddd.dddd"), ("pattern", "dddd.dddd\n"), ("pattern", "dddd.dddd "), ("pattern", " dddd.dddd"), ("pattern", "DDDD.DDDD"), ("pattern", "dddd.ddddé"), ("pattern", "١ddd.dddd")))

@cache
def Pointer() -> s.Shape:
    return s.text(0, 512, None, ("", "ééé", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"), (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", []), ("type", {}), ("maxLength", "x" * 544)))

@cache
def Capability() -> s.Shape:
    return s.text(1, 128, "^[a-z][a-z0-9-]*(\\.[a-z][a-z0-9-]*)*(@[0-9]+(\\.[0-9]+){0,2})?\\Z", ("a", "b1.b1@11.11", "c--.c--.c--@222.222.222", "dddd.dddd.dddd.dddd@3333.3333.3333"), (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", []), ("type", {}), ("minLength", ""), ("maxLength", "dddd.dddd.dddd.dddd@3333.3333.3333" * 4), ("pattern", "dddd.dddd.dddd.dddd@3333.3333.3333\n"), ("pattern", "dddd.dddd.dddd.dddd@3333.3333.3333 "), ("pattern", " dddd.dddd.dddd.dddd@3333.3333.3333"), ("pattern", "DDDD.DDDD.DDDD.DDDD@3333.3333.3333"), ("pattern", "dddd.dddd.dddd.dddd@3333.3333.3333é"), ("pattern", "١ddd.dddd.dddd.dddd@3333.3333.3333")))

@cache
def Attributes() -> s.Shape:
    return s.record(
        {
            "specversion": s.choice(("1.0",), (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", []), ("type", {}), ("enum", "1.0x"), ("enum", "1.0\n"))),
            "id": s.text(1, 64, "^[A-Za-z0-9._:-]+\\Z", ("A", "bb", "222", "...."), (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", []), ("type", {}), ("minLength", ""), ("maxLength", "...................................................................."), ("pattern", "....\n"), ("pattern", ".... "), ("pattern", " ...."), ("pattern", "....é"), ("pattern", "١..."))),
            "source": s.lazy(AgentId),
            "type": s.text(0, 128, "^comity\\.[a-z][a-z0-9-]{0,31}\\.v[1-9][0-9]{0,2}\\.[A-Z][A-Za-z0-9]{0,63}\\Z", ("comity.a.v1.A", "comity.b1.v21.Bb", "comity.c--.v322.C22", "comity.dddd.v433.DDDD"), (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", []), ("type", {}), ("maxLength", "comity.dddd.v433.DDDD" * 7), ("pattern", "comity.dddd.v433.DDDD\n"), ("pattern", "comity.dddd.v433.DDDD "), ("pattern", " comity.dddd.v433.DDDD"), ("pattern", "COMITY.DDDD.V433.dddd"), ("pattern", "comity.dddd.v433.DDDDé"), ("pattern", "١omity.dddd.v433.DDDD"))),
            "time": s.text(0, 27, "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,6})?Z\\Z", ("0000-01-01T00:00:00Z", "1111-11-21T21:11:11.11Z", "2222-03-30T02:22:22.222Z", "3333-12-04T23:33:33.3333Z"), (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", []), ("type", {}), ("maxLength", "3333-12-04T23:33:33.3333Z3333-12-04T23:33:33.3333Z"), ("pattern", "3333-12-04T23:33:33.3333Z\n"), ("pattern", "3333-12-04T23:33:33.3333Z "), ("pattern", " 3333-12-04T23:33:33.3333Z"), ("pattern", "3333-12-04t23:33:33.3333z"), ("pattern", "3333-12-04T23:33:33.3333Zé"), ("pattern", "١333-12-04T23:33:33.3333Z"))),
            "datacontenttype": s.choice(("application/json",), (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", []), ("type", {}), ("enum", "application/jsonx"), ("enum", "APPLICATION/JSON"), ("enum", "application/json\n"))),
            "sequence": s.text(0, 16, "^[0-9]{16}\\Z", ("0000000000000000", "1111111111111111", "2222222222222222", "3333333333333333"), (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", []), ("type", {}), ("maxLength", "33333333333333333333333333333333"), ("pattern", "١333333333333333"))),
            "comityversion": s.text(0, 9, "^[1-9][0-9]{0,2}\\.(0|[1-9][0-9]{0,3})\\Z", ("1.0", "21.21", "322.0", "433.4333"), (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", []), ("type", {}), ("maxLength", "433.4333433.4333"), ("pattern", "433.4333\n"), ("pattern", "433.4333 "), ("pattern", " 433.4333"), ("pattern", "433.4333é"), ("pattern", "١33.4333"))),
            "comityaddress": s.text(1, 1024, None, ("x", "xxxx", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"), (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", []), ("type", {}), ("minLength", ""), ("maxLength", "x" * 1056))),
        },
        {
            "correlationid": s.text(1, 64, "^[A-Za-z0-9._:-]+\\Z", ("A", "bb", "222", "...."), (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", []), ("type", {}), ("minLength", ""), ("maxLength", "...................................................................."), ("pattern", "....\n"), ("pattern", ".... "), ("pattern", " ...."), ("pattern", "....é"), ("pattern", "١..."))),
            "causationid": s.text(1, 64, "^[A-Za-z0-9._:-]+\\Z", ("A", "bb", "222", "...."), (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", []), ("type", {}), ("minLength", ""), ("maxLength", "...................................................................."), ("pattern", "....\n"), ("pattern", ".... "), ("pattern", " ...."), ("pattern", "....é"), ("pattern", "١..."))),
            "expirytime": s.text(0, 27, "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,6})?Z\\Z", ("0000-01-01T00:00:00Z", "1111-11-21T21:11:11.11Z", "2222-03-30T02:22:22.222Z", "3333-12-04T23:33:33.3333Z"), (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", []), ("type", {}), ("maxLength", "3333-12-04T23:33:33.3333Z3333-12-04T23:33:33.3333Z"), ("pattern", "3333-12-04T23:33:33.3333Z\n"), ("pattern", "3333-12-04T23:33:33.3333Z "), ("pattern", " 3333-12-04T23:33:33.3333Z"), ("pattern", "3333-12-04t23:33:33.3333z"), ("pattern", "3333-12-04T23:33:33.3333Zé"), ("pattern", "١333-12-04T23:33:33.3333Z"))),
            "traceparent": s.text(0, 55, "^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}\\Z", ("00-00000000000000000000000000000000-0000000000000000-00", "bb-bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb-bbbbbbbbbbbbbbbb-bb", "22-22222222222222222222222222222222-2222222222222222-22", "dd-dddddddddddddddddddddddddddddddd-dddddddddddddddd-dd"), (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", []), ("type", {}), ("maxLength", "dd-dddddddddddddddddddddddddddddddd-dddddddddddddddd-dd" * 2), ("pattern", "DD-DDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDD-DDDDDDDDDDDDDDDD-DD"), ("pattern", "١d-dddddddddddddddddddddddddddddddd-dddddddddddddddd-dd"))),
            "tracestate": s.text(0, 512, None, ("", "ééé", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"), (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", []), ("type", {}), ("maxLength", "x" * 544))),
            "partitionkey": s.text(0, 256, None, ("", "ééé", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"), (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", []), ("type", {}), ("maxLength", "x" * 288))),
            "comitycrit": s.text(0, 512, "^[A-Za-z_][A-Za-z0-9_]*( [A-Za-z_][A-Za-z0-9_]*)*\\Z", ("A", "bb bb", "_22 _22 _22", "D___ D___ D___ D___"), (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", []), ("type", {}), ("maxLength", "D___ D___ D___ D___" * 27), ("pattern", "D___ D___ D___ D___\n"), ("pattern", "D___ D___ D___ D___ "), ("pattern", " D___ D___ D___ D___"), ("pattern", "D___ D___ D___ D___é"), ("pattern", "١___ D___ D___ D___"))),
            "comitykey": s.lazy(AgentId),
            "comitysig": s.text(0, 86, "^[A-Za-z0-9_-]{86}\\Z", ("A" * 86, "b" * 86, "2" * 86, "_" * 86), (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", []), ("type", {}), ("maxLength", "_" * 172), ("pattern", "١_____________________________________________________________________________________"))),
            "comityvia": s.text(0, 455, "^did:key:z6Mk[1-9A-HJ-NP-Za-km-z]{44}( did:key:z6Mk[1-9A-HJ-NP-Za-km-z]{44}){0,7}\\Z", ("did:key:z6Mk11111111111111111111111111111111111111111111", "did:key:z6MkBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB did:key:z6MkBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB", "did:key:z6MkLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLL did:key:z6MkLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLL did:key:z6MkLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLL", "did:key:z6MkSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSS did:key:z6MkSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSS did:key:z6MkSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSS did:key:z6MkSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSS"), (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", []), ("type", {}), ("maxLength", "did:key:z6MkSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSS did:key:z6MkSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSS did:key:z6MkSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSS did:key:z6MkSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSdid:key:z6MkSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSS did:key:z6MkSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSS did:key:z6MkSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSS did:key:z6MkSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSdid:key:z6MkSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSS did:key:z6MkSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSS did:key:z6MkSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSS did:key:z6MkSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSS"), ("pattern", "did:key:z6MkSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSS did:key:z6MkSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSS did:key:z6MkSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSS did:key:z6MkSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSS\n"), ("pattern", "did:key:z6MkSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSS " * 4), ("pattern", " did:key:z6MkSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSS" * 4), ("pattern", "DID:KEY:Z6mKssssssssssssssssssssssssssssssssssssssssssss DID:KEY:Z6mKssssssssssssssssssssssssssssssssssssssssssss DID:KEY:Z6mKssssssssssssssssssssssssssssssssssssssssssss DID:KEY:Z6mKssssssssssssssssssssssssssssssssssssssssssss"), ("pattern", "did:key:z6MkSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSS did:key:z6MkSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSS did:key:z6MkSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSS did:key:z6MkSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSé"), ("pattern", "١id:key:z6MkSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSS did:key:z6MkSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSS did:key:z6MkSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSS did:key:z6MkSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSS"))),
        },
        (("null", None), ("type", True), ("type", 7), ("type", 0.5), ("type", "x"), ("type", [])),
    )


MESSAGES: Final[Mapping[str, Callable[[], s.Shape]]] = {}
