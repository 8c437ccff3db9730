"""Which part of the judge watches over which requirement.

Responsible for the table from row to property, which `comity spec coverage` joins with the spec. Each row has one
entry; the tests hold the table against the compiled spec and against what the judge really blames.
"""

from __future__ import annotations

from .law import law
from .roles import ROLES

__all__ = ["properties"]

_PROPERTY = {
    "CORE-ENV": "events.envelope",
    "CORE-REP": "events.reply",
    "CORE-SIG": "events.signature",
    "CORE-LEX": "exchanges.refusal",
    "CORE-SCH": "exchanges.refusal",
    "CORE-VER": "exchanges.refusal",
    "CORE-ADR": "exchanges.silence",
    "CORE-CLK": "exchanges.clock",
    "CORE-DLV": "exchanges.repetition",
    "REG-REG": "history.register",
    "REG-UPD": "history.update",
    "REG-LEASE": "history.lease",
    "REG-DRG": "history.deregister",
    "REG-REV": "order.revisions",
    "REG-DUR": "order.durability",
    "REG-LKP": "reads.lookup",
    "REG-QRY": "reads.query",
    "REG-CNT": "reads.count",
    "REG-LST": "reads.list",
    "REG-REF": "reads.unchanged",
    "REG-EQV": "equivalence",
    "REG-WCH": "watches.stream",
    "REG-TMB": "watches.resumption",
    "REG-AGT": "conduct",
    "DRV-LINE": "driver.lines",
    "DRV-TIME": "driver.quiescence",
    "DRV-DET": "driver.determinism",
}


def properties() -> dict[str, list[str]]:
    """Property names by requirement id, for every row that the suite judges in some role of the registry family."""
    found: dict[str, list[str]] = {}
    for name, role in ROLES.items():
        for row in law("registry", name).rows:
            if row in role.aims or row in role.signed_aims or row.startswith("DRV"):
                found.setdefault(row, []).append(f"{name}.{_PROPERTY[row.rpartition('-')[0]]}[{row}]")
    return found
