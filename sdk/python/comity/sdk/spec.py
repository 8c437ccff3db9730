"""The compiled spec as data: what a family says, for whoever judges or documents it.

Responsible for loading `spec.json` of a generated package and giving it names. Not responsible for messages as
classes or machines as tables (see `model`, `machine`); it imports neither Pydantic nor YAML.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple, cast

from .errors import SpecError

__all__ = ["CompiledSpec", "ErrorRow", "families", "load", "load_file"]

FORMAT = "comity-spec/1"


class ErrorRow(NamedTuple):
    """One row of the error registry.

    `outcome` is definite (it did not happen) or indefinite; `retry` never, same, or after a pause; `blame`
    sender, receiver or nobody.
    """

    number: int
    outcome: str
    retry: str
    blame: str
    text: str


@dataclass(frozen=True)
class CompiledSpec:
    """One compiled family. `data` is the whole of `spec.json`; the properties name its parts."""

    data: Mapping[str, Any]

    @property
    def protocol(self) -> str:
        return str(self.data["protocol"])

    @property
    def version(self) -> str:
        """Major and minor: "1.0"."""
        return str(self.data["version"])

    @property
    def digest(self) -> str:
        """SHA-256 of the sources, in hexadecimal."""
        return str(self.data["digest"])

    @property
    def schema(self) -> Mapping[str, Any]:
        """One JSON Schema document; `$defs` has every definition, with local references only."""
        schema: Mapping[str, Any] = self.data["schema"]
        return schema

    @property
    def messages(self) -> Mapping[str, Mapping[str, Any]]:
        """By short name: type, from, to, kind, write, safe, replies, channel, requirements."""
        messages: Mapping[str, Mapping[str, Any]] = self.data["messages"]
        return messages

    @property
    def channels(self) -> Mapping[str, Mapping[str, Any]]:
        channels: Mapping[str, Mapping[str, Any]] = self.data["channels"]
        return channels

    @property
    def machines(self) -> Mapping[str, Mapping[str, Any]]:
        machines: Mapping[str, Mapping[str, Any]] = self.data["machines"]
        return machines

    @property
    def requirements(self) -> Sequence[Mapping[str, Any]]:
        """Rows in the order of the spec; `trigger` is null or {source, on, where: {source, ast} or null}."""
        rows: Sequence[Mapping[str, Any]] = self.data["requirements"]
        return rows

    @property
    def parameters(self) -> Mapping[str, Mapping[str, Any]]:
        parameters: Mapping[str, Mapping[str, Any]] = self.data["parameters"]
        return parameters

    @property
    def traces(self) -> Sequence[Mapping[str, Any]]:
        traces: Sequence[Mapping[str, Any]] = self.data["traces"]
        return traces

    @cached_property
    def errors(self) -> dict[str, ErrorRow]:
        """Own and used error codes."""
        return {row["code"]: ErrorRow(*(row[key] for key in ErrorRow._fields)) for row in self.data["errors"]}

    @cached_property
    def types(self) -> dict[str, str]:
        """CloudEvents type to short message name."""
        return {message["type"]: name for name, message in self.messages.items()}

    def message_schema(self, name: str) -> dict[str, Any]:
        """A JSON Schema document for one message or other definition. Raises `SpecError` for an unknown name."""
        if name not in self.schema["$defs"]:
            raise SpecError(f"{self.protocol} {self.version} has no definition {name!r}")
        return {**self.schema, "$ref": f"#/$defs/{name}"}


@cache
def families() -> tuple[str, ...]:
    """The families of this package, by name, that have a first major version."""
    found = (directory.name for directory in resources.files("comity.sdk").joinpath("_generated").iterdir())
    return tuple(sorted(name[:-3].replace("_", "-") for name in found if name.endswith("_v1")))


@cache
def load(family: str, major: int = 1) -> CompiledSpec:
    """The compiled spec of a family of this package. Raises `SpecError` when there is none."""
    package = f"{family.replace('-', '_')}_v{major}"
    file = resources.files("comity.sdk").joinpath("_generated", package, "spec.json")
    if not file.is_file():
        raise SpecError(f"no compiled spec of family {family!r} with major version {major}")
    return _parse(file.read_text(encoding="utf-8"), package)


def load_file(path: Path) -> CompiledSpec:
    """A compiled spec from a file that somebody else's compiler run wrote. Raises `SpecError`."""
    try:
        return _parse(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise SpecError(f"cannot read {path}: {error.strerror}") from error


def _parse(text: str, name: str) -> CompiledSpec:
    try:
        data: Any = json.loads(text)
    except ValueError as error:
        raise SpecError(f"{name} is not JSON: {error}") from error
    if not isinstance(data, dict) or cast("dict[str, Any]", data).get("format") != FORMAT:
        raise SpecError(f"{name} is not a compiled spec of format {FORMAT}")
    return CompiledSpec(cast("dict[str, Any]", data))
