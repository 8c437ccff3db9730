"""The agent's side, alone and against the service, in virtual time over a network that loses what it is told to."""

from __future__ import annotations

from typing import Any

import pytest

from comity.registry import RegistryClient
from comity.sdk.errors import ConfigError, LocalProtocolError
from comity.sdk.identity import Identity
from comity.sdk.outbox import Outbox
from tests.registry.net import AGENT, FAMILY, REGISTRY, Net, kind


def test_a_lost_request_is_repeated_as_it_was() -> None:
    """REG-AGT-001, REG-AGT-002."""
    net = Net(serve=False)
    net.do("join", capabilities=["a"], lease_ms=9000)
    net.run(3500)
    requests = net.requests("Register")
    assert [at for at, _, _ in requests] == [1000, 2000, 3000, 4000]
    assert len({(event, sequence) for _, event, sequence in requests}) == 1
    net.serve = True
    net.run(1000)
    assert net.events() == [(5000, "joined")]


def test_a_lost_answer_costs_no_second_registration() -> None:
    net = Net()
    net.lose = lambda send: kind(send) == "Registered"
    net.do("join", capabilities=["a"], lease_ms=60_000)
    net.lose = lambda send: False
    net.run(1000)
    ((_, event, data),) = net.told
    assert (event, data["epoch"]) == ("joined", 2**40 + 1)


def test_a_lease_is_renewed_after_a_third() -> None:
    """REG-AGT-003."""
    net = Net()
    net.do("join", capabilities=["a"], lease_ms=900)
    net.run(10_000)
    times = [at for at, _, _ in net.requests("Renew")]
    assert times[:3] == [1300, 1600, 1900]
    assert net.events() == [(1000, "joined")]


def test_a_lease_is_lost_when_it_has_passed_since_the_answered_request_was_sent() -> None:
    """REG-AGT-004: the Register was sent at 1,000 and its answer arrived at 1,400."""
    net = Net()
    held = net.keep("Registered")
    net.do("join", capabilities=["a"], lease_ms=900)
    net.ms = 1400
    net.client.receive(held[0].frame, net.now)
    net.lose = lambda send: True
    net.settle()
    net.run(2000)
    assert net.events()[:2] == [(1400, "joined"), (1900, "lost")]
    assert (
        len({sequence for _, _, sequence in net.requests("Register")}) == 2
    )  # it joins again, as a new request


def test_an_update_is_part_of_what_is_registered_again() -> None:
    net = Net()
    net.do("join", capabilities=["a"], zone="n", lease_ms=900)
    net.do("update", zone="s", clear=["node"])
    net.serve = False
    net.run(2000)
    net.serve = True
    net.run(2000)
    net.do("lookup", agent=AGENT.agent_id)
    assert net.told[-1][2]["data"]["entry"]["zone"] == "s"


def test_a_busy_registry_is_asked_again_and_nothing_is_lost() -> None:
    net = Net(max_pending=1)
    register(net, 1)
    held, net.hold_journal = net.position, True
    net.do("count", consistency="linearizable")  # takes the only place
    net.do("join", capabilities=["a"], lease_ms=9000)
    net.run(500)
    assert net.told == []
    net.hold_journal = False
    net.settle()
    net.run(1000)
    assert net.events() == [(1500, "answered"), (2000, "joined")]
    assert net.position > held


def test_an_agent_that_asked_for_too_long_asks_anew() -> None:
    """CORE-DLV-005: its Register is older than what the registry forgot meanwhile, and cannot be told from that."""
    net = Net(retention_ms=2_400_000)
    net.lose = lambda send: send.frame.attributes["source"] == AGENT.agent_id
    net.do("join", capabilities=["a"], lease_ms=9000)
    net.run(1000)
    register(net, 1)
    net.run(2_500_000)
    register(net, 2)  # the first one is forgotten
    net.lose = lambda send: False
    net.run(3000)
    assert [event for _, event in net.events()] == ["joined"]
    ids = {event for _, event, _ in net.requests("Register")}
    assert len(ids) == 2


