"""Every renderer against real requirement rows: format, agreement, determinism, and text that means harm."""

from __future__ import annotations

import copy
import hashlib
import io
import json
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any, cast
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from comity.conformance.report import certificate, html, json_, junit, svg, terminal, write
from comity.sdk.errors import SpecError

from . import documents

JOURNALS = {f"sim/{index:06d}": f'{{"what":"{index}"}}\n'.encode() for index in range(7)}
TRAPS = [
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'-->",
    "\u202egpj.exe",
    "\x00\x1b[2J",
    "]]>",
    "\ud800",
]


@pytest.mark.parametrize("report", [documents.conformant(), documents.failing(), documents.incomplete()])
def test_documents_are_of_the_format(report: Any) -> None:
    json_.validate(report)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("format", "comity-report/2"),
        ("exit", 5),
        ("verdict", "99 %"),
        ("modes", [7]),
        ("requirements", [{"id": "x"}]),
    ],
)
def test_what_is_not_of_the_format_is_refused(place: str, value: object) -> None:
    with pytest.raises(SpecError, match="comity-report/1"):
        json_.validate({**documents.conformant(), place: value})


def test_write_gives_four_files_that_agree(tmp_path: Path) -> None:
    files = write(documents.failing(), JOURNALS, tmp_path / "out")
    assert sorted(files) == ["certificate.json", "index.html", "junit.xml", "report.json"]
    assert json.loads(files["report.json"].read_bytes()) == documents.failing()
    again = write(documents.failing(), JOURNALS, tmp_path / "again")
    assert all(files[name].read_bytes() == again[name].read_bytes() for name in files)


# ------------------------------------------------------------------- junit


def test_junit_counts_what_it_contains() -> None:
    root = ElementTree.fromstring(junit.render(documents.failing()))
    suites = root.findall("testsuite")
    assert [suite.get("name") for suite in suites] == ["Simulation", "Live · memory", "Live · nats"]
    for suite in suites:
        assert suite.get("tests") == str(len(suite.findall("testcase")))
    sim = suites[0]
    assert (sim.get("failures"), sim.get("errors")) == ("3", "1")
    assert root.get("failures") == "3"
    failed = [case.get("name") for case in sim.findall("testcase") if case.find("failure") is not None]
    assert sorted(str(name) for name in failed) == sorted(documents.FAILED)


def test_junit_uses_only_elements_of_the_common_schema() -> None:
    children: dict[str, set[str]] = {
        "testsuites": {"testsuite"},
        "testsuite": {"properties", "testcase"},
        "properties": {"property"},
        "property": set(),
        "testcase": {"failure", "error", "skipped"},
        **{name: set() for name in ("failure", "error", "skipped")},
    }
    for element in ElementTree.fromstring(junit.render(documents.failing())).iter():
        assert {child.tag for child in element} <= children[element.tag]
        if element.tag == "testcase":
            assert len(element) <= 1
            assert {"name", "classname", "time"} <= set(element.attrib)


# ------------------------------------------------------------- certificate


def _tree(leaves: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, as it is written: split at the largest power of two below n."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\x01" + _tree(leaves[:split]) + _tree(leaves[split:])).digest()


@given(st.lists(st.binary(max_size=8), min_size=1, max_size=70))
def test_merkle_root_is_that_of_rfc_6962(contents: list[bytes]) -> None:
    leaves = [certificate.leaf(str(index), content) for index, content in enumerate(contents)]
    assert certificate.merkle_root(leaves) == _tree(leaves).hex()


def test_certificate_binds_every_journal_and_verdict() -> None:
    report = documents.failing()
    base = certificate.statement(report, JOURNALS)
    assert base["predicate"]["nonconformities"] == sorted(documents.FAILED)
    changed = {**JOURNALS, "sim/000003": b"{}\n"}
    assert certificate.statement(report, changed)["predicate"]["journals"] != base["predicate"]["journals"]
    swapped = {**JOURNALS, "sim/000003": JOURNALS["sim/000004"], "sim/000004": JOURNALS["sim/000003"]}
    assert certificate.statement(report, swapped)["predicate"]["journals"] != base["predicate"]["journals"]
    report["requirements"][0]["text"] += " Perhaps."
    assert certificate.statement(report, JOURNALS)["predicate"]["suite"] != base["predicate"]["suite"]


