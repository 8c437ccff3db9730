"""Making plans: plan number i of a seed needs no plan before it.

Responsible for turning (seed, number, aim) into a plan. Not responsible for choosing the aim; that follows what
has fired so far.
"""

from __future__ import annotations

import random

from ..plan import Plan
from ._aims import AIMS, ALIKE, SIGNED_AIMS, SIM_ONLY
from ._boundaries import ANYWHERE, BOUNDARIES
from ._script import Script
from ._walk import walk

FAULTY = 0.15
SUBTLE = 0.7
# rows whose scenarios count on what was answered when
_EXACT = frozenset(
    [f"CORE-DLV-{n:03d}" for n in range(2, 7)] + ["CORE-CLK-001", "CORE-CLK-002", "CORE-CLK-003", ALIKE]
)

__all__ = ["AIMS", "ALIKE", "SIGNED_AIMS", "SIM_ONLY", "generate"]


def generate(
    seed: int, index: int, aim: str | None = None, *, sim: bool = True, nonce: str | None = None
) -> Plan:
    """Plan `index` of `seed`, aimed at a row or, without one, a free walk.

    With a `nonce` its clients are of its own, so that it can run where others have been.
    """
    rng = random.Random(f"{seed}:{index}:{aim}")
    signed = aim in SIGNED_AIMS
    clients = rng.choice((2, 2, 3, 3, 4))
    script = Script(rng, nonce or f"c{seed}-{index}", clients, sim)
    plain = AIMS.get(aim or "") or SIGNED_AIMS.get(aim or "") or (walk,)
    subtle = (BOUNDARIES.get(aim, ()) if aim else ANYWHERE) if sim else ()
    exact = bool(subtle) and rng.random() < SUBTLE
    scenario = rng.choice(subtle if exact else plain)
    script.faulty = rng.random() < FAULTY and aim not in _EXACT and not exact
    scenario(script)
    return Plan(
        seed=seed, index=index, aim=aim, nonce=script.nonce, clients=script.clients,
        label=f"{nonce}:" if nonce else "client-",
        profile="signed" if signed else "open", incarnation=rng.choice((1, 1, 1, 3)), gaps=rng.random() < 0.3,
        parameters=script.parameters, operations=tuple(script.operations),
    )  # fmt: skip