def test_an_agent_whose_clock_is_far_behind_is_refused() -> None:
    net = Net(retention_ms=2_400_000)
    net.run(3_000_000)
    register(net, 1)
    net.run(2_500_000)
    register(net, 2)
    net.client = RegistryClient(namespace="t", identity=AGENT, entropy=b"c")
    net.behind = 5000.0
    net.do("join", capabilities=["a"], lease_ms=9000)
    net.run(3000)
    assert [(event, data["code"]) for _, event, data in net.told] == [("refused", "core.stale_request")]


def test_a_displaced_agent_is_told_and_does_not_fight() -> None:
    net = Net()
    net.do("join", capabilities=["a"], lease_ms=900)
    other = Outbox(FAMILY, AGENT, namespace="t", entropy=b"other", first_sequence=50)
    message = FAMILY.messages["Register"].model_validate(
        {"agent": AGENT.agent_id, "capabilities": [], "lease_ms": 900}
    )
    net.service.receive(other.request(message, net.now).frame, net.now)
    net.settle()
    net.run(400)
    assert net.events("lost") == [(1300, "lost")]
    assert net.told[-1][2]["code"] == "registry.stale_epoch"
    net.run(5000)
    assert len(net.requests("Register")) == 1


def test_stray_and_mismatched_answers_are_ignored() -> None:
    """REG-AGT-005."""
    net = Net(serve=False)
    net.do("join", capabilities=["a"], lease_ms=900)
    outbox = Outbox(FAMILY, REGISTRY, namespace="t", entropy=b"r")
    good = {"agent": AGENT.agent_id, "epoch": 5, "revision": 5, "lease_ms": 900}
    request = dict(net.sent[0][1].frame.attributes)
    for attributes, name, data in [
        ({**request, "id": "another"}, "Registered", good),
        (request, "Updated", {"agent": AGENT.agent_id, "revision": 5}),
    ]:
        reply = outbox.reply(attributes, FAMILY.messages[name].model_validate(data), net.now)
        net.client.receive(reply.frame, net.now)
        net.settle()
    assert net.told == []
    reply = outbox.reply(request, FAMILY.messages["Registered"].model_validate(good), net.now)
    net.client.receive(reply.frame, net.now)
    net.client.receive(reply.frame, net.now)
    net.settle()
    assert net.events() == [(1000, "joined")]


def test_leaving_is_repeated_until_it_is_known() -> None:
    net = Net()
    net.do("join", capabilities=["a"], lease_ms=9000)
    net.lose = lambda send: kind(send) == "Deregistered"
    net.do("leave")
    net.run(500)
    assert net.events("left") == []
    net.lose = lambda send: False
    net.run(1000)
    assert net.events("left") == [(2000, "left")]


@pytest.mark.parametrize("command", ["lookup", "query", "list", "count"])
def test_reads_are_answered(command: str) -> None:
    net = Net()
    net.do("join", capabilities=["a"], lease_ms=9000)
    net.do(command, **({"agent": AGENT.agent_id} if command == "lookup" else {}))
    assert net.told[-1][1] == "answered"
    assert net.told[-1][2]["ticket"] == command


def test_a_read_without_answer_times_out() -> None:
    net = Net(serve=False)
    net.do("count", timeout_ms=2500)
    net.run(5000)
    assert len(net.requests("Count")) == 3
    assert net.events() == [(3500, "timed_out")]
    assert net.client.next_deadline() is None


def test_a_refusal_is_told_with_its_code() -> None:
    net = Net()
    net.do("lookup", agent=AGENT.agent_id)
    assert net.told[-1][1:] == ("refused", net.told[-1][2])
    assert net.told[-1][2]["code"] == "registry.unknown_agent"


def test_no_request_leaves_before_its_sequence_is_reserved() -> None:
    net = Net()
    net.hold_storage = True
    net.do("count")
    net.run(1500)
    assert net.sent == []
    net.client.persisted("registry-sequence", net.now)
    net.settle()
    assert [event for _, event in net.events()] == ["answered"]


