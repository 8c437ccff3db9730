"""The command tree: every command helps, with an example, and every mistake is one message and exit status 3."""

from __future__ import annotations

import subprocess
import sys

import pytest

COMMANDS = [
    ["certify"],
    ["replay"],
    ["drive"],
    ["generate"],
    ["spec", "lint"],
    ["spec", "coverage"],
    ["serve", "registry"],
    ["serve", "gateway"],
    ["brokers", "up"],
    ["brokers", "down"],
    ["brokers", "status"],
    ["transport", "init"],
    ["init"],
    ["starter"],
]


def comity(*argv: str) -> subprocess.CompletedProcess[str]:
    code = "from comity.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *argv], capture_output=True, text=True, timeout=60, check=False
    )


def test_the_top_level_help_names_every_command() -> None:
    shown = comity("--help").stdout
    assert all(command[0] in shown for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_helps_with_an_example(command: list[str]) -> None:
    done = comity(*command, "--help")
    assert done.returncode == 0
    assert "Example:" in done.stdout


@pytest.mark.parametrize(
    "argv",
    [
        ["nonsense"],
        ["certify", "--plans", "many"],
        ["certify", "--no-such-option"],
        ["certify", "ftp://somewhere"],
        ["certify", "python:no_such_module:thing"],
        ["certify", "python:json:no_such_name"],
        ["certify", "stdio:/no/such/program"],
        ["certify", "nats://127.0.0.1:1"],
        ["certify", "nats://127.0.0.1:1", "--live", "--timeout", "0.5"],
        ["certify", "--family", "nonsense"],
        ["certify", "--role", "nonsense"],
        ["certify", "--profile", "nonsense"],
        ["replay", "/no/such/file.json"],
        ["spec", "lint", "/no/such/directory"],
        ["generate", "/no/such/directory"],
        ["generate", "spec/registry/v1", "--target", "cobol"],
        ["brokers", "up", "nonsense"],
        ["brokers", "up", "mqtt", "--nodes", "3"],
        ["brokers", "up", "nats", "--nodes", "2"],
        ["serve", "registry", "--transport", "nonsense://x", "--journal", "memory:"],
        ["serve", "registry", "--transport", "nats://127.0.0.1:1", "--journal", "memory:"],
        ["serve", "registry", "--transport", "memory://x", "--journal", "sqlite:/no/such/directory/r.db"],
        ["serve", "gateway", "--from", "memory://a", "--from-namespace", "a", "--to", "nats://127.0.0.1:1"],
        [
            "serve",
            "gateway",
            "--from",
            "nats://127.0.0.1:1",
            "--from-namespace",
            "a",
            "--to",
            "nats://127.0.0.1:2",
        ],
        ["serve", "gateway", "--from", "nats://127.0.0.1:1", "--to", "nats://127.0.0.1:2"],
        ["starter", "nonsense"],
    ],
    ids=" ".join,
)
def test_a_mistake_is_one_message_and_status_3(argv: list[str]) -> None:
    done = comity(*argv)
    assert done.returncode == 3, done.stderr
    assert done.stderr.startswith("comity: ")
    assert "Traceback" not in done.stderr + done.stdout


def test_init_writes_a_runnable_agent_and_refuses_to_overwrite(tmp_path: object) -> None:
    directory = f"{tmp_path}/hello"
    assert comity("init", directory).returncode == 0
    ran = subprocess.run(
        [sys.executable, "agent.py"], cwd=directory, capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert "found hello did:key:z6Mk" in ran.stdout
    again = comity("init", directory)
    assert again.returncode == 3
    assert "agent.py exists" in again.stderr
