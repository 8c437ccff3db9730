"""What differs between the roles that the suite can judge: plans, the world around the subject, and the judge.

Responsible for the table from role to these. Not responsible for anything that is the same for every role:
campaigns, shrinking, verdicts and reports look here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from . import agent, explain, generate
from .driver import Conversation
from .engine._world import World
from .errors import UsageError
from .judge import Judgement, Violation
from .judge import judge as judge_registry
from .law import Law
from .plan import Plan

__all__ = ["ROLES", "Role", "role_of"]


@dataclass(frozen=True, slots=True)
class Role:
    """One role. `beyond` gives the rows that do not bind it, each with the reason."""

    aims: Collection[str]
    signed_aims: Collection[str]
    generate: Callable[[int, int, str | None], Plan]
    world: Callable[[Plan, Conversation, Law], World]
    judge: Callable[[Plan, list[dict[str, Any]], Law], Judgement]
    diagram: Callable[[Plan, list[dict[str, Any]], Violation], dict[str, Any]]
    beyond: Mapping[str, str] = field(default_factory=dict[str, str])


ROLES: Final = {
    "registry": Role(
        aims=generate.AIMS, signed_aims=generate.SIGNED_AIMS, generate=generate.generate, world=World,
        judge=judge_registry, diagram=explain.diagram,
    ),
    "agent": Role(
        aims=agent.AIMS, signed_aims=agent.SIGNED_AIMS, generate=agent.generate, world=agent.AgentWorld,
        judge=agent.judge, diagram=agent.diagram, beyond=agent.BEYOND,
    ),
}  # fmt: skip


def role_of(name: str) -> Role:
    """The role of this name. Raises `UsageError` where the suite has no plans for it."""
    if name not in ROLES:
        raise UsageError(f"the suite has no plans for role {name!r} yet; it has them for {', '.join(ROLES)}")
    return ROLES[name]
