"""Every lint rule: a minimal bad spec with the line of its complaint; the good twin is the unbroken family."""

from __future__ import annotations

from pathlib import Path

import pytest

from comity.compiler import lint, load
from tests.compiler.support import PINGPONG, ROOT, broken, edit, lints

CASES = [
    (
        "machines.yaml",
        "done: {final: true}}",
        "done: {final: true}, lost: {final: true}}",
        "lint.unreachable-state",
        0,
    ),
    ("machines.yaml", "done: {final: true}}", "done: {}}", "lint.sink", 0),
    ("machines.yaml", "idle: {}, asking", "idle: {final: true}, asking", "lint.final-with-edges", 0),
    ("machines.yaml", "timers: [retry]", "timers: [retry, other]", "lint.timer-never-armed", 0),
    (
        "machines.yaml",
        "if: context.tries < 3,",
        "if: context.tries < 0 && context.tries > 0,",
        "lint.shadowed-edge",
        0,
    ),
    ("machines.yaml", "if: context.tries < 3,", "", "lint.shadowed-edge", 2),
    (
        "machines.yaml",
        "id: give-up, from: asking, when: timer.retry,",
        "id: give-up, from: asking, when: timer.retry, if: context.tries >= 2,",
        "",
        0,
    ),
    (
        "machines.yaml",
        "id: give-up, from: asking, when: timer.retry,",
        "id: give-up, from: asking, when: timer.retry, if: 3 >= context.tries,",
        "lint.overlapping-guards",
        0,
    ),
    (
        "machines.yaml",
        "id: give-up, from: asking, when: timer.retry,",
        "id: give-up, from: asking, when: timer.retry, if: context.tries >= 3,",
        "",
        0,
    ),
    ("machines.yaml", "id: give-up", "id: again", "lint.duplicate-id", 0),
    (
        "machines.yaml",
        "{id: sleep, from: ready, when: Ping,",
        "{id: sleep, from: ready, when: Pong,",
        "lint.wrong-role",
        None,
    ),
    (
        "messages.yaml",
        "kind: request, replies: [Pong, Refused]",
        "kind: request",
        "lint.request-without-reply",
        -4,
    ),
    ("messages.yaml", "replies: [Pong, Refused]", "replies: [Refused]", "lint.reply-to-nothing", 13),
    (
        "messages.yaml",
        "x-requirement: [PP-PING-001]",
        "x-requirement: [PP-PING-009]",
        "lint.unknown-requirement",
        0,
    ),
    ("messages.yaml", "description: I am.", "description: I MUST be.", "lint.keyword-in-prose", 0),
    ("protocol.yaml", "summary: Asks.", "summary: It MAY ask.", "lint.keyword-in-prose", 0),
    ("protocol.yaml", "awake: The answerer", "awake: The answerer SHOULD", "lint.keyword-in-prose", 0),
    ("traces/one-round.yaml", "title: A question", "title: A REQUIRED question", "lint.keyword-in-prose", 0),
    ("README.md", "A family small", "A family SHALL be small", "lint.keyword-in-prose", 0),
    ("channels.yaml", "messages: [Pong, Refused]", "messages: [Pong, Refused, Ping]", "lint.two-channels", 0),
    ("channels.yaml", "messages: [Pong, Refused]", "messages: [Pong]", "lint.no-channel", None),
    ("channels.yaml", "    to: caller", "    to: answerer", "lint.wrong-role", 1),
    ("requirements.yaml", "  - id: PP-PING-002", "  - id: PP-PING-001", "lint.duplicate-id", 0),
    ("requirements.yaml", "  - id: PP-PING-002", "  - id: XX-PING-002", "lint.id-prefix", 0),
    (
        "requirements.yaml",
        "    trigger: Ping where event.nonce > 0 && held.asleep != true\n",
        "",
        "lint.no-trigger",
        -6,
    ),
    ("requirements.yaml", "answerer MUST answer", "answerer answers", "lint.level", 0),
    ("requirements.yaml", "caller SHOULD ask", "caller MUST ask", "lint.level", 0),
    ("requirements.yaml", "observe: wire", "observe: api", "lint.observability", -5),
    ("traces/one-round.yaml", "covers: [PP-PING-001]", "covers: []", "lint.covers-nothing", 0),
]


@pytest.mark.parametrize(
    ("file", "old", "new", "rule", "below"), CASES, ids=[f"{c[3] or 'fine'}-{i}" for i, c in enumerate(CASES)]
)
def test_a_bad_spec_is_named_and_its_good_twin_is_not(
    tmp_path: Path, file: str, old: str, new: str, rule: str, below: int | None
) -> None:
    spec, line = broken(tmp_path, file, old, new)
    found = lints(spec)
    if not rule:
        assert found == []
        return
    lines = [d.line for d in found if d.rule == rule]
    assert lines, "\n".join(map(str, found))
    assert below is None or line + below in lines, "\n".join(map(str, found))


def test_the_unbroken_family_is_clean() -> None:
    assert lints(PINGPONG) == []


def test_a_timer_that_is_armed_and_never_handled_is_named(tmp_path: Path) -> None:
    spec, line = broken(tmp_path, "machines.yaml", "timers: [retry]", "timers: [retry, late]")
    edit(spec / "machines.yaml", "{notify: silence}", "{arm: late, after: 5}")
    assert [(d.rule, d.line) for d in lints(spec)] == [("lint.timer-not-handled", line)]


def test_a_message_that_nobody_sends_or_receives_is_named(tmp_path: Path) -> None:
    spec, _ = broken(tmp_path, "channels.yaml", "[Pong, Refused]", "[Refused]")
    edit(spec / "machines.yaml", "{effect: count}, {send: Pong}", "{effect: count}")
    edit(
        spec / "machines.yaml",
        "when: Pong, if: event.nonce == context.nonce",
        "when: Refused, if: 1 == context.nonce",
    )
    rules = {d.rule for d in lints(spec)}
    assert {"lint.never-sent", "lint.never-received", "lint.no-channel"} <= rules


@pytest.mark.parametrize("family", ["core", "driver", "registry"])
def test_the_real_families_are_clean(family: str) -> None:
    assert [str(d) for d in lint(load(ROOT / "spec" / family / "v1"))] == []
