"""What one sender can cost the others is bounded: turns, requests that wait for the journal, events that are held."""

from __future__ import annotations

import time
from collections.abc import Iterator

from comity.registry import RegistryService
from comity.registry._core.record import Command, Record
from comity.registry._core.state import State
from comity.registry._courier import Courier, reserved
from comity.sdk.fairness import FairQueue
from comity.sdk.family import load_family
from comity.sdk.identity import Identity
from comity.sdk.inbox import Held, Inbox, Rejected
from comity.sdk.outbox import Outbox
from comity.sdk.ports import Append, Delivery, Effect, Frame, Json, Now, Persist, Send

FAMILY = load_family("registry")


def deliveries(address: str, number: int, data: bytes = b"{}") -> Iterator[Delivery]:
    return (Delivery(address, Frame({"id": f"{address}{one}"}, data)) for one in range(number))


def test_addresses_take_turns_and_keep_their_order() -> None:
    queue = FairQueue(100)
    for delivery in (*deliveries("flood", 50), *deliveries("quiet", 2)):
        queue.put(delivery)
    taken = [queue.take() for _ in range(len(queue))]
    assert [one.address for one in taken[:4]] == ["flood", "quiet", "flood", "quiet"]
    assert [one.frame.attributes["id"] for one in taken if one.address == "flood"] == [
        f"flood{one}" for one in range(50)
    ]


def test_a_queue_is_full_by_number_and_by_octets() -> None:
    queue = FairQueue(10)
    for delivery in deliveries("a", 10):
        assert not queue.full
        queue.put(delivery)
    assert queue.full
    while not queue.relaxed:
        queue.take()
    assert len(queue) == 5
    wide = FairQueue(10_000)
    for number, delivery in enumerate(deliveries("a", 1000, b"x" * 1_000_000)):
        if wide.full:
            assert number == 34
            return
        wide.put(delivery)
    raise AssertionError("a gigabyte was taken")


def requests(number: int, name: str, *, source: Identity | None = None, ahead: float = 0.0) -> Iterator[Send]:
    identity = source or Identity.generate()
    outbox = Outbox(FAMILY, identity, namespace="n", entropy=b"e" * 16)
    long = [{"path": "metadata.k", "op": "in", "value": ["w" * 120] * 120}] * 10
    data = {
        "Lookup": {"agent": identity.agent_id, "consistency": "linearizable"},
        "Unwatch": {"watch": "w"},
        "Query": {"where": {"all": long}, "limit": 1, "consistency": "eventual"},
    }[name]
    message = FAMILY.messages[name].model_validate(data)
    return (outbox.request(message, Now(0.0, time.time() + ahead)) for _ in range(number))


def serve() -> RegistryService:
    service = RegistryService(namespace="n", identity=Identity.generate(), entropy=b"r" * 16)
    service.caught_up(now())
    return service


def now() -> Now:
    return Now(0.0, time.time())


def refused(effects: list[Effect]) -> int:
    return sum(isinstance(one, Send) and one.frame.attributes["type"].endswith("Refused") for one in effects)


def test_one_source_has_no_more_than_64_writes_on_the_way_to_the_journal() -> None:
    """More could not be remembered for its repetitions either; others are not held up by them."""
    service = serve()
    for send in requests(100, "Unwatch"):
        service.receive(send.frame, now())
    effects = service.take_effects()
    appended = [one.data for one in effects if isinstance(one, Append)]
    assert (len(appended), refused(effects)) == (64, 36)
    for send in requests(1, "Unwatch"):
        service.receive(send.frame, now())
    assert len([one for one in service.take_effects() if isinstance(one, Append)]) == 1
    for position, data in enumerate(appended, 1):
        service.entry(position, data, now())
    service.take_effects()
    for send in requests(1, "Unwatch"):
        service.receive(send.frame, now())
    assert refused(service.take_effects()) == 0


def test_one_source_has_no_more_than_64_reads_behind_a_barrier() -> None:
    service, source = serve(), Identity.generate()
    for send in requests(100, "Lookup", source=source):
        service.receive(send.frame, now())
    effects = service.take_effects()
    (barrier,) = (one.data for one in effects if isinstance(one, Append))
    assert refused(effects) == 36
    service.entry(1, barrier, now())
    (second,) = (one.data for one in service.take_effects() if isinstance(one, Append))
    service.entry(2, second, now())
    assert refused(service.take_effects()) == 63  # registry.unknown_agent, each of them


