"""Queries of the core against the naive model: same entries, same order, same pages."""

from __future__ import annotations

import base64
import hashlib
import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comity.registry import Registry
from comity.sdk._generated.registry_v1.messages import Deregister, Register, Update
from comity.sdk.errors import RemoteProtocolError

from . import model

CHECKED = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def entry(number: int, given: dict[str, Any]) -> dict[str, Any]:
    return {
        "agent": f"agent-{number}",
        **given,
        "lease_ms": 1000,
        "epoch": number + 1,
        "revision": number + 1,
    }


populations = st.lists(model.members, max_size=12).map(
    lambda rows: [entry(n, row) for n, row in enumerate(rows)]
)


def loaded(entries: list[dict[str, Any]]) -> Registry:
    registry = Registry()
    registry.load(entries)
    return registry


def everything(
    registry: Registry, where: dict[str, Any], order: list[dict[str, Any]], limit: int
) -> list[Any]:
    found: list[Any] = []
    cursor = None
    while True:
        page = registry.query(where, order, limit, cursor)
        assert len(page.entries) <= limit
        found += page.entries
        if page.cursor is None:
            return found
        assert len(page.entries) == limit
        assert len(page.cursor) <= 2048
        cursor = page.cursor


@CHECKED
@given(populations, model.filters, model.orders, st.integers(1, 5))
def test_pages_are_what_a_scan_finds(
    entries: list[dict[str, Any]], where: dict[str, Any], order: list[dict[str, Any]], limit: int
) -> None:
    """REG-QRY-001 to REG-QRY-018."""
    expected = model.arrange(model.select(entries, where), order)
    registry = loaded(entries)
    for _ in range(3):  # compound postings come into being on the way
        assert everything(registry, where, order, limit) == expected
        assert registry.count(where) == len(expected)


actions = st.lists(
    st.tuples(
        st.sampled_from(["register", "update", "deregister", "lapse"]), st.integers(0, 5), model.members
    ),
    max_size=25,
)


@CHECKED
@given(actions, st.lists(model.filters, min_size=1, max_size=3))
def test_index_follows_every_write(
    script: list[tuple[str, int, dict[str, Any]]], asked: list[dict[str, Any]]
) -> None:
    registry = Registry()
    held: dict[str, dict[str, Any]] = {}
    for revision, (action, number, given_members) in enumerate(script, 1):
        write(registry, held, action, f"agent-{number}", given_members, revision)
        for where in asked:
            expected = model.arrange(model.select(list(held.values()), where), [])
            assert registry.query(where).entries == expected
            assert registry.count(where) == len(expected)
    for agent in [f"agent-{number}" for number in range(6)]:
        assert registry.get(agent) == held.get(agent)


narrow = st.fixed_dictionaries(
    {"capabilities": st.lists(st.sampled_from(["a", "b@1"]), max_size=2)},
    optional={
        "health": st.sampled_from(["healthy", "degraded"]),
        "metadata": st.sampled_from([{}, {"p": 1}, {"p": True}, {"p": [1]}]),
    },
)


@CHECKED
@given(
    st.lists(
        st.tuples(st.sampled_from(["register", "update", "update", "deregister"]), st.integers(0, 3), narrow),
        max_size=25,
    )
)
def test_compound_postings_follow_every_write(script: list[tuple[str, int, dict[str, Any]]]) -> None:
    """Few values, many meetings: cells empty and fill again, with agents in them that have no capability."""
    registry = Registry()
    held: dict[str, dict[str, Any]] = {}
    criteria: list[list[dict[str, Any]]] = [
        [{"path": "health", "op": "eq", "value": health}, {"path": "metadata.p", "op": "eq", "value": value}]
        for health in ("healthy", "degraded")
        for value in (1, True)
    ]
    able: dict[str, Any] = {"path": "capabilities", "op": "contains", "value": "a"}
    for revision, (action, number, given_members) in enumerate(script, 1):
        write(registry, held, action, f"agent-{number}", given_members, revision)
        for every in criteria:
            for where in ({"all": every}, {"all": [able, *every]}):
                expected = model.arrange(model.select(list(held.values()), where), [])
                assert registry.query(where).entries == expected


def write(
    registry: Registry,
    held: dict[str, Any],
    action: str,
    agent: str,
    given_members: dict[str, Any],
    revision: int,
) -> None:
    if action == "register":
        message: Any = Register.model_construct(agent=agent, lease_ms=1000, **given_members)
        held[agent] = {
            "agent": agent,
            **given_members,
            "lease_ms": 1000,
            "epoch": revision,
            "revision": revision,
        }
        assert registry.apply(message, revision, 0).reply == "Registered"
    elif action == "lapse":
        held.clear()
        registry.lapse(revision, 1000)
    elif agent in held:
        epoch = held[agent]["epoch"]
        if action == "update":
            held[agent] = held[agent] | given_members | {"revision": revision}
            message = Update.model_construct(agent=agent, epoch=epoch, **given_members)
            assert registry.apply(message, revision, 0).reply == "Updated"
        else:
            del held[agent]
            message = Deregister.model_construct(agent=agent, epoch=epoch)
            assert registry.apply(message, revision, 0).reply == "Deregistered"


