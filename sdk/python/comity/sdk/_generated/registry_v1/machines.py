"""State machines of Comity registry.

Generated from registry 1.0, source sha256:cd195a6a9df1476e7f487e64a4a2f05e0c9c676f2c52f785cdddea719b47affc.
Every edit is lost: change the spec and run `make gen`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from comity.sdk.machine import Edge, Effect, Instance, Machine, Table
from comity.sdk.model import MISSING

__all__ = [
    "ENTRY",
    "EntryState",
    "MACHINES",
    "MEMBERSHIP",
    "MembershipState",
    "WATCH",
    "WATCHER",
    "WatchState",
    "WatcherState",
]


class EntryState(StrEnum):
    """One agent's entry in the registry. It moves only when a journal entry is applied."""

    ABSENT = "absent"
    LIVE = "live"


def _Entry_admit_guard(event: Any, it: Instance) -> object:
    # !has(event.if_revision) || event.if_revision == context.revision
    return (not (event.if_revision is not MISSING)) or (event.if_revision == it.context["revision"])


def _Entry_admit_update(event: Any, it: Instance, now: float) -> None:
    it.arm("expiry", now, event.lease_ms)


def _Entry_admit_conflict_guard(event: Any, it: Instance) -> object:
    # has(event.if_revision) && event.if_revision != context.revision
    return (event.if_revision is not MISSING) and (event.if_revision != it.context["revision"])


def _Entry_update_stale_guard(event: Any, it: Instance) -> object:
    # event.epoch != context.epoch
    return event.epoch != it.context["epoch"]


def _Entry_update_conflict_guard(event: Any, it: Instance) -> object:
    # event.epoch == context.epoch && has(event.if_revision) && event.if_revision != context.revision
    return ((event.epoch == it.context["epoch"]) and (event.if_revision is not MISSING)) and (event.if_revision != it.context["revision"])


def _Entry_update_guard(event: Any, it: Instance) -> object:
    # event.epoch == context.epoch && (!has(event.if_revision) || event.if_revision == context.revision)
    return (event.epoch == it.context["epoch"]) and ((not (event.if_revision is not MISSING)) or (event.if_revision == it.context["revision"]))


def _Entry_renew_stale_guard(event: Any, it: Instance) -> object:
    # event.epoch != context.epoch
    return event.epoch != it.context["epoch"]


def _Entry_renew_longer_guard(event: Any, it: Instance) -> object:
    # event.epoch == context.epoch && has(event.lease_ms)
    return (event.epoch == it.context["epoch"]) and (event.lease_ms is not MISSING)


def _Entry_renew_longer_update(event: Any, it: Instance, now: float) -> None:
    it.context["lease_ms"] = event.lease_ms
    it.arm("expiry", now, event.lease_ms)


def _Entry_renew_guard(event: Any, it: Instance) -> object:
    # event.epoch == context.epoch && !has(event.lease_ms)
    return (event.epoch == it.context["epoch"]) and (not (event.lease_ms is not MISSING))


def _Entry_renew_update(event: Any, it: Instance, now: float) -> None:
    it.arm("expiry", now, it.context["lease_ms"])


def _Entry_deregister_stale_guard(event: Any, it: Instance) -> object:
    # event.epoch != context.epoch
    return event.epoch != it.context["epoch"]


def _Entry_deregister_conflict_guard(event: Any, it: Instance) -> object:
    # event.epoch == context.epoch && has(event.if_revision) && event.if_revision != context.revision
    return ((event.epoch == it.context["epoch"]) and (event.if_revision is not MISSING)) and (event.if_revision != it.context["revision"])


def _Entry_deregister_guard(event: Any, it: Instance) -> object:
    # event.epoch == context.epoch && (!has(event.if_revision) || event.if_revision == context.revision)
    return (event.epoch == it.context["epoch"]) and ((not (event.if_revision is not MISSING)) or (event.if_revision == it.context["revision"]))


def _Entry_deregister_update(event: Any, it: Instance, now: float) -> None:
    it.armed.pop("expiry", None)


def _Entry_reg_lease_003(event: Any, it: Instance) -> object:
    # state == "live" implies armed(expiry)
    return not (it.state == "live") or ("expiry" in it.armed)


