"""Every class of error in spec files is reported with its file, line and rule."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from comity.compiler import CompilerError, load
from tests.compiler.support import PINGPONG, ROOT, broken, complaints, edit

NONCE = '      nonce: {$ref: "#/$defs/Nonce", x-field: 1}\n      note:'

# file, old text, new text, rule, lines below the replaced text, part of the message
CASES = [
    (
        "messages.yaml",
        "    type: string\n    enum: [calm",
        "    type: string\n   enum: [calm",
        "yaml.syntax",
        1,
        "",
    ),
    ("messages.yaml", "  Mood:", "  Nonce:", "yaml.duplicate-key", 0, "'Nonce'"),
    ("messages.yaml", "  Mood:", "  5:", "yaml.key", 0, "string"),
    ("messages.yaml", "    enum: [calm", "    enum: &x [calm", "", 0, ""),
    ("messages.yaml", "[calm, hurried]", "[!!python/name:os calm]", "yaml.tag", 0, "python"),
    (
        "channels.yaml",
        "messages: [Pong, Refused]",
        "messages: &m [Pong]\n    more: *m",
        "yaml.alias",
        1,
        "aliases",
    ),
    ("machines.yaml", "id: wake, from:", "id: wake, on: x, from:", "shape.unknown-key", 0, "'on'"),
    ("requirements.yaml", "    trigger: silence", "    no: silence", "shape.unknown-key", 0, "'no'"),
    ("protocol.yaml", "facts:", "fcats:", "shape.unknown-key", 0, "'fcats'"),
    ("protocol.yaml", "title: Ping-pong\n", "", "shape.missing-key", -3, "'title'"),
    ("protocol.yaml", 'version: "1.0"', "version: 1.0", "shape.type", 0, "string"),
    ("protocol.yaml", "outcome: definite", "outcome: perhaps", "shape.value", 0, "perhaps"),
    ("protocol.yaml", "default: 1000", "default: 5", "shape.value", 0, "retry_ms"),
    ("protocol.yaml", "role: caller", "role: nobody", "ref.role", 0, "nobody"),
    ("protocol.yaml", "code: pingpong.asleep", "code: other.asleep", "lint.error-prefix", 0, "pingpong."),
    (
        "messages.yaml",
        '      nonce: {$ref: "#/$defs/Nonce", x-field: 1}\n      note:',
        '      nonce: {$ref: "#/$defs/Nounce", x-field: 1}\n      note:',
        "ref.dangling",
        0,
        "'Nounce'",
    ),
    ("messages.yaml", '{$ref: "comity#/Map"', '{$ref: "core#/$defs/X"', "ref.dangling", 0, "'core'"),
    ("messages.yaml", '{$ref: "comity#/Map"', '{$ref: "comity#/Bag"', "ref.dangling", 0, "'Bag'"),
    ("messages.yaml", '{$ref: "comity#/Map"', '{$ref: "other.yaml"', "ref.form", 0, "other.yaml"),
    ("messages.yaml", "replies: [Pong, Refused]", "replies: [Pang]", "ref.message", 0, "'Pang'"),
    ("messages.yaml", "replies: [Pong, Refused]", "replies: [Ping]", "ref.message", 0, "request"),
    ("messages.yaml", "    maximum: 65535", "    maximum: 9007199254740992", "profile.bounds", 0, "2^53"),
    (
        "messages.yaml",
        "    minimum: 0\n    maximum: 65535",
        "    minimum: 0",
        "profile.unbounded",
        -3,
        "maximum",
    ),
    (
        "messages.yaml",
        "    minimum: 0\n    maximum: 65535",
        "    minimum: 9\n    maximum: 8",
        "profile.bounds",
        0,
        "above",
    ),
    ("messages.yaml", "    maxLength: 16\n", "", "profile.unbounded", -3, "maxLength"),
    ("messages.yaml", "maxItems: 4, ", "", "profile.unbounded", 0, "maxItems"),
    ("messages.yaml", "maximum: 10.5", "maximum: .inf", "shape.type", 0, "number"),
    ("messages.yaml", '[integer, "null"]', "[integer, string]", "profile.type", 0, "null"),
    ("messages.yaml", '[integer, "null"]', '"null"', "profile.type", 0, "null"),
    ("messages.yaml", "{type: boolean, x-field: 2}", "{type: boolean}", "profile.field-number", 0, "x-field"),
    (
        "messages.yaml",
        "{type: boolean, x-field: 2}",
        "{type: boolean, x-field: 1}",
        "profile.field-number",
        0,
        "taken",
    ),
    (
        "messages.yaml",
        "{type: boolean, x-field: 2}",
        "{type: boolean, format: x, x-field: 2}",
        "shape.unknown-key",
        0,
        "format",
    ),
    (
        "messages.yaml",
        "{type: boolean, x-field: 2}",
        "{type: boolean, maximum: 2, x-field: 2}",
        "profile.keyword",
        0,
        "maximum",
    ),
    ("messages.yaml", "      schema: {", "      class: {", "profile.property-name", 0, "class"),
    ("messages.yaml", "  Mood:", "  Literal:", "profile.definition-name", 0, "Literal"),
    (
        "messages.yaml",
        "{const: piece, x-field: 1}",
        "{const: kilo, x-field: 1}",
        "profile.union",
        2,
        "distinct",
    ),
    (
        "messages.yaml",
        "    required: [kind]\n",
        "    required: [kind, size]\n",
        "profile.required",
        0,
        "size",
    ),
    (
        "messages.yaml",
        "    additionalProperties: false\n    required: [kind]\n",
        "    required: [kind]\n",
        "profile.open",
        -2,
        "",
    ),
    ("messages.yaml", "^[a-z]+(-[a-z]+)?$", "[a-z]+", "profile.pattern", 0, "anchored"),
    ("messages.yaml", "^[a-z]+(-[a-z]+)?$", "^\\\\d+$", "profile.pattern", 0, "\\d"),
    ("messages.yaml", "^[a-z]+(-[a-z]+)?$", "^(?=a)a$", "profile.pattern", 0, "(?:"),
    ("messages.yaml", "^[a-z]+(-[a-z]+)?$", "^a.b$", "profile.pattern", 0, "`.`"),
    ("messages.yaml", "^[a-z]+(-[a-z]+)?$", "^a+?$", "profile.pattern", 0, "lazy"),
    ("messages.yaml", "^[a-z]+(-[a-z]+)?$", "^a|b$", "profile.pattern", 0, "alternatives"),
    ("messages.yaml", "^[a-z]+(-[a-z]+)?$", "^[a&&b]$", "profile.pattern", 0, "Rust"),
    ("messages.yaml", "^[a-z]+(-[a-z]+)?$", "^[a-z]{20}$", "profile.pattern", 0, "leave nothing"),
    ("channels.yaml", "messages: [Ping]", "messages: [Pin]", "ref.message", 0, "'Pin'"),
    ("channels.yaml", "    from: caller", "    from: nobody", "ref.role", 0, "nobody"),
    ("machines.yaml", "    role: caller", "    role: nobody", "ref.role", 0, "nobody"),
    ("machines.yaml", "when: Pong,", "when: Pang,", "ref.message", 0, "'Pang'"),
    ("machines.yaml", "when: signal.woken", "when: signal.slept", "ref.signal", 0, "slept"),
    (
        "machines.yaml",
        "from: asking, when: Refused",
        "from: nowhere, when: Refused",
        "ref.state",
        0,
        "nowhere",
    ),
    ("machines.yaml", "initial: ready", "initial: nowhere", "ref.state", 0, "nowhere"),
    ("machines.yaml", "{persist: nonce}", "{send: Pang}", "ref.message", 0, "'Pang'"),
    ("machines.yaml", "{effect: count}", "{effect: sing}", "ref.effect", 0, "sing"),
    ("machines.yaml", "{refuse: pingpong.asleep}", "{refuse: pingpong.dead}", "ref.error", 0, "dead"),
    ("machines.yaml", "{reject: pingpong.asleep}", "{reject: pingpong.dead}", "ref.error", 0, "dead"),
    (
        "machines.yaml",
        "{set: {name: event.name, tries: 1}}",
        "{set: {naem: event.name}}",
        "ref.context",
        0,
        "naem",
    ),
    ("machines.yaml", "{set: {name: event.name, tries: 1}}", "{disarm: retyr}", "ref.timer", 0, "retyr"),
    (
        "machines.yaml",
        'name: {type: string, initial: ""}',
        "name: {type: string, initial: 5}",
        "shape.type",
        0,
        "'name'",
    ),
    (
        "machines.yaml",
        "event.nonce == context.nonce",
        "event.nonce == context.name",
        "expr.type",
        0,
        "compares",
    ),
    ("machines.yaml", "event.nonce == context.nonce", "event.nonce == true", "expr.type", 0, "boolean"),
    ("machines.yaml", "event.nonce == context.nonce", "event.nonce", "expr.type", 0, "number where"),
    ("machines.yaml", "event.nonce == context.nonce", "event.nounce == 1", "expr.type", 0, "nounce"),
    ("machines.yaml", "event.nonce == context.nonce", "event.nonce ==", "expr.syntax", 0, "the end"),
    (
        "machines.yaml",
        "event.nonce == context.nonce",
        "event.nonce < 1 < 2",
        "expr.syntax",
        0,
        "end of expression",
    ),
    ("machines.yaml", "event.nonce == context.nonce", "held.nonce == 1", "expr.type", 0, "held"),
    (
        "machines.yaml",
        "!has(event.gone) || event.nonce > -1",
        "has(event.gone) || event.mood == 'calm'",
        "expr.type",
        0,
        "absent",
    ),
    (
        "machines.yaml",
        "!has(event.gone) || event.nonce > -1",
        "has(event.mood) && event.mood == 'wild'",
        "expr.type",
        0,
        "never",
    ),
    (
        "machines.yaml",
        "!has(event.gone) || event.nonce > -1",
        "has(event.extra) && event.extra.x == 1",
        "expr.type",
        0,
        "open",
    ),
    ("machines.yaml", "awake()", "asleep()", "expr.type", 0, "predicate"),
    ("machines.yaml", "armed(retry)", "armed(retyr)", "expr.type", 0, "retyr"),
    ("machines.yaml", 'state == "asking"', 'state == "asknig"', "expr.type", 0, "never"),
    (
        "machines.yaml",
        "after: 1000}]}\n      - {id: again",
        "after: event.name == 1}]}\n      - {id: again",
        "expr.type",
        0,
        "boolean",
    ),
    ("requirements.yaml", "trigger: silence", "trigger: silense", "ref.trigger", 0, "silense"),
    ("requirements.yaml", "trigger: silence", "trigger: silence when true", "expr.syntax", 0, "where"),
    ("requirements.yaml", "event.nonce > 0", "event.nonce > 'x'", "expr.type", 0, "string"),
    ("requirements.yaml", "extended:echo", "extended:ehco", "ref.feature", 0, "ehco"),
    ("requirements.yaml", "role: answerer", "role: nobody", "ref.role", 0, "nobody"),
    ("requirements.yaml", "id: PP-PING-002", "id: PP-2", "shape.value", 0, "PP-2"),
    ("traces/one-round.yaml", "covers: [PP-PING-001]", "covers: [PP-PING-009]", "ref.requirement", 0, "009"),
    (
        "traces/one-round.yaml",
        "send: Ping, data: {nonce: 7",
        "send: Pang, data: {nonce: 7",
        "ref.message",
        0,
        "Pang",
    ),
    ("traces/one-round.yaml", "{nonce: 7, mood: calm}", "{mood: calm}", "trace.data", 0, "nonce"),
    ("traces/one-round.yaml", "{nonce: 7, mood: calm}", "{nonce: 7, mood: wild}", "trace.data", 0, "wild"),
    (
        "traces/one-round.yaml",
        "{see: Pong, data: {nonce: $n}}",
        "{see: Refused, data: {code: pingpong.x}}",
        "ref.error",
        0,
        "pingpong.x",
    ),
    ("traces/one-round.yaml", "{advance: 1000}", "{wait: 1000}", "shape.missing-key", 0, ""),
]


@pytest.mark.parametrize(
    ("file", "old", "new", "rule", "below", "says"),
    [case for case in CASES if case[3]],
    ids=[f"{case[3]}-{index}" for index, case in enumerate(CASES) if case[3]],
)
def test_an_error_names_its_file_line_and_rule(
    tmp_path: Path, file: str, old: str, new: str, rule: str, below: int, says: str
) -> None:
    spec, line = broken(tmp_path, file, old, new)
    found = complaints(spec)
    matching = [
        d for d in found if d.rule == rule and d.line == line + below and d.file.endswith(f"pingpong/{file}")
    ]
    assert matching, "\n".join(map(str, found))
    assert any(says in d.message for d in matching), "\n".join(map(str, found))


def test_the_unbroken_family_loads() -> None:
    spec = load(PINGPONG)
    assert list(spec.messages) == ["Ping", "Pong", "Refused"]


def test_all_errors_of_one_run_are_reported_in_order(tmp_path: Path) -> None:
    spec, first = broken(tmp_path, "messages.yaml", "    maximum: 65535", "    maximum: 1e30")
    second = edit(spec / "messages.yaml", "[calm, hurried]", "[calm, calm]")
    third = edit(spec / "channels.yaml", "order: none", "order: some")
    found = [(Path(d.file).name, d.line, d.rule) for d in complaints(spec)]
    assert found == [
        ("channels.yaml", third, "shape.value"),
        ("messages.yaml", first, "profile.bounds"),
        ("messages.yaml", second - 2, "profile.type"),
    ]


def test_a_diagnostic_prints_as_file_line_rule_message(tmp_path: Path) -> None:
    spec, line = broken(tmp_path, "protocol.yaml", "role: caller", "role: nobody")
    with pytest.raises(CompilerError) as error:
        load(spec)
    assert str(error.value).endswith(f"protocol.yaml:{line}: ref.role protocol.yaml has no role 'nobody'")


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    assert [d.rule for d in complaints(tmp_path)] == ["file.missing", "file.missing"]


@pytest.mark.parametrize(
    ("content", "rule"),
    [(b"\xff\xfe\x00", "yaml.encoding"), (b"", "yaml.empty"), (b"a: [\x00]", "yaml.syntax")],
)
def test_an_unreadable_file_is_an_error(tmp_path: Path, content: bytes, rule: str) -> None:
    shutil.copytree(PINGPONG, tmp_path / "p")
    (tmp_path / "p" / "messages.yaml").write_bytes(content)
    assert [d.rule for d in complaints(tmp_path / "p")] == [rule]


def test_cyclic_includes_are_refused_at_the_line_that_closes_the_cycle(tmp_path: Path) -> None:
    for name, other in (("aye", "bee"), ("bee", "aye")):
        family = tmp_path / name / "v1"
        family.mkdir(parents=True)
        head = f'protocol: {name}\nversion: "1.0"\ntitle: {name}\nsummary: {name}\nuses:\n  {other}: ../../{other}/v1\n'
        (family / "protocol.yaml").write_text(head)
        (family / "messages.yaml").write_text("$defs: {}\n")
    found = [(d.rule, d.line, Path(d.file).parts[-3]) for d in complaints(tmp_path / "aye" / "v1")]
    assert found == [("include.cycle", 6, "bee")]


def test_an_include_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    spec, line = broken(tmp_path, "protocol.yaml", "roles:", "uses: {core: ../../nowhere}\nroles:")
    assert ("include.missing", line) in [(d.rule, d.line) for d in complaints(spec)]


def test_an_endless_type_is_refused(tmp_path: Path) -> None:
    spec, line = broken(
        tmp_path,
        "messages.yaml",
        "      weight: {type: number, minimum: 0, maximum: 10.5, x-field: 2}",
        '      weight: {$ref: "#/$defs/Kilo", x-field: 2}',
    )
    assert [(d.rule, d.line) for d in complaints(spec)] == [("ref.endless", line - 6)]


def test_words_that_yaml_1_1_reads_as_booleans_are_strings(tmp_path: Path) -> None:
    spec, _ = broken(tmp_path, "messages.yaml", "[calm, hurried]", "[on, no, calm]")
    assert load(spec).definitions["Mood"].schema["enum"] == ["on", "no", "calm"]


def test_a_deep_expression_is_refused_and_not_a_crash(tmp_path: Path) -> None:
    spec, line = broken(
        tmp_path, "machines.yaml", "event.nonce == context.nonce", "(" * 500 + "true" + ")" * 500
    )
    assert [(d.rule, d.line) for d in complaints(spec)] == [("expr.syntax", line)]


def test_the_real_families_load() -> None:
    for family in ("core", "driver", "registry"):
        assert load(ROOT / "spec" / family / "v1").protocol == family
