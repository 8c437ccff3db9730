"""The starter on its pipes, apart from any judge: a copy that stands alone, and the cases one would try by hand."""

from __future__ import annotations

import ast
import base64
import hashlib
import json
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comity.conformance import starter
from comity.sdk.errors import ConfigError

from .defects import DEFECTS, Defect
from .world import ALICE, BOB, World

OPEN: dict[str, Any] = {"lease_ms": 60_000, "capabilities": ["a.b@1.2"]}


def test_a_copy_imports_nothing_but_itself_and_the_standard_library() -> None:
    files = starter.files("registry")
    for text in files.values():
        for node in ast.walk(ast.parse(text)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                assert name.partition(".")[0] in sys.stdlib_module_names or f"{name}.py" in files


def test_an_unknown_role_is_refused() -> None:
    with pytest.raises(ConfigError, match="registry"):
        starter.files("coordinator")


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name.replace(" ", "-"))
def test_each_defect_changes_the_text_and_still_compiles(defect: Defect) -> None:
    files = starter.files("registry")
    changed = defect.applied(files)
    assert changed[defect.file] != files[defect.file]
    compile(changed[defect.file], defect.file, "exec")


def test_it_answers_nothing_before_the_journal_has_ordered_it(world: World) -> None:
    world.hold = True
    event = world.event("Register", ALICE, agent=ALICE, **OPEN)
    assert world.deliver(json.dumps(event).encode()) == []
    world.order()
    assert [sent["correlationid"] for sent in world.sent] == [event["id"]]


def test_a_write_repeated_after_a_crash_gets_the_very_same_event(world: World) -> None:
    event = world.event("Register", ALICE, agent=ALICE, **OPEN)
    world.send(event)
    world.crash()
    world.advance(500)
    world.send(event)
    assert world.sent[0] == world.sent[-1]
    assert len(world.sent) == 2


def test_what_was_not_ordered_is_gone_after_a_crash_and_may_be_sent_again(world: World) -> None:
    event = world.event("Register", ALICE, agent=ALICE, **OPEN)
    world.hold = True
    world.deliver(json.dumps(event).encode())
    world.crash()
    world.hold = False
    assert world.send(event)[0] == "Registered"


def test_leases_run_out_when_they_are_due_and_a_crash_only_lengthens_them(world: World) -> None:
    world.ask("Register", agent=ALICE, capabilities=[], lease_ms=1000)
    world.advance(600)
    world.crash()
    world.advance(600)
    assert world.ask("Lookup", agent=ALICE, consistency="linearizable")[0] == "Found"
    world.advance(500)
    assert (
        world.code(world.event("Lookup", ALICE, agent=ALICE, consistency="eventual"))
        == "registry.unknown_agent"
    )


def test_journal_time_does_not_stand_still_while_the_journal_is_slow(world: World) -> None:
    """Entries that follow one another, each a little late, must not put off an expiry for ever."""
    world.ask("Register", agent=ALICE, capabilities=[], lease_ms=1000)
    world.hold = True
    for _ in range(40):
        world.deliver(json.dumps(world.event("Register", BOB, agent=BOB, **OPEN)).encode())
        world.mono += 50
        world.order()
    world.hold = False
    world.advance(0)
    assert (
        world.code(world.event("Lookup", ALICE, agent=ALICE, consistency="linearizable"))
        == "registry.unknown_agent"
    )


def test_changes_that_a_crash_kept_from_being_sent_come_with_the_next_index(world: World) -> None:
    world.ask("Watch", BOB, watch="w", lease_ms=60_000)
    world.hold = True
    world.deliver(json.dumps(world.event("Register", ALICE, agent=ALICE, **OPEN)).encode())
    world.journal += world.waiting
    world.crash()
    indices = [change["index"] for change in world.changes(BOB)]
    assert indices == [1, 2]


def test_a_watch_resumes_with_what_it_missed_or_is_told_that_it_cannot(
    open_world: Callable[..., World],
) -> None:
    world = open_world(history=2)
    revision = world.ask("Register", agent=ALICE, **OPEN)[1]["revision"]
    world.ask("Update", agent=ALICE, epoch=revision, zone="z")
    world.ask("Watch", BOB, watch="w1", lease_ms=60_000, after=revision)
    assert [change["kind"] for change in world.changes(BOB)[0]["changes"]] == ["put"]
    world.ask("Update", agent=ALICE, epoch=revision, zone="y")
    world.ask("Deregister", agent=ALICE, epoch=revision)
    late = world.event("Watch", BOB, watch="w2", lease_ms=60_000, after=revision)
    assert world.code(late) == "registry.compacted"


