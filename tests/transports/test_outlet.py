"""What waits for one subscriber is bounded by messages and by octets."""

from __future__ import annotations

import pytest

from comity.transports import _outlet
from comity.transports._outlet import Item, Outlet
from comity.transports._refused import delay

from .harness import Inbox, frame


def item(size: int) -> Item:
    return Item("a.b.v1.c", frame(b"x" * size))


async def test_what_waits_is_bounded_by_messages_and_by_octets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_outlet, "OCTETS", 100)
    inbox = Inbox()
    outlet = Outlet(inbox, 3, lambda: None)
    for sizes in ([1, 1, 1], [60, 60], [100]):
        outlet.pause()
        assert [outlet.put(item(size)) for size in sizes] == [True] * len(sizes)
        assert not outlet.put(item(1))
        outlet.resume()
        outlet.drain()
        inbox.clear()
    outlet.pause()
    assert outlet.put(item(100))
    outlet.clear()
    assert outlet.put(item(100))


async def test_what_is_refused_waits_within_the_same_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_outlet, "OCTETS", 100)
    inbox = Inbox()
    outlet = Outlet(inbox, 10, lambda: None)
    assert outlet.put(item(100))
    outlet.pause()
    inbox[0].nack()
    assert not outlet.put(item(1))
    outlet.resume()
    outlet.drain()
    assert not inbox[1:], "not before its time"
    await inbox.expect(2)
    assert [one.redelivered for one in inbox] == [False, True]
    outlet.pause()
    assert outlet.put(item(1))


async def test_what_is_refused_is_forgotten_with_the_rest() -> None:
    inbox, forgotten = Inbox(), list[bool]()
    outlet = Outlet(inbox, 10, lambda: None)
    for _ in range(2):
        assert outlet.put(item(1)._replace(forget=forgotten.append))
    inbox[0].nack()
    outlet.clear()
    inbox[1].nack()
    assert forgotten == [True, True], "what is refused later, too: it is not to be delivered here any more"
    inbox[1].nack()
    outlet.close()
    assert outlet.put(item(1)._replace(forget=forgotten.append))
    outlet.drain()
    assert len(inbox) == 2, "nothing is delivered once it is closed"
    assert forgotten == [True, True, False]


def test_pauses_double_up_to_a_limit() -> None:
    assert [delay(times) for times in (1, 2, 3, 7, 8, 9, 10_000)] == [0.05, 0.1, 0.2, 3.2, 5, 5, 5]
