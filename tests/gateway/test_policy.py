"""What goes where: the laws of the rows on any event, mutants that break them, and any net of gateways."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comity.gateway import Drop, Pass, Policy, Refuse, Side
from comity.sdk.address import Pattern
from comity.sdk.errors import ConfigError
from comity.sdk.identity import Identity
from comity.sdk.ports import Frame
from tests.mutants._patch import MUTANTS
from tests.mutants.run import load as load_mutants
from tests.mutants.run import trial

from .cases import ELSEWHERE, GATEWAY, HOMES, NOW, Case, cases, event
from .laws import LAWS, counterexample

KEYS = [Identity.from_seed(bytes([n]) * 32) for n in range(20, 26)]


@settings(max_examples=300, deadline=None)
@given(cases())
def test_the_gateway_keeps_every_law(case: Case) -> None:
    verdict = case.judged()
    assert [row for row, law in LAWS.items() if not law(case, verdict)] == []


@pytest.mark.parametrize(
    "name", sorted(name for name, one in load_mutants().items() if one.role == "gateway")
)
def test_a_mutant_breaks_the_law_of_its_row(name: str) -> None:
    assert trial(MUTANTS[name]).verdict == "killed"


def test_a_mutant_that_changes_nothing_survives() -> None:
    assert counterexample("CORE-GTW-004", 60) is None


@settings(deadline=None)
@given(cases())
def test_what_is_subscribed_to_is_what_is_carried(case: Case) -> None:
    patterns = Policy(HOMES, GATEWAY).patterns(case.side)
    assert any(Pattern.parse(one).matches(case.address) for one in patterns) == (not case.astray)


@settings(deadline=None)
@given(cases(), st.sampled_from([ELSEWHERE, "edgf"]))
def test_other_namespaces_stay_where_they_are(case: Case, namespace: str) -> None:
    address = case.address.replace(case.namespace, namespace, 1)
    verdict = Policy(HOMES, GATEWAY).judge(case.side, address, case.frame, NOW)
    assert verdict == Drop("nothing that this gateway carries")


@settings(deadline=None)
@given(st.dictionaries(st.text("abcsz019", max_size=12), st.text(max_size=40)), st.binary(max_size=20))
def test_garbage_is_dropped_or_refused(attributes: dict[str, str], data: bytes) -> None:
    policy = Policy(HOMES, GATEWAY, profile="signed")
    for side in Side:
        for message in ("Lookup", "Changes"):
            address, _ = event(message, "edge")
            assert not isinstance(policy.judge(side, address, Frame(attributes, data), NOW), Pass)


@pytest.mark.parametrize("message", ["Peek", "Registered"])
def test_a_request_that_nobody_knows_is_refused(message: str) -> None:
    """It may write, as far as is known here."""
    address, frame = event("Lookup", "edge")
    stranger = Frame({**frame.attributes, "type": f"comity.registry.v1.{message}"}, frame.data)
    verdict = Policy(HOMES, GATEWAY).judge(Side.TO, address, stranger, NOW)
    assert isinstance(verdict, Refuse)
    assert verdict.send.frame.data == b'{"code":"core.unknown_type"}'


def test_answers_of_a_newer_minor_version_pass() -> None:
    address, frame = event("Changes", "edge")
    newer = Frame(
        {**frame.attributes, "type": "comity.registry.v1.Presence", "comityversion": "1.7"}, frame.data
    )
    assert isinstance(Policy(HOMES, GATEWAY).judge(Side.FROM, address, newer, NOW), Pass)


def test_a_malformed_request_is_refused_and_a_malformed_answer_dropped() -> None:
    policy = Policy(HOMES, GATEWAY)
    for side, message, expected in ((Side.TO, "Lookup", Refuse), (Side.FROM, "Changes", Drop)):
        address, frame = event(message, "edge", time="noon")
        assert isinstance(policy.judge(side, address, frame, NOW), expected)


@pytest.mark.parametrize("homes", [{}, {"Edge": Side.FROM}, {"a.b": Side.TO}])
def test_a_gateway_of_nothing_or_of_no_namespace_is_refused(homes: dict[str, Side]) -> None:
    with pytest.raises(ConfigError, match="namespace"):
        Policy(homes, GATEWAY)


EDGES = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 3)).filter(lambda edge: edge[0] != edge[1]),
    min_size=1,
    max_size=len(KEYS),
)


@settings(max_examples=100, deadline=None)
@given(EDGES, st.sampled_from(["Changes", "Query"]), st.integers(0, 3))
def test_in_any_net_an_event_comes_to_rest_and_arrives(
    edges: list[tuple[int, int]], message: str, start: int
) -> None:
    """Brokers 0 to 3, each edge a gateway that takes its first broker for the home's side, in rings or not.

    Every gateway passes an event at most once on each way, and each broker that a way leads to gets it.
    """
    ways = [edge if message == "Changes" else (edge[1], edge[0]) for edge in edges]
    side = Side.FROM if message == "Changes" else Side.TO
    policies = [Policy({"edge": Side.FROM}, key) for key in KEYS[: len(edges)]]
    address, frame = event(message, "edge")
    waiting, arrived = deque([(start, frame)]), {start}
    while waiting:
        broker, frame = waiting.popleft()
        passed = frame.attributes.get("comityvia", "").split()
        assert len(passed) == len(set(passed)) <= len(edges)
        for (here, there), policy in zip(ways, policies, strict=True):
            verdict = policy.judge(side, address, frame, NOW) if here == broker else None
            if isinstance(verdict, Pass):
                arrived.add(there)
                waiting.append((there, verdict.send.frame))
    assert arrived == _reachable(start, ways)


def _reachable(start: int, ways: list[tuple[int, int]]) -> set[int]:
    found: set[int] = set()
    new = {start}
    while new:
        found |= new
        new = {there for here, there in ways if here in found} - found
    return found
