"""The report as one HTML page that needs nothing else: no network, no framework, readable without scripts.

Responsible for the page and its head. `_matrix` has the requirements, `_failure` the failures; `page.css` the
looks; `page.js` filters the matrix and steps through diagrams.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from . import svg
from ._failure import failure
from ._markup import Markup, prose, tag, text, trusted
from ._matrix import matrix
from ._text import HEADLINES, VERDICTS, mode_name, overall, shortened

__all__ = ["render"]

_LOOKS = {"conformant": ("yes", "✓"), "not conformant": ("no", "✕"), "incomplete": ("partly", "!")}
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


def render(report: Mapping[str, Any]) -> str:
    """The whole page."""
    subject = report["subject"]
    title = f"{HEADLINES[report['verdict']]}: {subject['name']} {subject['version']}"
    head = [
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("title", title),
        tag("style", _resource("page.css"), trusted(svg.STYLE)),
    ]
    page = [
        tag("a", "Skip to the requirements", class_="skip", href="#matrix"),
        tag("div", _bar(), _main(report), _footer(report), class_="wrap"),
        tag("script", _resource("page.js")),
    ]
    return "<!doctype html>\n" + tag("html", tag("head", head), tag("body", page), lang="en") + "\n"


@cache
def _resource(name: str) -> Markup:
    return trusted(resources.files("comity.conformance.report").joinpath(name).read_text(encoding="utf-8"))


def _bar() -> Markup:
    toggle = tag("button", "Dark", class_="plain", id="theme", type="button", hidden=True)
    return tag("div", tag("span", tag("strong", "Comity"), " conformance report"), toggle, class_="bar")


def _main(report: Mapping[str, Any]) -> Markup:
    failures = [failure(report, index) for index in range(len(report["counterexamples"]))]
    notes = [tag("li", prose(note)) for note in report["notes"]]
    return tag(
        "main",
        _verdict(report),
        _section("failures", "What failed", failures) if failures else None,
        _section("runs", "How it was tried", _modes(report)),
        _section("matrix", "Every requirement", matrix(report)),
        _section("notes", "Notes", tag("ul", notes, class_="note")) if notes else None,
    )


def _section(name: str, heading: str, *content: object) -> Markup:
    return tag("section", tag("h2", heading, id=name), content, aria_labelledby=name)


def _verdict(report: Mapping[str, Any]) -> Markup:
    look, mark = _LOOKS[report["verdict"]]
    counts = Counter(map(overall, report["requirements"]))
    seal = tag("span", tag("span", mark), class_="seal", aria_hidden="true")
    tally = [
        tag("li", tag("b", counts[each]), name.lower()) for each, name in VERDICTS.items() if counts[each]
    ]
    return tag(
        "header",
        tag("h1", seal, HEADLINES[report["verdict"]]),
        tag("p", _lead(report, counts["fail"]), class_="lead"),
        tag("ul", tally, class_="tally"),
        _facts(report),
        class_=f"verdict {look}",
    )


def _lead(report: Mapping[str, Any], broken: int) -> Markup:
    subject = tag("b", report["subject"]["name"], " ", report["subject"]["version"])
    role = f" of the {report['role']} role of Comity {report['family']}"
    profile = text("the profile ", tag("b", report["profile"]), role)
    if report["verdict"] == "conformant":
        return text(subject, " keeps every sentence of ", profile, ".")
    if report["verdict"] == "incomplete":
        return text("Nothing wrong was seen of ", subject, ", but not all of ", profile, " was shown.")
    rows = "one requirement" if broken == 1 else f"{broken} requirements"
    return text(
        subject, " does not conform to ", profile, f": it breaks {rows}. The shortest cases found follow."
    )


def _facts(report: Mapping[str, Any]) -> Markup:
    subject, suite = report["subject"], report["suite"]
    repeatable = "deterministic" if subject["deterministic"] else "not deterministic"
    facts: list[tuple[str, object]] = [
        ("Implementation", f"{subject['name']} {subject['version']}, {subject['language']}"),
        ("Target", tag("code", subject["target"])),
        ("Storage", f"{subject['storage']}, {repeatable}"),
        ("Seed", tag("code", report["seed"])),
        ("Suite", suite["version"]),
    ]
    facts += [
        (f"Specification, {name}", _digest(digest)) for name, digest in sorted(suite["digests"].items())
    ]
    return tag("dl", [tag("div", tag("dt", name), tag("dd", value)) for name, value in facts], class_="facts")


def _digest(digest: str) -> Markup:
    return tag("code", shortened(digest, 20), title=digest)


def _modes(report: Mapping[str, Any]) -> Markup:
    heads = [
        tag("th", name, scope="col") for name in ("Mode", "Plans", "Operations", "Faults", "Seconds", "Seeds")
    ]
    rows = [tag("tr", [tag("td", each) for each in _run(mode)]) for mode in report["modes"]]
    table = tag("table", tag("thead", tag("tr", heads)), tag("tbody", rows), class_="modes")
    return tag("div", table, class_="scroll", tabindex=0, role="region", aria_labelledby="runs")


def _run(mode: Mapping[str, Any]) -> list[object]:
    counts = [f"{mode[name]:,}" for name in ("plans", "operations", "faults")]
    return [mode_name(mode["key"]), *counts, f"{mode['seconds']:.1f}", _digest(mode["seeds_digest"])]


def _footer(report: Mapping[str, Any]) -> Markup:
    files = {
        "report.json": "everything above",
        "junit.xml": "for build servers",
        "certificate.json": "digests and verdicts",
    }
    words = [text(tag("code", name), f" ({what}) ") for name, what in files.items()]
    return tag("footer", "Beside this page: ", words, f"· Comity suite {report['suite']['version']}")
