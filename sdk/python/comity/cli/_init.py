"""`comity init` and `comity starter`: the first files of an agent author and of an implementer."""

from __future__ import annotations

from pathlib import Path

from comity.cli._output import files_written
from comity.sdk.errors import ConfigError

__all__ = ["init_command", "starter_command"]

_AGENT = """\
import asyncio

from comity.mesh import Mesh


async def main() -> None:
    async with Mesh.connect(agent="hello") as mesh:
        await mesh.registry.register(capabilities=["demo.greet"], metadata={"zone": "here"})
        async for entry in mesh.registry.query(capability="demo.greet"):
            print("found", entry.name, entry.agent)


asyncio.run(main())
"""

_CONFIG = """\
# Everything that a deployment may change. The transport is one URL; "memory://" needs no server at all.
transport = "memory://hello?serve=registry"
# transport = "nats://127.0.0.1:4222"        # with: comity serve registry --transport nats://127.0.0.1:4222
namespace = "default"
"""


def init_command(directory: Path, *, as_json: bool) -> int:
    """Write agent.py and comity.toml into `directory`; refuses to overwrite either."""
    _write(directory, {"agent.py": _AGENT, "comity.toml": _CONFIG}, as_json=as_json)
    return 0


def starter_command(role: str, out: Path, *, as_json: bool) -> int:
    """Write the starter implementation of `role` into `out`; refuses to overwrite."""
    from comity.conformance import starter

    _write(out, starter.files(role), as_json=as_json)
    return 0


def _write(directory: Path, files: dict[str, str], *, as_json: bool) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    taken = [name for name in files if (directory / name).exists()]
    if taken:
        raise ConfigError(f"{directory / taken[0]} exists; nothing was written. Choose another directory.")
    for name, text in files.items():
        (directory / name).write_text(text, encoding="utf-8")
    files_written((str(directory / name) for name in files), as_json=as_json)