def test_certificate_does_not_know_how_long_it_took() -> None:
    slow = documents.conformant()
    for mode in slow["modes"]:
        mode["seconds"] *= 3
    assert certificate.statement(slow, JOURNALS) == certificate.statement(documents.conformant(), JOURNALS)


# -------------------------------------------------------------------- page


class _Page(HTMLParser):
    """Elements, ids, links and references of a page, and whether it is well nested."""

    VOID = frozenset({"meta", "input"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.labels: list[str] = []
        self.tags: list[str] = []
        self.outside: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        self.ids += [str(given["id"])] if "id" in given else []
        self.labels += str(given.get("aria-labelledby", "")).split()
        self.links += [str(given["href"])] if tag == "a" else []
        self.outside += [
            str(given[name]) for name in ("src", "srcset", "action", "onclick", "onerror") if name in given
        ]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_page_is_well_formed_and_needs_nothing_else() -> None:
    page = _Page(html.render(documents.failing()))
    assert page.outside == []
    assert not {"link", "iframe", "img", "object"} & set(page.tags)
    assert len(page.ids) == len(set(page.ids))
    assert all(link.startswith("#") and link[1:] in page.ids for link in page.links)
    assert set(page.labels) <= set(page.ids)
    assert page.tags.count("svg") == 3


def test_page_says_what_the_report_says() -> None:
    report = documents.failing()
    text = html.render(report)
    for row in report["requirements"]:
        assert f'id="{row["id"]}"' in text
    assert text.count('class="cell fail"') == 3
    assert "Not conformant" in text
    assert "Conformant" in html.render(documents.conformant())
    assert "Incomplete" in html.render(documents.incomplete())


def test_colours_have_enough_contrast_in_both_themes() -> None:
    css = Path(str(html.__file__)).with_name("page.css").read_text(encoding="utf-8")
    themes = re.findall(r"(?:^:root|:root\[data-theme=dark\])\{([^}]*)\}", css, re.MULTILINE)[:2]
    assert len(themes) == 2
    for theme in themes:
        colour = dict(re.findall(r"--([a-z-]+):(#[0-9a-f]{3,6})", theme))
        pairs = [(ink, ground) for ink in ("ink", "muted", "accent") for ground in ("paper", "ground")]
        pairs += [(name, f"{name}-bg") for name in ("pass", "fail", "warn")] + [("muted", "quiet-bg")]
        for ink, ground in pairs:
            assert _contrast(colour[ink], colour[ground]) >= 4.5, (ink, ground)


def _contrast(one: str, other: str) -> float:
    def luminance(colour: str) -> float:
        digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
        parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


# ---------------------------------------------------------------- diagrams


_ENDS = st.sampled_from(["c1", "c2", "s", "j"])
_EVENTS = st.lists(
    st.fixed_dictionaries(
        {
            "t_ms": st.integers(0, 5000),
            "from": _ENDS,
            "to": _ENDS,
            "label": st.text(max_size=60),
            "detail": st.text(max_size=20),
            "kind": st.sampled_from(["message", "fault", "local", "entry", "crash", "time"]),
            "status": st.sampled_from(["ok", "lost", "duplicate", "late", "bad"]),
        },
        optional={"arrive_ms": st.integers(0, 9000)},
    ),
    max_size=14,
)


@given(_EVENTS)
@settings(deadline=None)
def test_labels_and_times_never_meet(events: list[Any]) -> None:
    numbered = [{**event, "n": n} for n, event in enumerate(sorted(events, key=lambda event: event["t_ms"]))]
    diagram = {**documents.lease_diagram(), "events": numbered}
    text = svg.render(diagram, title="t", identity="d")
    assert text == svg.render(diagram, title="t", identity="d")
    root = ElementTree.fromstring(text)
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    for kind, apart in (("label", 12.0), ("time", 11.0), ("num", 12.0)):
        marks = [element for element in root.iter() if element.get("class") == kind]
        heights = sorted(float(mark.attrib["y"]) for mark in marks)
        assert all(lower - upper >= apart for upper, lower in pairwise(heights)), kind
        assert all(12 <= y <= height for y in heights)
        for mark in marks:
            length, x = svg.GLYPH * len(mark.text or ""), float(mark.attrib["x"])
            left = x - length if mark.get("text-anchor") == "end" else x
            assert kind != "label" or (left >= svg.GUTTER - 90 and left + length <= width)


@given(_EVENTS)
@settings(deadline=None)
def test_arrows_never_point_back_in_time(events: list[Any]) -> None:
    numbered = [{**event, "n": n} for n, event in enumerate(events)]
    root = ElementTree.fromstring(
        svg.render({**documents.lease_diagram(), "events": numbered}, title="t", identity="d")
    )
    for element in root.iter():
        if element.get("class") == "wire":
            start, end = _heights(element.attrib["d"])
            assert end > start


def _heights(path: str) -> tuple[float, float]:
    first, second = path.removeprefix("M").split("L")
    return float(first.split()[1]), float(second.split()[1])


def test_every_fault_is_marked_by_shape_and_not_by_colour_alone() -> None:
    text = svg.render(documents.lease_diagram(), title="t", identity="d")
    assert "Changes 1 ✕ lost" in text
    assert "Register ×2" in text
    assert "late</text>" in text
    assert text.count('class="break"') == 2


# ------------------------------------------------------------ hostile text


def _poison(value: Any, text: str) -> Any:
    match value:
        case dict():
            members = cast("dict[str, Any]", value)
            return {name: each if name in _FIXED else _poison(each, text) for name, each in members.items()}
        case list() | tuple():
            items = cast("list[Any]", value)
            return [_poison(each, text) for each in items]
        case str():
            return text
        case _:
            return value


_FIXED = frozenset(
    {
        "format",
        "verdict",
        "level",
        "id",
        "requirement",
        "also",
        "key",
        "mode",
        "kind",
        "status",
        "from",
        "to",
        "storage",
        "cells",
        "op",
    }
)


@given(
    st.one_of(
        st.sampled_from(TRAPS),
        st.text(alphabet=st.characters(exclude_categories=()), min_size=1, max_size=12),
    )
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_text_in_a_report_breaks_a_rendering(text: str) -> None:
    clean = documents.failing()
    clean["requirements"] = [row for row in clean["requirements"] if row["id"] in documents.FAILED]
    report = _poison(copy.deepcopy(clean), text)
    page = html.render(report)
    expected, seen = _Page(html.render(clean)), _Page(page)
    assert seen.tags.count("script") == expected.tags.count("script") == 1
    assert seen.outside == []
    assert not set(re.findall("[\u202a-\u202e\u2066-\u2069\u200b-\u200f\x00-\x08\x1b]", page))
    page.encode()
    ElementTree.fromstring(junit.render(report))
    assert json.loads(json_.canonical(report)) == report
    console = Console(file=io.StringIO(), force_terminal=False, width=100)
    terminal.show(report, console)
    assert "\x1b" not in console.file.getvalue()  # type: ignore[attr-defined]


# ---------------------------------------------------------------- terminal


def _printed(report: Any, *, tty: bool) -> str:
    stream = io.StringIO()
    terminal.show(report, Console(file=stream, force_terminal=tty, width=120))
    return stream.getvalue()


def test_terminal_shows_each_failure_with_sentence_plan_and_replay() -> None:
    text = _printed(documents.failing(), tty=False)
    for found in documents.failing()["counterexamples"]:
        assert found["prose"] in text
        assert f"comity replay {found['replay']}" in text
    assert "3. The request of step 1 is sent once more" in text
    assert "3. Client 1 sends Renew {epoch: ⟨epoch, back 1⟩} (delayed by 880 ms)" in text
    assert text.rstrip().splitlines()[-1].startswith("Not conformant: 3 failed")


def test_terminal_is_plain_when_piped_and_coloured_when_not() -> None:
    piped, shown = _printed(documents.conformant(), tty=False), _printed(documents.conformant(), tty=True)
    assert "\x1b" not in piped
    assert "\x1b[" in shown
    rows = [line.split("\t") for line in piped.splitlines() if line.count("\t") == 4]
    assert len(rows) == sum(len(row["cells"]) for row in documents.conformant()["requirements"])


def test_progress_draws_in_a_terminal_and_is_silent_in_a_pipe() -> None:
    drawn = dict[bool, str]()
    for tty in (True, False):
        stream = io.StringIO()
        with terminal.progress(Console(file=stream, force_terminal=tty, width=120)) as on_progress:
            for done, total in ((10, 100), (100, 100), (1, 7), (7, 7)):
                on_progress(done, total, 20, 75)
        drawn[tty] = stream.getvalue()
    assert "100/100" in drawn[True]
    assert "7/7" in drawn[True]
    assert drawn[False].strip() == ""