def test_pages_are_exact_where_keys_are_longer_than_a_cursor(world: World) -> None:
    for letter in "ABCDEFG":
        agent = "did:key:z6Mk" + letter * 44
        world.ask("Register", agent, agent=agent, metadata={"k": "x" * 900 + letter, "l": "y" * 900}, **OPEN)
    order = [{"path": "metadata.k", "descending": True}, {"path": "metadata.l"}]
    seen, more = list[str](), dict[str, str]()
    while True:
        page = world.ask("Query", limit=2, consistency="eventual", order_by=order, **more)[1]
        seen += [entry["agent"][-1] for entry in page["entries"]]
        if "cursor" not in page:
            break
        assert len(page["cursor"]) <= 2048
        more = {"cursor": page["cursor"]}
    assert "".join(seen) == "GFEDCBA"


def test_a_cursor_that_no_query_gave_is_refused_and_a_forged_one_breaks_nothing(world: World) -> None:
    world.ask("Register", agent=ALICE, **OPEN)
    world.ask("Register", BOB, agent=BOB, **OPEN)
    good = world.ask("List", limit=1, consistency="eventual")[1]["cursor"]
    seal = json.loads(base64.urlsafe_b64decode(good + "=" * (-len(good) % 4)))[0]
    places: tuple[Any, ...] = ([], {}, None, 7, [[]], [[2, 7]], [["x"], ["y"]], [[1, ALICE]])
    for last in places:
        text = json.dumps([{}, [], last], separators=(",", ":"))
        for mark in (seal, hashlib.sha256(text.encode()).hexdigest()[:16]):
            forged = base64.urlsafe_b64encode(json.dumps([mark, last]).encode()).decode().rstrip("=")
            name, data = world.ask("List", limit=1, consistency="eventual", cursor=forged)
            assert (
                name == "Page"
                if mark != seal and last == [[1, ALICE]]
                else data["code"] == "registry.bad_cursor"
            )
    deep = base64.urlsafe_b64encode(b"[" * 1500).decode()
    assert (
        world.code(world.event("List", ALICE, limit=1, consistency="eventual", cursor=deep))
        == "registry.bad_cursor"
    )


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"sequence": "7"}, "core.malformed"),
        ({"time": "2026-02-30T00:00:00Z"}, "core.malformed"),
        ({"comityversion": "2.0"}, "core.unsupported_version"),
        ({"type": "comity.registry.v1.Registered"}, "core.unknown_type"),
        ({"comitycrit": "zeal"}, "core.not_understood"),
        ({"data": {"agent": ALICE}}, "core.invalid"),
        ({"data": {"agent": BOB, **OPEN}}, "core.forbidden"),
        ({"data": {"agent": ALICE, **OPEN, "metadata": {"k": ["x" * 4000] * 5}}}, "core.malformed"),
        ({"data": {"agent": ALICE, **OPEN, "name": "x" * 300_000}}, "core.too_large"),
        ({"expirytime": "2020-01-01T00:00:00Z"}, "core.expired"),
    ],
)
def test_what_is_wrong_with_a_request_is_told_by_code(
    world: World, change: dict[str, object], code: str
) -> None:
    event = {**world.event("Register", ALICE, agent=ALICE, **OPEN), **change}
    assert world.code(event) == code
    assert world.ask("Count", consistency="linearizable")[1]["count"] == 0


@given(
    st.binary(max_size=300)
    | st.recursive(st.none() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_frame_stops_it(world: World, frame: object) -> None:
    raw = frame if isinstance(frame, bytes) else json.dumps(frame).encode()
    assert world.deliver(raw) == []
    event = world.event("Count", ALICE, consistency="eventual")
    answered = world.deliver(
        json.dumps({**event, "data_base64": base64.b64encode(raw).decode(), "data": None}).encode()
    )
    assert [answer["data"]["code"] for answer in answered] == ["core.malformed"]
    assert world.ask("Count", consistency="eventual")[0] == "Counted"


def test_a_line_that_is_no_command_is_refused_and_an_unknown_command_unsupported(world: World) -> None:
    assert world.line(b"{nonsense")["type"] == "Failed"
    assert world.line(b'{"n": 1, "type": "Deliver"}')["type"] == "Failed"
    assert world.command("Levitate")["type"] == "Unsupported"
    assert world.ask("Count", consistency="eventual")[0] == "Counted"
