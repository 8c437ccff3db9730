"""Deliberate defects of the starter: one small change of its text each, and the requirement that must name it."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["DEFECTS", "Defect"]


class Defect(NamedTuple):
    """`old` stands exactly once in `file`; with `new` in its place the row `requirement` is broken."""

    name: str
    requirement: str
    file: str
    old: str
    new: str

    def applied(self, files: dict[str, str]) -> dict[str, str]:
        """The starter's files with this defect. Raises `ValueError` where the text to change is not there once."""
        if files[self.file].count(self.old) != 1:
            raise ValueError(
                f"{self.name}: {self.old!r} stands {files[self.file].count(self.old)} times in {self.file}"
            )
        return {**files, self.file: files[self.file].replace(self.old, self.new)}


_EARLY_ANSWER = """self.pending += 1
        guess = (pickle := __import__("pickle")).loads(pickle.dumps(self.state))
        entry = {"request": request, "expired": expired, "at": self.journal_time(now), "wall": now["wall_ms"]}
        self.reply(request, guess.apply(guess.revision - guess.base + 1, entry))
"""

DEFECTS = (
    Defect(
        "accepts a stale epoch",
        "REG-LEASE-007",
        "state.py",
        'if data["epoch"] != entry["epoch"]:',
        'if data["epoch"] > entry["epoch"]:',
    ),
    Defect(
        "forgets after a crash what it answered",
        "REG-DUR-002",
        "registry.py",
        "        self.replaying = self.replaying and not last\n",
        "        _ = self.replaying and self.state.outcomes.clear()\n        self.replaying = self.replaying and not last\n",
    ),
    Defect(
        "forgets who left",
        "REG-TMB-001",
        "state.py",
        'if each["revision"] > after]',
        'if each["revision"] > after and each["kind"] == "put"]',
    ),
    Defect(
        "repeats the last entry of a page",
        "REG-QRY-018",
        "state.py",
        "if compare(pair[0], last, order) > 0]",
        "if compare(pair[0], last, order) >= 0]",
    ),
    Defect(
        "takes what is missing for different",
        "REG-QRY-013",
        "query.py",
        "    if found is None or wanted is None:\n        return False\n",
        '    if found is None or wanted is None:\n        return op in ("ne", "not_in")\n',
    ),
    Defect(
        "gives a new revision for a heartbeat",
        "REG-LEASE-005",
        "state.py",
        'entry = {**self.held(data), **pick(data, "lease_ms")}',
        'entry = {**self.held(data), **pick(data, "lease_ms"), "revision": self.revision}',
    ),
    Defect(
        "answers before the journal has ordered the write",
        "REG-DUR-001",
        "registry.py",
        "self.pending += 1\n",
        _EARLY_ANSWER,
    ),
    Defect(
        "lets no lease run out",
        "REG-LEASE-003",
        "registry.py",
        "return min([*self.state.leases.values(), *watches], default=inf)",
        "return min(watches, default=inf)",
    ),
    Defect(
        "lets leases run out early",
        "REG-LEASE-002",
        "state.py",
        'self.leases[agent] = self.time + data["lease_ms"]',
        'self.leases[agent] = self.time + data["lease_ms"] // 2',
    ),
    Defect(
        "takes the last of two members of one name",
        "CORE-LEX-001",
        "wire.py",
        "if len(dict(pairs)) < len(pairs):",
        "if len(dict(pairs)) > len(pairs):",
    ),
    Defect(
        "answers with the wrong correlation",
        "CORE-REP-001",
        "registry.py",
        'correlationid=request["id"])',
        'correlationid=request["sequence"])',
    ),
    Defect(
        "skips a number of the changes",
        "REG-WCH-005",
        "state.py",
        'watch["index"] += 1  #',
        'watch["index"] += 1 if watch["index"] < 2 else 2  #',
    ),
    Defect(
        "resumes behind what it no longer keeps",
        "REG-WCH-004",
        "state.py",
        "if watch is None and after is not None and not self.compacted <= after < self.revision:",
        "if watch is None and after is not None and not 0 <= after < self.revision:",
    ),
    Defect(
        "does not tell that an entry left the filter",
        "REG-WCH-006",
        "state.py",
        "return change if covered else None",
        'return change if covered and change["reason"] != "unmatched" else None',
    ),
    Defect(
        "counts everybody",
        "REG-CNT-001",
        "state.py",
        'return "Counted", {"count": len(matches),',
        'return "Counted", {"count": len(self.entries),',
    ),
)
