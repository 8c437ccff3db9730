"""The reference registry keeps its requirements over every real broker, whatever order the broker keeps."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from comity.transports.brokers import Broker
from tests.conftest import broker_or_policy

pytestmark = pytest.mark.broker


def certified(url: str, plans: int = 48) -> Counter[str]:
    """How many rows of the reference passed, failed and so on over the broker there, in a few plans."""
    options = ["--live", "--reference", "--plans", str(plans), "--namespace", "certified", "--json"]
    command = [sys.executable, "-m", "comity.cli", "certify", url, *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode in (0, 2), done.stderr  # so few plans may leave some requirements inconclusive
    rows = json.loads(done.stdout)["requirements"]
    key = f"live:{url.partition(':')[0]}"
    return Counter(row["cells"][key]["verdict"] for row in rows)


def test_the_reference_fails_nothing_over_streams_of_nats(nats_server: Broker) -> None:
    """Channels are streams of their own there, too; over core NATS `make certify` does it at length."""
    found = certified(f"{nats_server.url}?stream=600", plans=24)
    assert found["fail"] == 0
    assert found["pass"] >= 30


def test_the_reference_fails_nothing_over_mqtt(mqtt_server: Broker) -> None:
    found = certified(mqtt_server.url)
    assert found["fail"] == 0
    assert found["pass"] >= 40


@pytest.mark.xdist_group("kafka")
def test_the_reference_fails_nothing_over_kafka(kafka_server: Broker) -> None:
    """Answers and changes travel on topics of their own there, and overtake each other."""
    found = certified(kafka_server.url)
    assert found["fail"] == 0
    assert found["pass"] >= 40


def test_no_secret_of_the_url_is_certified(tmp_path: Path) -> None:
    with broker_or_policy("nats", 'authorization { user: anna, password: "hush-hush" }') as broker:
        url = broker.url.replace("nats://", "nats://anna:hush-hush@")
        options = ["--live", "--reference", "--plans", "1", "--report", str(tmp_path)]
        command = [sys.executable, "-m", "comity.cli", "certify", url, *options]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    written = {file.name: file.read_text(encoding="utf-8") for file in tmp_path.rglob("*") if file.is_file()}
    assert {"report.json", "index.html", "certificate.json"} <= written.keys()
    assert "anna:***@" in written["certificate.json"]
    for text in (done.stdout, done.stderr, *written.values()):
        assert "hush-hush" not in text
