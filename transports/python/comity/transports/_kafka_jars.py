"""Apache Kafka's own jars and the Java to run them, resolved once with Maven and kept for the user.

Responsible for finding Java and Maven, for saying what to install where they are missing, and for the cache.
Not responsible for running a broker: `_kafka_server.py` is.

The jars stand in a directory named after the pinned `kafka-pom.xml`, under `COMITY_CACHE_DIR`, else `comity`
under `XDG_CACHE_HOME` or `~/.cache`; a second start needs neither Maven nor a network. `COMITY_KAFKA_VERSION` names
another version than the pinned one.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Final

from comity.sdk.errors import ConfigError

__all__ = ["cache", "find_java", "jars", "version"]

_OLDEST_JAVA: Final = 17
_PATIENCE: Final = 600.0
_PLUGIN: Final = "org.apache.maven.plugins:maven-dependency-plugin:3.7.1:copy-dependencies"


def find_java() -> str:
    """Path of a Java that can run Kafka: of `JAVA_HOME`, else of PATH. Raises `ConfigError` that says how to get one."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=str(Path(home, "bin"))) if home else shutil.which("java")
    if found is None:
        where = f"in JAVA_HOME={home}" if home else "here"
        raise ConfigError(
            f"no Java {where}, which Kafka needs: install {_OLDEST_JAVA} or later "
            "(on Debian: apt-get install openjdk-17-jre-headless)"
        )
    asked = subprocess.run([found, "-version"], capture_output=True, text=True, timeout=60, check=False)
    number = re.search(r'version "(\d+)', asked.stderr + asked.stdout)
    if number is None or int(number[1]) < _OLDEST_JAVA:
        raise ConfigError(
            f"{found} is no Java {_OLDEST_JAVA} or later: install one, or set JAVA_HOME "
            "(on Debian: apt-get install openjdk-17-jre-headless)"
        )
    return found


def version() -> str:
    """The version of Kafka that `COMITY_KAFKA_VERSION` names, else the one that the pom pins, such as `4.1.2`."""
    match = re.search(r"<kafka.version>([^<]+)<", _pom().decode())
    if match is None:
        raise ConfigError("kafka-pom.xml names no version of Kafka")
    named = os.environ.get("COMITY_KAFKA_VERSION")
    if named and not re.fullmatch(r"[4-9](\.\d+)+", named):
        raise ConfigError(f"COMITY_KAFKA_VERSION={named} is no version from 4.0 on, such as {match[1]}")
    return named or match[1]


def jars() -> Path:
    """Directory of the jars, filled with Maven first where it is empty.

    Raises `ConfigError` where Maven is missing or cannot get them.
    """
    pom = _pom()
    place = cache() / f"kafka-{version()}-{hashlib.sha256(pom).hexdigest()[:12]}"
    if place.is_dir():
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    with (place.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.is_dir():  # nobody else was faster
            _resolve(pom, place)
    return place


def _pom() -> bytes:
    return (files("comity.transports") / "kafka-pom.xml").read_bytes()


def cache() -> Path:
    """Directory of what is downloaded once and kept for the user; it may not be there yet."""
    own, shared = os.environ.get("COMITY_CACHE_DIR"), os.environ.get("XDG_CACHE_HOME")
    return Path(own) if own else Path(shared or Path.home() / ".cache", "comity")


def _resolve(pom: bytes, place: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise ConfigError(
            "no Maven here, which fetches Kafka's jars the first time: install it (on Debian: apt-get install maven)"
        )
    with tempfile.TemporaryDirectory(prefix="kafka-", dir=place.parent) as directory:
        Path(directory, "pom.xml").write_bytes(pom)
        arguments = ["-q", "-B", "-f", f"{directory}/pom.xml", _PLUGIN, "-DincludeScope=runtime"]
        arguments += [f"-Dkafka.version={version()}"]
        try:
            done = subprocess.run(
                [maven, *arguments, f"-DoutputDirectory={directory}/jars"],
                capture_output=True,
                text=True,
                timeout=_PATIENCE,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise ConfigError(
                f"Maven did not bring Kafka's jars within {_PATIENCE:g} s: see its network"
            ) from error
        if done.returncode:
            said = (done.stdout + done.stderr).strip()[-1000:]
            raise ConfigError(f"Maven cannot get Kafka's jars; the end of what it says:\n{said}")
        Path(directory, "jars").replace(place)
