"""A gateway between two brokers: namespaces at home on one can be read, and only read, on the other.

`Policy` decides about each event and does no I/O; `Gateway` runs it between two transports.
"""

from __future__ import annotations

from ._gateway import Gateway
from ._policy import Drop, Pass, Policy, Refuse, Side, Verdict

__all__ = ["Drop", "Gateway", "Pass", "Policy", "Refuse", "Side", "Verdict"]
