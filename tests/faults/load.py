"""Load that the conformance suite can judge: its own agents, asking without end and again until they are answered.

Responsible for a plan, for carrying it out while servers come and go, and for the verdict. The judge is the suite's own,
which knows nothing of replicas: it holds every answer against the history that the revisions make. Not responsible for
what is done to the servers.
"""

from __future__ import annotations

import asyncio
import random

from comity.conformance.engine._live import LiveWorld
from comity.conformance.generate._script import Script
from comity.conformance.judge import Judgement, judge
from comity.conformance.law import law
from comity.conformance.plan import Operation, Plan
from comity.sdk.errors import TransportError
from comity.sdk.ports import Transport

__all__ = ["Load"]

LAW = law("registry", "registry")
AGENTS = 3
AGAIN = 0.5
PATIENCE = 30.0
PAUSE_MS = (5, 20, 60)
WHILE_LIVE: Operation = {"id": "load", "op": "load"}


class Load(LiveWorld):
    """Agents that write their own entries and read one another's, until `stop` is called."""

    def __init__(self, seed: int, number: int, transport: Transport, namespace: str) -> None:
        rng = random.Random(f"{seed}:{number}")
        self._script = Script(rng, f"{namespace}-{number}", AGENTS, sim=False)
        nonce = self._script.nonce
        plan = Plan(seed, number, None, nonce, AGENTS, label=f"{nonce}:", operations=(WHILE_LIVE,))
        super().__init__(plan, transport, LAW, namespace, PATIENCE)
        self._stopped = False
        self.answered = 0

    @property
    def began(self) -> float:
        """When it began, in seconds of the clock that all loads of a process share."""
        return self._start

    @property
    def carried_out(self) -> Plan:
        """The plan as it was made up under way."""
        return self.plan.with_operations(self._script.operations)

    def stop(self) -> None:
        """Begin nothing more; `run` then settles, audits and returns."""
        self._stopped = True

    def killed(self) -> None:
        """Note that a server died, so that the judge knows what has to outlive it."""
        self._note("crashed")

    def restarted(self) -> None:
        """Note that it is back."""
        self._note("recovered")

    def judged(self) -> Judgement:
        """What the run shows."""
        return judge(self.carried_out, self.journal, LAW)

    async def _perform(self, op: Operation) -> None:
        if op is not WHILE_LIVE:
            await super()._perform(op)
            return
        operations = self._script.operations
        self._script.register_all()
        done = 0
        while not self._stopped:
            if done == len(operations):
                _step(self._script)
            await super()._perform(operations[done])
            done += 1
            self.answered += 1
        del operations[done:]

    async def _wait(self, op: str) -> None:
        """As an agent does: ask again, under the same id and sequence, until there is an answer to that."""
        async with asyncio.timeout(PATIENCE):
            while not self._answered[op].is_set():
                try:
                    async with asyncio.timeout(AGAIN):
                        await self._answered[op].wait()
                except TimeoutError:
                    await self._transmit(op, {})

    async def _transmit(self, op: str, faults: dict[str, int]) -> None:
        self._answered[op].clear()
        await super()._transmit(op, faults)

    async def _publish(self, op: str) -> None:
        try:
            await super()._publish(op)
        except TransportError:
            return  # lost, as on any network; it is asked again


def _step(script: Script) -> None:
    one, rng = script.anyone(), script.rng
    match rng.randrange(13):
        case 0:
            script.register(one)
        case 1 | 2 | 3:
            script.update(one)
        case 4:
            script.renew(one)
        case 5:
            script.deregister(one)
            script.register(one)
        case 6 | 7 | 8:
            script.lookup(one, wait=False)
        case 9 | 10 | 11:
            script.lookup(one, consistency="linearizable")
        case _:
            script.query(one, script.where(script.criterion()))
    script.advance(rng.choice(PAUSE_MS))
