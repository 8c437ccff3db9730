"""Reads machines.yaml: names resolved, expressions parsed and checked.

Responsible for what one machine says of itself and of its family's messages. Not responsible for judging its
shape as a whole (see `_lint`).
"""

from __future__ import annotations

from typing import Any

from ._expression import ExpressionError, parse
from ._ir import Action, Expression, Machine, Ref, Spec, Transition
from ._json import is_map
from ._profile import names
from ._typing import BOOLEAN, NUMBER, Kind, Scope, TypingError, check
from ._yaml import Document, Where

__all__ = ["expression", "read_machines"]

_KINDS = {"integer": Kind("number"), "string": Kind("string"), "boolean": BOOLEAN}
_PYTHON = {"integer": int, "string": str, "boolean": bool}
_TRUE = Expression("true", ["lit", True])


def expression(document: Document, where: Where, text: Any, scope: Scope, wanted: Kind) -> Expression | None:
    """Parse and check one expression; a YAML number or boolean is the literal that it looks like."""
    source = str(text).lower() if isinstance(text, bool) else str(text)
    try:
        tree = parse(source)
    except ExpressionError as error:
        document.report(where, "expr.syntax", f"`{source}`: {error}")
        return None
    try:
        check(tree, scope, wanted)
    except TypingError as error:
        document.report(where, "expr.type", f"`{source}` {error}")
    return Expression(" ".join(source.split()), tree)


def read_machines(spec: Spec, document: Document) -> dict[str, Machine]:
    """Every machine of `document`; complaints go to its log."""
    return {
        name: _Reader(spec, document, name, body).machine()
        for name, body in document.data["machines"].items()
    }


class _Reader:
    def __init__(self, spec: Spec, document: Document, name: str, body: dict[str, Any]) -> None:
        self.spec = spec
        self.document = document
        self.name = name
        self.body = body
        self.where: Where = ("machines", name)
        self.states = frozenset(body["states"])
        self.timers = frozenset(body.get("timers", ()))
        self.predicates = frozenset(spec.head.get("predicates", {}))
        self.codes = {row["code"] for family in spec.families() for row in family.errors}
        self.context = {key: _KINDS[var["type"]] for key, var in body.get("context", {}).items()}

    def report(self, where: Where, rule: str, message: str) -> None:
        self.document.report((*self.where, *where), rule, message)

    def machine(self) -> Machine:
        body = self.body
        if body["role"] not in self.spec.head.get("roles", {}):
            self.report(("role",), "ref.role", f"protocol.yaml has no role {body['role']!r}")
        self.state(("initial",), body["initial"])
        for key, var in body.get("context", {}).items():
            if type(var["initial"]) is not _PYTHON[var["type"]]:
                self.report(
                    ("context", key), "shape.type", f"the initial value of {key!r} is no {var['type']}"
                )
        unexpected = body["unexpected"]
        if is_map(unexpected):
            self.code(("unexpected", "reject"), unexpected["reject"])
            unexpected = f"reject:{unexpected['reject']}"
        return Machine(
            name=self.name,
            role=body["role"],
            summary=body["summary"].strip(),
            context={key: (var["type"], var["initial"]) for key, var in body.get("context", {}).items()},
            timers=tuple(body.get("timers", ())),
            signals=body.get("signals", {}),
            states=tuple(body["states"]),
            final=frozenset(name for name, state in body["states"].items() if state.get("final")),
            initial=body["initial"],
            unexpected=unexpected,
            transitions=tuple(self.transition(i, row) for i, row in enumerate(body["transitions"])),
            invariants=self.invariants(),
        )

    def invariants(self) -> dict[str, Expression]:
        roots = {"state": Kind("string", values=tuple(self.body["states"]))}
        scope = Scope(roots, self.context, self.timers, self.predicates)
        found: dict[str, Expression] = {}
        for key, text in self.body.get("invariants", {}).items():
            where = (*self.where, "invariants", key)
            found[key] = expression(self.document, where, text, scope, BOOLEAN) or _TRUE
        return found

    def transition(self, index: int, row: dict[str, Any]) -> Transition:
        where: Where = ("transitions", index)
        sources = names(row["from"])
        for source in sources:
            self.state((*where, "from"), source)
        if "to" in row:
            self.state((*where, "to"), row["to"])
        scope = Scope(self.roots(where, row["when"]), self.context, self.timers, self.predicates)
        guard = None
        if "if" in row:
            guard = expression(self.document, (*self.where, *where, "if"), row["if"], scope, BOOLEAN)
        inner = scope.given(guard.ast) if guard else scope
        actions = tuple(
            self.action((*where, "do", i), action, inner) for i, action in enumerate(row.get("do", ()))
        )
        return Transition(
            id=row["id"],
            sources=sources,
            when=row["when"],
            guard=guard,
            target=row.get("to"),
            actions=actions,
            summary=row.get("summary", "").strip(),
            requirements=tuple(row.get("requirement", ())),
            where=(*self.where, *where),
        )

    def roots(self, where: Where, when: str) -> dict[str, Kind]:
        """What `event` means for this trigger. A command's or signal's argument is the core's own affair."""
        kind, dot, name = when.partition(".")
        if not dot:
            if kind in self.spec.messages:
                return {"event": Kind("object", type=Ref("", kind), spec=self.spec)}
            self.report((*where, "when"), "ref.message", f"no message {kind!r} in {self.spec.protocol}")
            return {"event": Kind("any")}
        if kind == "timer" and name not in self.timers:
            self.report((*where, "when"), "ref.timer", f"no timer {name!r} in machine {self.name}")
        if kind == "signal" and name not in self.body.get("signals", {}):
            self.report((*where, "when"), "ref.signal", f"no signal {name!r} in machine {self.name}")
        return {} if kind == "timer" else {"event": Kind("any")}

    def action(self, where: Where, row: dict[str, Any], scope: Scope) -> Action:
        kind = next(key for key in row if key != "after")
        value = row[kind]
        inside = (*where, kind)
        if kind == "set":
            return Action("set", "", values=self.assignments(inside, value, scope))
        if kind in ("arm", "disarm") and value not in self.timers:
            self.report(inside, "ref.timer", f"no timer {value!r} in machine {self.name}")
        if kind == "send" and value not in self.spec.messages:
            self.report(inside, "ref.message", f"no message {value!r} in {self.spec.protocol}")
        if kind == "effect" and value not in self.spec.head.get("effects", {}):
            self.report(inside, "ref.effect", f"protocol.yaml lists no effect {value!r}")
        if kind == "refuse":
            self.code(inside, value)
        delay = None
        if kind == "arm":
            after = (*self.where, *where, "after")
            delay = expression(self.document, after, row["after"], scope, NUMBER)
        return Action(kind, value, delay)

    def assignments(
        self, where: Where, row: dict[str, Any], scope: Scope
    ) -> tuple[tuple[str, Expression], ...]:
        found: list[tuple[str, Expression]] = []
        for key, text in row.items():
            if key not in self.context:
                self.report((*where, key), "ref.context", f"machine {self.name} has no context.{key}")
                continue
            place = (*self.where, *where, key)
            value = expression(self.document, place, text, scope, self.context[key])
            found.append((key, value or _TRUE))
        return tuple(found)

    def state(self, where: Where, name: str) -> None:
        if name not in self.states:
            self.report(where, "ref.state", f"no state {name!r} in machine {self.name}")

    def code(self, where: Where, code: str) -> None:
        if code not in self.codes:
            self.report(where, "ref.error", f"no error code {code!r} in {self.spec.protocol} or what it uses")
