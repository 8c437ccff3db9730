"""One failure as HTML: the sentence that was broken, what happened instead, and the diagram to step through."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import svg
from ._markup import Markup, prose, tag, text
from ._text import mode_name, plan_steps

__all__ = ["failure"]

_LEGEND = (
    "✕ at the end of a dashed line: lost",
    "two heads, ×2: delivered twice",
    "dash and dot: late",
    "bold, with ✕: what broke the rule",
)
_BUTTONS = (
    ("first", "Show the whole diagram", "Whole"),
    ("back", "Step back", "← Back"),
    ("next", "Step forward", "Next →"),
)


def failure(report: Mapping[str, Any], index: int) -> Markup:
    """The article of counterexample `index`."""
    found = report["counterexamples"][index]
    row = next((row for row in report["requirements"] if row["id"] == found["requirement"]), None)
    title = f"failure-{index}-title"
    tags = [row["level"]] if row else []
    tags += [
        mode_name(found["mode"]),
        _count(found["operations"], "operation"),
        _count(found["faults"], "fault"),
    ]
    also = [text(" ", _link(each)) for each in found["also"]]
    return tag(
        "article",
        tag(
            "header",
            tag("h3", _link(found["requirement"]), id=title),
            [tag("span", each, class_="tag") for each in tags],
        ),
        [tag("blockquote", prose(row["text"])), tag("p", prose(row["why"]))] if row else None,
        tag("p", prose(found["prose"]), class_="prose"),
        tag("p", "The same case breaks", also) if also else None,
        _compare(found),
        _plan(found),
        _player(found, index),
        _replay(found["replay"]),
        class_="failure",
        id=f"failure-{index}",
        aria_labelledby=title,
    )


def _count(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"


def _link(requirement: str) -> Markup:
    return tag("a", requirement, class_="id", href=f"#{requirement}")


def _compare(found: Mapping[str, Any]) -> Markup:
    allowed = tag("ul", [tag("li", prose(each)) for each in found["allowed"]])
    return tag(
        "div",
        tag("div", tag("h4", "✓ Allowed"), allowed, class_="allowed"),
        tag("div", tag("h4", "✕ Seen"), tag("p", prose(found["seen"])), class_="seen"),
        class_="compare",
    )


def _plan(found: Mapping[str, Any]) -> Markup:
    steps = [tag("li", prose(step)) for step in plan_steps(found["plan"])]
    return text(tag("h4", "The shortest case found"), tag("ol", steps, class_="plan")) if steps else text()


def _player(found: Mapping[str, Any], index: int) -> Markup:
    diagram, title = found["diagram"], f"{found['requirement']}: what was sent when"
    buttons = [
        tag("button", words, type="button", data_go=go, aria_label=label) for go, label, words in _BUTTONS
    ]
    drawing = svg.render(diagram, title=title, identity=f"diagram-{index}", standalone=False)
    events = [_event(number, event) for number, event in enumerate(diagram["events"], 1)]
    stage = [
        tag("div", drawing, class_="drawing", tabindex=0, role="region", aria_label="Space–time diagram"),
        tag("ol", events, class_="events"),
    ]
    return text(
        tag(
            "div",
            tag("div", buttons, tag("output", aria_live="polite"), class_="controls", hidden=True),
            tag("div", stage, class_="stage"),
            class_="player",
            role="group",
            aria_label="What was sent when, step by step; arrow keys move",
        ),
        tag("ul", [tag("li", words) for words in _LEGEND], class_="legend"),
    )


def _event(number: int, event: Mapping[str, Any]) -> Markup:
    status = "" if event["status"] == "ok" else f" ({event['status']})"
    lines = [tag("small", prose(line)) for line in (event.get("step"), event["detail"]) if line]
    return tag(
        "li", tag("button", tag("b", f"{number}. ", tag("bdi", event["label"]), status), lines, type="button")
    )


def _replay(name: str) -> Markup:
    copy = tag("button", "Copy", class_="plain", type="button", data_copy=True, hidden=True)
    return tag("p", tag("code", f"comity replay {name}"), copy, class_="replay")
