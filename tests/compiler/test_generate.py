"""Generation: reproducible, complete, strays found; a third party's family generates and runs."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema_rs
import pytest

from comity.compiler import CompilerError, check, generate, generate_to
from comity.compiler.__main__ import main
from comity.sdk.machine import Effect, Instance
from comity.sdk.model import MISSING
from comity.sdk.spec import load_file
from tests.compiler.support import PINGPONG, ROOT

FAMILIES = sorted(file.parent for file in ROOT.glob("spec/*/v*/protocol.yaml"))


def test_the_committed_files_are_what_the_specs_give() -> None:
    assert check(FAMILIES, ROOT) == []


def test_generation_is_reproducible_and_quick(tmp_path: Path) -> None:
    start = time.process_time()
    generate(FAMILIES, tmp_path / "one")
    assert time.process_time() - start < 3
    generate(reversed(FAMILIES), tmp_path / "two")
    ours, theirs = (
        {f.relative_to(d): f.read_bytes() for f in d.rglob("*") if f.is_file()}
        for d in sorted(tmp_path.iterdir())
    )
    assert ours == theirs
    assert len(ours) > 40


def test_check_names_missing_changed_and_stray_files(tmp_path: Path) -> None:
    written = generate([PINGPONG], tmp_path)
    assert check([PINGPONG], tmp_path) == []
    assert generate([PINGPONG], tmp_path) == []
    bindings = "sdk/python/comity/sdk/_generated/"
    (tmp_path / bindings / "pingpong_v1/errors.py").unlink()
    (tmp_path / bindings / "pingpong_v1/stray.py").write_text("")
    (tmp_path / "schemas/json/pingpong-1.0/Ping.json").write_text("{}")
    wanted = [
        f"{bindings}pingpong_v1/errors.py",
        f"{bindings}pingpong_v1/stray.py",
        "schemas/json/pingpong-1.0/Ping.json",
    ]
    assert check([PINGPONG], tmp_path) == sorted(wanted)
    assert generate([PINGPONG], tmp_path) == sorted(wanted)
    assert check([PINGPONG], tmp_path) == []
    assert all((tmp_path / name).is_file() for name in written)


def test_the_command_exits_with_1_on_a_difference_and_prints_errors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    family = tmp_path / "spec" / "pingpong" / "v1"
    shutil.copytree(PINGPONG, family)
    assert main(["check", "--root", str(tmp_path)]) == 1
    assert main(["gen", "--root", str(tmp_path)]) == 0
    assert main(["check", "--root", str(tmp_path)]) == 0
    capsys.readouterr()
    (family / "messages.yaml").write_text("$defs: [")
    assert main(["check", "--root", str(tmp_path)]) == 1
    assert "messages.yaml:2: yaml.syntax" in capsys.readouterr().err


def test_errors_of_several_families_are_reported_together(tmp_path: Path) -> None:
    for name in ("one", "two"):
        shutil.copytree(PINGPONG, tmp_path / name)
        (tmp_path / name / "channels.yaml").write_text("channels: 1\n")
    with pytest.raises(CompilerError) as error:
        generate([tmp_path / "one", tmp_path / "two"], tmp_path)
    assert [d.rule for d in error.value.diagnostics] == ["shape.type", "shape.type"]


@pytest.fixture
def bindings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[ModuleType, ModuleType]]:
    generate_to(PINGPONG, tmp_path / "theirs", "python")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    modules = [importlib.import_module(f"theirs.pingpong_v1.{name}") for name in ("messages", "machines")]
    yield modules[0], modules[1]
    for name in [name for name in sys.modules if name.partition(".")[0] == "theirs"]:
        del sys.modules[name]


def test_a_third_party_family_has_messages_that_round_trip(bindings: tuple[ModuleType, ModuleType]) -> None:
    messages, _ = bindings
    data: dict[str, Any] = {
        "nonce": 7,
        "load": {"kind": "piece", "schema": True},
        "words": ["a", "b-c"],
        "gone": None,
        "extra": {"x": [1, {}]},
    }
    ping = messages.Ping.model_validate(data)
    assert ping.TYPE == "org.example.pingpong.v1.Ping"
    assert (ping.KIND, ping.REPLIES, ping.load.schema_) == ("request", ("Pong", "Refused"), True)
    assert (ping.note, ping.gone) == (MISSING, None)
    assert ping.model_dump(by_alias=True) == data
    assert messages.CHANNELS["calls"].messages == ("Ping",)


def test_a_third_party_machine_runs(bindings: tuple[ModuleType, ModuleType]) -> None:
    messages, machines = bindings
    caller = Instance(machines.CALLER)
    assert caller.step("command.ask", {"name": "bob"}, 10.0) == (Effect("send", "Ping"),)
    assert caller.next_deadline() == 11.0
    assert caller.step("Pong", messages.Pong(nonce=3), 10.5) == ()
    assert caller.step("Pong", messages.Pong(nonce=0), 10.5) == (
        Effect("persist", "nonce"),
        Effect("notify", "answered"),
    )
    assert (caller.state, caller.context["nonce"], caller.next_deadline()) == ("idle", 1, None)

    def awake(event: Any, it: Instance) -> bool:
        return bool(event.nonce > 5)

    answerer = Instance(machines.ANSWERER, {"awake": awake})
    assert answerer.step("Ping", messages.Ping(nonce=9)) == (
        Effect("effect", "count"),
        Effect("send", "Pong"),
    )
    assert answerer.step("Ping", messages.Ping(nonce=1)) == (Effect("refuse", "pingpong.asleep"),)


def test_a_third_party_gets_schemas_and_documents(tmp_path: Path) -> None:
    schemas = generate_to(PINGPONG, tmp_path / "schemas", "jsonschema")
    assert {f.name for f in schemas} == {"Ping.json", "Pong.json", "Refused.json"}
    ping = json.loads((tmp_path / "schemas/pingpong-1.0/Ping.json").read_text())
    assert jsonschema_rs.validator_for(ping).is_valid({"nonce": 1, "load": {"kind": "kilo", "weight": 1.5}})
    assert not jsonschema_rs.validator_for(ping).is_valid({"nonce": 1, "load": {"kind": "kilo"}})
    documents = generate_to(PINGPONG, tmp_path / "docs", "docs")
    text = "".join(f.read_text() for f in documents)
    assert "stateDiagram-v2" in text
    assert '<a id="PP-PING-001">' in text


def test_an_unknown_target_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="python, jsonschema, docs"):
        generate_to(PINGPONG, tmp_path, "cobol")


def test_the_compiled_spec_stands_alone(tmp_path: Path) -> None:
    generate_to(PINGPONG, tmp_path, "python")
    spec = load_file(tmp_path / "pingpong_v1" / "spec.json")
    assert spec.errors["pingpong.asleep"].retry == "after"
    assert spec.types["org.example.pingpong.v1.Pong"] == "Pong"
    trigger = spec.requirements[0]["trigger"]
    assert trigger["on"] == "Ping"
    assert trigger["where"]["ast"][0] == "&&"
    assert "#/$defs/" in json.dumps(spec.schema)
    for name in spec.messages:
        jsonschema_rs.validator_for(spec.message_schema(name))


def test_generated_third_party_code_is_strictly_typed(tmp_path: Path) -> None:
    generate_to(PINGPONG, tmp_path / "theirs", "python")
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), "theirs"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
