"""The same plans against a service over a real transport, in this process."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from comity.conformance import LiveTarget, NobodyThere, certify_live
from comity.conformance.engine import _live as live
from comity.mesh._serve import running_registry


def _serving(url: str) -> AbstractAsyncContextManager[Any]:
    return running_registry(url)


def test_a_running_registry_fails_no_row_and_says_why_rows_of_the_whole_namespace_do_not_apply() -> None:
    url = "memory://conformance-live"
    report = certify_live(LiveTarget(url, plans=60, serve=lambda: _serving(url)))
    cells = {row["id"]: row["cells"]["live:memory"] for row in report.data["requirements"]}
    assert [row for row, cell in cells.items() if cell["verdict"] == "fail"] == []
    assert sum(cell["fired"] > 0 for cell in cells.values()) >= 60
    assert cells["REG-LST-001"]["verdict"] == "n/a"
    assert cells["REG-LST-001"]["reason"]
    assert cells["DRV-LINE-001"]["verdict"] == "n/a"
    assert report.exit in (0, 2)


def test_nobody_on_the_broker_is_an_error_and_never_a_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "PATIENCE", 0.02)
    with pytest.raises(NobodyThere, match="nobody answers") as caught:
        certify_live(LiveTarget("memory://conformance-empty", plans=3))
    assert caught.value.exit == 3
