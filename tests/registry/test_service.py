"""The registry service behind the driver: when things happen, and what survives."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comity.registry import RegistryService
from comity.sdk.codec import encode_structured
from comity.sdk.errors import LocalProtocolError
from comity.sdk.identity import Identity
from comity.sdk.ports import Frame, Now, Replica

from .world import FAMILY, World, only


def test_the_service_is_a_replica() -> None:
    service = RegistryService(namespace="test", identity=Identity.from_seed(b"r" * 32), entropy=b"e")
    assert isinstance(service, Replica)
    with pytest.raises(LocalProtocolError):
        service.command("anything", {}, Now(0.0, 0.0))


def test_a_write_is_answered_only_when_ordered() -> None:
    world = World(hold=True)
    assert world.ask("a", "Register", capabilities=[], lease_ms=1000) == []
    assert only(world.order(), "Registered")["epoch"] == 2**40 + 1


def test_reads_that_wait_share_a_barrier() -> None:
    """REG-REV-004: one barrier for the first, one for all that came meanwhile."""
    world = World(hold=True)
    for _ in range(5):
        assert world.ask("a", "Count", consistency="linearizable") == []
    assert len(world.pending) == 1
    first = world.order()
    assert [event.type for event in first] == ["Counted"] * 5
    assert len(world.journal) == 2


def test_a_linearizable_read_sees_the_write_before_it() -> None:
    world = World(hold=True)
    world.ask("a", "Register", capabilities=[], lease_ms=1000)
    world.ask("b", "Count", consistency="linearizable")
    assert only(world.ask("b", "Count", consistency="eventual"))["count"] == 0
    assert [event.data.get("count") for event in world.order()] == [None, 1]


def test_requests_beyond_max_pending_are_refused_and_may_be_repeated() -> None:
    world = World(hold=True, parameters={"max_pending": 2})
    world.ask("a", "Register", capabilities=[], lease_ms=1000)
    world.ask("b", "Count", consistency="linearizable")
    late = world.make("c", "Register", {"agent": world.agent("c"), "capabilities": [], "lease_ms": 1000})
    refusal = only(world.deliver(late), "Refused")
    assert refusal["code"] == "core.busy"
    assert refusal["retry_after_ms"] > 0
    world.order()
    assert world.deliver(late) == []
    only(world.order(), "Registered")


def test_a_write_repeated_while_it_waits_happens_once() -> None:
    """CORE-DLV-001."""
    world = World(hold=True)
    send = world.make("a", "Register", {"agent": world.agent("a"), "capabilities": [], "lease_ms": 1000})
    for _ in range(3):
        assert world.deliver(send) == []
    events = world.order()
    assert len({json.dumps(event.data) for event in events}) == 1
    assert len({event.attributes["id"] for event in events}) == 1
    assert len(events) == 3


def test_a_repeated_answer_is_the_same_event_even_after_a_crash() -> None:
    """CORE-ENV-003, REG-DUR-002."""
    world = World()
    send = world.make("a", "Register", {"agent": world.agent("a"), "capabilities": [], "lease_ms": 60_000})
    first = world.deliver(send)[0]
    world.crash(down=5000)
    again = world.deliver(send)[0]
    assert dict(again.attributes) == dict(first.attributes)
    assert again.data == first.data


def test_changes_are_sent_again_after_a_crash_as_the_same_event() -> None:
    """REG-WCH-012."""
    world = World()
    opened = world.ask("w", "Watch", watch="w", lease_ms=600_000)[1]
    change = world.ask("a", "Register", capabilities=[], lease_ms=60_000)[1]
    again = world.crash(down=1000)
    assert [event.attributes["id"] for event in again] == [change.attributes["id"]]
    assert opened.attributes["id"] != change.attributes["id"]
    assert dict(again[0].attributes) == dict(change.attributes)
    assert world.ask("b", "Register", capabilities=[], lease_ms=60_000)[1].data["index"] == 3


def test_what_was_not_ordered_before_a_crash_did_not_happen() -> None:
    world = World(hold=True)
    world.ask("a", "Register", capabilities=[], lease_ms=1000)
    world.crash(keep=False)
    assert only(world.ask("b", "Count", consistency="eventual"))["count"] == 0


def test_what_was_ordered_and_not_answered_is_answered_when_repeated() -> None:
    world = World(hold=True)
    send = world.make("a", "Register", {"agent": world.agent("a"), "capabilities": [], "lease_ms": 60_000})
    world.deliver(send)
    assert world.crash(keep=True) == []
    assert only(world.deliver(send), "Registered")["epoch"] == 2**40 + 1


def test_a_restart_lengthens_leases() -> None:
    """REG-LEASE-008: time stands still while the registry is down."""
    world = World()
    epoch = only(world.ask("a", "Register", capabilities=[], lease_ms=1000))["epoch"]
    world.advance(900)
    world.crash(down=60_000)
    world.advance(90)
    assert only(world.ask("a", "Renew", epoch=epoch), "Renewed")["lease_ms"] == 1000


def test_a_lease_runs_out_although_the_journal_is_busy() -> None:
    """REG-LEASE-003: journal time keeps pace however often and late entries are applied."""
    world = World(hold=True)
    world.ask("a", "Register", capabilities=[], lease_ms=1000)
    world.order()
    for _ in range(300):
        world.ask("b", "Count", consistency="linearizable")
        world.advance(7)
        world.order()
    assert only(world.ask("b", "Count", consistency="eventual"))["count"] == 0


def test_a_tick_is_appended_only_when_a_deadline_falls_due() -> None:
    world = World()
    world.ask("a", "Register", capabilities=[], lease_ms=1000)
    assert world.idle_until == 2000
    world.advance(999)
    assert len(world.journal) == 1
    world.advance(1)
    assert len(world.journal) == 2
    assert world.idle_until is None


def test_a_lapsed_watch_hears_nothing_more() -> None:
    """REG-WCH-009, also where an entry is applied before the Tick."""
    world = World(hold=True)
    world.ask("w", "Watch", watch="w", lease_ms=1000)
    world.order()
    world.mono += 1500
    world.wall += 1500
    world.ask("a", "Register", capabilities=[], lease_ms=60_000)
    assert [event.type for event in world.order()] == ["Registered"]
    assert world.advance(0) == []


def test_an_expired_write_is_refused_and_a_repeat_of_an_acted_one_is_not() -> None:
    """CORE-CLK-003."""
    world = World()
    data: dict[str, Any] = {"agent": world.agent("a"), "capabilities": [], "lease_ms": 60_000}
    acted, late = (world.make("a", "Register", data, expires_ms=1000) for _ in range(2))
    only(world.deliver(acted), "Registered")
    world.advance(2000)
    assert only(world.deliver(late), "Refused")["code"] == "core.expired"
    only(world.deliver(acted), "Registered")
    assert (
        only(world.ask("b", "Lookup", agent=world.agent("a"), consistency="eventual"))["entry"]["epoch"]
        == 2**40 + 1
    )


def test_a_page_of_large_entries_is_cut_and_goes_on() -> None:
    world = World()
    big = {f"k{n}": "x" * 1200 for n in range(12)}
    for number in range(60):
        only(
            world.ask(f"a{number}", "Register", capabilities=[], metadata=big, lease_ms=60_000), "Registered"
        )
    found: list[str] = []
    cursor: dict[str, Any] = {}
    pages = 0
    while True:
        page = only(world.ask("b", "List", limit=100, consistency="eventual", **cursor), "Page")
        found += [entry["agent"] for entry in page["entries"]]
        pages += 1
        if "cursor" not in page:
            break
        cursor = {"cursor": page["cursor"]}
    assert found == sorted(world.agent(f"a{number}") for number in range(60))
    assert pages == 2


def test_the_signed_profile_is_served() -> None:
    world = World(profile="signed")
    event = world.ask("a", "Register", capabilities=[], lease_ms=1000)[0]
    assert event.type == "Registered"
    assert "comitysig" in event.attributes


def test_a_replica_that_replays_the_journal_has_the_same_hash() -> None:
    world = World()
    world.ask("w", "Watch", watch="w", lease_ms=600_000)
    epoch = only(world.ask("a", "Register", capabilities=["x"], lease_ms=1000)[:1])["epoch"]
    world.ask("a", "Update", epoch=epoch, zone="n")
    world.advance(5000)
    before = world.state_hash()
    world.crash()
    assert world.state_hash() == before


# ------------------------------------------------------------- hostile input

json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)
names = st.sampled_from(FAMILY.channels["requests"].messages)
spoiled = st.dictionaries(st.sampled_from(["agent", "where", "limit", "cursor", "lease_ms"]), json_values)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(names, json_values, spoiled), max_size=6))
def test_no_data_ends_the_service(script: list[tuple[str, Any, dict[str, Any]]]) -> None:
    """Whatever the data is, the service answers by rule and goes on serving (CORE-ENV-006)."""
    world = World()
    plain: dict[str, Any] = {"agent": world.agent("a"), "capabilities": [], "lease_ms": 1000}
    for name, data, members in script:
        send = world.make("a", "Register", plain)
        attributes = {**send.frame.attributes, "type": f"comity.registry.v1.{name}"}
        body = json.dumps({**plain, **members} if members else data, ensure_ascii=True).encode()
        world.raw(send.address, encode_structured(Frame(attributes, body)))
    only(world.ask("b", "Count", consistency="linearizable"), "Counted")


@settings(max_examples=200, deadline=None)
@given(st.lists(st.binary(max_size=200), max_size=5))
def test_no_bytes_end_the_service(frames: list[bytes]) -> None:
    world = World()
    for frame in frames:
        assert world.raw("test.registry.v1.requests.x", frame) == []
    only(world.ask("b", "Count", consistency="linearizable"), "Counted")
