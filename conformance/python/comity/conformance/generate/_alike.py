"""Plans that end alike wherever they run: nothing in them hangs on real time, on loss, or on what others write.

Responsible for which scenarios serve, and for taking out of them what a transport or a journal may decide. Not
responsible for comparing the runs (see `equivalence`).
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from ..plan import Operation
from . import _entries as entries
from . import _hostile as hostile
from . import _queries as queries
from . import _watches as watches
from ._script import LONG, Script
from ._walk import walk

__all__ = ["alike"]

_ANSWERED: Final = (
    "extra_attribute duplicate_name bad_number bad_text too_deep truncated too_large invalid unknown_type other_major "
    "unknown_member newer_member critical_member"
)


def _pipelined(s: Script) -> None:
    """An agent that does not wait: its writes take effect, and are answered, in the order in which it sent them."""
    s.register_all()
    s.watch(0)
    for c in s.rng.sample(range(s.clients), 2):
        for _ in range(s.rng.randrange(2, 6)):
            s.rng.choice((s.update, s.renew))(c, wait=False)
        s.deregister(c) if s.rng.random() < 0.3 else s.lookup(c, c)


_SCENARIOS: Final = (
    entries.absent, entries.again, entries.condition_absent, entries.conditional, entries.epochs, entries.foreign,
    entries.renew_quiet, entries.repeats, entries.reused, entries.stale_read, entries.updates,
    queries.bare, partial(queries.filters, None), queries.foreign_cursor, queries.order, queries.pages,
    watches.leaving, watches.resume, watches.resume_deleted, watches.watch_again, watches.watching, walk,
    _pipelined, _pipelined, _pipelined,
)  # fmt: skip
_HOSTILE: Final = tuple(partial(hostile.hostile, kind) for kind in _ANSWERED.split())


def alike(s: Script) -> None:
    """Any scenario, calmed."""
    s.rng.choice(s.rng.choice((_SCENARIOS, _SCENARIOS, _HOSTILE)))(s)
    s.operations[:] = [_calm(op) for op in s.operations if op["op"] in ("send", "repeat")]
    s.parameters.clear()


def _calm(op: Operation) -> Operation:
    """The operation without loss, with a lease that outlives the plan and reads that see every write."""
    taken_out = ("faults", "wait") if "faults" in op else ()
    calm = {name: value for name, value in op.items() if name not in taken_out}
    if "data" not in op:
        return calm
    data: dict[str, Any] = dict(op["data"])
    if "lease_ms" in data:
        data["lease_ms"] = LONG
    if "consistency" in data:
        data["consistency"] = "linearizable"
    return {**calm, "data": data}
