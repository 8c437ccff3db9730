"""The report as JSON: one canonical spelling, and the schema of the format."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from comity.sdk.errors import SpecError

__all__ = ["FORMAT", "canonical", "schema", "validate"]

FORMAT = "comity-report/1"


def canonical(document: Mapping[str, Any]) -> bytes:
    """The one spelling of `document`: ASCII, sorted names, no spaces, one line."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False).encode() + b"\n"


@cache
def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of the report format."""
    text = (
        resources.files("comity.conformance.report")
        .joinpath("report.schema.json")
        .read_text(encoding="utf-8")
    )
    document: dict[str, Any] = json.loads(text)
    return document


def validate(report: Mapping[str, Any]) -> None:
    """Raise `SpecError`, naming the first offending place, unless `report` is a document of the format."""
    import jsonschema_rs

    error = next(jsonschema_rs.validator_for(schema()).iter_errors(dict(report)), None)
    if error is not None:
        place = "/".join(str(part) for part in error.instance_path)
        raise SpecError(
            f"no report of format {FORMAT}: {error.message}", pointer=f"/{place}" if place else ""
        )
