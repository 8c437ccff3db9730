"""The matrix of requirements and modes as HTML, grouped by area, with what is needed to filter it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

from ._markup import Markup, prose, tag, text
from ._text import MARKS, VERDICTS, area, area_name, mode_name

__all__ = ["matrix"]

_HINT = "A requirement passes only if its situation came up often enough and nothing violated it. Keys: / to search."


def matrix(report: Mapping[str, Any]) -> Markup:
    """Filters and table. Areas stand in the order in which the report names them first."""
    rows, keys = report["requirements"], [mode["key"] for mode in report["modes"]]
    areas = list(dict.fromkeys(area(row["id"]) for row in rows))
    ordered = sorted(rows, key=lambda row: (areas.index(area(row["id"])), row["id"]))
    heads = [tag("th", name, scope="col") for name in ("Id", "Sentence", *map(mode_name, keys))]
    groups = [_group(code, each, keys) for code, each in groupby(ordered, key=lambda row: area(row["id"]))]
    table = tag("table", tag("thead", tag("tr", heads)), groups, class_="matrix")
    none = tag("p", "No requirement fits. Loosen a filter.", class_="none", hidden=True)
    return text(
        tag("p", _HINT, class_="hint"), _filters(rows, areas), tag("div", table, none, class_="scroll")
    )


def _filters(rows: Iterable[Mapping[str, Any]], areas: Iterable[str]) -> Markup:
    present = {cell["verdict"] for row in rows for cell in row["cells"].values()}
    chips = [_chip("", "All")]
    chips += [
        _chip(verdict, f"{MARKS[verdict]} {name}") for verdict, name in VERDICTS.items() if verdict in present
    ]
    levels = {level: level for level in sorted({row["level"] for row in rows})}
    return tag(
        "div",
        tag("input", id="find", type="search", placeholder="Search", aria_label="Search requirements"),
        tag("div", chips, class_="chips", role="group", aria_label="Verdict"),
        _select("level", "Every level", levels),
        _select("area", "Every area", {code: area_name(code) for code in areas}),
        tag("span", id="shown", role="status"),
        class_="filters",
        role="search",
        hidden=True,
    )


def _chip(verdict: str, label: str) -> Markup:
    pressed = "false" if verdict else "true"
    return tag("button", label, type="button", data_verdict=verdict, aria_pressed=pressed)


def _select(name: str, every: str, options: Mapping[str, str]) -> Markup:
    choices = [tag("option", label, value=value) for value, label in {"": every, **options}.items()]
    return tag("select", choices, id=name, aria_label=name.capitalize())


def _group(code: str, rows: Iterable[Mapping[str, Any]], keys: list[str]) -> Markup:
    heading = tag("th", area_name(code), tag("small", code), scope="rowgroup", colspan=len(keys) + 2)
    return tag("tbody", tag("tr", heading, class_="group"), [_row(row, keys) for row in rows])


def _row(row: Mapping[str, Any], keys: list[str]) -> Markup:
    verdicts = " ".join(dict.fromkeys(cell["verdict"] for cell in row["cells"].values()))
    searched = f"{row['id']} {row['text']} {row['why']} {area_name(area(row['id']))}".lower()
    level = row["level"] if row["profile"] == "core" else f"{row['level']} · {row['profile']}"
    return tag(
        "tr",
        tag("td", tag("span", row["id"], class_="id"), tag("small", level), class_="idcell"),
        tag("td", _sentence(row)),
        [tag("td", _cell(row, key), class_="mode", data_label=mode_name(key)) for key in keys],
        id=row["id"],
        data_verdict=verdicts,
        data_level=row["level"],
        data_area=area(row["id"]),
        data_text=searched,
    )


def _sentence(row: Mapping[str, Any]) -> Markup:
    counts = [tag("li", f"{mode_name(key)}: {_counted(cell)}") for key, cell in row["cells"].items()]
    more = [tag("p", prose(row["why"])), tag("ul", counts)]
    return tag("details", tag("summary", prose(row["text"])), more)


def _counted(cell: Mapping[str, Any]) -> str:
    if cell["violations"]:
        return f"violated {cell['violations']:,} times"
    return f"its situation came up {cell['fired']:,} times; {cell['needed']:,} are needed"


def _cell(row: Mapping[str, Any], key: str) -> Markup:
    cell = row["cells"].get(key, {"verdict": "not-run"})
    verdict, reason = cell["verdict"], cell.get("reason")
    inside = text(tag("i", MARKS[verdict], aria_hidden="true"), verdict.replace("-", " "))
    if verdict == "fail" and row["counterexample"] is not None:
        return tag("a", inside, class_="cell fail", href=f"#failure-{row['counterexample']}")
    words = tag("span", reason, class_="reason") if reason else None
    return text(tag("span", inside, class_=f"cell {verdict.replace('/', '')}"), words)
