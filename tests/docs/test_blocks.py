"""The commands and programs in the documents do what the documents say."""

from __future__ import annotations

import ast
import os
import re
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from .pages import ROOT, Block, blocks, pages

BIN = Path(sys.executable).parent
MARK = "::block::"
TIDY = "kill $(jobs -p) 2>/dev/null || true; comity brokers down >/dev/null 2>&1 || true"
BODY = """\
import asyncio
from comity.mesh import Mesh

async def main() -> None:
    async with Mesh.connect("memory://guide?serve=registry", agent="guide") as mesh:
{body}

asyncio.run(asyncio.wait_for(main(), 30))
"""


def page(name: str) -> pytest.ParameterSet:
    return pytest.param(ROOT / name, id=name)


def selected(path: Path, *, broker: bool) -> list[Block]:
    """The blocks of a page that its script is made of."""
    return [block for block in blocks(path) if broker or "broker" not in block.words]


def script(found: list[Block]) -> str:
    """One shell script of all blocks; a marked line stands behind the output of each that is run."""
    lines = ["set -euo pipefail", f"trap '{TIDY}' EXIT"]
    for block in found:
        name = next((word[5:] for word in block.words if word.startswith("file=")), None)
        if name is not None:
            lines.append(f"cat >{name} <<'::end::'\n{block.text}::end::")
        elif block.language == "bash" and "run" in block.words:
            lines.append(f"{block.text}echo '{MARK}'")
    return "\n".join(lines) + "\n"


def expectations(found: list[Block]) -> list[str]:
    """Per block that is run, what the page says that it prints."""
    wanted: list[str] = []
    for block in found:
        if block.language == "bash" and "run" in block.words:
            wanted.append("")
        elif "output" in block.words and wanted:
            wanted[-1] = block.text
    return wanted


def run(text: str, directory: Path, command: list[str]) -> str:
    """Run `text` by `command` in `directory`, with everything that it leaves behind ended; give its output."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("COMITY_")}
    environment |= {"PATH": f"{BIN}:{os.environ['PATH']}", "COMITY_STATE_DIR": str(directory / "state")}
    with subprocess.Popen(
        command,
        cwd=directory,
        env=environment,
        text=True,
        encoding="utf-8",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate(text, timeout=180)
        finally:
            _end_group(process.pid)
    assert process.returncode == 0, output
    return output


def _end_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


def missing(output: str, wanted: str) -> list[str]:
    """The lines of `wanted` that do not occur in `output` in their order."""
    rest = iter(output.splitlines())
    patterns = [
        (line, re.escape(line.strip()).replace("…", ".*")) for line in wanted.splitlines() if line.strip()
    ]
    return [line for line, pattern in patterns if not any(re.fullmatch(pattern, got.strip()) for got in rest)]


def follow(path: Path, directory: Path, *, broker: bool) -> None:
    found = selected(path, broker=broker)
    outputs = run(script(found), directory, ["bash", "-s"]).split(MARK)
    wanted = expectations(found)
    assert wanted, "nothing on this page is run"
    assert [missing(output, lines) for output, lines in zip(outputs, wanted, strict=False)] == [[]] * len(
        wanted
    )


@pytest.mark.parametrize("path", [page("docs/quickstart.md")])
def test_the_page_works_as_written(path: Path, tmp_path: Path) -> None:
    follow(path, tmp_path, broker=False)


@pytest.mark.broker
@pytest.mark.slow
@pytest.mark.parametrize("path", [page("docs/quickstart.md"), page("README.md")])
def test_the_page_works_as_written_with_a_broker(path: Path, tmp_path: Path) -> None:
    follow(path, tmp_path, broker=True)


@pytest.mark.broker
@pytest.mark.slow
@pytest.mark.xdist_group("kafka")
@pytest.mark.usefixtures("nats_server", "mqtt_server", "kafka_server")
def test_the_broker_is_swapped_as_written(tmp_path: Path) -> None:
    """One application, unchanged, on every transport; the fixtures fail or say what a machine lacks."""
    follow(ROOT / "docs/swap.md", tmp_path, broker=True)


@pytest.mark.broker
@pytest.mark.slow
@pytest.mark.usefixtures("nats_server", "mqtt_server")
def test_two_brokers_are_joined_as_written(tmp_path: Path) -> None:
    follow(ROOT / "docs/gateway.md", tmp_path, broker=True)


@pytest.mark.parametrize("path", [page("docs/agent.md")])
def test_the_pieces_of_the_page_make_a_program(path: Path, tmp_path: Path) -> None:
    pieces = [block.text for block in blocks(path) if block.language == "python" and "body" in block.words]
    assert pieces
    program = BODY.format(body=textwrap.indent("\n".join(pieces), " " * 8))
    run(program, tmp_path, [sys.executable, "-W", "error", "-"])


@pytest.mark.parametrize("path", pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_python_in_the_documents_compiles(path: Path) -> None:
    for block in blocks(path):
        if block.language == "python":
            compile(block.text, f"{path}:{block.line}", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def test_the_readme_shows_what_comity_init_writes(tmp_path: Path) -> None:
    run("comity init .", tmp_path, ["bash", "-s"])
    shown = [block.text for block in blocks(ROOT / "README.md") if block.language == "python"]
    assert shown == [(tmp_path / "agent.py").read_text(encoding="utf-8")]


def test_a_page_that_lies_is_found(tmp_path: Path) -> None:
    lie = tmp_path / "lie.md"
    lie.write_text("```bash run\necho one; echo two\n```\n```text output\ntwo\none\n```\n", encoding="utf-8")
    with pytest.raises(AssertionError, match="one"):
        follow(lie, tmp_path, broker=False)
    lie.write_text("```bash run\necho out; false\n```\n", encoding="utf-8")
    with pytest.raises(AssertionError, match="out"):
        follow(lie, tmp_path, broker=False)
