"""What the documents list is what is there: commands, settings, decisions, the version to cite."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import typer
import yaml

from comity.cli._app import app
from comity.sdk.config import Config

from .pages import ROOT


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Every command below `group` as it is typed."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield " ".join(("comity", *path, name))


def test_every_command_is_documented() -> None:
    documented = re.findall(r"^\| `(comity [^`]+)`", read("docs/cli.md"), re.MULTILINE)
    spelled: set[str] = set()
    for entry in documented:
        words = entry.replace("\\|", "|").split()
        plain = [word for word in words if re.fullmatch(r"[a-z|]+", word)]
        *stem, last = plain
        spelled |= {" ".join((*stem, each)) for each in last.split("|")}
    assert spelled == set(commands(typer.main.get_command(app)))


def test_every_setting_is_documented_with_its_default() -> None:
    rows = re.findall(
        r"^\| `([a-z_]+)` \| `(COMITY_[A-Z_]+)` \| (?:`?([^`|]*?)`? )?\|", read("docs/cli.md"), re.MULTILINE
    )
    documented = {key: (variable, default) for key, variable, default in rows}
    expected = {
        field.name: (f"COMITY_{field.name.upper()}", "" if field.default is None else str(field.default))
        for field in fields(Config)
        if field.name != "source"
    }
    assert documented == expected


def test_every_decision_is_listed_and_short() -> None:
    listed = set(re.findall(r"\(([0-9]{3}-[a-z0-9-]+\.md)\)", read("docs/decisions/README.md")))
    notes = {path.name for path in (ROOT / "docs" / "decisions").glob("[0-9]*.md")}
    assert listed == notes
    for name in notes:
        text = read(f"docs/decisions/{name}")
        assert text.startswith(f"# {name[:3]} ")
        assert len(text.splitlines()) <= 40, name


def test_the_citation_is_of_this_version() -> None:
    citation = yaml.safe_load(read("CITATION.cff"))
    project = tomllib.loads(read("pyproject.toml"))["project"]
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= citation.keys()
    assert citation["version"] == project["version"]
    assert citation["license"] == project["license"]


def test_changelog_fragments_have_a_known_kind() -> None:
    kinds = "added|changed|deprecated|removed|fixed|security"
    names = [path.name for path in (ROOT / "changelog.d").iterdir() if path.name != "README.md"]
    assert [name for name in names if not re.fullmatch(rf"[a-z0-9-]+\.({kinds})\.md", name)] == []
