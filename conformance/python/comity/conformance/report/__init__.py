"""Reports: what people and machines look at when an implementation was certified.

Responsible for turning the report document ("comity-report/1") into files; every renderer is a pure function of it. Not
responsible for running or judging anything, nor for the failures' replay files, which the engine writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import certificate, html, json_, junit

__all__ = ["write"]


def write(report: Mapping[str, Any], journals: Mapping[str, bytes], directory: Path) -> dict[str, Path]:
    """Write index.html, report.json, junit.xml and certificate.json into `directory`; their paths by name.

    `journals` are the recorded journals by name, as the bytes that were recorded; the certificate carries the root
    of the Merkle tree over them. Raises `SpecError` where `report` is no document of the format.
    """
    json_.validate(report)
    files = {
        "index.html": html.render(report).encode(),
        "report.json": json_.canonical(report),
        "junit.xml": junit.render(report).encode(),
        "certificate.json": json_.canonical(certificate.statement(report, journals)),
    }
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (directory / name).write_bytes(content)
    return {name: directory / name for name in files}
