"""Aims: for each requirement row one way to make its trigger likely, in many variations.

Responsible for the table from row to scenario. Not responsible for judging; a scenario that misses its aim costs
a plan and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from . import _alike as alike
from . import _entries as entries
from . import _hostile as hostile
from . import _queries as queries
from . import _repeats as repeats
from . import _watches as watches
from ._script import OPS, Script
from ._walk import walk

__all__ = ["AIMS", "ALIKE", "SIGNED_AIMS", "SIM_ONLY"]

Scenario = Callable[[Script], Any]
ALIKE: Final = "REG-EQV-001"
"""The row about every place at once: its plans are run in each, and what they show is compared."""


def _table() -> dict[str, tuple[Scenario, ...]]:
    found: dict[str, tuple[Scenario, ...]] = {}

    def put(rows: str, *scenarios: Scenario) -> None:
        for row in rows.split():
            found[row] = scenarios

    put("REG-REG-001 REG-REG-002 REG-REG-003 REG-REG-005", entries.again)
    put("REG-REG-004", entries.foreign)
    put("REG-REG-006 REG-REG-007", entries.conditional, entries.condition_absent)
    put("REG-UPD-001 REG-UPD-002 REG-UPD-003", entries.updates)
    put("REG-UPD-004 REG-LEASE-007 REG-DRG-002", entries.epochs)
    put("REG-UPD-005 REG-LEASE-004 REG-DRG-003 REG-LKP-002", entries.absent)
    put("REG-UPD-006 REG-DRG-004", entries.conditional)
    put("REG-LEASE-001 REG-LEASE-006", entries.lease_length, entries.leases)
    put("REG-LEASE-002 REG-LEASE-003", entries.leases)
    put("REG-LEASE-005", entries.renew_quiet)
    put("REG-LEASE-008", entries.lease_crash)
    put("REG-DRG-001", entries.absent, entries.again)
    put("REG-REV-001 REG-REV-002", entries.concurrent, entries.again)
    put("REG-REV-003 REG-REF-001", entries.stale_read, entries.epochs, entries.conditional)
    put("REG-REV-004", entries.stale_read, entries.pipelined)
    put("REG-DUR-001 REG-DUR-002", entries.crashes)
    put(ALIKE, alike.alike)
    put("REG-LKP-001", entries.updates)
    for n, op in enumerate(OPS, 2):
        put(f"REG-QRY-{n:03d}", partial(queries.filters, op))
    put("REG-QRY-001 REG-QRY-013 REG-QRY-015 REG-CNT-001", partial(queries.filters, None))
    put("REG-QRY-014 REG-QRY-018", queries.pages)
    put("REG-QRY-016", queries.bare)
    put("REG-QRY-017", queries.order)
    put("REG-QRY-019", queries.foreign_cursor)
    put("REG-LST-001", queries.lists)
    put("REG-WCH-001 REG-WCH-002 REG-WCH-005 REG-WCH-008", watches.watching)
    put("REG-WCH-003", watches.resume)
    put("REG-WCH-004", watches.compacted)
    put("REG-TMB-001 REG-TMB-002", watches.resume_deleted, watches.resume)
    put("REG-WCH-006 REG-WCH-007", watches.leaving)
    put("REG-WCH-009", watches.watch_lapse)
    put("REG-WCH-010 REG-WCH-011", watches.watch_again)
    put("REG-WCH-012", watches.watch_crash)
    put("REG-WCH-013", watches.watch_gone)
    put("CORE-ENV-001 CORE-ENV-002 CORE-ENV-003 CORE-REP-001 CORE-REP-002 CORE-REP-003", walk)
    put("CORE-ENV-006", hostile.garbage)
    put("CORE-DLV-001", entries.repeats)
    put("CORE-DLV-002", entries.stale_sequence)
    put("CORE-DLV-003", entries.reused)
    put("CORE-DLV-004", repeats.remembered)
    put("CORE-DLV-005", repeats.outlived)
    put("CORE-DLV-006", repeats.returning)
    put("CORE-CLK-001", hostile.ahead)
    put("CORE-CLK-002", hostile.flood)
    put("CORE-CLK-003", hostile.expired)
    for row, kind in (
        ("CORE-ENV-004", "bad_attribute"), ("CORE-ENV-005", "extra_attribute"), ("CORE-LEX-001", "duplicate_name"),
        ("CORE-LEX-002", "bad_number"), ("CORE-LEX-003", "bad_text"), ("CORE-LEX-004", "too_deep"),
        ("CORE-LEX-005", "truncated"), ("CORE-LEX-006", "too_large"), ("CORE-SCH-001", "invalid"),
        ("CORE-SCH-002", "unknown_type"), ("CORE-SCH-003", "invalid"), ("CORE-VER-001", "other_major"),
        ("CORE-VER-002", "unknown_member"), ("CORE-VER-003", "newer_member"), ("CORE-VER-004", "critical_member"),
        ("CORE-ADR-001", "foreign_namespace"),
    ):  # fmt: skip
        put(row, partial(hostile.hostile, kind))
    return found


AIMS: Final = _table()
SIGNED_AIMS: Final[dict[str, tuple[Scenario, ...]]] = {
    "CORE-SIG-001": (walk,),
    "CORE-SIG-002": (partial(hostile.hostile, "unsigned"),),
    "CORE-SIG-003": (partial(hostile.hostile, "forged"),),
    "CORE-SIG-004": (partial(hostile.hostile, "altered"),),
    "CORE-SIG-005": (partial(hostile.hostile, "other_key"),),
    "CORE-SIG-006": (partial(hostile.hostile, "weak_key"),),
}
# rows whose trigger needs the whole namespace, the journal, the clock or raw bytes in the suite's own hands
SIM_ONLY: Final = frozenset(
    [
        "REG-LST-001",
        "REG-LEASE-008",
        "REG-DUR-001",
        "REG-DUR-002",
        "REG-WCH-012",
        "REG-WCH-004",
        "REG-TMB-002",
        "CORE-ENV-006",
        "CORE-DLV-004",
        "CORE-DLV-005",
        "CORE-DLV-006",
    ]
)
