"""Role `agent`: the suite plays the registry, the user and the network to one agent.

Responsible for plans, their execution and their judgement, by the machines Membership and Watcher and the rows
REG-AGT and by those core rows that bind whoever sends or receives an event. Not responsible for campaigns, shrinking
or reports, which are the same for every role.
"""

from __future__ import annotations

from typing import Final

from ._diagram import diagram
from ._judge import judge
from ._scenarios import AIMS, SIGNED_AIMS, generate
from ._world import AgentWorld

__all__ = ["AIMS", "BEYOND", "SIGNED_AIMS", "AgentWorld", "diagram", "generate", "judge"]

_ASKED: Final = "it is about requests, and nobody asks an agent"
_WRITES: Final = "it is about writes that arrive, and nobody writes to an agent"
_REPLIES: Final = "it is about replies, and an agent sends none"

# rows of role endpoint that bind no agent, each with the reason
BEYOND: Final = {
    "CORE-ENV-004": _ASKED,
    **dict.fromkeys([f"CORE-REP-{n:03d}" for n in range(1, 4)], _REPLIES),
    **dict.fromkeys([f"CORE-LEX-{n:03d}" for n in range(1, 7)], _ASKED),
    **dict.fromkeys([f"CORE-SCH-{n:03d}" for n in range(1, 4)], _ASKED),
    **dict.fromkeys(["CORE-VER-001", "CORE-VER-002", "CORE-VER-004"], _ASKED),
    **dict.fromkeys([f"CORE-DLV-{n:03d}" for n in range(1, 7)], _WRITES),
    **dict.fromkeys(["CORE-CLK-002", "CORE-CLK-003"], _ASKED),
}
