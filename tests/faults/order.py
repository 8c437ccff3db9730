"""One order for all: what several loads saw of one registry, held against each other by revision and time.

Responsible for what no single plan can show, since each is judged by itself: that nothing which anybody was told is
behind what anybody was told before. Not responsible for what an answer has to say.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from comity.conformance.judge._case import Request, read

from .load import LAW, Load

__all__ = ["told_out_of_order"]


class Told(NamedTuple):
    """One request that was answered at a revision: when it was first sent and when answered, in seconds."""

    sent: float
    answered: float
    revision: int
    wrote: bool
    what: str


def told_out_of_order(loads: Iterable[Load]) -> list[str]:
    """Answers that go back: REG-REV-001, 002 and 004 over all loads, and no linearizable read behind an earlier one."""
    told = [one for load in loads for one in _told(load)]
    events = sorted([(one.sent, 0, one) for one in told] + [(one.answered, 1, one) for one in told])
    known, floor, owners, found = 0, dict[Told, int](), dict[int, Told](), list[str]()
    for _, is_answer, one in events:
        if not is_answer:
            floor[one] = known
            continue
        least = floor[one] + 1 if one.wrote else floor[one]
        if one.revision < least:
            found.append(
                f"{one.what} was sent after revision {floor[one]} was known, and answered at {one.revision}"
            )
        if one.wrote and owners.setdefault(one.revision, one) is not one:
            found.append(
                f"{one.what} and {owners[one.revision].what} were both given revision {one.revision}"
            )
        known = max(known, one.revision)
    return found


def _told(load: Load) -> Iterable[Told]:
    case = read(load.carried_out, load.journal, LAW)
    for request in case.requests.values():
        wrote = LAW.is_write(request.message)
        revision = _revision(request)
        if revision is None or not (wrote or request.data["consistency"] == "linearizable"):
            continue
        sent, answered = (load.began + ms / 1000 for ms in (request.sent_t, request.answers[0].t))
        yield Told(sent, answered, revision, wrote, f"{request.message} {load.plan.nonce}.{request.op}")


def _revision(request: Request) -> int | None:
    """The revision of its first answer, where that names one and is no refusal."""
    answer = request.answer
    if answer is None or answer.wrong or answer.message == "Refused":
        return None
    revision = answer.data.get("revision")
    return revision if isinstance(revision, int) else None
