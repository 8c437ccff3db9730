"""What Kafka needs is found, kept, or named with the command that installs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from comity.sdk.errors import ConfigError
from comity.transports import _kafka_jars, brokers


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Directories of the test's own, and a PATH with nothing on it."""
    monkeypatch.setenv("COMITY_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("COMITY_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    (tmp_path / "bin").mkdir()
    return tmp_path


def program(directory: Path, name: str, script: str) -> None:
    file = directory / "bin" / name
    file.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    file.chmod(0o755)


JAVA_17 = """echo 'openjdk version "17.0.15" 2025-04-15' >&2"""


def test_without_java_its_package_is_named() -> None:
    with pytest.raises(ConfigError, match=r"no Java here.*apt-get install openjdk-17-jre-headless"):
        brokers.up(["kafka"])
    assert brokers.status() == []


def test_a_java_home_without_java_is_named(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(elsewhere))
    with pytest.raises(ConfigError, match="no Java in JAVA_HOME="):
        _kafka_jars.find_java()


@pytest.mark.parametrize("said", ['openjdk version "11.0.2" 2019', 'java version "1.8.0_202"', "Oops"])
def test_a_java_that_is_too_old_is_refused(elsewhere: Path, said: str) -> None:
    program(elsewhere, "java", f"echo '{said}' >&2")
    with pytest.raises(ConfigError, match="is no Java 17 or later"):
        _kafka_jars.find_java()


def test_without_maven_its_package_is_named(elsewhere: Path) -> None:
    program(elsewhere, "java", JAVA_17)
    with pytest.raises(ConfigError, match=r"no Maven here.*apt-get install maven"):
        brokers.up(["kafka"])


def test_what_maven_says_is_told_and_nothing_kept(elsewhere: Path) -> None:
    program(elsewhere, "mvn", "echo 'Could not transfer artifact'; exit 1")
    with pytest.raises(ConfigError, match=r"cannot get Kafka's jars(.|\n)*Could not transfer artifact"):
        _kafka_jars.jars()
    assert [file.name for file in (elsewhere / "cache").iterdir()] == ["lock"]


def test_what_maven_brought_is_kept(elsewhere: Path) -> None:
    program(elsewhere, "mvn", 'for last; do :; done; PATH=/bin:/usr/bin mkdir "${last#-DoutputDirectory=}"')
    place = _kafka_jars.jars()
    assert place.is_dir()
    (elsewhere / "bin" / "mvn").unlink()
    assert _kafka_jars.jars() == place, "a second time needs no Maven"
    assert _kafka_jars.version() in place.name
