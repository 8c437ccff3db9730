"""The report as JUnit XML: one suite per mode, one case per requirement, for whatever shows test results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

from ._text import area, mode_name, plan_steps, visible

__all__ = ["render"]

# inconclusive is an error and not a skip: whoever reads only failures and errors must not take it for a pass
_ELEMENTS = {"fail": "failure", "inconclusive": "error", "not-run": "skipped", "n/a": "skipped"}


def render(report: Mapping[str, Any]) -> str:
    """The XML document as text."""
    root = ElementTree.Element("testsuites", name=visible(f"comity {report['family']} {report['role']}"))
    for mode in report["modes"]:
        _suite(root, mode, report)
    _count(root, root.findall("testsuite/testcase"))
    root.set("time", f"{sum(mode['seconds'] for mode in report['modes']):.3f}")
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _suite(root: ElementTree.Element, mode: Mapping[str, Any], report: Mapping[str, Any]) -> None:
    suite = ElementTree.SubElement(root, "testsuite", name=visible(mode_name(mode["key"])))
    properties = ElementTree.SubElement(suite, "properties")
    for name in ("plans", "operations", "faults", "seeds_digest"):
        ElementTree.SubElement(properties, "property", name=name, value=visible(mode[name]))
    for row in report["requirements"]:
        if cell := row["cells"].get(mode["key"]):
            _case(suite, row, cell, mode["key"], report)
    _count(suite, suite.findall("testcase"))
    suite.set("time", f"{mode['seconds']:.3f}")


def _case(
    suite: ElementTree.Element,
    row: Mapping[str, Any],
    cell: Mapping[str, Any],
    mode: str,
    report: Mapping[str, Any],
) -> None:
    group = visible(f"comity.{row['profile']}.{area(row['id'])}")
    case = ElementTree.SubElement(suite, "testcase", classname=group, name=visible(row["id"]), time="0")
    if kind := _ELEMENTS.get(cell["verdict"]):
        reason = cell.get("reason") or f"fired {cell['fired']} of {cell['needed']} times"
        message = visible(row["text"] if kind == "failure" else reason)
        element = ElementTree.SubElement(case, kind, message=message)
        if kind != "skipped":
            element.set("type", row["level"])
            element.text = _story(row, mode, report) or visible(reason)


def _story(row: Mapping[str, Any], mode: str, report: Mapping[str, Any]) -> str:
    index = row["counterexample"]
    if index is None or report["counterexamples"][index]["mode"] != mode:
        return ""
    found = report["counterexamples"][index]
    steps = [f"{number}. {step}" for number, step in enumerate(plan_steps(found["plan"]), 1)]
    allowed = [f"allowed: {visible(each)}" for each in found["allowed"]]
    lines = [visible(found["prose"]), *steps, *allowed, f"seen: {visible(found['seen'])}"]
    return "\n".join([*lines, f"replay: comity replay {visible(found['replay'])}"])


def _count(element: ElementTree.Element, cases: list[ElementTree.Element]) -> None:
    element.set("tests", str(len(cases)))
    for name, child in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        element.set(name, str(sum(case.find(child) is not None for case in cases)))
