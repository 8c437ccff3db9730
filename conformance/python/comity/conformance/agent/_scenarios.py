"""Plans for agents: what the user wants, and what goes wrong on the way.

Responsible for scenarios, each of which makes the triggers of some rows likely. Not responsible for carrying them out.

An operation is a mapping with `id` and `op`:
  do       request, args                            the user wants something
  advance  ms                                       time passes
  stage    on, kind [, message, times, ms, code, craft]  a fault waits for the next message that it fits
  cut      ms                                       nothing gets through for a while
  change   who, zone                                another agent registers in a zone, or leaves it (null)
  stray    message, to                              a reply that answers nothing
  wall     by_ms                                    the wall clock jumps
  crash    keep, down_ms                            the agent loses its memory and comes back
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Final

from ..plan import Operation, Plan
from ._frames import IGNORED

__all__ = ["AIMS", "SIGNED_AIMS", "generate"]

_ZONES: Final = ("a", "b")
_LEASES: Final = (1_500, 3_000, 9_000, 30_000)
_LONG: Final = 600_000
_CALM: Final = 40


class _Script:
    """A plan in the making."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.operations: list[Operation] = []
        self._tickets = 0

    def add(self, op: str, **detail: Any) -> None:
        self.operations.append({"id": f"o{len(self.operations) + 1}", "op": op, **detail})

    def advance(self, ms: int) -> None:
        self.add("advance", ms=ms)

    def do(self, request: str, **args: Any) -> str:
        self._tickets += 1
        ticket: str = args.pop("ticket", f"t{self._tickets}")
        self.add("do", request=request, args={**args, "ticket": ticket})
        return ticket

    def stage(self, on: str, kind: str, message: str | None = None, **detail: Any) -> None:
        fits = {} if message is None else {"message": message}
        self.add("stage", on=on, kind=kind, **fits, **detail)

    def join(self, lease: int = _LONG) -> None:
        capabilities = sorted(self.rng.sample(("ml.train", "ml.train@2", "vision"), self.rng.randrange(1, 3)))
        members = {"zone": self.rng.choice(_ZONES)} if self.rng.random() < 0.5 else {}
        self.do("join", capabilities=capabilities, lease_ms=lease, **members)

    def joined(self, lease: int = _LONG) -> None:
        self.join(lease)
        self.advance(_CALM)

    def watch(self, zone: str | None = None, lease: int = _LONG) -> str:
        name = zone or "all"
        where = {"where": {"all": [{"path": "zone", "op": "eq", "value": zone}]}} if zone else {}
        return self.do("watch", ticket=f"w-{name}", lease_ms=lease, **where)

    def read(self) -> str:
        """A single request; gives its message."""
        request = self.rng.choice(("lookup", "query", "list", "count"))
        bounded = {"limit": 10} if request in ("query", "list") else {}
        agent = {"agent": "did:key:z6Mk" + "1" * 44} if request == "lookup" else {}
        self.do(request, consistency="eventual", timeout_ms=20_000, **bounded, **agent)
        return request.capitalize()

    def changes(self, count: int, pause: int = _CALM) -> None:
        """Others come and go, in every zone."""
        for _ in range(count):
            zone = self.rng.choice((*_ZONES, *_ZONES, None))
            self.add("change", who=self.rng.randrange(4), zone=zone)
            self.advance(pause)

    def come(self, count: int, zone: str = "a") -> None:
        """Others come into one zone, each of them for the first time."""
        for who in range(count):
            self.add("change", who=10 + who, zone=zone)
            self.advance(_CALM)


Scenario = Callable[[_Script], object]


def _wish(script: _Script, message: str) -> None:
    """Let the user want what makes the agent send `message`, from where it is absent."""
    if message in ("Renew", "Deregister", "Update"):
        script.joined(3_000 if message == "Renew" else _LONG)
    if message == "Unwatch":
        ticket = script.watch()
        script.advance(_CALM)
        script.do("unwatch", ticket=ticket)
    elif message == "Register":
        script.join()
    elif message == "Deregister":
        script.do("leave")
    elif message == "Update":
        script.do("update", health="degraded", timeout_ms=20_000)
    elif message == "Watch":
        script.watch(script.rng.choice((None, *_ZONES)))
    elif message == "Lookup":
        script.read()


