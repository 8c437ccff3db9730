"""Certifying a service where it runs: plans over a real transport, many at a time.

Responsible for finding out whether anybody is there, for aiming and for counting. Not responsible for starting a
service; whoever wants one hands in a context manager that does.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

from comity.sdk.ports import Transport
from comity.transports import connect, masked

from .campaign import NEEDED, OnProgress, Tally
from .engine._live import PATIENCE, LiveWorld
from .equivalence import History, compare, history
from .errors import NobodyThere
from .generate import AIMS, ALIKE, SIM_ONLY, generate
from .judge import judge
from .law import Law
from .plan import Plan
from .simulate import Run, Simulation

__all__ = ["LiveTarget", "Shown", "run_live", "shown_in"]

AT_ONCE = 16
WAITS = 4  # a request is waited for once and repeated three times
COMPARED = 32
COMPARED_PATIENCE = 5.0  # an answer that comes late is no difference


@dataclass(frozen=True, slots=True)
class LiveTarget:
    """Where a service runs. `serve` may start one; it has to be ready once entered, in the same event loop.

    `timeout` is how long to wait, in seconds, for the first sign of life, `patience` for every answer later on. Once as
    many plans in a row as run at a time got no word, no further one is begun. `journal` names the journal of a service
    that is one of several on a broker; with no `plans` it is only compared with the simulation.
    """

    url: str
    namespace: str = "default"
    plans: int = 160
    timeout: float = 5.0
    patience: float = PATIENCE
    serve: Callable[[], AbstractAsyncContextManager[object]] | None = None
    journal: str = ""

    @property
    def shown(self) -> str:
        """The URL without its secrets."""
        return masked(self.url)

    @property
    def key(self) -> str:
        return f"live:{self.url.partition(':')[0]}" + (f"+{self.journal}" if self.journal else "")


@dataclass(frozen=True, slots=True)
class Shown:
    """A plan that ends alike wherever it runs, and what it showed in simulation."""

    plan: Plan
    history: History


def shown_in(simulation: Simulation, seed: int) -> list[Shown]:
    """What the subject shows in simulation, for comparing (REG-EQV-001). Its clients are new: no service knows them."""
    token = secrets.token_hex(4)
    found: list[Shown] = []
    for index in range(COMPARED):
        plan = generate(seed, index, ALIKE, sim=False, nonce=f"e{seed}-{index}-{token}")
        seen = history(plan, simulation.run(plan).journal)
        if seen is not None:
            found.append(Shown(plan, seen))
    return found


def run_live(
    target: LiveTarget,
    rules: Law,
    *,
    seed: int,
    shown: Sequence[Shown] = (),
    on_progress: OnProgress | None = None,
) -> Tally:
    """Run plans against the service at `target`, and compare with what was `shown` elsewhere.

    Raises `NobodyThere`, and `TransportError` where no broker is.
    """
    return asyncio.run(_run(target, rules, seed, shown, on_progress))


async def _run(
    target: LiveTarget, rules: Law, seed: int, shown: Sequence[Shown], on_progress: OnProgress | None
) -> Tally:
    start = time.monotonic()
    async with target.serve() if target.serve is not None else nullcontext():
        transport = connect(target.url)
        await transport.open()
        try:
            live = _Live(target, rules, seed, transport, on_progress)
            await live.greet()
            await live.work()
            await live.compare(shown)
        finally:
            await transport.close()
    live.tally.seconds = time.monotonic() - start
    beyond = len(SIM_ONLY & rules.rows.keys())
    live.tally.notes.append(f"{target.key}: {beyond} requirements need a simulation and were not judged here")
    return live.tally


class _Live:
    def __init__(
        self, target: LiveTarget, rules: Law, seed: int, transport: Transport, on_progress: OnProgress | None
    ) -> None:
        self.target, self.rules, self.seed = target, rules, seed
        self.transport, self._progress = transport, on_progress
        self.tally = Tally(target.key, "live", compared=not target.plans)
        self.rows = [row for row in rules.rows if row in AIMS and row not in SIM_ONLY and row != ALIKE]
        # fresh agents in every run: what an earlier run left in the service is none of this one's business
        self._token = secrets.token_hex(4)
        self._next = 0
        self._unheard = 0

    async def greet(self) -> None:
        """Raise `NobodyThere` unless somebody answers a read."""
        plan = Plan(self.seed, 0, None, f"greet-{self._token}", 2)
        patience = self.target.timeout / WAITS
        journal = await self._world(plan, patience).run()
        if any(record["what"] == "emitted" for record in journal):
            return
        where = f"{self.target.shown} in namespace {self.target.namespace!r}"
        raise NobodyThere(f"nobody answers requests of family {self.rules.family} on {where}")

    def _world(self, plan: Plan, patience: float, due: int = 0) -> LiveWorld:
        return LiveWorld(plan, self.transport, self.rules, self.target.namespace, patience, due)

    async def work(self) -> None:
        """Run all plans, some at a time; where one cannot be carried out, the others end as well."""
        await _together(self._worker)
        if self._unheard >= AT_ONCE:
            last = self.tally.plans - self._unheard
            self.tally.notes.append(f"{self.target.key}: nobody answered any more after {last} plans")

    async def compare(self, shown: Sequence[Shown]) -> None:
        """REG-EQV-001: the plans of another place once more here, unless nobody answers any more."""
        if not shown or self._unheard >= AT_ONCE:
            return
        left, before = iter(shown), self.tally.fired[ALIKE]
        self.tally.tried[ALIKE] += len(shown)

        async def worker() -> None:
            for each in left:
                if self._unheard < AT_ONCE:
                    await self._compare(each)

        await _together(worker)
        same = self.tally.fired[ALIKE] - before
        self.tally.notes.append(
            f"{self.target.key}: {same} of {len(shown)} plans showed what they show in simulation"
        )

    async def _compare(self, shown: Shown) -> None:
        journal = await self._world(shown.plan, COMPARED_PATIENCE, shown.history.changes).run()
        if not any(record["what"] == "emitted" for record in journal):
            self._unheard = AT_ONCE  # whoever answered all plans before is gone
        judgement = judge(shown.plan, journal, self.rules)
        compare(judgement, history(shown.plan, journal), shown.history, "in simulation")
        self.tally.add(Run(shown.plan, journal, judgement))

    async def _worker(self) -> None:
        """Run one plan after the other until all numbers are given out, or nobody answers any more."""
        while self._next < self.target.plans and self._unheard < AT_ONCE:
            index, self._next = self._next, self._next + 1
            aim = min(self.rows, key=lambda row: (self.tally.fired[row] >= NEEDED, self.tally.tried[row]))
            self.tally.tried[aim] += 1
            nonce = f"l{self.seed}-{index}-{self._token}"
            plan = replace(generate(self.seed, index, aim, sim=False, nonce=nonce), parameters={})
            journal = await self._world(plan, self.target.patience).run()
            heard = any(record["what"] == "emitted" for record in journal)
            self._unheard = 0 if heard else self._unheard + 1
            run = Run(plan, journal, judge(plan, journal, self.rules))
            self.tally.add(run)
            if self._progress is not None:
                done = sum(self.tally.fired[row] >= NEEDED for row in self.rows)
                self._progress(self.tally.plans, self.target.plans, done, len(self.rows))


async def _together(worker: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Some workers at a time; where one fails, the others end as well."""
    workers = [asyncio.create_task(worker()) for _ in range(AT_ONCE)]
    try:
        await asyncio.gather(*workers)
    finally:
        for each in workers:
            each.cancel()
        await asyncio.wait(workers)
