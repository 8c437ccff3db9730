"""A starter as `comity starter registry` copies it, in a world of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from comity.conformance import starter

from .world import World


@pytest.fixture
def open_world(tmp_path: Path) -> Iterator[Callable[..., World]]:
    for name, text in starter.files("registry").items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    worlds: list[World] = []

    def open_one(**parameters: int) -> World:
        worlds.append(World(tmp_path, **parameters))
        return worlds[-1]

    yield open_one
    for world in worlds:
        world.close()


@pytest.fixture
def world(open_world: Callable[..., World]) -> World:
    return open_world()