def test_sequences_are_never_used_twice_over_a_crash() -> None:
    first = Net()
    for _ in range(600):
        first.do("count")
    second = Net(stored=first.stored)
    second.do("count")
    used = {s.frame.attributes["sequence"] for _, s in first.sent}
    assert max(used) < second.sent[0][1].frame.attributes["sequence"]
    with pytest.raises(ConfigError):
        Net(stored={"registry-sequence": b"x"})


def test_commands_that_make_no_sense_are_refused_locally() -> None:
    net = Net()
    wrong: list[tuple[str, dict[str, Any]]] = [
        ("fly", {}),
        ("leave", {}),
        ("update", {"zone": "n"}),
        ("unwatch", {}),
        ("lookup", {"agent": "nobody"}),
        ("join", {"lease_ms": 1}),
        ("query", {"where": {"all": [{"path": "nowhere", "op": "eq"}]}}),
    ]
    for command, args in wrong:
        with pytest.raises(LocalProtocolError):
            net.client.command(command, args, net.now)
    net.do("join", capabilities=["a"])
    with pytest.raises(LocalProtocolError):
        net.client.command("join", {"capabilities": []}, net.now)


def register(net: Net, number: int, zone: str = "n") -> None:
    identity = Identity.from_seed(bytes([number]) * 32)
    outbox = Outbox(FAMILY, identity, namespace="t", entropy=b"o", first_sequence=net.position + 1)
    data: dict[str, Any] = {
        "agent": identity.agent_id,
        "capabilities": [],
        "zone": zone,
        "lease_ms": 3_600_000,
    }
    net.service.receive(
        outbox.request(FAMILY.messages["Register"].model_validate(data), net.now).frame, net.now
    )
    net.settle()


def seen(net: Net) -> list[tuple[str, int]]:
    return [
        (c["kind"], c["revision"])
        for _, event, data in net.told
        if event == "changes"
        for c in data["changes"]
    ]


def test_a_watch_that_loses_batches_resumes_behind_what_was_seen() -> None:
    """REG-AGT-006."""
    net = Net()
    net.do("watch", lease_ms=3000)
    register(net, 1)
    net.lose = lambda send: kind(send) == "Changes"
    register(net, 2)
    register(net, 3)
    net.lose = lambda send: False
    register(net, 4)  # its index shows the gap
    net.run(100)
    revisions = [revision for _, revision in seen(net)]
    assert revisions == sorted(set(revisions))
    assert len(revisions) == 4
    register(net, 5)
    assert len(seen(net)) == 5


def test_a_watch_learns_of_a_lost_last_batch_when_it_is_prolonged() -> None:
    net = Net()
    net.do("watch", lease_ms=3000)
    net.lose = lambda send: kind(send) == "Changes"
    register(net, 1)
    net.lose = lambda send: False
    net.run(1100)
    assert len(seen(net)) == 1


def test_a_watch_outlives_its_lease_by_renewal_and_ends_when_told() -> None:
    net = Net()
    net.do("watch", lease_ms=900)
    net.run(5000)
    register(net, 1)
    assert len(seen(net)) == 1
    net.client.command("unwatch", {"ticket": "watch"}, net.now)
    net.settle()
    register(net, 2)
    assert len(seen(net)) == 1
    assert net.events("closed") == [(6000, "closed")]
    net.run(10_000)
    assert net.client.next_deadline() is None


def test_a_watch_that_lapsed_unnoticed_goes_on_behind_what_was_seen() -> None:
    """REG-WCH-013, REG-AGT-008: more changes than were ever counted come while nothing gets through."""
    net = Net()
    net.do("watch", lease_ms=1500)
    register(net, 1)
    net.lose = lambda send: True
    net.run(4000)
    for n in range(2, 5):
        register(net, n)
    net.lose = lambda send: False
    net.run(2000)
    register(net, 5)
    revisions = [revision for _, revision in seen(net)]
    assert revisions == sorted(set(revisions))
    assert len(revisions) == 5
    assert net.events("reset") == []


def test_duplicates_of_batches_are_given_once() -> None:
    net = Net()
    double = net.keep("Changes")
    net.do("watch", lease_ms=3000)
    register(net, 1)
    for send in [*double, *double]:
        net.client.receive(send.frame, net.now)
    net.settle()
    assert len(seen(net)) == 1
