"""The report page in a real browser: its scripts run, its controls are there, and nothing is asked of a network."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from comity.conformance.report import write

from . import documents
from .browser import chromium_or_policy, dump, screenshot

# appended to the page as a user would act; what came of it is written into the title
_ACT = """
<script>
  const seen = [];
  document.querySelector("[data-verdict=fail][aria-pressed]").click();
  seen.push(document.querySelector("#shown").textContent);
  document.querySelector("[data-verdict=''][aria-pressed]").click();
  const find = document.querySelector("#find");
  find.value = "reg-wch-004";
  find.dispatchEvent(new Event("input"));
  const rows = [...document.querySelectorAll(".matrix tr[data-verdict]")];
  seen.push(rows.filter((row) => row.checkVisibility()).map((row) => row.id).join());
  const player = document.querySelector(".player");
  for (const key of ["ArrowRight", "ArrowRight", "End"]) {
    player.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    seen.push(player.querySelector("output").textContent);
  }
  player.querySelector("[data-go=back]").click();
  seen.push(player.querySelector("[aria-current]").textContent.slice(0, 11), player.querySelectorAll("svg .later").length);
  document.querySelector("#theme").click();
  seen.push(document.documentElement.dataset.theme);
  seen.push(document.documentElement.scrollWidth <= innerWidth);
  document.title = seen.join("|");
</script>
"""


@pytest.fixture(scope="module")
def browser() -> str:
    return chromium_or_policy()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(documents.failing(), {}, tmp_path_factory.mktemp("report"))["index.html"]


def test_filters_steps_and_theme_work(browser: str, page: Path, tmp_path: Path) -> None:
    acted = page.with_name("acted.html")
    acted.write_text(page.read_text(encoding="utf-8").replace("</body>", _ACT + "</body>"), encoding="utf-8")
    title = (
        dump(browser, tmp_path, f"{acted.as_uri()}?theme=light")
        .partition("<title>")[2]
        .partition("</title>")[0]
    )
    assert title.split("|") == [
        f"3 of {len(documents.failing()['requirements'])} requirements",
        "REG-WCH-004",
        "step 1 of 15",
        "step 2 of 15",
        "step 15 of 15",
        "14. entry 3",
        "2",
        "dark",
        "true",
    ]


@pytest.mark.parametrize(("theme", "width", "height"), [("light", 1280, 900), ("dark", 500, 900)])
def test_page_can_be_drawn(
    browser: str, page: Path, tmp_path: Path, theme: str, width: int, height: int
) -> None:
    target = tmp_path / "page.png"
    screenshot(browser, tmp_path / "profile", f"{page.as_uri()}?theme={theme}", target, width, height)
    content = target.read_bytes()
    assert struct.unpack(">II", content[16:24]) == (width, height)
    assert len(content) > 20_000
