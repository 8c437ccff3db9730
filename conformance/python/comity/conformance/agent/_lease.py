"""The lease of an agent as the judge keeps it.

Responsible for REG-AGT-003 and REG-AGT-004. Not responsible for requests being repeated.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..judge import Judgement
from ._asks import Suspects

__all__ = ["Lease", "Leases"]


@dataclass(slots=True)
class Lease:
    """A lease from the answer at `answered` on; it ends at `ends`, counted from the first sending of the request."""

    epoch: int
    length: int
    answered: int
    ends: int
    renewed: bool = False
    leaving: bool = False


class Leases:
    """The one lease that an agent may hold. `held` is None while it has none, or is leaving."""

    def __init__(self, out: Judgement, suspects: Suspects) -> None:
        self._out, self._suspects = out, suspects
        self.held: Lease | None = None
        self._ended: Lease | None = None

    def grant(self, epoch: int, length: int, sent: int, now: int) -> None:
        """A Register or Renew first sent at `sent` was answered at `now`."""
        self.held = Lease(epoch, length, now, sent + length)

    def drop(self) -> None:
        """The lease ended otherwise: refused, left, crashed."""
        self.held = self._ended = None

    def renewing(self, t: int) -> None:
        """A new Renew was sent."""
        lease = self.held
        if lease is not None and not lease.renewed:
            lease.renewed = True
            self._out.fire("REG-AGT-003")

    def told(self) -> None:
        """The user was told that the lease is lost."""
        if self._ended is not None:
            self._out.fire("REG-AGT-004")
        self.drop()

    def pass_time(self, t: int, n: int) -> bool:
        """Judge what was due before `t`. Gives whether the lease ran out with that."""
        self._untold(t, n)
        lease = self.held
        if lease is None:
            return False
        two_thirds = 3 * lease.answered + 2 * lease.length
        if not lease.renewed and 3 * t >= two_thirds and two_thirds < 3 * lease.ends:
            lease.renewed = True
            self._out.fire("REG-AGT-003")
            rows = [*self._suspects.since(lease.answered), "REG-AGT-003"]
            self._out.blame(rows, n, f"a Renew before {two_thirds // 3} ms", "none",
                            f"The lease of {lease.length} ms was last confirmed at {lease.answered} ms.")  # fmt: skip
        if t < lease.ends:
            return False
        self._ended, self.held = None if lease.leaving else lease, None
        self._untold(t, n)
        return True

    def _untold(self, t: int, n: int) -> None:
        lease = self._ended
        if lease is not None and t > max(lease.ends, lease.answered):
            self._ended = None
            self._out.fire("REG-AGT-004")
            rows = [*self._suspects.since(lease.answered), "REG-AGT-004"]
            self._out.blame(rows, n, f"lost at {lease.ends} ms", "nothing",
                            f"The lease of {lease.length} ms ended and the user was not told.")  # fmt: skip
