"""Space–time diagrams as SVG: one vertical lane per participant, time downwards, messages as slanted arrows.

Responsible for a layout that is deterministic and in which no two labels meet: every event has a row of its own for its
label, arrivals get a place between rows, and long waits shrink to a break. Not responsible for the words.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ._markup import Markup, tag, text, trusted
from ._text import shortened, visible

__all__ = ["STYLE", "render"]

GUTTER, LANE, EDGE, HEAD = 104, 160, 10, 62
ROW, ARRIVAL, LEAST, BREAK, BREAK_AFTER = 44, 15, 8, 26, 300.0
GLYPH, LONGEST = 7.3, 34  # pixels per character of a label at most, and characters per label

STYLE = """\
.std{font:12px/1.2 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
.std text{fill:var(--ink,#1c2127)}
.std .lane{stroke:var(--rule,#c9c4b8);stroke-width:1.5}
.std .box{fill:var(--paper,#fff);stroke:var(--muted,#58616b);stroke-width:1.25}
.std .subject .box{fill:var(--ink,#1c2127);stroke:var(--ink,#1c2127)}
.std .subject text{fill:var(--paper,#fff)}
.std .head{font-weight:600;text-anchor:middle}
.std .time{fill:var(--muted,#58616b);text-anchor:end;font-size:11px}
.std .label{paint-order:stroke;stroke:var(--paper,#fff);stroke-width:5px;stroke-linejoin:round}
.std .wire{stroke:var(--ink,#1c2127);stroke-width:1.6;fill:none}
.std .tip,.std .dot{fill:var(--ink,#1c2127)}
.std .entry .wire{stroke-dasharray:2 3}
.std .lost .wire,.std .lost .mark{stroke:var(--fail,#a8241a)}
.std .lost .wire{stroke-dasharray:7 4}
.std .duplicate .wire,.std .late .wire{stroke:var(--warn,#855200)}
.std .duplicate .tip,.std .late .tip{fill:var(--warn,#855200)}
.std .late .wire{stroke-dasharray:9 3 2 3}
.std .bad .wire,.std .bad .mark{stroke:var(--fail,#a8241a);stroke-width:2.6}
.std .bad .tip,.std .bad .dot{fill:var(--fail,#a8241a)}
.std .bad .label{fill:var(--fail,#a8241a);font-weight:700}
.std .mark{stroke:var(--ink,#1c2127);stroke-width:2.4;fill:none;stroke-linecap:round}
.std .crash .mark{stroke:var(--fail,#a8241a)}
.std .gap{stroke:var(--paper,#fff);stroke-width:6;fill:none}
.std .zig{stroke:var(--muted,#58616b);stroke-width:1.25;fill:none}
.std .num{fill:var(--muted,#58616b);font-size:11px;font-weight:600;text-anchor:middle}
.std .disc{fill:none;stroke:var(--rule,#c9c4b8)}
.std .band{fill:transparent}
.std .now .band{fill:var(--glow,#e8eefb)}
.std .now .label{stroke:var(--glow,#e8eefb)}
.std .now .disc{fill:var(--accent,#1f5fbf);stroke:var(--accent,#1f5fbf)}
.std .now .num{fill:var(--paper,#fff)}
.std .later{opacity:.28}
"""


class _Break(NamedTuple):
    y: float
    elapsed: float


class _Layout(NamedTuple):
    """Where each event begins and ends, by its place in the list."""

    start: list[float]
    end: list[float]
    breaks: list[_Break]
    height: float


def render(diagram: Mapping[str, Any], *, title: str, identity: str, standalone: bool = True) -> Markup:
    """One `<svg>` element. `identity` prefixes its ids; `standalone` puts the style inside."""
    lanes: Sequence[Mapping[str, Any]] = diagram["lanes"]
    events: Sequence[Mapping[str, Any]] = diagram["events"]
    place = {lane["id"]: GUTTER + LANE / 2 + index * LANE for index, lane in enumerate(lanes)}
    layout = _layout(events)
    width, height = _width(events, place), round(layout.height)
    return tag(
        "svg",
        tag("title", title, id=f"{identity}-title"),
        tag("style", trusted(STYLE)) if standalone else None,
        [_band(layout, index, width) for index in range(len(events))],
        [_lane(lane, place[lane["id"]], height) for lane in lanes],
        [_break(each, place.values()) for each in layout.breaks],
        [_event(event, index, layout, place) for index, event in enumerate(events)],
        class_="std",
        xmlns="http://www.w3.org/2000/svg",
        width=width,
        height=height,
        viewBox=f"0 0 {width} {height}",
        role="img",
        aria_labelledby=f"{identity}-title",
    )


def _width(events: Iterable[Mapping[str, Any]], place: Mapping[str, float]) -> int:
    """Wide enough for the lanes and for the labels that run to the right."""
    ends = [place.get(event["from"], 0.0) + 16 + GLYPH * len(_words(event, LONGEST)) for event in events]
    return round(max([GUTTER + LANE * max(len(place), 1), *ends])) + EDGE


def _layout(events: Sequence[Mapping[str, Any]]) -> _Layout:
    """Walk all departures and arrivals in time; a departure pushes the next row down, a long wait makes a break."""
    points = [(event["t_ms"], index, 0) for index, event in enumerate(events)]
    points += [(event["arrive_ms"], index, 1) for index, event in enumerate(events) if _travels(event)]
    start, end, breaks = [0.0] * len(events), [0.0] * len(events), list[_Break]()
    y, row, time = float(HEAD), HEAD - ROW / 2, None
    for moment, index, arrival in sorted(points):
        if time is not None and moment - time >= BREAK_AFTER:
            y = row = max(y, row + LEAST) + BREAK
            breaks.append(_Break(y, moment - time))
        y = y + (ARRIVAL if arrival else LEAST)
        if not arrival:
            y = row = max(y, row + ROW)
        (end if arrival else start)[index] = y
        time = moment
    for index, event in enumerate(events):
        end[index] = max(end[index], start[index] + (10 if event["from"] != event["to"] else 0))
    return _Layout(start, end, breaks, max([HEAD, *start, *end]) + 34)


def _travels(event: Mapping[str, Any]) -> bool:
    return event.get("arrive_ms") is not None and event["status"] != "lost" and event["from"] != event["to"]


def _lane(lane: Mapping[str, Any], x: float, height: int) -> Markup:
    label = shortened(visible(lane["label"]), int((LANE - 34) / GLYPH))
    return tag(
        "g",
        tag("title", lane["label"]),
        tag("line", class_="lane", x1=x, y1=38, x2=x, y2=height - 8),
        tag("rect", class_="box", x=x - LANE / 2 + 12, y=10, width=LANE - 24, height=28, rx=6),
        tag("text", label, class_="head", x=x, y=28),
        class_=lane["kind"],
    )


def _break(gap: _Break, lanes: Iterable[float]) -> Markup:
    zigzags = [
        text(
            _path("gap", f"M{x:g} {gap.y - 6:g}v12"),
            _path("zig", _zigzag(x, gap.y - 2) + _zigzag(x, gap.y + 6)),
        )
        for x in lanes
    ]
    elapsed = tag("text", f"+{_duration(gap.elapsed)}", class_="time", x=GUTTER - 12, y=gap.y + 4)
    return tag("g", zigzags, elapsed, class_="break")


def _zigzag(x: float, y: float) -> str:
    return f"M{x - 7:g} {y:g}l14 -5"


def _band(layout: _Layout, index: int, width: int) -> Markup:
    band = tag("rect", class_="band", x=0, y=layout.start[index] - 27, width=width, height=ROW - 4, rx=6)
    return tag("g", band, data_n=index)


def _event(event: Mapping[str, Any], index: int, layout: _Layout, place: Mapping[str, float]) -> Markup:
    y = layout.start[index]
    known = [place[end] for end in (event["from"], event["to"]) if end in place] or [GUTTER + LANE / 2]
    a, b = known[0], known[-1]
    told = " — ".join(part for part in (event["label"], event["detail"], event.get("step", "")) if part)
    return tag(
        "g",
        tag("title", told),
        tag("circle", class_="disc", cx=18, cy=y - 4, r=10),
        tag("text", index + 1, class_="num", x=18, y=y),
        tag("text", _duration(event["t_ms"]), class_="time", x=GUTTER - 12, y=y),
        _here(event, a, y) if a == b else _arrow(event, a, y, b, layout.end[index]),
        class_=f"{event['kind']} {event['status']}",
        data_n=index,
    )


def _arrow(event: Mapping[str, Any], x: float, y: float, x2: float, y2: float) -> Markup:
    status, way = event["status"], 1 if x2 > x else -1
    room = LONGEST if way > 0 else min(LONGEST, int((x - 12 - GUTTER) / GLYPH))
    if status == "lost":
        x2, y2 = x + (x2 - x) * 0.62, y + (y2 - y) * 0.62
    offsets = (0, 5) if status == "duplicate" else (0,)
    lines = [_path("wire", f"M{x:g} {y + down:g}L{x2:g} {y2 + down:g}") for down in offsets]
    tips = [_path("tip", f"M{x2:g} {y2 + down:g}l{-way * 10} -4.5v9z") for down in offsets]
    label = _label(event, x + way * 12, y - 8, room, "start" if way > 0 else "end")
    return text(lines, _cross(x2, y2) if status == "lost" else tips, label)


def _here(event: Mapping[str, Any], x: float, y: float) -> Markup:
    """What happens at one participant: a dot, a cross for a crash or a loss, a bar for time that passes."""
    if event["kind"] == "crash" or event["status"] == "lost":
        mark = _cross(x, y - 4)
    elif event["kind"] == "time":
        mark = _path("mark", f"M{x - 9:g} {y - 4:g}h18")
    else:
        mark = tag("circle", class_="dot", cx=x, cy=y - 4, r=4.5)
    return text(mark, _label(event, x + 16, y, LONGEST, "start"))


_SIGNS = {"lost": "✕ lost", "duplicate": "×2", "late": "late", "bad": "✕"}


def _label(event: Mapping[str, Any], x: float, y: float, room: int, anchor: str) -> Markup:
    return tag("text", _words(event, room), class_="label", x=x, y=y, text_anchor=anchor)


def _words(event: Mapping[str, Any], room: int) -> str:
    sign = _SIGNS.get(event["status"], "")
    return f"{shortened(visible(event['label']), max(room - len(sign) - 1, 8))} {sign}".strip()


def _path(kind: str, way: str) -> Markup:
    return tag("path", class_=kind, d=way)


def _cross(x: float, y: float) -> Markup:
    return _path("mark", f"M{x - 6:g} {y - 6:g}l12 12m0 -12l-12 12")


def _duration(milliseconds: float) -> str:
    if milliseconds < 1000:
        return f"{milliseconds:g} ms"
    return f"{milliseconds / 1000:.3f}".rstrip("0").rstrip(".") + " s"
