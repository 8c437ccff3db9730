"""Reads the project's Markdown pages: fenced blocks, links, headings.

A block's info string says what the tests do with it:

    bash run            is run, in order, with all others of its page, by one shell in an empty directory
    bash run broker     the same, where a broker may be started
    text output         lines that the block before has to print, in this order; … stands for anything
    python file=NAME    is written to NAME before the shell comes to it
    python body         is joined with all others of its page into one coroutine that has a connected `mesh`
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

__all__ = ["ROOT", "Block", "anchors", "blocks", "links", "pages"]

ROOT = Path(__file__).resolve().parents[2]
_FENCE = re.compile(r"^```([^\n`]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!\\)\[[^\]]*\]\(([^)\s]+)\)|(?:src|srcset|href)=\"([^\"]+)\"")


class Block(NamedTuple):
    """One fenced block: its language, the words behind it, its text, and the line it starts on."""

    language: str
    words: tuple[str, ...]
    text: str
    line: int


def pages() -> list[Path]:
    """Every page that people read, generated ones too."""
    top = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "changelog.d" / "README.md"]
    return [*top, *sorted(ROOT.glob("docs/**/*.md")), *sorted(ROOT.glob("spec/**/*.md"))]


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    found: list[Block] = []
    for match in _FENCE.finditer(text):
        language, *words = match[1].split() or [""]
        found.append(Block(language, tuple(words), match[2], text.count("\n", 0, match.start()) + 1))
    return found


def links(page: Path) -> Iterator[str]:
    """The targets of all links and images outside code."""
    for match in _LINK.finditer(_prose(page)):
        yield match[1] or match[2]


def anchors(page: Path) -> set[str]:
    """What a link to this page may name: explicit ids, and headings as code hosts spell them."""
    prose = _FENCE.sub("", page.read_text(encoding="utf-8"))
    named = set(re.findall(r"<a id=\"([^\"]+)\"", prose))
    seen: Counter[str] = Counter()
    for heading in re.findall(r"^#{1,6} +(.+?) *$", prose, re.MULTILINE):
        slug = _slug(re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading))
        named.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return named


def _prose(page: Path) -> str:
    return re.sub(r"`[^`\n]*`", "", _FENCE.sub("", page.read_text(encoding="utf-8")))


def _slug(heading: str) -> str:
    return "".join(c for c in heading.lower().replace(" ", "-") if c.isalnum() or c in "-_")
