"""A headless Chromium, where there is one, and the policy for machines without."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

__all__ = ["chromium_or_policy", "dump", "screenshot"]

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_QUIET = (
    *(
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-component-update",
    ),
    *(
        "--disable-background-networking",
        "--disable-sync",
        "--hide-scrollbars",
        "--host-resolver-rules=MAP * ~NOTFOUND",
    ),
)


def chromium_or_policy() -> str:
    """The browser's path; without one the test is named as not run, or fails under `COMITY_REQUIRE_ALL=1`."""
    if found := next((path for name in _NAMES if (path := shutil.which(name))), None):
        return found
    if os.environ.get("COMITY_REQUIRE_ALL") == "1":
        pytest.fail("COMITY_REQUIRE_ALL=1, but no chromium is installed")
    pytest.skip("NOT RUN: no chromium is installed, so the report page was not tried in a browser")


def _run(browser: str, profile: Path, *arguments: str) -> str:
    command = [browser, *_QUIET, f"--user-data-dir={profile}", *arguments]
    return subprocess.run(command, capture_output=True, check=True, timeout=90, text=True).stdout


def dump(browser: str, profile: Path, url: str) -> str:
    """The page's document after its scripts ran."""
    return _run(browser, profile, "--virtual-time-budget=2000", "--dump-dom", url)


def screenshot(browser: str, profile: Path, url: str, target: Path, width: int, height: int) -> None:
    """A PNG of the page in a window of this size."""
    _run(browser, profile, f"--screenshot={target}", f"--window-size={width},{height}", url)
