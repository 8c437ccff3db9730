"""Boundaries: for each row the situations in which a registry that is nearly right goes wrong.

Responsible for the table from row to boundary scenarios. Simulation only: they count milliseconds, crash the subject, or
fill the namespace. Not responsible for the plain scenarios of every row.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from . import _boundary_reads as reads
from . import _boundary_writes as writes
from ._script import OPS, Script

__all__ = ["ANYWHERE", "BOUNDARIES"]

Scenario = Callable[[Script], Any]
ANY_CLOSE: Final = partial(reads.close_values, None)


def _table() -> dict[str, tuple[Scenario, ...]]:
    rows: dict[str, tuple[Scenario, ...]] = {
        "REG-REG-001": (writes.large_and_padded,),
        "REG-LEASE-001": (writes.another_length,),
        "REG-LEASE-002": (writes.another_length, writes.wall_jump),
        "REG-LEASE-003": (
            writes.not_renewed,
            writes.together,
            writes.busy,
            writes.wall_jump,
            writes.another_length,
        ),
        "REG-LEASE-004": (writes.just_expired,),
        "REG-LEASE-005": (writes.another_length,),
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
        "REG-REV-004": (reads.under_way, reads.left_then_read),
        "REG-QRY-001": (reads.odd_filters, ANY_CLOSE),
        "REG-QRY-012": (reads.odd_filters,),
        "REG-QRY-014": (reads.crowd, reads.page_by_page),
        "REG-QRY-017": (reads.many_keys, ANY_CLOSE),
        "REG-QRY-018": (reads.page_by_page,),
        "REG-QRY-019": (reads.other_query,),
        "REG-CNT-001": (reads.odd_filters, reads.crowd),
        "REG-WCH-001": (reads.side_by_side, reads.crowd, writes.watch_twice_said),
        "REG-WCH-002": (reads.side_by_side, reads.named_again),
        "REG-WCH-003": (reads.behind,),
        "REG-WCH-004": (reads.behind,),
        "REG-TMB-002": (reads.behind,),
        "REG-WCH-005": (reads.side_by_side,),
        "REG-WCH-007": (reads.side_by_side, reads.behind),
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
    for n, op in enumerate(OPS, 2):
        row = f"REG-QRY-{n:03d}"
        rows[row] = (*rows.get(row, ()), partial(reads.close_values, op))
    return rows


BOUNDARIES: Final = _table()
ANYWHERE: Final = tuple(
    scenario
    for scenario in dict.fromkeys(scenario for scenarios in BOUNDARIES.values() for scenario in scenarios)
    if scenario is ANY_CLOSE or (not isinstance(scenario, partial) and scenario is not reads.crowd)
)
"""What is also run without an aim: each once, but for the crowd, which costs as much as twenty others."""
