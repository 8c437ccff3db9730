"""Settings and identity files: priority, and mistakes that name their place."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from comity.sdk.config import Config, find_file, load_config
from comity.sdk.errors import ConfigError
from comity.sdk.keyfile import load_identity


def write(folder: Path, text: str) -> Path:
    file = folder / "comity.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_each_source_goes_over_the_one_before(tmp_path: Path) -> None:
    file = write(tmp_path, 'namespace = "file"\nname = "file"\ntransport = "memory://file"\n')
    environment = {"COMITY_NAMESPACE": "environment", "COMITY_NAME": "environment", "COMITY_OTHER": "x"}
    config = load_config(file, environment=environment, namespace="argument", name=None)
    assert (config.transport, config.name, config.namespace) == ("memory://file", "environment", "argument")
    assert config.journal == Config().journal
    assert config.source == file


def test_the_file_is_found_upwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    file = write(tmp_path, 'namespace = "above"\n')
    assert find_file(deep) == file
    monkeypatch.chdir(deep)
    assert load_config(environment={}).namespace == "above"
    nearer = write(deep, 'namespace = "near"\n')
    assert find_file(deep) == nearer


def test_paths_in_a_file_count_from_that_file(tmp_path: Path) -> None:
    text = 'journal = "sqlite:data/r.db?synchronous=full"\nstorage = "memory:"\nidentity = "me.key"\n'
    config = load_config(write(tmp_path, text), environment={})
    assert config.journal == f"sqlite:{tmp_path}/data/r.db?synchronous=full"
    assert (config.storage, config.identity) == ("memory:", f"{tmp_path}/me.key")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('namespace = "a"\ntransprot = "memory://x"\n', 2, "no setting 'transprot'"),
        ('\n\nnamespace = "A B"\n', 3, "namespace"),
        ("connect_timeout_ms = 0\n", 1, "milliseconds"),
        ('# c\nconnect_timeout_ms = "5"\n', 2, "milliseconds"),
        ("request_timeout_ms = true\n", 1, "milliseconds"),
        ('profile = "closed"\n', 1, "open or signed"),
        ('transport = "localhost"\n', 1, "URL"),
        ("name = 7\n", 1, "text"),
        ('namespace = "a"\n[tables]\nx = 1\n', 2, "no setting 'tables'"),
        ('source = "x"\n', 1, "no setting 'source'"),
    ],
)
def test_a_mistake_names_file_and_line(tmp_path: Path, text: str, line: int, words: str) -> None:
    file = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_config(file, environment={})
    assert str(caught.value).startswith(f"{file}:{line}:")
    assert words in str(caught.value)


def test_what_is_no_toml_or_no_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="line 2"):
        load_config(write(tmp_path, 'namespace = "a"\nnamespace = "b"\n'), environment={})
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path / "absent.toml", environment={})
    (tmp_path / "comity.toml").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path / "comity.toml", environment={})


def test_a_wrong_variable_or_argument_is_named(tmp_path: Path) -> None:
    file = write(tmp_path, "")
    with pytest.raises(ConfigError, match="COMITY_CONNECT_TIMEOUT_MS"):
        load_config(file, environment={"COMITY_CONNECT_TIMEOUT_MS": "soon"})
    assert load_config(file, environment={"COMITY_CONNECT_TIMEOUT_MS": "70"}).connect_timeout_ms == 70
    with pytest.raises(ConfigError, match="argument nmae"):
        load_config(file, environment={}, nmae="x")


def test_a_registry_that_is_no_agent_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, 'registry = "did:key:z6Mkshort"\n')
    with pytest.raises(ConfigError, match=r"comity\.toml:1: registry is an agent id"):
        load_config(path, environment={})


def test_an_identity_is_made_once_and_kept_from_others(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "me.key"
    with pytest.raises(ConfigError, match=rf"there is no directory {path.parent}"):
        load_identity(path)
    assert not path.parent.exists()
    path.parent.mkdir()
    made = load_identity(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_identity(path).agent_id == made.agent_id
    assert [file.name for file in path.parent.iterdir()] == ["me.key"]


def test_those_who_make_it_at_once_end_with_the_same(tmp_path: Path) -> None:
    path = tmp_path / "me.key"
    with ThreadPoolExecutor(8) as pool:
        agents = {identity.agent_id for identity in pool.map(load_identity, [path] * 8)}
    assert len(agents) == 1


@pytest.mark.parametrize("text", ["", "00" * 31, "zz" * 32, "00" * 64, "é"])
def test_a_file_that_is_no_identity_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "me.key"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    with pytest.raises(ConfigError, match=r"me\.key"):
        load_identity(path)


def test_an_identity_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "me.key"
    load_identity(path)
    path.chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        load_identity(path)


def test_a_place_where_none_can_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(ConfigError, match="cannot be made"):
        load_identity(tmp_path / "file" / "me.key")
