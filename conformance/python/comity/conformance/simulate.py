"""One subject in simulation: greeting it, probing it, running and judging plans against it.

Responsible for everything between a target string and a judged run. Not responsible for which plans are run.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass, replace
from typing import Any

from .driver import Conversation, DriverFactory, SubjectLost
from .equivalence import compare, history
from .errors import AdapterError
from .generate import ALIKE
from .judge import Judgement
from .law import Law
from .plan import Plan
from .roles import role_of
from .wire import dump

__all__ = ["Run", "Simulation", "encode"]

OTHER = 4  # a plan's incarnation is 1 or 3: what it is not


def encode(journal: list[dict[str, Any]]) -> bytes:
    """Canonical bytes of a journal: one JSON line a record."""
    return b"".join(dump(record).encode("utf-8", "surrogatepass") + b"\n" for record in journal)


@dataclass(slots=True)
class Run:
    """One plan, carried out and judged."""

    plan: Plan
    journal: list[dict[str, Any]]
    judgement: Judgement
    lines: int = 0

    @property
    def digest(self) -> str:
        return hashlib.sha256(encode(self.journal)).hexdigest()

    @property
    def seen_faults(self) -> int:
        """Faults that took effect."""
        return sum(record["what"] in ("lost", "crashed", "wall") for record in self.journal)


class Simulation:
    """A driver in hand. Raises `AdapterError` from `greet` where the subject cannot be driven at all."""

    def __init__(self, factory: DriverFactory, law: Law, seed: int) -> None:
        self.law, self.seed, self._role = law, seed, role_of(law.role)
        self.welcome: dict[str, Any] = {}
        self._driver = factory()
        self._talk = Conversation(self._driver, law)
        self._greeted = False

    @property
    def lines(self) -> int:
        return self._talk.lines

    def greet(self) -> dict[str, Any]:
        """Exchange Hello and Welcome. Raises `AdapterError`."""
        try:
            kind, data = self._talk.ask("Hello", {"versions": [self.law.driver.version]})
        except SubjectLost as lost:
            raise AdapterError(f"the subject does not answer Hello ({lost.kind}): {lost.quote}") from lost
        if kind != "Welcome":
            raise AdapterError(f"the subject answers Hello with {kind}: {dump(data)[:200]}")
        if self.law.role not in data["roles"]:
            raise AdapterError(f"the subject plays {', '.join(data['roles'])}, not {self.law.role}")
        if data["storage"] != "host":
            raise AdapterError(
                "the subject keeps its own storage; the simulation needs storage 'host' for now"
            )
        self.welcome, self._greeted = data, True
        return data

    def probe(self, out: Judgement) -> None:
        """DRV-LINE-002: commands with random names."""
        rng = random.Random(f"{self.seed}:probe")
        for _ in range(3):
            name = "".join(rng.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ") for _ in range(9)).title()
            out.fire("DRV-LINE-002")
            try:
                kind, _ = self._talk.ask(name, {"surprise": rng.randrange(1000)})
            except SubjectLost as lost:
                kind = f"{lost.kind}: {lost.quote}"
                self._greeted = False
            if kind != "Unsupported":
                prose = f"The command {name} exists nowhere and was answered with {kind}."
                out.blame(["DRV-LINE-002"], 0, "Unsupported", kind, prose)

    def run(self, plan: Plan) -> Run:
        """Carry out and judge a plan. A broken conversation costs this run; the next begins a new life."""
        before = self._talk.lines
        if not self._greeted:
            self.greet()
        self._talk.recount()
        journal = self._role.world(plan, self._talk, self.law).run()
        if journal[-1]["what"] == "broken":
            self._talk.kill()
            self._greeted = False
        judgement = self._role.judge(plan, journal, self.law)
        if plan.aim == ALIKE and judgement.lost is None:
            self._elsewhere(plan, journal, judgement)
        return Run(plan, journal, judgement, self._talk.lines - before)

    def _elsewhere(self, plan: Plan, journal: list[dict[str, Any]], judgement: Judgement) -> None:
        """REG-EQV-001: the plan once more, on a journal that numbers its entries otherwise."""
        other = replace(plan, gaps=not plan.gaps, incarnation=OTHER - plan.incarnation)
        again = self._role.world(other, self._talk, self.law).run()
        where = "on a journal with other positions and another incarnation"
        compare(judgement, history(plan, journal), history(other, again), where)

    def close(self) -> None:
        """Say Stop and end the subject."""
        if self._greeted:
            try:
                self._talk.ask("Stop", {})
            except SubjectLost:
                self._greeted = False
        self._driver.close()
