"""The reference registry keeps its requirements over a real mosquitto."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter

import pytest

from comity.transports.brokers import Broker

pytestmark = pytest.mark.broker


def test_the_reference_fails_nothing_over_mqtt(mqtt_server: Broker) -> None:
    options = ["--live", "--reference", "--plans", "48", "--namespace", "certified", "--json"]
    command = [sys.executable, "-m", "comity.cli", "certify", mqtt_server.url, *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode in (0, 2), done.stderr  # so few plans may leave some requirements inconclusive
    rows = json.loads(done.stdout)["requirements"]
    found = Counter(row["cells"]["live:mqtt"]["verdict"] for row in rows)
    assert found["fail"] == 0
    assert found["pass"] >= 40