@CHECKED
@given(populations, model.filters, model.orders, st.data())
def test_pages_neither_skip_nor_repeat_those_who_stay(
    entries: list[dict[str, Any]], where: dict[str, Any], order: list[dict[str, Any]], data: st.DataObject
) -> None:
    """REG-QRY-018, while others leave between the pages."""
    registry = loaded(entries)
    leaving = (
        data.draw(st.sets(st.sampled_from([e["agent"] for e in entries]), max_size=4))
        if entries
        else set[str]()
    )
    staying = [e for e in model.arrange(model.select(entries, where), order) if e["agent"] not in leaving]
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = registry.query(where, order, 2, cursor)
        found += page.entries
        for agent in leaving:
            if (gone := registry.get(agent)) is not None:
                registry.apply(Deregister.model_construct(agent=agent, epoch=gone["epoch"]), 100, 0)
        if page.cursor is None:
            break
        cursor = page.cursor
    assert [e for e in found if e["agent"] not in leaving] == staying


def test_a_member_may_be_carried_and_cleared_at_once() -> None:
    """What an Update carries goes over what it clears, in the indexes too."""
    registry = Registry()
    stated: dict[str, Any] = {"capabilities": ["a"], "zone": "x", "metadata": {"p": 1}}
    write(registry, {}, "register", "agent-1", stated, 1)
    both: dict[str, Any] = {"zone": "y", "metadata": {"p": 2}, "clear": ["zone", "metadata", "name"]}
    message = Update.model_construct(agent="agent-1", epoch=1, **both)
    assert registry.apply(message, 2, 0).reply == "Updated"
    held = [registry.get("agent-1")]
    for path, value in (("zone", "x"), ("zone", "y"), ("metadata.p", 1), ("metadata.p", 2)):
        where: dict[str, Any] = {"all": [{"path": path, "op": "eq", "value": value}]}
        assert registry.query(where).entries == model.select(held, where)  # type: ignore[arg-type]


def test_long_places_fit_into_a_cursor() -> None:
    """Ordered by texts of 4,096 characters that differ at their ends, pages are still exact."""
    texts = ["é" * 4095 + letter for letter in "dacb"]
    entries = [
        entry(n, {"capabilities": [], "metadata": {"p": text, "q": text}}) for n, text in enumerate(texts)
    ]
    order: list[dict[str, Any]] = [{"path": "metadata.p"}, {"path": "metadata.q", "descending": True}]
    assert everything(loaded(entries), {}, order, 1) == model.arrange(entries, order)


letters = st.text("abcXYZ019_-", min_size=1, max_size=80)
encoded = st.binary(min_size=1, max_size=60).map(lambda b: base64.urlsafe_b64encode(b).decode())


@given(st.one_of(letters, encoded))
def test_no_cursor_that_nobody_gave_is_taken(cursor: str) -> None:
    """REG-QRY-019."""
    with pytest.raises(RemoteProtocolError) as refusal:
        loaded([]).query({}, [], 1, cursor)
    assert refusal.value.code == "registry.bad_cursor"


def test_a_cursor_belongs_to_its_query() -> None:
    registry = loaded([entry(n, {"capabilities": []}) for n in range(3)])
    cursor = registry.query(None, [], 1).cursor
    with pytest.raises(RemoteProtocolError):
        registry.query(None, [{"path": "zone"}], 1, cursor)
    with pytest.raises(RemoteProtocolError):
        registry.query({"all": [{"path": "zone", "op": "exists"}]}, [], 1, cursor)


def test_a_sealed_cursor_of_another_shape_is_refused() -> None:
    body: list[Any] = ["", ["x", "y", {"z": 1}]]
    sealed = json.dumps([[{}, []], body], sort_keys=True, separators=(",", ":")).encode()
    text = json.dumps([hashlib.sha256(sealed).digest()[:12].hex(), *body])
    with pytest.raises(RemoteProtocolError):
        loaded([]).query({}, [], 1, base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode())


def test_the_index_forgets_what_nobody_states_any_more() -> None:
    """Keys come from strangers: none of them is remembered once its last entry is gone."""

    def kept(rounds: int) -> int:
        registry = Registry(history=1)
        tracemalloc.start()
        try:
            for number in range(rounds):
                stated: dict[str, Any] = {"capabilities": [], "metadata": {f"k{number}": {"deep": number}}}
                write(registry, {}, "register", "agent-1", stated, number + 1)
                registry.take_changes()
            return tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()

    kept(100)
    assert kept(2000) < kept(100) + 50_000
