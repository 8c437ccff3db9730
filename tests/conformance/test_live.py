"""The same plans against a service over a real transport, in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from comity.conformance import LiveTarget, NobodyThere, certify_live
from comity.mesh._serve import running_registry
from comity.sdk.session import Session
from tests.faults.processes import eventually


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


def test_a_service_that_dies_on_the_way_ends_the_run_and_is_not_certified() -> None:
    @asynccontextmanager
    async def serving(url: str) -> AsyncGenerator[None]:
        async with running_registry(url) as session:
            dying = asyncio.create_task(after(session))
            yield
            await dying

    async def after(session: Session) -> None:
        await eventually(lambda: session._applied >= 60, "nothing is written", 30)  # pyright: ignore[reportPrivateUsage]
        await session.stop()

    url = "memory://conformance-dying"
    target = LiveTarget(url, plans=2_000, patience=0.02, serve=lambda: serving(url))
    report = certify_live(target)
    assert report.exit == 1
    assert report.data["modes"][0]["plans"] < 200
    assert any("nobody answered any more" in note for note in report.data["notes"])


def test_nobody_on_the_broker_is_an_error_and_never_a_verdict() -> None:
    with pytest.raises(NobodyThere, match="nobody answers") as caught:
        certify_live(LiveTarget("memory://conformance-empty", timeout=1, plans=3))
    assert caught.value.exit == 3