def test_what_is_held_is_bounded_in_octets_too() -> None:
    """CORE-CLK-001 from ever new sources would otherwise fill the memory of a receiver that is on time."""
    inbox = Inbox(FAMILY, accepts=["Query"], namespace="n")
    held = octets = 0
    for _ in range(150):
        (send,) = requests(1, "Query", ahead=3600)
        assert isinstance(send.frame.data, bytes)
        outcome = inbox.receive(send.frame, now())
        if isinstance(outcome, Rejected):
            assert outcome.code == "core.busy"
            assert octets >= 16 << 20
            break
        assert isinstance(outcome, Held)
        held, octets = held + 1, octets + len(send.frame.data)
    else:
        raise AssertionError(f"{octets} octets are held")
    later = Now(3600.0, time.time() + 3601)
    assert len(inbox.release(later)) == held
    (send,) = requests(1, "Query", ahead=3600)
    assert isinstance(inbox.receive(send.frame, now()), Held)


def test_a_restored_journal_does_not_resume_what_it_may_have_lost() -> None:
    """A watcher may have seen changes behind the backup; the new incarnation never made them."""
    backup = State(incarnation=1)
    register(backup, 1, 2)
    lost = backup.revision + 7
    restored = State(incarnation=2, history=2)
    restored.restore(backup.snapshot())
    assert not restored.registry.history.keeps(lost)
    register(restored, 3)
    assert not restored.registry.history.keeps(lost)
    assert restored.registry.history.keeps(restored.revision)


def register(state: State, *positions: int) -> None:
    """Let as many agents register, each at its position."""
    for position in positions:
        agent = Identity.from_seed(position.to_bytes(32, "big")).agent_id
        data: dict[str, Json] = {"agent": agent, "capabilities": [], "lease_ms": 1000}
        command = Command(agent, 1, "e", "Register", data, False, 0)
        state.apply(position, Record("command", 0, 0, 0, "r", position, command))


def test_no_request_leaves_under_a_sequence_that_was_not_reserved() -> None:
    """However many are asked for at once: the next life begins behind what storage has, and so behind all of them."""
    effects: list[Effect] = []
    courier = Courier(Outbox(FAMILY, Identity.generate(), namespace="n", entropy=b"e" * 16), effects)
    message = FAMILY.messages["Unwatch"].model_validate({"watch": "w"})
    for _ in range(5000):
        courier.request(message, now())
    stored, sent = 1, 0
    while effects:
        effect = effects.pop(0)
        if isinstance(effect, Persist):
            stored = reserved({effect.token: effect.data})
            courier.persisted(effect.token)
        elif isinstance(effect, Send):
            sent += 1
            assert int(effect.frame.attributes["sequence"]) == sent < stored
    assert sent == 5000


def test_one_source_has_no_more_than_256_watches() -> None:
    """Each costs memory and a look at every change; whoever has them may still prolong and close them."""
    service, source = serve(), Identity.generate()
    outbox = Outbox(FAMILY, source, namespace="n", entropy=b"e" * 16)
    position = 0

    def ask(name: str, **data: Json) -> bool:
        """Whether it was refused."""
        nonlocal position
        message = FAMILY.messages[name].model_validate(data)
        service.receive(outbox.request(message, now()).frame, now())
        effects = service.take_effects()
        for effect in effects:
            if isinstance(effect, Append):
                position += 1
                service.entry(position, effect.data, now())
        return bool(refused(effects + service.take_effects()))

    assert not any(ask("Watch", watch=f"w{number}", lease_ms=60_000) for number in range(256))
    assert ask("Watch", watch="one-more", lease_ms=60_000)
    assert not ask("Watch", watch="w0", lease_ms=60_000)
    restored = serve()
    restored.restore(service.snapshot())
    assert restored.state.watches.too_many(source.agent_id, "one-more")
    assert not ask("Unwatch", watch="w7")
    assert not ask("Watch", watch="one-more", lease_ms=60_000)
