"""Certifying a service where it runs: plans over a real transport, many at a time.

Responsible for finding out whether anybody is there, for aiming and for counting. Not responsible for starting a
service; whoever wants one hands in a context manager that does.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, replace

from comity.sdk.ports import Transport
from comity.transports import connect

from .campaign import NEEDED, OnProgress, Tally
from .engine._live import PATIENCE, LiveWorld
from .errors import NobodyThere
from .generate import AIMS, SIM_ONLY, generate
from .judge import judge
from .law import Law
from .plan import Plan
from .simulate import Run

__all__ = ["LiveTarget", "run_live"]

AT_ONCE = 16
WAITS = 4  # a request is waited for once and repeated three times


@dataclass(frozen=True, slots=True)
class LiveTarget:
    """Where a service runs. `serve` may start one; it has to be ready once entered, in the same event loop.

    `timeout` is how long to wait, in seconds, for the first sign of life, `patience` for every answer later on. Once as
    many plans in a row as run at a time got no word, no further one is begun.
    """

    url: str
    namespace: str = "default"
    plans: int = 160
    timeout: float = 5.0
    patience: float = PATIENCE
    serve: Callable[[], AbstractAsyncContextManager[object]] | None = None

    @property
    def key(self) -> str:
        return f"live:{self.url.partition(':')[0]}"


def run_live(target: LiveTarget, rules: Law, *, seed: int, on_progress: OnProgress | None = None) -> Tally:
    """Run plans against the service at `target`. Raises `NobodyThere`, and `TransportError` where no broker is."""
    return asyncio.run(_run(target, rules, seed, on_progress))


async def _run(target: LiveTarget, rules: Law, seed: int, on_progress: OnProgress | None) -> Tally:
    start = time.monotonic()
    async with target.serve() if target.serve is not None else nullcontext():
        transport = connect(target.url)
        await transport.open()
        try:
            live = _Live(target, rules, seed, transport, on_progress)
            await live.greet()
            await live.work()
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
        self.tally = Tally(target.key, "live")
        self.rows = [row for row in rules.rows if row in AIMS and row not in SIM_ONLY]
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
        where = f"{self.target.url} in namespace {self.target.namespace!r}"
        raise NobodyThere(f"nobody answers requests of family {self.rules.family} on {where}")

    def _world(self, plan: Plan, patience: float) -> LiveWorld:
        return LiveWorld(plan, self.transport, self.rules, self.target.namespace, patience)

    async def work(self) -> None:
        """Run all plans, some at a time; where one cannot be carried out, the others end as well."""
        workers = [asyncio.create_task(self._worker()) for _ in range(AT_ONCE)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.wait(workers)
        if self._unheard >= AT_ONCE:
            last = self.tally.plans - self._unheard
            self.tally.notes.append(f"{self.target.key}: nobody answered any more after {last} plans")

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
