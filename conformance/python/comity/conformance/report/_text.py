"""Words for people: names of verdicts and areas, text without traps, and plans as sentences."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from typing import Any, cast

__all__ = [
    "AREAS",
    "HEADLINES",
    "MARKS",
    "area",
    "area_name",
    "mode_name",
    "plan_steps",
    "shortened",
    "visible",
]

MARKS: Mapping[str, str] = {"pass": "✓", "fail": "✕", "inconclusive": "?", "not-run": "–", "n/a": "·"}
"""One character per verdict; a colour never stands alone."""

VERDICTS: Mapping[str, str] = {
    "fail": "Failed",
    "inconclusive": "Inconclusive",
    "not-run": "Not run",
    "n/a": "Not applicable",
    "pass": "Passed",
}
"""What verdicts are called, the most urgent first."""

HEADLINES: Mapping[str, str] = {
    "conformant": "Conformant",
    "not conformant": "Not conformant",
    "incomplete": "Incomplete",
}

AREAS: Mapping[str, str] = {
    "CORE-ENV": "Envelope",
    "CORE-REP": "Replies",
    "CORE-LEX": "Lexical rules",
    "CORE-SCH": "Schema",
    "CORE-VER": "Versions",
    "CORE-DLV": "Delivery",
    "CORE-ADR": "Addresses",
    "CORE-CLK": "Clocks",
    "CORE-SIG": "Signatures",
    "REG-REG": "Register",
    "REG-UPD": "Update",
    "REG-LEASE": "Leases",
    "REG-DRG": "Deregister",
    "REG-REV": "Order and consistency",
    "REG-DUR": "Durability",
    "REG-LKP": "Lookup",
    "REG-QRY": "Query",
    "REG-CNT": "Count",
    "REG-LST": "List",
    "REG-WCH": "Watch",
    "REG-TMB": "Tombstones",
    "REG-REF": "Refusals",
    "REG-EQV": "Equivalence",
    "REG-AGT": "Agent",
    "DRV-LINE": "Driver lines",
    "DRV-TIME": "Driver time",
    "DRV-DET": "Determinism",
}
_TRAPS = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def area(requirement: str) -> str:
    """The area of a requirement id: REG-LEASE of REG-LEASE-007."""
    return requirement.rpartition("-")[0]


def area_name(code: str) -> str:
    """What an area is called; its own code where the table knows no name."""
    return AREAS.get(code, code)


def overall(row: Mapping[str, Any]) -> str:
    """One verdict for a row: a failure anywhere counts; a mode that could not try it does not spoil another."""
    seen = {cell["verdict"] for cell in row["cells"].values()}
    return next(
        (each for each in ("fail", "inconclusive", "pass", "not-run", "n/a") if each in seen), "not-run"
    )


def mode_name(key: str) -> str:
    """How a mode is called in a heading: sim, live:nats → Simulation, Live · nats."""
    kind, _, transport = key.partition(":")
    return {"sim": "Simulation", "live": "Live"}.get(kind, kind) + (f" · {transport}" if transport else "")


def visible(text: object) -> str:
    """`text` with control, bidirectional and invisible characters spelled out, so that none acts on the page."""
    plain = str(text)
    return plain if plain.isascii() and plain.isprintable() else "".join(map(_seen, plain))


def _seen(character: str) -> str:
    if character == "\n" or unicodedata.category(character) not in _TRAPS:
        return character
    return f"⟨U+{ord(character):04X}⟩"


def shortened(text: str, width: int) -> str:
    """`text` in at most `width` characters."""
    return text if len(text) <= width else text[: max(width - 1, 0)] + "…"


def plan_steps(plan: Mapping[str, Any]) -> list[str]:
    """The operations of a plan, one sentence each. An operation that another one names is named by its number."""
    operations: list[Mapping[str, Any]] = list(plan.get("operations", ()))
    numbers = {op["id"]: number for number, op in enumerate(operations, 1) if "id" in op}
    return [visible(_step(op, numbers)) for op in operations]


_TOLD = {
    "id",
    "op",
    "client",
    "message",
    "data",
    "faults",
    "wait",
    "of",
    "ms",
    "by_ms",
    "down_ms",
    "keep",
    "count",
}
_FAULTS = {
    "drop_request": "the request is lost",
    "drop_reply": "the reply is lost, {} time(s)",
    "duplicate": "delivered again {} ms later",
    "delay": "delayed by {} ms",
    "order": "the journal takes {} ms to order it",
}


def _step(op: Mapping[str, Any], numbers: Mapping[Any, int]) -> str:
    faults: Mapping[str, Any] = op.get("faults", {})
    extra = [_FAULTS.get(name, f"{name} {{}}").format(value) for name, value in faults.items()]
    extra += [f"{name} {_compact(value)}" for name, value in op.items() if name not in _TOLD]
    if op.get("wait") is False:
        extra.append("without waiting for the answer")
    return _sentence(op, numbers) + (f" ({'; '.join(extra)})" if extra else "")


def _sentence(op: Mapping[str, Any], numbers: Mapping[Any, int]) -> str:
    data = _compact(op["data"]) if op.get("data") else ""
    who = f"Client {op['client']}" if "client" in op else "Somebody"
    match op.get("op"):
        case "send":
            return f"{who} sends {op.get('message')} {data}".rstrip()
        case "flood":
            return f"{who} sends {op.get('count')} × {op.get('message')} at once {data}".rstrip()
        case "repeat":
            return f"The request of step {numbers.get(op.get('of'), op.get('of'))} is sent once more"
        case "garbage":
            return "Bytes that are no event are delivered"
        case "advance":
            return f"{op.get('ms')} ms pass"
        case "wall":
            return f"The wall clock jumps by {op.get('by_ms')} ms"
        case "crash":
            kept = (
                "what waits for the journal is kept"
                if op.get("keep")
                else "what waits for the journal is lost"
            )
            return f"The subject crashes, {kept}, and is back after {op.get('down_ms', 0)} ms"
        case other:
            return f"{who}: {other} {op.get('message', '')} {data}".rstrip()


def _compact(value: Any) -> str:
    """JSON as one reads it: references in angle brackets, no quotes."""
    match value:
        case {"$": name, **rest}:
            return f"⟨{', '.join([_compact(name), *(f'{key} {_compact(each)}' for key, each in rest.items() if each)])}⟩"
        case dict():
            members = cast("dict[str, Any]", value)
            return "{" + ", ".join(f"{name}: {_compact(each)}" for name, each in members.items()) + "}"
        case list() | tuple():
            items = cast("list[Any]", value)
            return "[" + ", ".join(map(_compact, items)) + "]"
        case str():
            return value
        case _:
            return json.dumps(value)