def _loss(script: _Script) -> None:
    """Requests or their answers are lost, and come through later."""
    message = script.rng.choice(("Register", "Renew", "Deregister", "Watch", "Unwatch", "Update", "Lookup"))
    on, times = script.rng.choice(("request", "reply")), script.rng.choice((1, 1, 2, 3))
    fits = None if message == "Lookup" else message
    script.stage(on, "drop", fits, times=times)
    _wish(script, message)
    script.advance(script.rng.choice((1_100, 2_500, 6_000)))


def _silence(script: _Script) -> None:
    """Nobody answers for a while."""
    message = script.rng.choice(("Register", "Deregister", "Watch", "Unwatch"))
    if message in ("Deregister", "Unwatch"):
        script.stage("request", "drop", message, times=script.rng.choice((2, 8, 30)))
        _wish(script, message)
    else:
        script.add("cut", ms=script.rng.choice((3_000, 8_000, 20_000)))
        _wish(script, message)
    script.advance(script.rng.choice((6_000, 12_000, 25_000)))


def _unheard(script: _Script) -> None:
    """A single request is given up without an answer."""
    script.add("cut", ms=60_000)
    _wish(script, "Lookup")
    script.advance(21_000)
    script.add("cut", ms=0)
    script.joined()


def _renewal(script: _Script) -> None:
    """A lease over several renewals, with some answers lost or late."""
    lease = script.rng.choice(_LEASES)
    script.join(lease)
    if script.rng.random() < 0.5:
        kind = script.rng.choice(("drop", "delay"))
        extra = {"ms": script.rng.choice((5, 100, lease // 8))} if kind == "delay" else {}
        script.stage("reply", kind, script.rng.choice(("Register", "Renew")), **extra)
    script.advance(lease * script.rng.choice((1, 2, 3)))


def _lapse(script: _Script) -> None:
    """The lease runs out unconfirmed, sometimes after an answer that was long on its way."""
    lease = script.rng.choice(_LEASES)
    if script.rng.random() < 0.5:
        script.stage("reply", "delay", "Register", ms=script.rng.choice((50, 400, 900)))
    elif script.rng.random() < 0.4:
        script.stage("request", "drop", "Register")
    script.join(lease)
    script.advance(script.rng.choice((950, 1_450, lease + 1_000)))
    script.add("cut", ms=lease * 2)
    if script.rng.random() < 0.5:
        script.add("wall", by_ms=script.rng.choice((-20_000, 60_000)))
    script.advance(lease * 2 - 1)


_ANSWERS: Final = {
    "Register": ("Registered", "Refused"),
    "Renew": ("Renewed", "Refused"),
    "Deregister": ("Deregistered", "Refused"),
    "Watch": ("Watching", "Refused"),
    "Unwatch": ("Unwatched", "Refused"),
    "Update": ("Updated", "Refused"),
    "Lookup": ("Found", "Refused"),
}


def _strays(script: _Script) -> None:
    """Replies that answer nothing come while a request of their kind waits, or while none does."""
    message = script.rng.choice(tuple(_ANSWERS))
    script.stage(
        script.rng.choice(("request", "reply")), "drop", None if message == "Lookup" else message, times=2
    )
    _wish(script, message)
    script.advance(script.rng.choice((10, 300, 1_020)))
    for _ in range(script.rng.choice((1, 2))):
        to = script.rng.choice(("nobody", "nobody", "answered"))
        script.add("stray", message=script.rng.choice(_ANSWERS[message]), to=to)
        script.advance(10)
    script.advance(script.rng.choice((500, 3_000)))


def _late(script: _Script) -> None:
    """Answers come twice, or after their request was given up."""
    message = script.rng.choice(("Register", "Renew", "Watch", "Lookup"))
    script.stage(
        "reply", "duplicate", None if message == "Lookup" else message, ms=script.rng.choice((1, 20, 700))
    )
    _wish(script, message)
    script.advance(1_500)
    script.stage("reply", "delay", "Register", ms=500)
    script.do("leave")
    script.advance(_CALM)
    script.join()
    script.advance(script.rng.choice((5, 100)))
    script.do("leave")
    script.advance(1_000)


def _gap(script: _Script) -> None:
    """Changes are lost, and later ones tell of it."""
    zone = script.rng.choice((None, None, "a"))
    script.watch(zone)
    script.advance(_CALM)
    script.come(script.rng.choice((1, 2)))
    script.stage("changes", "drop", times=script.rng.choice((1, 1, 2)))
    script.come(script.rng.choice((3, 4)), "a")
    script.changes(script.rng.choice((0, 3)))
    script.advance(script.rng.choice((100, 1_500)))


def _gap_at_first(script: _Script) -> None:
    """The very first changes are lost."""
    script.watch(script.rng.choice((None, "a")))
    script.stage("changes", "drop")
    script.advance(_CALM)
    script.come(script.rng.choice((1, 2, 3)))
    script.advance(500)


def _gap_by_answer(script: _Script) -> None:
    """The last changes are lost; only the answer to the next Watch tells."""
    script.watch(None, 3_000)
    script.advance(_CALM)
    script.come(1)
    script.stage("changes", "drop", times=2)
    script.come(2, "b")
    script.advance(script.rng.choice((1_500, 3_000)))
    script.come(1)


def _forgotten(script: _Script) -> None:
    """Nothing gets through for longer than a watch's lease, and the registry forgets the watch."""
    lease = script.rng.choice((1_500, 3_000))
    zone = script.rng.choice((None, "a"))
    script.watch(zone, lease)
    script.advance(_CALM)
    script.come(script.rng.choice((1, 2)))
    script.advance(script.rng.choice((0, 700, 1_000)))
    script.add("cut", ms=lease + script.rng.choice((200, 2_000)))
    script.changes(script.rng.choice((0, 1, 3)))
    script.advance(lease + script.rng.choice((2_500, 7_500, 7_500)))
    script.come(2)


def _swapped(script: _Script) -> None:
    """Changes overtake each other, or come twice."""
    script.watch()
    script.advance(_CALM)
    script.come(1)
    script.stage("changes", script.rng.choice(("delay", "duplicate")), ms=script.rng.choice((1, 60, 200)))
    script.come(3)
    script.advance(500)


def _refusals(script: _Script) -> None:
    """What the agent wants is refused."""
    message = script.rng.choice(("Register", "Renew", "Deregister", "Watch", "Unwatch", "Update"))
    code = "registry.compacted" if message == "Watch" else "registry.stale_epoch"
    script.stage("answer", "refuse", message, code=code)
    _wish(script, message)
    script.advance(2_500)
    if message == "Watch":
        script.changes(3)


def _crashes(script: _Script) -> None:
    """The agent crashes, comes back with what it kept, and wants something else."""
    message = script.rng.choice(("Register", "Watch", "Lookup", "Deregister"))
    _wish(script, message)
    script.advance(script.rng.choice((0, 0, 1, _CALM, 1_500)))
    for _ in range(script.rng.choice((1, 1, 2))):
        script.add("crash", keep=script.rng.random() < 0.3, down_ms=script.rng.choice((0, 100, 5_000)))
        script.join(script.rng.choice(_LEASES))
        script.watch(script.rng.choice(_ZONES))
        script.advance(script.rng.choice((_CALM, 2_000)))


def _odd(kind: str) -> Scenario:
    """An answer, or changes, that are odd or hostile in one way."""

    def scenario(script: _Script) -> None:
        craft: dict[str, Any] = {"kind": kind}
        if kind == "ahead":
            craft["ahead_ms"] = script.rng.choice((501, 700, 1_400, 5_000))
        message = script.rng.choice(("Register", "Lookup", "Deregister", "Unwatch", "Update"))
        on, kept = "reply", None if message == "Lookup" else message
        if kind in ("extra_attribute", "newer_member") and script.rng.random() < 0.3:
            on, kept, message = "changes", None, "Watch"
        script.stage(
            on, "craft", kept, craft=craft, times=1 if kind == "ahead" else script.rng.choice((1, 2))
        )
        _wish(script, message)
        script.advance(_CALM)
        if message == "Watch":
            script.come(2)
        script.advance(script.rng.choice((1_100, 3_000)))
        if kind in IGNORED and script.rng.random() < 0.5:
            script.joined() if message not in ("Register", "Update", "Deregister") else script.read()
        script.advance(_CALM)

    return scenario


def walk(script: _Script) -> None:
    """A bit of everything."""
    steps: tuple[Scenario, ...] = (
        lambda s: s.changes(2),
        lambda s: s.advance(s.rng.choice((10, 400, 1_100, 4_000))),
        lambda s: s.stage(s.rng.choice(("request", "reply", "changes")), "drop"),
        lambda s: s.stage(s.rng.choice(("reply", "changes")), "duplicate", ms=s.rng.choice((1, 30, 900))),
        lambda s: s.stage(s.rng.choice(("request", "reply", "changes")), "delay", ms=s.rng.choice((5, 300, 1_500))),
        lambda s: s.add("cut", ms=s.rng.choice((200, 2_000))),
        lambda s: s.add("stray", message="Renewed", to="nobody"),
        lambda s: s.add("crash", keep=True, down_ms=50),
        lambda s: s.do("update", health="healthy", timeout_ms=3_000),
        lambda s: s.do("leave"),
        lambda s: s.joined(s.rng.choice(_LEASES)),
        lambda s: s.do("unwatch", ticket="w-a"),
        lambda s: s.watch("a", 3_000),
        lambda s: s.read(),
    )  # fmt: skip
    script.joined(script.rng.choice(_LEASES))
    script.watch("a", 3_000)
    for _ in range(script.rng.randrange(4, 12)):
        script.rng.choice(steps)(script)
        script.advance(script.rng.choice((0, _CALM)))


AIMS: Final[dict[str, tuple[Scenario, ...]]] = {
    "CORE-ENV-001": (walk,),
    "CORE-ENV-002": (walk, _refusals),
    "CORE-ENV-003": (_crashes, _crashes, walk),
    "CORE-ENV-005": (_odd("extra_attribute"),),
    "CORE-ENV-006": (_odd("unreadable"),),
    "CORE-VER-003": (_odd("newer_member"),),
    "CORE-ADR-001": (_odd("foreign_namespace"),),
    "CORE-CLK-001": (_odd("ahead"),),
    "REG-AGT-001": (_loss, _loss, _silence, _unheard),
    "REG-AGT-002": (_silence, _loss),
    "REG-AGT-003": (_renewal,),
    "REG-AGT-004": (_lapse,),
    "REG-AGT-005": (_strays, _strays, _late),
    "REG-AGT-006": (_gap, _gap_at_first, _gap_by_answer, _swapped),
    "REG-AGT-007": (_gap_by_answer, _forgotten),
    "REG-AGT-008": (_forgotten,),
}
SIGNED_AIMS: Final[dict[str, tuple[Scenario, ...]]] = {
    "CORE-SIG-001": (walk, _loss),
    "CORE-SIG-002": (_odd("unsigned"),),
    "CORE-SIG-003": (_odd("forged"),),
    "CORE-SIG-004": (_odd("altered"),),
    "CORE-SIG-005": (_odd("other_key"),),
    "CORE-SIG-006": (_odd("weak_key"),),
}


def generate(seed: int, index: int, aim: str | None = None) -> Plan:
    """Plan `index` of `seed` for an agent, aimed at a row or, without one, a free walk."""
    rng = random.Random(f"agent:{seed}:{index}:{aim}")
    script = _Script(rng)
    rng.choice(AIMS.get(aim or "") or SIGNED_AIMS.get(aim or "") or (walk,))(script)
    return Plan(
        seed=seed, index=index, aim=aim, nonce=f"a{seed}-{index}", clients=0, role="agent",
        profile="signed" if aim in SIGNED_AIMS else "open", incarnation=rng.choice((1, 1, 3)),
        operations=tuple(script.operations),
    )  # fmt: skip
