"""Every link inside the documents leads somewhere: the file is there, and so is the heading."""

from __future__ import annotations

from pathlib import Path

import pytest

from .pages import ROOT, anchors, links, pages


def dead(page: Path) -> list[str]:
    """The links of a page that lead nowhere inside the repository."""
    found: list[str] = []
    for link in links(page):
        if "://" in link or link.startswith("mailto:"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or not target.is_relative_to(ROOT):
            found.append(f"{link}: no such file")
        elif anchor and anchor not in anchors(target):
            found.append(f"{link}: no such heading")
    return found


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert dead(page) == []


def test_a_dead_link_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text(
        "# A `b` c\n[x](#a-b-c) [y](#d) [z](gone.md) ![p](gone.svg) `[q](code.md)`\n", encoding="utf-8"
    )
    assert dead(page) == ["#d: no such heading", "gone.md: no such file", "gone.svg: no such file"]


def test_every_page_of_the_documents_can_be_reached() -> None:
    start = ROOT / "README.md"
    seen, waiting = {start}, [start]
    while waiting:
        page = waiting.pop()
        for link in links(page):
            target = (page.parent / link.partition("#")[0]).resolve()
            if target.suffix == ".md" and target.is_file() and target not in seen:
                seen.add(target)
                waiting.append(target)
    assert set(pages()) - seen == set()
