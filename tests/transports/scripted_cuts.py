"""Scripts as in `scripted.py` over connections that are cut meanwhile; `faulty.py` takes it in.

What is sent at least once arrives all the same, in order, perhaps more than once.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comity.sdk.errors import TransportError
from comity.sdk.ports import Guarantee, Transport

from .harness import MakeTransport, best, until
from .proxy import Proxy
from .scripted import STEPS, Step, World, cancelled

__all__ = ["test_whatever_is_done_and_cut_off_what_was_promised_arrives"]

PATIENCE: Final = 60


class CutWorld(World):
    """Connections that break at the step `cut`; who publishes repeats what may not have arrived."""

    def __init__(self, make: MakeTransport, channel: str, proxy: Proxy) -> None:
        super().__init__(make, channel)
        self._proxy = proxy
        self._surely = True

    async def cut(self) -> None:
        """Reset all connections."""
        self._proxy.cut()

    async def _send(self, transport: Transport, address: str, data: bytes) -> None:
        self._surely = best(transport) is Guarantee.AT_LEAST_ONCE
        await _until_done(lambda: super(CutWorld, self)._send(transport, address, data))

    async def _tried(self, work: Coroutine[Any, Any, Any], turns: int | None) -> Any:
        with suppress(TransportError):
            return await cancelled(work, turns)

    async def _settle(self) -> None:
        await _until_done(super()._settle)
        if self._surely:
            await until(lambda: all(map(self._has_all, self._watches)), PATIENCE)

    def _has_all(self, watch: Any) -> bool:
        since = {data for key, data in self._sent[watch.begun :] if watch.wants(key)}
        return watch.group is not None or watch.subscription is None or since <= set(watch.inbox.datas)

    def _check_key(self, sent: list[bytes], since: list[bytes], got: list[bytes], *, there: bool) -> None:
        firsts = list(dict.fromkeys(got))
        if there and self._surely:
            assert [data for data in firsts if data in since] == since, (
                "everything since it was there, in order"
            )
        else:
            assert firsts == [data for data in sent if data in firsts], "in order"

    def _check_shares(self, fresh: Counter[bytes]) -> None:
        """A member that was cut off has what it did not acknowledge delivered again."""


async def _until_done(attempt: Any) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            with suppress(TransportError):
                await attempt()
                return


_played = 0


@settings(
    max_examples=5,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(script=st.lists(STEPS | st.tuples(st.just("cut")), min_size=5, max_size=25))
async def test_whatever_is_done_and_cut_off_what_was_promised_arrives(
    behind: MakeTransport, proxy: Proxy, space: str, script: list[Step]
) -> None:
    global _played
    _played += 1

    async def make(**options: str | float) -> Transport:
        return await behind(timeout=5, **options)

    await CutWorld(make, f"{space}.test.v1.cut{_played}", proxy).play(script)
