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
LONGEST = 6000  # operations, of which nobody does all
AGAIN = 0.5
PATIENCE = 30.0


class Load(LiveWorld):
    """Agents that write their own entries and read one another's, until `stop` is called."""

    def __init__(self, seed: int, number: int, transport: Transport, namespace: str) -> None:
        super().__init__(_plan(seed, number, namespace), transport, LAW, namespace, PATIENCE)
        self._stopped = False
        self.answered = 0

    @property
    def began(self) -> float:
        """When it began, in seconds of the clock that all loads of a process share."""
        return self._start

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
        return judge(self.plan, self.journal, LAW)

    async def _perform(self, op: Operation) -> None:
        if self._stopped and op["id"].startswith("o"):
            return
        await super()._perform(op)
        self.answered += 1

    async def _wait(self, op: str) -> None:
        """As an agent does: ask again, under the same id and sequence, until there is an answer to that."""
        async with asyncio.timeout(PATIENCE):
            while True:
                _, late = await asyncio.wait(
                    {asyncio.ensure_future(self._answered[op].wait())}, timeout=AGAIN
                )
                if not late:
                    return
                for waiting in late:
                    waiting.cancel()
                await self._transmit(op, {})

    async def _transmit(self, op: str, faults: dict[str, int]) -> None:
        self._answered[op].clear()
        await super()._transmit(op, faults)

    async def _publish(self, op: str) -> None:
        try:
            await super()._publish(op)
        except TransportError:
            return  # lost, as on any network; it is asked again


def _plan(seed: int, number: int, namespace: str) -> Plan:
    rng = random.Random(f"{seed}:{number}")
    script = Script(rng, f"{namespace}-{number}", AGENTS, sim=False)
    script.register_all()
    while len(script.operations) < LONGEST:
        _step(script)
    return Plan(
        seed,
        number,
        None,
        script.nonce,
        script.clients,
        label=f"{script.nonce}:",
        operations=tuple(script.operations),
    )


def _step(script: Script) -> None:
    one, rng = script.anyone(), script.rng
    match rng.randrange(14):
        case 0:
            script.register(one)
        case 1 | 2 | 3:
            script.update(one)
        case 4:
            script.renew(one)
        case 5:
            script.deregister(one)
            script.register(one)
        case 6 | 7:
            script.lookup(one, wait=False)
        case 8 | 9:
            script.lookup(one, consistency="linearizable")
        case 10:
            script.query(one, script.where(script.criterion()))
        case _:
            script.advance(rng.choice((5, 20, 100)))