_Entry_TABLE: Final[Table] = {
    # absent
    (EntryState.ABSENT, "Register"): (
        Edge("admit", EntryState.LIVE, guard=_Entry_admit_guard, update=_Entry_admit_update, effects=(Effect("effect", "admit"),)),
        Edge("admit-conflict", EntryState.ABSENT, guard=_Entry_admit_conflict_guard, effects=(Effect("refuse", "registry.conflict"),)),
    ),
    # live
    (EntryState.LIVE, "Register"): (
        Edge("admit", EntryState.LIVE, guard=_Entry_admit_guard, update=_Entry_admit_update, effects=(Effect("effect", "admit"),)),
        Edge("admit-conflict", EntryState.LIVE, guard=_Entry_admit_conflict_guard, effects=(Effect("refuse", "registry.conflict"),)),
    ),
    (EntryState.LIVE, "Update"): (
        Edge("update-stale", EntryState.LIVE, guard=_Entry_update_stale_guard, effects=(Effect("refuse", "registry.stale_epoch"),)),
        Edge("update-conflict", EntryState.LIVE, guard=_Entry_update_conflict_guard, effects=(Effect("refuse", "registry.conflict"),)),
        Edge("update", EntryState.LIVE, guard=_Entry_update_guard, effects=(Effect("effect", "apply_update"),)),
    ),
    (EntryState.LIVE, "Renew"): (
        Edge("renew-stale", EntryState.LIVE, guard=_Entry_renew_stale_guard, effects=(Effect("refuse", "registry.stale_epoch"),)),
        Edge("renew-longer", EntryState.LIVE, guard=_Entry_renew_longer_guard, update=_Entry_renew_longer_update, effects=(Effect("effect", "prolong"),)),
        Edge("renew", EntryState.LIVE, guard=_Entry_renew_guard, update=_Entry_renew_update, effects=(Effect("effect", "prolong"),)),
    ),
    (EntryState.LIVE, "Deregister"): (
        Edge("deregister-stale", EntryState.LIVE, guard=_Entry_deregister_stale_guard, effects=(Effect("refuse", "registry.stale_epoch"),)),
        Edge("deregister-conflict", EntryState.LIVE, guard=_Entry_deregister_conflict_guard, effects=(Effect("refuse", "registry.conflict"),)),
        Edge("deregister", EntryState.ABSENT, guard=_Entry_deregister_guard, update=_Entry_deregister_update, effects=(Effect("effect", "bury"),)),
    ),
    (EntryState.LIVE, "timer.expiry"): (
        Edge("lapse", EntryState.ABSENT, effects=(Effect("effect", "lapse"),)),
    ),
}

ENTRY: Final = Machine(
    name="Entry",
    role="registry",
    initial=EntryState.ABSENT,
    final=frozenset[str](),
    context={"epoch": 0, "revision": 0, "lease_ms": 0},
    timers=("expiry",),
    unexpected="reject:registry.unknown_agent",
    table=_Entry_TABLE,
    invariants={"REG-LEASE-003": _Entry_reg_lease_003},
)


class WatchState(StrEnum):
    """One watch of one agent, as the registry keeps it. It moves only when a journal entry is applied."""

    ABSENT = "absent"
    LIVE = "live"


def _Watch_open_guard(event: Any, it: Instance) -> object:
    # !has(event.index) && (!has(event.after) || kept())
    return (not (event.index is not MISSING)) and ((not (event.after is not MISSING)) or it.predicates["kept"](event, it))


def _Watch_open_update(event: Any, it: Instance, now: float) -> None:
    it.arm("expiry", now, event.lease_ms)


def _Watch_open_compacted_guard(event: Any, it: Instance) -> object:
    # !has(event.index) && has(event.after) && !kept()
    return ((not (event.index is not MISSING)) and (event.after is not MISSING)) and (not it.predicates["kept"](event, it))


def _Watch_prolong_update(event: Any, it: Instance, now: float) -> None:
    it.arm("expiry", now, event.lease_ms)


def _Watch_close_update(event: Any, it: Instance, now: float) -> None:
    it.armed.pop("expiry", None)


def _Watch_reg_wch_009(event: Any, it: Instance) -> object:
    # state == "live" implies armed(expiry)
    return not (it.state == "live") or ("expiry" in it.armed)


