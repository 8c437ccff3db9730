"""The watches of an agent as the judge keeps them.

Responsible for REG-AGT-006 to REG-AGT-008: nothing behind a gap reaches the user, and behind a gap, or where the registry
forgot the watch, the agent watches anew from where it was. Not responsible for what a registry sends.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from ..judge import Judgement
from ._asks import PATIENCE_MS, Ask, Asks, Suspects

__all__ = ["Stream", "Streams"]

Data = dict[str, Any]
Batch = tuple[int, int]


@dataclass(slots=True)
class Stream:
    """One watch as its user knows it; `name` is what the registry knows it by, "" while it has to begin anew."""

    ticket: Any
    where: str
    revision: int
    name: str = ""
    index: int = 0
    begins: int = 1
    gap: int | None = None
    row: str = "REG-AGT-006"
    answered: int = 0
    lease: int | None = None
    closed: bool = False
    given: int = 0
    due: set[Batch] = field(default_factory=set[Batch])
    behind: set[Batch] = field(default_factory=set[Batch])


class Streams:
    """The open watches by what they cover; a plan opens no two that cover the same."""

    def __init__(self, out: Judgement, asks: Asks, suspects: Suspects) -> None:
        self._out, self._asks, self._suspects = out, asks, suspects
        self._streams: dict[str, Stream] = {}

    def open(self, args: Data) -> None:
        """The user watches."""
        where = _key(args.get("where"))
        known = self._streams.get(where)
        if known is None or known.closed:
            self._streams[where] = Stream(args.get("ticket"), where, args.get("after", 0))

    def close(self, ticket: Any) -> None:
        """The user watches no longer."""
        for stream in self._streams.values():
            stream.closed = stream.closed or stream.ticket == ticket

    def crash(self) -> None:
        self._streams.clear()

    def slot(self, message: str, data: Data) -> str:
        """What a Watch or Unwatch is about: the watch that has its name, or may take it."""
        named = (s for s in self._streams.values() if s.name == data["watch"])
        stream = next(named, self._streams.get(_key(data.get("where"))) if message == "Watch" else None)
        return f"watch {stream.where}" if stream is not None else f"watch {data['watch']}"

    def _named(self, name: str) -> Stream | None:
        return next((s for s in self._streams.values() if s.name == name and not s.closed), None)

    def sent(self, ask: Ask) -> None:
        """A new Watch was sent: under a new name, it is the new beginning that was due."""
        name, after = ask.data["watch"], ask.data.get("after", 0)
        if (known := self._named(name)) is not None:
            self._prolonged(known, ask)
            return
        stream = self._streams.get(_key(ask.data.get("where")))
        if stream is None or stream.name or stream.begins == 0:
            return
        stream.begins -= 1
        stream.name, stream.index = name, 0
        if stream.gap is None or stream.closed:
            return
        stream.gap = None
        if stream.given:
            self._out.fire(stream.row)
        if after != stream.revision or "index" in ask.data:
            wanted = f"after {stream.revision}" if stream.revision else "no after"
            self._out.blame([stream.row], ask.emission.n, f"{wanted} and no index", f"after {after}",
                            "The agent watches anew from another place than the revision that it has.")  # fmt: skip

    def _prolonged(self, stream: Stream, ask: Ask) -> None:
        """A live watch was named again."""
        self._out.fire("REG-AGT-007")
        stream.lease = None
        index = ask.data.get("index")
        if index != stream.index:
            self._out.blame(["REG-AGT-007"], ask.emission.n, f"index {stream.index}", f"index {index}",
                            f"The last Changes of the watch had index {stream.index}.")  # fmt: skip

    def changes(self, data: Data, t: int) -> bool:
        """Changes came. Gives whether the user has to get them."""
        stream = self._named(data["watch"])
        batch = (data["index"], data["revision"])
        if stream is None:
            for other in self._streams.values():
                other.behind.add(batch)
            return False
        if data["index"] > stream.index + 1:
            stream.behind.add(batch)
            self._break(stream, t)
            return False
        if data["index"] <= stream.index:
            return False
        stream.index, stream.revision = batch
        stream.due.add(batch)
        return True

    def watching(self, data: Data, t: int) -> None:
        """A Watch was answered; an index beyond the last one seen tells of a gap as well."""
        stream = self._named(data["watch"])
        if stream is None:
            return
        stream.answered, stream.lease = t, data["lease_ms"]
        if data["index"] > stream.index:
            self._break(stream, t)

    def _break(self, stream: Stream, t: int, row: str = "REG-AGT-006") -> None:
        stream.gap, stream.row = t, row
        self._begin(stream)

    def _begin(self, stream: Stream) -> None:
        self._asks.end_slot(f"watch {stream.where}")
        stream.name, stream.lease = "", None
        stream.begins += 1

    def refused(self, data: Data, code: str, t: int) -> bool:
        """A Watch was refused: the watch begins again. Gives whether that is from where it was, without a snapshot."""
        stream, gone = self._named(data["watch"]), code == "registry.unknown_watch"
        if stream is not None and gone:
            self._break(stream, t, "REG-AGT-008")
        elif stream is not None:
            stream.revision = 0
            self._begin(stream)
        return gone

    def told(self, data: Data, n: int) -> None:
        """The user was given changes."""
        batch = (data.get("index"), data.get("revision"))
        for stream in self._streams.values():
            if stream.ticket != data.get("ticket"):
                continue
            if batch in stream.due:
                stream.given += 1
            elif batch in stream.behind:
                self._out.fire("REG-AGT-006")
                self._out.blame(["REG-AGT-006"], n, f"nothing behind revision {stream.revision}", f"index {batch[0]}",
                                f"Changes up to {batch[1]} were given although earlier ones are missing.")  # fmt: skip

    def pass_time(self, t: int, n: int) -> None:
        """A gap has to be closed, and a live watch prolonged, in time."""
        for stream in self._streams.values():
            self._lapsing(stream, t, n)
            if stream.gap is not None and not stream.closed and t > stream.gap + PATIENCE_MS:
                began, stream.gap = stream.gap, None
                self._out.fire(stream.row)
                what = "gap" if stream.row == "REG-AGT-006" else "refusal"
                self._out.blame([stream.row], n, f"a Watch after {stream.revision} under another name", "none",
                                f"The {what} of {began} ms did not make the agent watch anew.")  # fmt: skip

    def _lapsing(self, stream: Stream, t: int, n: int) -> None:
        if stream.lease is None or stream.closed or 3 * (t - stream.answered) < 2 * stream.lease:
            return
        self._out.fire("REG-AGT-007")
        by = stream.answered + 2 * stream.lease // 3
        rows = [*self._suspects.since(stream.answered), "REG-AGT-007"]
        self._out.blame(rows, n, f"a Watch of {stream.name} before {by} ms", "none",
                        f"The watch's lease of {stream.lease} ms was last confirmed at {stream.answered} ms.")  # fmt: skip
        stream.lease = None


def _key(where: Any) -> str:
    return json.dumps(where, sort_keys=True)
