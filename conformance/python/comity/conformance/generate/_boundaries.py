"""Boundaries: for each row the situations in which a registry that is nearly right goes wrong.

Responsible for the table from row to boundary scenarios. Simulation only: they count milliseconds, crash the subject, or
fill the namespace. Not responsible for the plain scenarios of every row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from . import _boundary_reads as reads
from . import _boundary_writes as writes
from ._script import Script

__all__ = ["BOUNDARIES", "COSTLY"]

Scenario = Callable[[Script], Any]


def _table() -> dict[str, tuple[Scenario, ...]]:
    rows: dict[str, tuple[Scenario, ...]] = {
        "REG-LEASE-001": (writes.another_length,),
        "REG-LEASE-002": (writes.another_length, writes.wall_jump),
        "REG-LEASE-003": (writes.not_renewed, writes.together, writes.busy, writes.wall_jump),
        "REG-LEASE-004": (writes.just_expired,),
        "REG-LEASE-006": (writes.another_length, writes.lengths),
        "REG-REG-002": (writes.just_expired,),
        "REG-REG-006": (writes.both_wrong,),
        "REG-UPD-001": (writes.clear_carried,),
        "REG-UPD-002": (writes.clear_carried,),
        "REG-UPD-003": (writes.said_again,),
        "REG-UPD-004": (writes.both_wrong,),
        "REG-DRG-002": (writes.both_wrong,),
        "REG-DUR-002": (writes.refused_then, reads.crash_between),
        "REG-REV-003": (reads.under_way,),
        "REG-REV-004": (reads.under_way,),
        "REG-QRY-001": (reads.odd_filters,),
        "REG-QRY-012": (reads.odd_filters, reads.close_values),
        "REG-QRY-014": (reads.crowd, reads.page_by_page),
        "REG-QRY-017": (reads.many_keys, reads.close_values),
        "REG-QRY-018": (reads.page_by_page,),
        "REG-QRY-019": (reads.other_query,),
        "REG-CNT-001": (reads.odd_filters, reads.crowd),
        "REG-WCH-001": (reads.side_by_side, reads.crowd),
        "REG-WCH-002": (reads.side_by_side,),
        "REG-WCH-003": (reads.behind,),
        "REG-WCH-004": (reads.behind,),
        "REG-TMB-002": (reads.behind,),
        "REG-WCH-005": (reads.side_by_side,),
        "REG-WCH-007": (reads.side_by_side,),
        "REG-WCH-010": (reads.named_again, writes.watch_twice_said),
        "REG-WCH-011": (writes.watch_twice_said,),
        "REG-WCH-012": (reads.crash_between,),
        "CORE-DLV-001": (writes.refused_then, writes.watch_twice_said, writes.window),
        "CORE-DLV-002": (writes.window, writes.own_window),
        "CORE-CLK-001": (writes.held_apart,),
        "CORE-CLK-002": (writes.held_apart,),
        "CORE-CLK-003": (writes.expiry_exact,),
        "CORE-LEX-005": (writes.large_and_padded,),
        "CORE-LEX-006": (writes.large_and_padded,),
        "CORE-VER-004": (writes.large_and_padded,),
        "CORE-REP-001": (reads.under_way,),
    }
    return rows | {f"REG-QRY-{n:03d}": (reads.close_values,) for n in (*range(2, 12), 15)}


BOUNDARIES: Final = _table()
COSTLY: Final = frozenset({reads.crowd})
"""What is run where it is aimed for, and not at random."""