_Watch_TABLE: Final[Table] = {
    # absent
    (WatchState.ABSENT, "Watch"): (
        Edge("open", WatchState.LIVE, guard=_Watch_open_guard, update=_Watch_open_update, effects=(Effect("effect", "open_watch"),)),
        Edge("open-compacted", WatchState.ABSENT, guard=_Watch_open_compacted_guard, effects=(Effect("refuse", "registry.compacted"),)),
    ),
    # live
    (WatchState.LIVE, "Watch"): (
        Edge("prolong", WatchState.LIVE, update=_Watch_prolong_update, effects=(Effect("effect", "prolong_watch"),)),
    ),
    (WatchState.LIVE, "Unwatch"): (
        Edge("close", WatchState.ABSENT, update=_Watch_close_update, effects=(Effect("effect", "close_watch"),)),
    ),
    (WatchState.LIVE, "timer.expiry"): (
        Edge("lapse", WatchState.ABSENT, effects=(Effect("effect", "drop_watch"),)),
    ),
}

WATCH: Final = Machine(
    name="Watch",
    role="registry",
    initial=WatchState.ABSENT,
    final=frozenset[str](),
    context={"index": 0},
    timers=("expiry",),
    unexpected="reject:registry.unknown_watch",
    table=_Watch_TABLE,
    invariants={"REG-WCH-009": _Watch_reg_wch_009},
)


class MembershipState(StrEnum):
    """One agent's membership in one registry, as the agent keeps it."""

    ABSENT = "absent"
    JOINING = "joining"
    ACTIVE = "active"
    LEAVING = "leaving"


def _Membership_join_update(event: Any, it: Instance, now: float) -> None:
    it.arm("retry", now, 1000)


def _Membership_join_again_update(event: Any, it: Instance, now: float) -> None:
    it.arm("retry", now, 1000)


