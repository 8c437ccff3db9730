"""What every plan ends with.

Responsible for the reads that hold a run to account. Not responsible for sending or judging them.
"""

from __future__ import annotations

from ..plan import Operation, Plan

__all__ = ["audit"]

LOOKED_UP = 8


def audit(plan: Plan) -> list[Operation]:
    """Reads at the end of a plan: whatever was written has to be there, and nothing else."""
    reads: list[Operation] = [
        {
            "id": f"audit{n}",
            "op": "send",
            "client": n,
            "message": "Lookup",
            "wait": False,
            "data": {"agent": {"$": "agent"}, "consistency": "linearizable"},
        }
        for n in range(min(plan.clients, LOOKED_UP))
    ]
    where = {"all": [{"path": "metadata.case", "op": "eq", "value": plan.nonce}]}
    query = {"where": where, "limit": 100, "consistency": "linearizable"}
    last: Operation = {"id": "audit", "op": "send", "client": 0, "message": "Query", "data": query}
    return [*reads, last]
