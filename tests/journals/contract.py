"""The contract of every journal: an adapter's test module takes these with `from … import *`.

It provides the fixture `make_journal`: each call returns a new, unopened journal over the same storage.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TypeAlias

import pytest

from comity.sdk.errors import JournalError
from comity.sdk.ports import Durability, Entry, Journal, Snapshot

MakeJournal: TypeAlias = Callable[[], Journal]


async def read(journal: Journal, after: int, count: int) -> list[Entry]:
    """The next `count` entries behind `after`; fails after ten seconds."""
    found: list[Entry] = []
    async with asyncio.timeout(10), aclosing(_generator(journal, after)) as entries:
        async for entry in entries:
            found.append(entry)
            if len(found) == count:
                break
    return found


async def _generator(journal: Journal, after: int) -> AsyncGenerator[Entry, None]:
    async for entry in journal.follow(after):
        yield entry


async def test_positions_start_at_one_and_rise(make_journal: MakeJournal) -> None:
    async with make_journal() as journal:
        assert await journal.end() == 0
        positions = [await journal.append(b"%d" % number) for number in range(5)]
        assert positions[0] == 1
        assert positions == sorted(set(positions))
        assert await journal.end() == positions[-1]


async def test_what_was_appended_is_read_in_order(make_journal: MakeJournal) -> None:
    async with make_journal() as journal:
        written = [
            Entry(await journal.append(data), data) for data in (b"a", b"", b"\0\xff", b"x" * (1 << 20))
        ]
        assert await read(journal, 0, 4) == written
        assert await read(journal, written[1].position, 2) == written[2:]


async def test_concurrent_appends_each_have_a_position_of_their_own(make_journal: MakeJournal) -> None:
    async with make_journal() as journal:
        datas = [b"%d" % number for number in range(3000)]
        positions = await asyncio.gather(*map(journal.append, datas))
        assert len(set(positions)) == 3000
        assert await read(journal, 0, 3000) == sorted(map(Entry, positions, datas))


async def test_an_appender_sees_its_own_entries_in_its_order(make_journal: MakeJournal) -> None:
    async with make_journal() as journal:

        async def client(name: int) -> list[int]:
            return [await journal.append(b"%d:%d" % (name, number)) for number in range(50)]

        for positions in await asyncio.gather(*map(client, range(16))):
            assert positions == sorted(positions)


async def test_a_follower_is_woken_by_later_appends(make_journal: MakeJournal) -> None:
    async with make_journal() as journal:
        follower = asyncio.create_task(read(journal, 0, 3))
        for data in (b"a", b"b", b"c"):
            await journal.append(data)
        assert [entry.data for entry in await follower] == [b"a", b"b", b"c"]


async def test_all_followers_see_one_order(make_journal: MakeJournal) -> None:
    async with make_journal() as journal:
        followers = [asyncio.create_task(read(journal, 0, 200)) for _ in range(3)]
        await asyncio.gather(*(journal.append(b"%d" % number) for number in range(200)))
        one, two, three = await asyncio.gather(*followers)
        assert one == two == three


async def test_a_snapshot_is_kept_and_replaced(make_journal: MakeJournal) -> None:
    async with make_journal() as journal:
        assert await journal.load_snapshot() is None
        first, second = await journal.append(b"a"), await journal.append(b"b")
        for snapshot in (Snapshot(first, b"one"), Snapshot(second, b"two")):
            await journal.save_snapshot(snapshot)
            assert await journal.load_snapshot() == snapshot


async def test_a_snapshot_of_the_future_or_the_past_is_refused(make_journal: MakeJournal) -> None:
    async with make_journal() as journal:
        first, second = await journal.append(b"a"), await journal.append(b"b")
        with pytest.raises(JournalError):
            await journal.save_snapshot(Snapshot(second + 1, b""))
        await journal.save_snapshot(Snapshot(second, b"kept"))
        with pytest.raises(JournalError):
            await journal.save_snapshot(Snapshot(first, b""))
        assert await journal.load_snapshot() == Snapshot(second, b"kept")


async def test_only_what_a_snapshot_covers_is_truncated(make_journal: MakeJournal) -> None:
    async with make_journal() as journal:
        positions = [await journal.append(b"%d" % number) for number in range(4)]
        with pytest.raises(JournalError):
            await journal.truncate(positions[0])
        await journal.save_snapshot(Snapshot(positions[1], b""))
        with pytest.raises(JournalError):
            await journal.truncate(positions[2])
        await journal.truncate(positions[1])
        assert [entry.position for entry in await read(journal, positions[1], 2)] == positions[2:]
        with pytest.raises(JournalError, match="snapshot"):
            await read(journal, 0, 1)


async def test_a_reader_that_lags_is_told_of_truncation(make_journal: MakeJournal) -> None:
    """What it did not read is never passed over: it may have read ahead, or it is sent to the snapshot."""
    async with make_journal() as journal:
        positions = sorted(await asyncio.gather(*(journal.append(b"x" * 10_000) for _ in range(800))))
        said = ""
        async with aclosing(_generator(journal, 0)) as entries:
            seen = [(await anext(entries)).position]
            await journal.save_snapshot(Snapshot(positions[-100], b""))
            await journal.truncate(positions[-100])
            try:
                while seen[-1] != positions[-1]:
                    seen.append((await asyncio.wait_for(anext(entries), 20)).position)
            except JournalError as error:
                said = str(error)
        assert seen == positions[: len(seen)]
        assert len(seen) == len(positions) or "load the snapshot" in said


async def test_positions_go_on_behind_a_truncated_journal(make_journal: MakeJournal) -> None:
    async with make_journal() as journal:
        last = [await journal.append(b"%d" % number) for number in range(4)][-1]
        await journal.save_snapshot(Snapshot(last, b""))
        await journal.truncate(last)
        assert await journal.end() == last
        following = await journal.append(b"next")
        assert following > last
        assert await read(journal, last, 1) == [Entry(following, b"next")]


async def test_reopening_keeps_everything_or_takes_a_higher_incarnation(make_journal: MakeJournal) -> None:
    async with make_journal() as journal:
        before = journal.incarnation
        position = await journal.append(b"a")
        await journal.save_snapshot(Snapshot(position, b"s"))
    journal = make_journal() if journal.durability is not Durability.NONE else journal
    async with journal:
        if journal.durability is Durability.NONE:
            assert await journal.end() == 0
            assert journal.incarnation > before
        else:
            assert journal.incarnation == before
            assert await journal.load_snapshot() == Snapshot(position, b"s")
            assert await read(journal, 0, 1) == [Entry(position, b"a")]
            assert await journal.append(b"b") > position


async def test_a_closed_journal_refuses(make_journal: MakeJournal) -> None:
    journal = make_journal()
    with pytest.raises(JournalError):
        await journal.append(b"too early")
    await journal.open()
    with pytest.raises(JournalError):
        await journal.open()
    await journal.close()
    await journal.close()
    with pytest.raises(JournalError):
        await journal.append(b"too late")


async def test_closing_ends_followers_and_finishes_appends(make_journal: MakeJournal) -> None:
    journal = make_journal()
    await journal.open()
    appends = [asyncio.create_task(journal.append(b"%d" % number)) for number in range(20)]
    follower = asyncio.create_task(read(journal, 0, 21))
    await asyncio.wait(appends, return_when=asyncio.FIRST_COMPLETED)
    await journal.close()
    assert sorted(await asyncio.gather(*appends)) == list(range(1, 21))
    with pytest.raises(JournalError):
        await follower


async def test_cancelling_leaves_no_task_and_no_harm(make_journal: MakeJournal) -> None:
    async with make_journal() as journal:
        tasks = asyncio.all_tasks()
        cancelled: list[asyncio.Task[object]] = [
            asyncio.create_task(journal.append(b"maybe")) for _ in range(10)
        ]
        cancelled.append(asyncio.create_task(read(journal, 1 << 30, 1)))
        await asyncio.wait(cancelled, timeout=0)
        for task in cancelled:
            task.cancel()
        await asyncio.wait(cancelled)
        assert asyncio.all_tasks() == tasks
        position = await journal.append(b"sure")
        assert (await read(journal, position - 1, 1))[0].data == b"sure"