def _Membership_joined_update(event: Any, it: Instance, now: float) -> None:
    it.context["epoch"] = event.epoch
    it.armed.pop("retry", None)
    it.arm("renew", now, event.lease_ms // 3)
    it.arm("expiry", now, event.lease_ms - it.context["elapsed"])


def _Membership_join_outlived_guard(event: Any, it: Instance) -> object:
    # event.code == "core.stale_request" && context.elapsed >= 2400000
    return (event.code == "core.stale_request") and (it.context["elapsed"] >= 2400000)


def _Membership_join_outlived_update(event: Any, it: Instance, now: float) -> None:
    it.arm("retry", now, 1000)


def _Membership_join_refused_guard(event: Any, it: Instance) -> object:
    # event.code != "core.stale_request" || context.elapsed < 2400000
    return (event.code != "core.stale_request") or (it.context["elapsed"] < 2400000)


def _Membership_join_refused_update(event: Any, it: Instance, now: float) -> None:
    it.armed.pop("retry", None)


def _Membership_abandon_update(event: Any, it: Instance, now: float) -> None:
    it.armed.pop("retry", None)


def _Membership_renew_update(event: Any, it: Instance, now: float) -> None:
    it.arm("retry", now, 1000)


def _Membership_renew_again_update(event: Any, it: Instance, now: float) -> None:
    it.arm("retry", now, 1000)


def _Membership_renewed_guard(event: Any, it: Instance) -> object:
    # event.epoch == context.epoch
    return event.epoch == it.context["epoch"]


def _Membership_renewed_update(event: Any, it: Instance, now: float) -> None:
    it.armed.pop("retry", None)
    it.arm("renew", now, event.lease_ms // 3)
    it.arm("expiry", now, event.lease_ms - it.context["elapsed"])


def _Membership_displaced_update(event: Any, it: Instance, now: float) -> None:
    it.armed.pop("retry", None)
    it.armed.pop("renew", None)
    it.armed.pop("expiry", None)


def _Membership_lapsed_update(event: Any, it: Instance, now: float) -> None:
    it.armed.pop("renew", None)
    it.arm("retry", now, 1000)


def _Membership_leave_update(event: Any, it: Instance, now: float) -> None:
    it.armed.pop("renew", None)
    it.arm("retry", now, 1000)


def _Membership_leave_again_update(event: Any, it: Instance, now: float) -> None:
    it.arm("retry", now, 1000)


def _Membership_left_update(event: Any, it: Instance, now: float) -> None:
    it.armed.pop("retry", None)
    it.armed.pop("expiry", None)


def _Membership_left_already_update(event: Any, it: Instance, now: float) -> None:
    it.armed.pop("retry", None)
    it.armed.pop("expiry", None)


def _Membership_left_lapsed_update(event: Any, it: Instance, now: float) -> None:
    it.armed.pop("retry", None)


def _Membership_reg_agt_004(event: Any, it: Instance) -> object:
    # state == "active" implies armed(expiry)
    return not (it.state == "active") or ("expiry" in it.armed)


_Membership_TABLE: Final[Table] = {
    # absent
    (MembershipState.ABSENT, "command.join"): (
        Edge("join", MembershipState.JOINING, update=_Membership_join_update, effects=(Effect("send", "Register"),)),
    ),
    # joining
    (MembershipState.JOINING, "timer.retry"): (
        Edge("join-again", MembershipState.JOINING, update=_Membership_join_again_update, effects=(Effect("send", "Register"),)),
    ),
    (MembershipState.JOINING, "Registered"): (
        Edge("joined", MembershipState.ACTIVE, update=_Membership_joined_update, effects=(Effect("notify", "joined"),)),
    ),
    (MembershipState.JOINING, "Refused"): (
        Edge("join-outlived", MembershipState.JOINING, guard=_Membership_join_outlived_guard, update=_Membership_join_outlived_update),
        Edge("join-refused", MembershipState.ABSENT, guard=_Membership_join_refused_guard, update=_Membership_join_refused_update, effects=(Effect("notify", "refused"),)),
    ),
    (MembershipState.JOINING, "command.leave"): (
        Edge("abandon", MembershipState.ABSENT, update=_Membership_abandon_update, effects=(Effect("notify", "left"),)),
    ),
    # active
    (MembershipState.ACTIVE, "timer.renew"): (
        Edge("renew", MembershipState.ACTIVE, update=_Membership_renew_update, effects=(Effect("send", "Renew"),)),
    ),
    (MembershipState.ACTIVE, "timer.retry"): (
        Edge("renew-again", MembershipState.ACTIVE, update=_Membership_renew_again_update, effects=(Effect("send", "Renew"),)),
    ),
    (MembershipState.ACTIVE, "Renewed"): (
        Edge("renewed", MembershipState.ACTIVE, guard=_Membership_renewed_guard, update=_Membership_renewed_update),
    ),
    (MembershipState.ACTIVE, "Refused"): (
        Edge("displaced", MembershipState.ABSENT, update=_Membership_displaced_update, effects=(Effect("notify", "lost"),)),
    ),
    (MembershipState.ACTIVE, "timer.expiry"): (
        Edge("lapsed", MembershipState.JOINING, update=_Membership_lapsed_update, effects=(Effect("notify", "lost"), Effect("send", "Register"))),
    ),
    (MembershipState.ACTIVE, "command.leave"): (
        Edge("leave", MembershipState.LEAVING, update=_Membership_leave_update, effects=(Effect("send", "Deregister"),)),
    ),
    # leaving
    (MembershipState.LEAVING, "timer.retry"): (
        Edge("leave-again", MembershipState.LEAVING, update=_Membership_leave_again_update, effects=(Effect("send", "Deregister"),)),
    ),
    (MembershipState.LEAVING, "Deregistered"): (
        Edge("left", MembershipState.ABSENT, update=_Membership_left_update, effects=(Effect("notify", "left"),)),
    ),
    (MembershipState.LEAVING, "Refused"): (
        Edge("left-already", MembershipState.ABSENT, update=_Membership_left_already_update, effects=(Effect("notify", "left"),)),
    ),
    (MembershipState.LEAVING, "timer.expiry"): (
        Edge("left-lapsed", MembershipState.ABSENT, update=_Membership_left_lapsed_update, effects=(Effect("notify", "left"),)),
    ),
}

MEMBERSHIP: Final = Machine(
    name="Membership",
    role="agent",
    initial=MembershipState.ABSENT,
    final=frozenset[str](),
    context={"epoch": 0, "elapsed": 0},
    timers=("retry", "renew", "expiry"),
    unexpected="ignore",
    table=_Membership_TABLE,
    invariants={"REG-AGT-004": _Membership_reg_agt_004},
)


class WatcherState(StrEnum):
    """One watch of one agent, as the agent keeps it. A gap in the indices makes it resume behind the last revision it saw."""

    IDLE = "idle"
    OPENING = "opening"
    LIVE = "live"
    CLOSING = "closing"


def _Watcher_open_update(event: Any, it: Instance, now: float) -> None:
    it.arm("retry", now, 1000)


def _Watcher_open_again_update(event: Any, it: Instance, now: float) -> None:
    it.arm("retry", now, 1000)


def _Watcher_opened_update(event: Any, it: Instance, now: float) -> None:
    it.armed.pop("retry", None)
    it.arm("renew", now, event.lease_ms // 3)


def _Watcher_next_guard(event: Any, it: Instance) -> object:
    # event.index == context.index + 1
    return event.index == (it.context["index"] + 1)


def _Watcher_next_update(event: Any, it: Instance, now: float) -> None:
    it.context["index"], it.context["revision"] = event.index, event.revision


def _Watcher_gap_guard(event: Any, it: Instance) -> object:
    # event.index > context.index + 1
    return event.index > (it.context["index"] + 1)


def _Watcher_gap_update(event: Any, it: Instance, now: float) -> None:
    it.context["index"] = 0
    it.armed.pop("renew", None)
    it.arm("retry", now, 1000)


def _Watcher_keep_update(event: Any, it: Instance, now: float) -> None:
    it.arm("retry", now, 1000)


def _Watcher_keep_again_update(event: Any, it: Instance, now: float) -> None:
    it.arm("retry", now, 1000)


def _Watcher_kept_guard(event: Any, it: Instance) -> object:
    # event.index <= context.index
    return event.index <= it.context["index"]


def _Watcher_kept_update(event: Any, it: Instance, now: float) -> None:
    it.armed.pop("retry", None)
    it.arm("renew", now, event.lease_ms // 3)


def _Watcher_missed_guard(event: Any, it: Instance) -> object:
    # event.index > context.index
    return event.index > it.context["index"]


def _Watcher_missed_update(event: Any, it: Instance, now: float) -> None:
    it.context["index"] = 0
    it.armed.pop("renew", None)
    it.arm("retry", now, 1000)


def _Watcher_lapsed_guard(event: Any, it: Instance) -> object:
    # event.code == "registry.unknown_watch"
    return event.code == "registry.unknown_watch"


def _Watcher_lapsed_update(event: Any, it: Instance, now: float) -> None:
    it.context["index"] = 0
    it.armed.pop("renew", None)
    it.arm("retry", now, 1000)


def _Watcher_start_over_guard(event: Any, it: Instance) -> object:
    # event.code != "registry.unknown_watch"
    return event.code != "registry.unknown_watch"


def _Watcher_start_over_update(event: Any, it: Instance, now: float) -> None:
    it.context["index"], it.context["revision"] = 0, 0
    it.armed.pop("renew", None)
    it.arm("retry", now, 1000)


def _Watcher_close_update(event: Any, it: Instance, now: float) -> None:
    it.armed.pop("renew", None)
    it.arm("retry", now, 1000)


def _Watcher_close_again_update(event: Any, it: Instance, now: float) -> None:
    it.arm("retry", now, 1000)


def _Watcher_closed_update(event: Any, it: Instance, now: float) -> None:
    it.armed.pop("retry", None)


def _Watcher_closed_already_update(event: Any, it: Instance, now: float) -> None:
    it.armed.pop("retry", None)


_Watcher_TABLE: Final[Table] = {
    # idle
    (WatcherState.IDLE, "command.watch"): (
        Edge("open", WatcherState.OPENING, update=_Watcher_open_update, effects=(Effect("effect", "name_watch"), Effect("send", "Watch"))),
    ),
    # opening
    (WatcherState.OPENING, "timer.retry"): (
        Edge("open-again", WatcherState.OPENING, update=_Watcher_open_again_update, effects=(Effect("send", "Watch"),)),
    ),
    (WatcherState.OPENING, "Watching"): (
        Edge("opened", WatcherState.LIVE, update=_Watcher_opened_update),
    ),
    (WatcherState.OPENING, "Changes"): (
        Edge("next", WatcherState.OPENING, guard=_Watcher_next_guard, update=_Watcher_next_update, effects=(Effect("notify", "changes"),)),
        Edge("gap", WatcherState.OPENING, guard=_Watcher_gap_guard, update=_Watcher_gap_update, effects=(Effect("effect", "name_watch"), Effect("send", "Watch"))),
    ),
    (WatcherState.OPENING, "Refused"): (
        Edge("lapsed", WatcherState.OPENING, guard=_Watcher_lapsed_guard, update=_Watcher_lapsed_update, effects=(Effect("effect", "name_watch"), Effect("send", "Watch"))),
        Edge("start-over", WatcherState.OPENING, guard=_Watcher_start_over_guard, update=_Watcher_start_over_update, effects=(Effect("effect", "name_watch"), Effect("notify", "reset"))),
    ),
    (WatcherState.OPENING, "command.unwatch"): (
        Edge("close", WatcherState.CLOSING, update=_Watcher_close_update, effects=(Effect("send", "Unwatch"),)),
    ),
    # live
    (WatcherState.LIVE, "Changes"): (
        Edge("next", WatcherState.LIVE, guard=_Watcher_next_guard, update=_Watcher_next_update, effects=(Effect("notify", "changes"),)),
        Edge("gap", WatcherState.OPENING, guard=_Watcher_gap_guard, update=_Watcher_gap_update, effects=(Effect("effect", "name_watch"), Effect("send", "Watch"))),
    ),
    (WatcherState.LIVE, "timer.renew"): (
        Edge("keep", WatcherState.LIVE, update=_Watcher_keep_update, effects=(Effect("send", "Watch"),)),
    ),
    (WatcherState.LIVE, "timer.retry"): (
        Edge("keep-again", WatcherState.LIVE, update=_Watcher_keep_again_update, effects=(Effect("send", "Watch"),)),
    ),
    (WatcherState.LIVE, "Watching"): (
        Edge("kept", WatcherState.LIVE, guard=_Watcher_kept_guard, update=_Watcher_kept_update),
        Edge("missed", WatcherState.OPENING, guard=_Watcher_missed_guard, update=_Watcher_missed_update, effects=(Effect("effect", "name_watch"), Effect("send", "Watch"))),
    ),
    (WatcherState.LIVE, "Refused"): (
        Edge("lapsed", WatcherState.OPENING, guard=_Watcher_lapsed_guard, update=_Watcher_lapsed_update, effects=(Effect("effect", "name_watch"), Effect("send", "Watch"))),
        Edge("start-over", WatcherState.OPENING, guard=_Watcher_start_over_guard, update=_Watcher_start_over_update, effects=(Effect("effect", "name_watch"), Effect("notify", "reset"))),
    ),
    (WatcherState.LIVE, "command.unwatch"): (
        Edge("close", WatcherState.CLOSING, update=_Watcher_close_update, effects=(Effect("send", "Unwatch"),)),
    ),
    # closing
    (WatcherState.CLOSING, "timer.retry"): (
        Edge("close-again", WatcherState.CLOSING, update=_Watcher_close_again_update, effects=(Effect("send", "Unwatch"),)),
    ),
    (WatcherState.CLOSING, "Unwatched"): (
        Edge("closed", WatcherState.IDLE, update=_Watcher_closed_update, effects=(Effect("notify", "closed"),)),
    ),
    (WatcherState.CLOSING, "Refused"): (
        Edge("closed-already", WatcherState.IDLE, update=_Watcher_closed_already_update, effects=(Effect("notify", "closed"),)),
    ),
}

WATCHER: Final = Machine(
    name="Watcher",
    role="agent",
    initial=WatcherState.IDLE,
    final=frozenset[str](),
    context={"index": 0, "revision": 0},
    timers=("retry", "renew"),
    unexpected="ignore",
    table=_Watcher_TABLE,
    invariants={},
)

MACHINES: Final[Mapping[str, Machine]] = {
    "Entry": ENTRY,
    "Watch": WATCH,
    "Membership": MEMBERSHIP,
    "Watcher": WATCHER,
}
